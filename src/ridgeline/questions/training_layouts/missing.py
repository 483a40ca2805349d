"""Where no training layout can be or fits: what comes closest, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers.words import counted, percent, seconds
from ridgeline.errors import InfeasibleError
from ridgeline.questions.families import refused_words
from ridgeline.questions.training.legal import problems
from ridgeline.questions.training.plain import chosen_job
from ridgeline.questions.training.words import job_words
from ridgeline.questions.training_layouts.words import axis_words, memory_words
from ridgeline.trainer.changes import cheapest_changes
from ridgeline.trainer.memory import SURE, job_memory
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.training_layouts.machines import MachineSearch
    from ridgeline.trainer.job import TrainingJob

__all__ = ["missing"]

_REASONS = 4


def missing(one: MachineSearch) -> list[str]:
    """Sentences about a machine on which nothing can be or fits; none about others.

    Parameters
    ----------
    one : MachineSearch
    """
    name = one.setup.model.name or one.setup.model.id
    search = one.search
    if search.n_legal == 0:
        return [f"{name} on {one.words}: no layout can be.", *map(_stop, _against(one))]
    if search.n_fit:
        return []
    rows = one.search.nearest
    job = one.job(rows[0])
    memory = job_memory(job)
    margin = float(memory.margin_bytes[0])
    lacks = f"{format_quantity(-margin, 'B')} more than it has"
    if margin >= 0:
        sure = percent(float(memory.fits_probability[0]))
        lacks = f"which fits with a probability of {sure} only, where {percent(SURE)} are asked for"
    return [
        f"{name} on {one.words}: none of {counted(search.n_legal, 'legal layout')} fits.",
        f"Closest comes {job_words(job)}, micro-batches of {job.recipe.micro_batch}: it "
        f"{memory_words(memory)}; {lacks}.",
        _more(job, one.setup.n_chips),
    ]


def _against(one: MachineSearch) -> list[str]:
    """What speaks against the layout of the degrees given; else against values of axes."""
    n_chips = one.setup.n_chips
    try:
        found = list(problems(chosen_job(one.setup).job, n_chips))
    except InfeasibleError as error:
        found = str(error).split("\n")
    return found or refused_words(_each_reason_once(one.search.refused), axis_words)[:_REASONS]


def _each_reason_once(refused: dict[tuple[str, Any], str]) -> dict[tuple[str, Any], str]:
    """Values and why not, without those of later axes that are refused for the same reason."""
    first: dict[str, str] = {}
    for (axis, _), reason in refused.items():
        first.setdefault(reason, axis)
    return {key: reason for key, reason in refused.items() if first[reason] == key[0] and reason}


def _stop(said: str) -> str:
    return said if said.endswith(".") else f"{said}."


def _more(job: TrainingJob, n_chips: int) -> str:
    """What would make the closest fit."""
    changes = cheapest_changes(job, is_legal=lambda one: next(problems(one, n_chips), None) is None)
    if not changes:
        tuned = ", or train adapters alone (--task lora, qlora)" * job.recipe.trains_all
        return (
            f"Use more chips, chips with more memory, or a smaller batch, sequence or model{tuned}."
        )
    each = "; ".join(
        f"{' and '.join(c.what)} ({seconds(c.time_s)} a step, "
        f"{format_quantity(float(np.ravel(c.memory.needed_bytes)[0]), 'B')})"
        for c in changes
    )
    return f"What would make it fit, fastest first: {each}; or more chips."
