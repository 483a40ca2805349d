"""Pictures of an answer about training: the waterfall of a step, its schedule, its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ridgeline.answers.words import percent, seconds
from ridgeline.errors import SpecError, there_is_no
from ridgeline.questions.training.words import KINDS_OF_TIME, job_words, probability_words
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.charts import Chart
    from ridgeline.questions.training.answer import Training

__all__ = ["PICTURES", "draw"]

#: passes of a stage in a picture of a schedule: wider than a hair each
_MOST_PASSES = 150
#: stages of a picture of memory
_MOST_BARS = 8
#: parts that are less of a step are left out of its picture
_SHOWN = 5e-4


def _always(_: Training) -> str:
    return ""


def _has_stages(answer: Training) -> str:
    if answer.job.layout.pp == 1:
        return "there is one pipeline stage, and no schedule: give pp (--pp)"
    return _has_passes(answer)


def _has_passes(answer: Training) -> str:
    if answer.step.passes is None:
        return "the blackboard has no passes: choose reading ideal or calibrated (--reading)"
    return ""


def _has_memory(answer: Training) -> str:
    if answer.memory is None:
        return f"{answer.model.id} is known by its counts alone, which tell no memory"
    return ""


#: name to what speaks against drawing it; empty where nothing does
PICTURES: Final[dict[str, Callable[[Training], str]]] = {
    "time": _always,
    "schedule": _has_stages,
    "memory": _has_memory,
    "memory-over-time": _has_passes,
}


def draw(answer: Training, name: str) -> Chart:
    """Draw a picture.

    Parameters
    ----------
    answer : Training
    name : str          One of `PICTURES`.

    Raises
    ------
    SpecError   There is no such picture, or none of this answer.
    """
    if name not in PICTURES:
        raise SpecError(there_is_no("picture", name, PICTURES))
    if why := PICTURES[name](answer):
        raise SpecError(f"There is no picture {name!r} of this answer: {why}.")
    return _DRAWN[name](answer)


def _subtitle(answer: Training) -> str:
    load = answer.job.load
    return (
        f"{job_words(answer.job)}; {load.global_batch:,} x {load.seq_len:,} tokens; "
        f"{answer.reading} reading"
    )


def _time(answer: Training) -> Chart:
    from ridgeline.charts import training_chart  # noqa: PLC0415  (only when drawn)

    kind_of = {part: kind for kind, parts in KINDS_OF_TIME.items() for part in parts}
    rows = [
        {
            "part": answer.part_words(n),
            "kind": kind_of[n],
            "seconds": s,
            "words": f"{seconds(s)}, {percent(s / answer.step_s)}",
        }
        for n, s in answer.parts_s.items()
        if s > _SHOWN * answer.step_s
    ]
    use = answer.utilization.get("full", answer.utilization.get("6ND", 0.0))
    least, most = ("", "") if answer.is_calibrated else ("at least ", "at most ")
    title = f"{answer.name}: {least}{seconds(answer.step_s)} a step, MFU {most}{percent(use)}"
    return training_chart(
        rows, answer.step_s, answer.interval_s, title=title, subtitle=_subtitle(answer)
    )


def _schedule(answer: Training) -> Chart:
    from ridgeline.charts import schedule_chart  # noqa: PLC0415  (only when drawn)
    from ridgeline.laws.schedules import SCHEDULES, fewest_micro_batches  # noqa: PLC0415
    from ridgeline.trainer.timeline import KINDS, timeline  # noqa: PLC0415

    job, passes = answer.job, answer.step.passes
    assert passes is not None
    one = SCHEDULES[job.schedule]
    n_chunks = job.layout.vp if one.n_chunks_is_free else None
    m = int(np.ravel(job.micro_batches)[0])
    p, v = job.layout.pp, one.chunks(job.layout.vp)
    rounds = max(_MOST_PASSES // (2 * v) // p, -(-int(fewest_micro_batches(one.name, p)) // p), 1)
    shown = min(m, rounds * p)
    each = (passes.forward_s, passes.input_gradient_s, passes.weight_gradient_s)
    durations = [np.ravel(seconds) for seconds in each]
    hop = answer.parts_s["hops"] / (2 * (job.layout.pp - 1))
    found = timeline(job.schedule, job.layout.pp, shown, *durations, n_chunks=n_chunks, hop_s=hop)
    bars: list[dict[str, Any]] = [
        {"stage": int(s), "micro_batch": int(i), "chunk": int(c), "kind": KINDS[k],
         "from_s": float(a), "to_s": float(b)}
        for s, i, c, k, a, b in zip(found.stage, found.micro_batch, found.chunk, found.kind,
                                    np.ravel(found.start_s), np.ravel(found.end_s), strict=True)
    ]  # fmt: skip
    cut = f"; drawn with {shown:,} of its {m:,} micro-batches" if shown < m else ""
    title = f"{answer.model.name or answer.model.id}: {one.title} on {job.layout.pp} stages"
    panel = {"title": "", "n_stages": job.layout.pp, "bars": bars}
    chunk = "direction" if one.shape == "two ways" else "chunk"
    return schedule_chart([panel], title=title, subtitle=f"{_subtitle(answer)}{cut}", chunk=chunk)


def _memory(answer: Training) -> Chart:
    """Bars of stages, and of what would make it fit."""
    from ridgeline.charts import training_memory_chart  # noqa: PLC0415  (only when drawn)

    memory, job = answer.memory, answer.job
    assert memory is not None
    fullest = int(np.ravel(memory.stage)[0])
    n = job.layout.pp
    stages = range(n) if n <= _MOST_BARS else sorted({0, 1, fullest, n // 2, n - 2, n - 1})
    bars = [
        {
            "label": f"stage {s + 1} of {n}" if n > 1 else "this job",
            "parts": {k: float(v[0, s]) for k, v in memory.parts_bytes.items()},
            "note": _note(memory.stages_bytes()[0, s])
            + f", fits with {_sure(answer)}" * (s == fullest),
        }
        for s in stages
    ]
    bars += [
        {
            "label": " and ".join(change.what),
            "parts": {k: float(np.ravel(v)[0]) for k, v in change.memory.at_peak().items()},
            "note": f"{_note(change.memory.needed_bytes)}, {seconds(change.time_s)} a step",
        }
        for change in answer.changes
    ]
    title = f"{answer.name}: memory per chip"
    return training_memory_chart(
        bars, memory.capacity_bytes, title=title, subtitle=_subtitle(answer)
    )


def _sure(answer: Training) -> str:
    return probability_words(answer.fits_probability or 0.0)


def _note(size: Any) -> str:
    return format_quantity(float(np.ravel(size)[0]), "B")


def _memory_over_time(answer: Training) -> Chart:
    from ridgeline.charts import memory_time_chart  # noqa: PLC0415  (only when drawn)
    from ridgeline.trainer.memory import memory_over_time  # noqa: PLC0415

    assert answer.memory is not None
    return memory_time_chart(
        memory_over_time(answer.job),
        answer.memory.capacity_bytes,
        title=f"{answer.name}: memory over a step",
        subtitle=_subtitle(answer),
    )


_DRAWN: Final[dict[str, Callable[[Training], Chart]]] = {
    "time": _time,
    "schedule": _schedule,
    "memory": _memory,
    "memory-over-time": _memory_over_time,
}
