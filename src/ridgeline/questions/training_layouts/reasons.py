"""Why a training layout wins, and why every other family does not, with the number that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.answers.words import counted, listed, percent
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.questions.families import cause
from ridgeline.questions.training.words import PART_WORDS, part_words
from ridgeline.questions.training_layouts.words import job_name, memory_words
from ridgeline.trainer.memory import SURE, job_memory
from ridgeline.trainer.state import n_copies
from ridgeline.trainer.step import job_step
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.questions.training import Training
    from ridgeline.trainer.job import TrainingJob

__all__ = ["costs", "parts_s", "why_best", "why_unfit"]

_TOLD = 3
#: shares of a step below are not told
_TELLING = 5e-3


def parts_s(job: TrainingJob) -> dict[str, float]:
    """Time of a token by part of the step, of all chips together. [s]

    Parameters
    ----------
    job : TrainingJob   Of one row.
    """
    spent = job_step(job).parts_s
    tokens = job.load.tokens
    return {name: float(np.ravel(v)[0]) * job.n_chips / tokens for name, v in spent.items()}


def costs(
    job: TrainingJob, winner: TrainingJob, winner_parts_s: dict[str, float] | None = None
) -> str:
    """What costs a job most more than the winner, in words.

    Parameters
    ----------
    job, winner : TrainingJob   Of one row each.
    winner_parts_s : dict or None   The winner's `parts_s`, where they are known. [s]
    """
    best = parts_s(winner) if winner_parts_s is None else winner_parts_s

    def words(part: str, share: float) -> str:
        said = _again(job, winner) if part == "recompute" else _said(job, part)
        return f"{said} {percent(share)} of the step ({name})"

    name = job_name(job)
    return cause(parts_s(job), best, name, words)


def _said(job: TrainingJob, part: str) -> str:
    if part in _CAUSES:
        return _CAUSES[part](job)
    # Stages are not alike: all wait for the one with most layers, or with the head.
    where = f" on the slowest of {job.layout.pp} stages" if job.layout.pp > 1 else ""
    words = part_words(job.model, part)
    many = part in _PLURAL or words != PART_WORDS[part]
    return f"{words}{where} {'take' if many else 'takes'}"


def _bubble(job: TrainingJob) -> str:
    m, pp = float(np.ravel(job.micro_batches)[0]), job.layout.pp
    chunks = f" of {job.layout.vp} chunks" if SCHEDULES[job.schedule].n_chunks_is_free else ""
    return f"the bubble of {pp} stages{chunks} with {m:,.0f} micro-batch{'es' * (m != 1)} takes"


def _group(job: TrainingJob, degree: str) -> str:
    size, inside = (float(np.ravel(v)[0]) for v in job.count.group(degree))
    across = f", {inside:,.0f} of them in one domain," if inside < size else ""
    return f"{size:,.0f} chips{across}"


def _exchanges(degree: str, what: str) -> Callable[[TrainingJob], str]:
    return lambda job: f"{what} of {_group(job, degree)} that nothing hides take"


def _data(job: TrainingJob) -> str:
    ranks = job.layout.dp * job.layout.cp * n_copies(job.count)
    return f"collectives of {ranks:,} data-parallel ranks that nothing hides take"


def _again(job: TrainingJob, winner: TrainingJob) -> str:
    """Recompute, and the memory that it would not fit without."""
    what = {
        "full": "all layers",
        "layers": f"{counted(job.recipe.recompute_layers, 'layer')} of a stage",
        "selective": "attention",
        "products": "every second GEMM",
    }.get(job.recipe.recompute, job.recipe.recompute)
    own = {name: getattr(winner.recipe, name) for name in ("recompute", "recompute_layers")}
    memory = job_memory(replace(job, recipe=job.recipe.model_copy(update=own)))
    if float(memory.fits_probability[0]) >= SURE:
        return f"computing {what} again takes"
    need = format_quantity(float(memory.needed_bytes[0]), "B")
    have = format_quantity(memory.capacity_bytes, "B")
    without = f"{need} of {have} would be too tight"
    if not memory.fits[0]:
        without = f"a chip of {have} would need {need}"
    return f"computing {what} again, without which {without}, takes"


def _launch(job: TrainingJob) -> str:
    m = float(np.ravel(job.micro_batches)[0])
    return f"launches of the kernels of {m:,.0f} micro-batch{'es' * (m != 1)} take"


def _hops(job: TrainingJob) -> str:
    return f"exchanges between {job.layout.pp} stages that nothing hides take"


def _plural(what: str) -> Callable[[TrainingJob], str]:
    return lambda _: f"{what} take"


_PLURAL = ("products", "experts", "elementwise")
_CAUSES: dict[str, Callable[[TrainingJob], str]] = {
    "bubble": _bubble,
    "tp": _exchanges("tp", "TP collectives"),
    "cp": _exchanges("cp", "CP exchanges"),
    "ep": lambda job: f"exchanges with experts on {job.layout.ep:,} ranks that nothing hides take",
    "dp": _data,
    "launch": _launch,
    "hops": _hops,
    "optimizer": lambda job: f"the optimizer's pass over its state (ZeRO {job.layout.zero}) takes",
    "offload": _plural("transfers to the host and back that nothing hides"),
    "host": lambda _: "the host takes",
    "stragglers": _plural("stragglers"),
}


def why_best(answer: Training) -> str:
    """What the winner's step goes to.

    Parameters
    ----------
    answer : Training   Of the winner.
    """
    spent, whole = answer.parts_s, answer.step_s
    top = sorted((n for n in spent if spent[n] > _TELLING * whole), key=lambda n: -spent[n])
    return listed([f"{answer.part_words(n)} {percent(spent[n] / whole)}" for n in top[:_TOLD]])


def why_unfit(job: TrainingJob) -> str:
    """What a job needs of memory beside what a chip has.

    Parameters
    ----------
    job : TrainingJob   Of one row.
    """
    memory = job_memory(job)
    sure = float(memory.fits_probability[0])
    only = f", and fits with a probability of {percent(sure)} only" if memory.fits[0] else ""
    return f"{memory_words(memory)}{only} ({job_name(job)})"
