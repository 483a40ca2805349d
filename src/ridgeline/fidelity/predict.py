"""Predict rows of measurement tables, with an interval, all at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import engine_constants, scheduling
from ridgeline.fidelity.engines.calibrate import predictable
from ridgeline.fidelity.engines.evaluate import Evaluator
from ridgeline.fidelity.engines.memory import process_bytes
from ridgeline.fidelity.engines.pools import has_pools, pools_prediction
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.kernels.effects import EFFECTS, resolved_over, scatter_of
from ridgeline.kernels.extrapolation import beyond_words, extrapolation_sigma
from ridgeline.kernels.links import between_machines_sigma, peer_access_words
from ridgeline.kernels.spread import Z80

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.runs import Row
    from ridgeline.kernels.effects import Resolved
    from ridgeline.specs.constants import EngineConstants

    Floats = NDArray[np.float64]

__all__ = ["predict"]

_NUDGE = 1e-3
#: no time, rate or size is so small
_NOTHING = 1e-200


def predict(rows: Sequence[Row], constants: EngineConstants | None = None) -> list[Prediction]:
    r"""Predict each row with an 80% interval.

    Parameters
    ----------
    rows : sequence of Row
        Their values, if any, are not looked at.
    constants : EngineConstants or None   Those of the catalogue where none are given.

    Returns
    -------
    list of Prediction   One a row, in order; a row that cannot be predicted says why.

    Notes
    -----
    .. math:: \sigma^2 = s^2 + \sum_e \left(\frac{\partial \ln y}{\partial \ln e}\right)^2
              \sum_{\text{places not seen}} \sigma_{e,\text{level}}^2
              + \sigma_{\text{chip}}^2

    s is what remained on models left out of the fit, by regime, metric, engine and chip: it holds
    the uncertainty of the constants already. A chip unlike those measured adds what extrapolating
    the laws to it may err (`ridgeline.kernels.extrapolation`). Medians leave open how long their
    request waited.
    """
    constants = constants or engine_constants()
    found: list[Prediction | None] = [None] * len(rows)
    timed = []
    for i, row in enumerate(rows):
        if row.run is None:
            found[i] = _none(row.status, row.reason)
        elif row.metric == "memory_bytes":
            found[i] = process_bytes(row.run, constants)
        elif has_pools(row.run):
            found[i] = pools_prediction(row.run, row.metric, constants)
        elif not predictable(row):
            found[i] = _none("no-shape", "The model is known by its counts alone.")
        else:
            timed.append(i)
    if timed:
        answers = _timed([rows[i] for i in timed], constants)
        for i, answer in zip(timed, answers, strict=True):
            found[i] = answer
    return [p if p is not None else _none("failed", "No prediction.") for p in found]


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status if status != OK else "failed", reason)


def _timed(rows: Sequence[Row], constants: EngineConstants) -> list[Prediction]:
    evaluator = Evaluator(rows)
    plan = evaluator.plan
    scopes = plan.members
    resolved = _resolved(scopes, constants)
    values = {n: np.array([r[n].value for r in resolved]) for n in EFFECTS}
    unknown = {n: np.array([r[n].sigma for r in resolved]) for n in EFFECTS}
    by_chance = scheduling().chance_sigma * np.array([c.is_median for c in plan.cases])
    unknown["queue"] = np.hypot(unknown["queue"], by_chance)
    machines = [float(between_machines_sigma(c.run.cluster)) for c in plan.cases]
    unknown["link"] = np.hypot(unknown["link"], machines)
    middle, case = evaluator.log_rows(values)
    variance = np.zeros(len(rows))
    if any(np.any(s > 0) for s in unknown.values()):
        slopes = evaluator.slopes(values, middle, -_NUDGE)
        for name in EFFECTS:
            variance += (slopes[name] * unknown[name][case]) ** 2
    saturated = evaluator.saturation(values)
    answers = []
    for i, row in enumerate(rows):
        assert row.run is not None
        assumed, lacks = plan.cases[case[i]], plan.lacks[case[i]]
        if lacks:
            answers.append(_none("does-not-fit", f"Does not fit: {lacks}."))
            continue
        each = [scatter_of(constants, row.run.regime, row.metric, x) for x in scopes[case[i]]]
        own = sum(each) / len(each)
        unstated = assumed.log_variance
        chip = row.run.cluster.chip
        at = assumed.layout
        several = at.pp * at.attn_dp * at.tp > 1
        links = peer_access_words(row.run.cluster) if several else ""
        unlike = float(extrapolation_sigma(chip)) ** 2
        sigma = math.sqrt(own**2 + float(variance[i]) + unstated + unlike)
        said = [*assumed.said, *assumed.remarks, saturated[case[i]], beyond_words(chip), links]
        answers.append(_answer(float(middle[i]), sigma, "; ".join(filter(None, said))))
    return answers


def _resolved(
    scopes: Sequence[list[dict[str, str]]], constants: EngineConstants
) -> list[dict[str, Resolved]]:
    """Effects of each case, each combination of scopes looked up once."""
    known: dict[Any, dict[str, Resolved]] = {}
    found = []
    for each in scopes:
        key = tuple(tuple(x.values()) for x in each)
        if key not in known:
            known[key] = resolved_over(constants, each)
        found.append(known[key])
    return found


def _answer(middle: float, sigma: float, reason: str) -> Prediction:
    value = math.exp(middle)
    reach = math.exp(Z80 * sigma)
    if not math.isfinite(value) or value < _NOTHING:
        return _none(
            "no-such-metric", "The run has no such metric: its regime does not measure it."
        )
    return Prediction(value, value / reach, value * reach, OK, reason)
