"""Jobs side by side: runs that differ in numbers alone are timed as one job with arrays."""

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

_LAYOUT = ("tp", "pp", "vp", "cp", "dp", "ep", "zero")
_RECIPE = ("micro_batch", "recompute_layers")
_LOAD = ("seq_len", "global_batch")


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
    layout, recipe, load, cluster = job.layout, job.recipe, job.load, job.cluster
    return (
        id(job.model), cluster.id, cluster.chip.id, cluster.domain_size, cluster.scale_out,
        job.framework.id, job.framework.era(job.version, job.date).id, job.framework.reduce_bytes,
        job.framework.zero, job.framework.hides, job.schedule, layout.expert_tp, layout.shard,
        layout.sequence_parallel, layout.cp_kind, layout.order, recipe.precision, recipe.optimizer,
        recipe.schedule, recipe.recompute, recipe.offload, recipe.task, recipe.lora_rank,
        load.document,
    )  # fmt: skip


def _side_by_side(jobs: Sequence[TrainingJob]) -> TrainingJob:
    first = jobs[0]
    widest = max((j.cluster for j in jobs), key=lambda c: c.n_domains)

    def stacked(record: str, fields: Sequence[str]) -> Any:
        own = getattr(first, record)
        columns = {f: np.array([getattr(getattr(j, record), f) for j in jobs]) for f in fields}
        return own.model_copy(update=columns)

    return replace(
        first,
        cluster=widest,
        layout=stacked("layout", _LAYOUT),
        recipe=stacked("recipe", _RECIPE),
        load=stacked("load", _LOAD),
    )
