"""Predict rows of training tables, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import training_constants, training_memory
from ridgeline.fidelity.runs import Prediction
from ridgeline.fidelity.training.runs import RATES
from ridgeline.fidelity.training.units import rate_of
from ridgeline.fidelity.training.weigh import MEMORY_METRICS, READINGS, reading_of, weighed
from ridgeline.kernels.spread import Z80
from ridgeline.trainer.groups import grouped
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.training_memory import MemoryConstants

    Floats = NDArray[np.float64]

__all__ = ["Fitted", "predict_training"]

#: standard deviation of ln(time) that an assumption brings; one that is usual with the framework
#: was mostly made of the runs that measured it, too
_ASSUMED, _USUAL = 0.1, 0.03


@dataclass(frozen=True)
class Fitted:
    """Constants of both halves of a step.

    Attributes
    ----------
    step : EngineConstants     Of its time; those of the catalogue where none are given.
    memory : MemoryConstants   Of what it holds.
    """

    step: EngineConstants = field(default_factory=training_constants)
    memory: MemoryConstants = field(default_factory=training_memory)


def predict_training(
    rows: Sequence[TrainingRow], constants: Fitted | EngineConstants | None = None
) -> list[Prediction]:
    """Predict each row with an 80% interval.

    Parameters
    ----------
    rows : sequence of TrainingRow    Their values, if any, are not looked at.
    constants : Fitted, EngineConstants or None   Those of the catalogue where none are given.

    Returns
    -------
    list of Prediction   One a row, in order. Of ``oom`` rows the probability of running out of
                         memory; low and high are the same.
    """
    known = (
        constants if isinstance(constants, Fitted) else Fitted(constants or training_constants())
    )
    timed = {r.run.key: r.run for r in rows if r.run and r.metric in RATES}
    heavy = {r.run.key: r.run for r in rows if r.run and r.metric in MEMORY_METRICS}
    seconds = dict(zip(timed, _seconds(list(timed.values()), known.step), strict=True))
    held = dict(zip(heavy, weighed(list(heavy.values()), known.memory), strict=True))
    return [
        _of_time(row, seconds) if row.metric in RATES else _of_memory(row, held) for row in rows
    ]


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


def _of_time(row: TrainingRow, seconds: dict[str, Any]) -> Prediction:
    assert row.run is not None
    time, sigma = (float(x) for x in seconds[row.run.key])
    reach = math.exp(Z80 * sigma)
    low, high = sorted(rate_of(row, t) for t in (time / reach, time * reach))
    return Prediction(rate_of(row, time), low, high, reason="; ".join(row.run.said))


def _of_memory(row: TrainingRow, held: dict[str, Any]) -> Prediction:
    assert row.run is not None
    found = held[row.run.key]
    reading = reading_of(row)
    value = float(found[READINGS.index(reading)])
    said = "; ".join(row.run.said)
    if reading == "fails":
        value = min(max(value, _SURE), 1 - _SURE)
        return Prediction(value, value, value, reason=said)
    reach = math.exp(Z80 * float(found[READINGS.index("sigma")]))
    words = f"as {_READ[reading]}" if reading in _READ else "first stage"
    said = "; ".join(filter(None, (words, said)))
    return Prediction(value, value / reach, value * reach, reason=said)


#: probabilities are at least so far from certain
_SURE = 1e-6
_READ = {
    "allocated": "allocated",
    "reserved": "reserved by the allocator",
    "device": "of the device",
}
