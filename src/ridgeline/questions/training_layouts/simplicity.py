"""Which of several training layouts is simplest, where they are equals or too close to call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ridgeline.specs.training import TrainingLayout

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob

__all__ = ["simplicity"]

_ORDER: Final = TrainingLayout.model_fields["order"].default
_PLAIN_SCHEDULES: Final = (None, "1f1b", "interleaved")
_GATHERS: Final = 3


def simplicity(job: TrainingJob) -> tuple[int, ...]:
    """A key that sorts jobs, simplest first.

    Parameters
    ----------
    job : TrainingJob   Of numbers, not of arrays.

    Returns
    -------
    tuple of int
        In this order: what the host's memory holds; whether the schedule is another than 1F1B,
        plain or interleaved; whether ranks are numbered in another order than the usual, or other
        exchanges overlap than the framework's; scale-up domains that a tensor-parallel group spans;
        kinds of parallelism beside data parallelism (TP, CP, PP, EP, parameters that are sharded;
        experts that are both spread and cut, and copies of shards, count as one more each).

    Notes
    -----
    Degrees, chunks, micro-batches and recompute are numbers to be tuned, none simpler than another.

    Examples
    --------
    >>> import ridgeline as rl
    >>> def job(**options):
    ...     return rl.training("Qwen/Qwen3-8B", "4xhgx-h100", global_batch=512, **options).job
    >>> tried = [job(tp=2, pp=2), job(tp=8), job(dp=32)]
    >>> [(x.layout.tp, x.layout.pp) for x in sorted(tried, key=simplicity)]
    [(1, 1), (8, 1), (2, 2)]
    """
    layout, recipe = job.layout, job.recipe
    cut = layout.expert_tp or 1
    kinds = sum(d > 1 for d in (layout.tp, layout.cp, layout.pp, layout.ep))
    kinds += (layout.zero == _GATHERS) + (layout.ep > 1 and cut > 1) + (layout.shard is not None)
    return (
        len(recipe.offload),
        int(recipe.schedule not in _PLAIN_SCHEDULES),
        int(layout.order != _ORDER) + int(recipe.overlap is not None),
        math.ceil(layout.tp / job.cluster.domain_size),
        int(kinds),
    )
