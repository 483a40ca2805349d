"""How right scaling is: runs that differ in nothing but chips, predicted against measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.training.calibrate import timed_runs
from ridgeline.trainer.groups import grouped
from ridgeline.trainer.step import job_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.training.calibrate import Timed
    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["Scaled", "scaled_runs"]

#: batches per chip that differ by less are the same
_SAME_BATCH = 6


@dataclass(frozen=True, slots=True)
class Scaled:
    """The same training on fewer and on more chips, differing in data parallelism alone.

    Attributes
    ----------
    kind : str                     ``strong`` (one global batch) or ``weak`` (one for each chip).
    source, model : str
    n_few, n_many : int            Chips.
    measured, predicted : float    Tokens per second and chip on many over those on few. [1]
    """

    kind: str
    source: str
    model: str
    n_few: int
    n_many: int
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Ln(predicted / measured). [1]"""
        return float(np.log(self.predicted / self.measured))


def scaled_runs(rows: Sequence[TrainingRow]) -> list[Scaled]:
    """Series of measured runs over chips, each of their sizes beside the smallest.

    Parameters
    ----------
    rows : sequence of TrainingRow   As `read_training` gives them.

    Returns
    -------
    list of Scaled   Repeats and frameworks' releases of one size are averaged first.

    Notes
    -----
    Constants of the package have seen most of the runs, if not their ratios: what is asked is
    whether exchanges, bubbles and stragglers grow as they should.
    """
    runs = timed_runs(rows)
    seconds = np.empty(len(runs))
    for group in grouped([one.run.job for one in runs]):
        seconds[group.places] = job_seconds(group.job)
    series: dict[tuple[str, tuple[Any, ...]], dict[int, list[tuple[float, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for one, predicted_s in zip(runs, seconds, strict=True):
        for kind, key in _series_of(one).items():
            rates = 1 / one.step_s / one.run.n_chips, 1 / predicted_s / one.run.n_chips
            batch = one.run.job.load.global_batch
            series[kind, key][one.run.n_chips].append((rates[0] * batch, rates[1] * batch))
    found = []
    for (kind, key), by_chips in series.items():
        few, *more = sorted(by_chips)
        means = {n: np.exp(np.mean(np.log(by_chips[n]), axis=0)) for n in by_chips}
        for n in more:
            measured, predicted = means[n] / means[few]
            found.append(Scaled(kind, key[0], key[1], few, n, float(measured), float(predicted)))
    return found


def _series_of(one: Timed) -> dict[str, tuple[Any, ...]]:
    """What runs of a series have in common, by kind of scaling."""
    run, job = one.run, one.run.job
    layout, load, recipe = job.layout, job.load, job.recipe
    same = (
        run.source, run.model.id, run.cluster.chip.id, job.framework.id, run.engine_version,
        recipe, load.seq_len, layout.tp, layout.pp, layout.vp, layout.cp, layout.ep, layout.zero,
    )  # fmt: skip
    each = round(load.global_batch / run.n_chips, _SAME_BATCH)
    return {"strong": (*same, load.global_batch), "weak": (*same, each)}
