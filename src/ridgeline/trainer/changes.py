"""What would make a training job fit: single changes, or two of them, by the time they cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError
from ridgeline.laws.schedules import schedule_problem
from ridgeline.specs.training import TrainingLayout
from ridgeline.trainer.memory import SURE, job_memory
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ridgeline.trainer.job import TrainingJob
    from ridgeline.trainer.memory import TrainingMemory

__all__ = ["Change", "cheapest_changes"]

_MOST_ZERO = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a job, or several at once, and what it comes to.

    Attributes
    ----------
    what : tuple of str   ``ZeRO 3``, ``TP 8 and DP 2``: one phrase a change.
    job : TrainingJob     The job with it.
    memory : TrainingMemory
    time_s : float        Of an optimizer step. [s]
    """

    what: tuple[str, ...]
    job: TrainingJob
    memory: TrainingMemory
    time_s: float


def cheapest_changes(
    job: TrainingJob,
    most: int = 3,
    sure: float = SURE,
    is_legal: Callable[[TrainingJob], bool] = lambda _: True,
) -> tuple[Change, ...]:
    """The changes that make a job fit at the least time of a step; none where it fits as it is.

    Parameters
    ----------
    job : TrainingJob   Of one row.
    most : int
    sure : float        Probability of fitting from which on it counts as doing so. [1]
    is_legal : callable   Whether a job can be, beyond heads, layers and schedule.

    Returns
    -------
    tuple of Change   Fastest first; pairs of changes where fewer single ones do.

    Notes
    -----
    Chips, sequences of a step and the model stay. Tried are recompute, sharding of more by ZeRO,
    sequence parallelism, twice the tensor or pipeline parallelism for half the data parallelism, a
    smaller micro-batch, offload to the host, and an optimizer of fewer bytes.
    """
    if float(job_memory(job).fits_probability[0]) >= sure:
        return ()
    steps = [*_steps(job)]
    found = [
        c
        for what, one in steps
        if is_legal(one) and (c := _weighed(one, (what,), sure)) is not None
    ]
    alone = {c.what[0] for c in found}
    if len(found) < most:
        for (first, _), (second, _) in combinations(steps, 2):
            if {first, second} & alone:
                continue
            both = next((j for w, j in _steps(_applied(job, first)) if w == second), None)
            if both is None or not is_legal(both):
                continue
            if (c := _weighed(both, (first, second), sure)) is not None:
                found.append(c)
    return tuple(sorted(found, key=lambda c: c.time_s)[:most])


def _applied(job: TrainingJob, what: str) -> TrainingJob:
    return next(one for name, one in _steps(job) if name == what)


def _weighed(job: TrainingJob, what: tuple[str, ...], sure: float) -> Change | None:
    memory = job_memory(job)
    if float(memory.fits_probability[0]) < sure:
        return None
    return Change(what, job, memory, float(job_step(job).time_s[0]))


def _steps(job: TrainingJob) -> Iterator[tuple[str, TrainingJob]]:
    """Legal single changes, with what to call them."""
    yield from _of_recipe(job)
    for what, changes in _of_layout(job.layout):
        try:
            layout = TrainingLayout.parse({**job.layout.model_dump(), **changes}, "layout")
        except RidgelineError:
            continue
        one = replace(job, layout=layout)
        if _is_legal(one):
            yield what, one


def _of_recipe(job: TrainingJob) -> Iterator[tuple[str, TrainingJob]]:
    recipe = job.recipe

    def changed(**changes: Any) -> TrainingJob:
        return replace(job, recipe=recipe.model_copy(update=changes))

    kinds = ("none", "selective", "products", "full")
    at = kinds.index(recipe.recompute) if recipe.recompute in kinds else len(kinds)
    for kind in kinds[at + 1 :]:
        if kind != "selective" or not job.count.era.fused_attention:
            yield f"recompute {kind}", changed(recompute=kind)
    if recipe.micro_batch > 1:
        half = next(n for n in range(recipe.micro_batch // 2, 0, -1) if recipe.micro_batch % n == 0)
        yield f"micro-batches of {half}", changed(micro_batch=half)
    if job.cluster.host_link:
        for kind in ("optimizer", "activations"):
            if kind not in recipe.offload:
                yield f"offload of {kind}", changed(offload=(*recipe.offload, kind))
    if recipe.optimizer == "adamw":
        yield "8-bit AdamW", changed(optimizer="adamw-8bit")


def _of_layout(layout: TrainingLayout) -> Iterator[tuple[str, dict[str, Any]]]:
    if layout.dp * layout.cp > 1:
        for zero in range(layout.zero + 1, _MOST_ZERO + 1):
            yield f"ZeRO {zero}", {"zero": zero}
    if layout.tp > 1 and not layout.sequence_parallel:
        yield "sequence parallelism", {"sequence_parallel": True}
    if layout.dp % 2 == 0:
        half = {"dp": layout.dp // 2, "shard": None}
        yield f"TP {2 * layout.tp} and DP {layout.dp // 2}", half | {"tp": 2 * layout.tp}
        yield f"PP {2 * layout.pp} and DP {layout.dp // 2}", half | {"pp": 2 * layout.pp}


def _is_legal(job: TrainingJob) -> bool:
    """Whether heads, layers, domain and schedule take the layout."""
    layout, model = job.layout, job.model
    heads = [getattr(block.mixer, "n_heads", layout.tp) for block in model.blocks]
    if any(n % layout.tp for n in heads) or layout.tp > job.cluster.domain_size:
        return False
    if layout.pp * layout.vp > sum(block.repeat for block in model.blocks):
        return False
    if layout.pp == 1:
        return True
    chunks = layout.vp if layout.vp > 1 else None
    return schedule_problem(job.schedule, layout.pp, int(job.micro_batches), chunks) is None
