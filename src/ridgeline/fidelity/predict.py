"""Predict rows of measurement tables, with an interval, all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.catalog import engine_constants, scheduling
from ridgeline.fidelity.engines.evaluate import Evaluator
from ridgeline.fidelity.engines.memory import process_bytes
from ridgeline.fidelity.engines.pools import has_pools, pools_predictions
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.kernels.effects import EFFECTS, resolved_over, scatter_of
from ridgeline.kernels.extrapolation import beyond_words, extrapolation_sigma
from ridgeline.kernels.links import between_machines_sigma, peer_access_words
from ridgeline.kernels.spread import Z80

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.assumptions import Assumed
    from ridgeline.fidelity.engines.plan import Plan
    from ridgeline.fidelity.runs import Row
    from ridgeline.specs.cluster import Cluster
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
    timed, pooled = [], []
    for i, row in enumerate(rows):
        if row.run is None:
            found[i] = _none(row.status, row.reason)
        elif row.metric == "memory_bytes":
            found[i] = process_bytes(row.run, constants)
        elif has_pools(row.run):
            pooled.append(i)
        elif not row.run.model.blocks:
            found[i] = _none("no-shape", "The model is known by its counts alone.")
        else:
            timed.append(i)
    asked = [(run, rows[i].metric) for i in pooled if (run := rows[i].run) is not None]
    for i, answer in zip(pooled, pools_predictions(asked, constants), strict=True):
        found[i] = answer
    if timed:
        for i, answer in zip(timed, _timed([rows[i] for i in timed], constants), strict=True):
            found[i] = answer
    return [p if p is not None else _none("failed", "No prediction.") for p in found]


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status if status != OK else "failed", reason)


def _timed(rows: Sequence[Row], constants: EngineConstants) -> list[Prediction]:
    evaluator = Evaluator(rows)
    plan = evaluator.plan
    resolved = [resolved_over(constants, scopes) for scopes in plan.places]
    values = {n: np.array([r[n].value for r in resolved])[plan.place] for n in EFFECTS}
    unknown = {n: np.array([r[n].sigma for r in resolved])[plan.place] for n in EFFECTS}
    by_chance = scheduling().chance_sigma * np.array([c.is_median for c in plan.cases])
    unknown["queue"] = np.hypot(unknown["queue"], by_chance)
    finish = _Finish(plan, constants)
    unknown["link"] = np.hypot(unknown["link"], [finish.machine(c).links for c in plan.cases])
    device = evaluator.device(values)
    found = evaluator.metrics(values, device)
    middle, case = evaluator.rows_of(found)
    of_row = {name: sigma[case] for name, sigma in unknown.items()}
    variance = _variance(evaluator, values, device, of_row, middle)
    saturated = evaluator.saturation(found)
    each = zip(rows, case.tolist(), middle.tolist(), variance.tolist(), strict=True)
    return [finish.answer(row, i, at, var, saturated[i]) for row, i, at, var in each]


def _variance(
    evaluator: Evaluator,
    values: Mapping[str, Floats],
    device: Mapping[str, Floats],
    unknown: Mapping[str, Floats],
    middle: Floats,
) -> Floats:
    """Variance of ln of each row by what is not known of its effects, each moved a little.

    Parameters
    ----------
    values : mapping    Effects of each case.
    device : mapping    From `Evaluator.device` of these.
    unknown : mapping   Standard deviation of ln of each effect, of each row.
    middle : array      ln of each row.
    """
    variance = np.zeros((len(unknown), len(middle)))
    of_runs: dict[bytes, tuple[NDArray[np.bool_], list[str]]] = {}
    for name, sigma in unknown.items():
        runs = np.zeros(len(evaluator.plan.of_run), dtype=bool)
        runs[evaluator.run_of_row[sigma > 0]] = True
        if runs.any():
            of_runs.setdefault(runs.tobytes(), (runs, []))[1].append(name)
    if not of_runs:
        return variance[0]
    every = np.any([runs for runs, _ in of_runs.values()], axis=0)
    some = evaluator.part(every, values, device)
    at = np.flatnonzero(every[evaluator.run_of_row])
    for runs, names in of_runs.values():
        part, effects, there = some[0].part(runs[every], *some[1:])
        rows = at[runs[every][some[0].run_of_row]]
        slopes = part.slopes(effects, middle[rows], -_NUDGE, names, there)
        for name in names:
            moved = slopes[name] * unknown[name][rows]
            variance[list(unknown).index(name), rows] = moved**2
    return variance.sum(axis=0)


@dataclass(frozen=True, slots=True)
class _Machine:
    """What of a machine goes into the interval of every run on it, and into its words."""

    links: float
    unlike: float
    beyond: str
    peers: str

    @classmethod
    def of(cls, cluster: Cluster) -> _Machine:
        chip = cluster.chip
        return cls(
            float(between_machines_sigma(cluster)),
            float(extrapolation_sigma(chip)) ** 2,
            beyond_words(chip),
            peer_access_words(cluster),
        )


class _Finish:
    """Intervals and words of rows; what many of them share is looked up once."""

    def __init__(self, plan: Plan, constants: EngineConstants) -> None:
        self._plan, self._constants = plan, constants
        self._place = plan.place.tolist()
        self._machines: dict[int, _Machine] = {}
        self._scatter: dict[tuple[str, str, int], float] = {}

    def machine(self, case: Assumed) -> _Machine:
        cluster = case.run.cluster
        found = self._machines.get(id(cluster))
        if found is None:
            found = self._machines[id(cluster)] = _Machine.of(cluster)
        return found

    def _scatter_of(self, regime: str, metric: str, place: int) -> float:
        key = (regime, metric, place)
        if key not in self._scatter:
            scopes = self._plan.places[place]
            each = [scatter_of(self._constants, regime, metric, x) for x in scopes]
            self._scatter[key] = sum(each) / len(each)
        return self._scatter[key]

    def answer(
        self, row: Row, i: int, middle: float, variance: float, saturated: str
    ) -> Prediction:
        """The prediction of a row by case `i` of its run."""
        assumed, lacks = self._plan.cases[i], self._plan.lacks[i]
        if lacks:
            return _none("does-not-fit", f"Does not fit: {lacks}.")
        own = self._scatter_of(assumed.run.regime, row.metric, self._place[i])
        machine, at = self.machine(assumed), assumed.layout
        links = machine.peers if at.pp * at.attn_dp * at.tp > 1 else ""
        sigma = math.sqrt(own**2 + variance + assumed.log_variance + machine.unlike)
        said = [*assumed.said, *assumed.remarks, saturated, machine.beyond, links]
        return _answer(middle, sigma, "; ".join(filter(None, said)))


def _answer(middle: float, sigma: float, reason: str) -> Prediction:
    value = math.exp(middle)
    reach = math.exp(Z80 * sigma)
    if not math.isfinite(value) or value < _NOTHING:
        return _none(
            "no-such-metric", "The run has no such metric: its regime does not measure it."
        )
    return Prediction(value, value / reach, value * reach, OK, reason)
