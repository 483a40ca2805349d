"""Jobs side by side: those that differ in numbers alone are timed as one job with arrays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from ridgeline.trainer.job import TrainingJob

__all__ = ["JobGroup", "grouped"]

#: of records: the numbers that rows may differ in
_NUMBERS = {
    "layout": ("tp", "pp", "vp", "cp", "dp", "ep", "zero"),
    "recipe": ("micro_batch", "recompute_layers"),
    "load": ("seq_len", "global_batch"),
}


@dataclass(frozen=True)
class JobGroup:
    """Jobs of one model, machine, framework and recipe.

    Attributes
    ----------
    job : TrainingJob     Its numbers are arrays, a row each.
    places : array of int   Of its rows among the jobs that were grouped.
    """

    job: TrainingJob
    places: NDArray[np.intp]


def grouped(jobs: Sequence[TrainingJob]) -> list[JobGroup]:
    """Lay jobs side by side that differ in numbers alone.

    Parameters
    ----------
    jobs : sequence of TrainingJob   Of whole numbers.

    Returns
    -------
    list of JobGroup   Together they hold each job once.
    """
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for i, job in enumerate(jobs):
        alike[_names_of(job)].append(i)
    return [JobGroup(_side_by_side([jobs[i] for i in at]), np.array(at)) for at in alike.values()]


def _names_of(job: TrainingJob) -> Hashable:
    """All of a job that is no number of a row."""
    cluster, framework = job.cluster, job.framework
    names = tuple(
        (name, value)
        for record, numbers in _NUMBERS.items()
        for name, value in getattr(job, record).__dict__.items()
        if name not in numbers
    )
    return (
        id(job.model), cluster.id, cluster.chip.id, cluster.domain_size, cluster.scale_out,
        framework.id, framework.era(job.version, job.date).id, framework.reduce_bytes,
        framework.zero, framework.hides, job.schedule, job.reading, names,
    )  # fmt: skip


def _side_by_side(jobs: Sequence[TrainingJob]) -> TrainingJob:
    first = jobs[0]
    widest = max((j.cluster for j in jobs), key=lambda c: c.n_domains)

    def stacked(record: str) -> Any:
        own = getattr(first, record)
        # Floats: tokens times parameters of a large step are more than whole numbers of 64 bits.
        columns = {
            f: np.array([getattr(getattr(j, record), f) for j in jobs], dtype=float)
            for f in _NUMBERS[record]
        }
        return own.model_copy(update=columns)

    return replace(first, cluster=widest, **{record: stacked(record) for record in _NUMBERS})
