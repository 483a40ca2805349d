"""Predict rows of training tables, with an interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import training_constants
from ridgeline.fidelity.runs import Prediction
from ridgeline.fidelity.training.groups import grouped
from ridgeline.fidelity.training.runs import RATES
from ridgeline.fidelity.training.units import rate_of
from ridgeline.kernels.spread import Z80
from ridgeline.training.step import job_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun
    from ridgeline.specs.constants import EngineConstants

    Floats = NDArray[np.float64]

__all__ = ["predict_training"]

#: standard deviation of ln(time) that an assumption brings; one that is usual with the framework
#: was mostly made of the runs that measured it, too
_ASSUMED, _USUAL = 0.1, 0.03


def predict_training(
    rows: Sequence[TrainingRow], constants: EngineConstants | None = None
) -> list[Prediction]:
    """Predict each row with an 80% interval.

    Parameters
    ----------
    rows : sequence of TrainingRow    Their values, if any, are not looked at.
    constants : EngineConstants or None   Those of the catalogue where none are given.

    Returns
    -------
    list of Prediction   One a row, in order. Of ``oom`` rows the probability of running out of
                         memory; low and high are the same.
    """
    known = constants or training_constants()
    runs: dict[str, TrainingRun] = {}
    for row in rows:
        if row.run is not None:
            runs.setdefault(row.run.key, row.run)
    timed = list(dict.fromkeys(r.run.key for r in rows if r.run and r.metric in RATES))
    seconds = dict(zip(timed, _seconds([runs[k] for k in timed], known), strict=True))
    return [_prediction(row, seconds) for row in rows]


def _seconds(runs: Sequence[TrainingRun], constants: EngineConstants) -> Floats:
    """Time of a step and how far its interval reaches, a row each: [s], [1]."""
    found = np.empty((len(runs), 2))
    for group in grouped([run.job for run in runs]):
        step = job_step(replace(group.job, constants=constants), interval=True)
        found[group.places, 0] = step.time_s
        found[group.places, 1] = np.log(step.high_s / step.time_s) / Z80
    assumed = np.array([_assumed_variance(run) for run in runs])
    found[:, 1] = np.sqrt(found[:, 1] ** 2 + assumed)
    return found


def _assumed_variance(run: TrainingRun) -> float:
    return math.fsum(_USUAL**2 if "as usual with" in s else _ASSUMED**2 for s in run.said)


def _prediction(row: TrainingRow, seconds: dict[str, Any]) -> Prediction:
    assert row.run is not None
    if row.metric not in RATES:
        return Prediction(math.nan, math.nan, math.nan, "not-modelled", "no such prediction yet.")
    time, sigma = (float(x) for x in seconds[row.run.key])
    reach = math.exp(Z80 * sigma)
    low, high = sorted(rate_of(row, t) for t in (time / reach, time * reach))
    return Prediction(rate_of(row, time), low, high, reason="; ".join(row.run.said))
