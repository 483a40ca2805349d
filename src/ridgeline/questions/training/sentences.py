"""An answer about training in sentences: the step, what binds, memory, the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.answers.words import count, listed, percent, quantity, seconds
from ridgeline.questions.prices import price_words
from ridgeline.questions.training.words import (
    KINDS_OF_TIME,
    MEMORY_WORDS,
    job_words,
    probability_words,
)
from ridgeline.trainer.memory import LIKELY
from ridgeline.units import DAY_S, HOUR_S, format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.training.answer import Training
    from ridgeline.trainer.changes import Change

__all__ = ["run_sentences", "sentences"]


def sentences(answer: Training) -> list[str]:
    """The step, its use of the chips, where time goes, whether it fits, and the run."""
    found = [_step(answer), _use(answer), _where(answer), *_memory(answer), *run_sentences(answer)]
    return [s for s in [*found, answer.why_layout] if s]


def _step(answer: Training) -> str:
    load, recipe = answer.job.load, answer.job.recipe
    about = "about" if answer.is_calibrated else "at least"
    interval = ""
    if answer.interval_s is not None:
        low, high = answer.interval_s
        interval = f" (80% interval {seconds(low)} to {seconds(high)})"
    m = float(np.ravel(answer.job.micro_batches)[0])
    ranks = f" on each of {answer.job.layout.dp:,} ranks" if answer.job.layout.dp > 1 else ""
    batch = f"{m:,.0f} micro-batch{'' if m == 1 else 'es'} of {recipe.micro_batch:,}{ranks}"
    most = "" if answer.is_calibrated else "at most "
    return (
        f"{answer.name}, {job_words(answer.job)}: a step of {load.global_batch:,} x "
        f"{load.seq_len:,} tokens ({batch}) takes {about} {seconds(answer.step_s)}{interval}, "
        f"{most}{quantity(answer.tokens_per_s_per_chip, 'tok/s')} tok/s per chip."
    )


def _use(answer: Training) -> str:
    """Utilisation in every convention, by name."""
    words = {"full": "with full attention", "causal": "with its causal half"}
    used = [f"{percent(v)} {words[n]}" for n, v in answer.utilization.items() if n in words]
    most = "" if answer.is_calibrated else "at most "
    if "6ND" in answer.utilization:
        used = [f"{percent(answer.utilization['6ND'])}, counting 6 N D without attention"]
    said = f"MFU is {most}{listed(used)}"
    hardware = answer.utilization.get("hardware")
    if hardware is not None and not math.isclose(hardware, answer.utilization["full"]):
        said += f"; HFU, which counts recompute, {percent(hardware)}"
    first = next(iter(answer.flops))
    rate = answer.flops[first] / answer.step_s / answer.job.n_chips
    return f"{said} ({format_quantity(rate, 'FLOP/s')} per chip)."


def _where(answer: Training) -> str:
    """The largest parts, and what is waited for."""
    parts = {n: s for n, s in answer.parts_s.items() if s > 0}
    total = answer.step_s
    if answer.reading == "blackboard":
        return (
            f"The bubble of {answer.job.schedule} takes {percent(answer.bubble_share)} of it."
            * (answer.job.layout.pp > 1)
        )
    top = sorted(parts, key=lambda n: -parts[n])[:3]
    largest = [f"{answer.part_words(n)} {percent(parts[n] / total)}" for n in top]
    shares = {
        kind: sum(parts.get(n, 0.0) for n in names) / total for kind, names in KINDS_OF_TIME.items()
    }
    said = f"Most time goes to {listed(largest)}"
    if not answer.is_calibrated:
        return f"{said}."
    largest_kinds = [
        f"{words} {percent(shares[kind])}" for kind, words in _ALL_IN_ALL if shares[kind] > _TELLING
    ]
    return f"{said}. All in all, {listed(largest_kinds)}." if largest_kinds else f"{said}."


#: shares below are not told
_TELLING = 5e-4
_ALL_IN_ALL = (
    ("exposed communication", "exposed communication takes"),
    ("bubble", "the pipeline bubble"),
    ("overhead", "overhead"),
)


def _memory(answer: Training) -> list[str]:
    memory = answer.memory
    if memory is None:
        return []
    total, capacity = float(np.ravel(memory.needed_bytes)[0]), memory.capacity_bytes
    stage, n = int(np.ravel(memory.stage)[0]) + 1, answer.job.layout.pp
    where = f" (stage {stage} of {n})" if n > 1 else ""
    parts = {k: float(np.ravel(v)[0]) for k, v in memory.at_peak().items()}
    top = sorted(parts, key=lambda k: -parts[k])[:3]
    most = listed([f"{MEMORY_WORDS[k]} {format_quantity(parts[k], 'B')}" for k in top])
    margin = capacity - total
    room = f"{format_quantity(abs(margin), 'B')} {'to spare' if margin >= 0 else 'too much'}"
    fits = "fits" if margin >= 0 else "does not fit"
    fits = "just fits" if margin >= 0 and answer.changes else fits
    sure = f"{probability_words(answer.fits_probability or 0.0)} probability that it runs"
    said = [
        f"It {fits}: the fullest chip{where} needs {format_quantity(total, 'B')} of "
        f"{format_quantity(capacity, 'B')}, {room}, {sure}; most are {most}."
    ]
    if answer.changes:
        each = "; ".join(_change(c) for c in answer.changes)
        said.append(f"What would make it fit, fastest first: {each}.")
    elif (answer.fits_probability or 0.0) < LIKELY:
        said.append(
            "No single change or pair of changes on these chips makes it fit: use more chips, or "
            "a smaller model or batch."
        )
    return said


def _change(change: Change) -> str:
    """A change, with its step time and memory."""
    held = float(np.ravel(change.memory.needed_bytes)[0])
    return (
        f"{' and '.join(change.what)} ({seconds(change.time_s)} a step, "
        f"{format_quantity(held, 'B')})"
    )


def run_sentences(answer: Training) -> list[str]:
    """The run of which the step is one: its time, cost and interruptions; none without tokens."""
    run = answer.run
    if run is None:
        return []
    least = "" if answer.is_calibrated else "at least "
    cost = []
    usd, energy = run.usd(run.total_s), run.energy_wh(run.total_s)
    if usd is not None:
        cost.append(f"{format_quantity(usd, 'USD')} at {price_words(answer.price)}")
    if energy is not None:
        cost.append(f"{format_quantity(energy, 'Wh')} at the chips' TDP")
    span = ""
    if run.low_s is not None and run.high_s is not None:
        of = _days(run.work_s)
        span = f" (steps alone {of}, 80% interval {_days(run.low_s)} to {_days(run.high_s)})"
    steps = f"{count(run.n_steps)} step{'s' * (run.n_steps > 1)}"
    said = [
        f"{quantity(run.tokens, 'params')} tokens are {steps}: "
        f"{least}{_days(run.total_s)}{span}, {count(run.chip_hours(run.total_s))} chip-hours"
        f"{''.join(f', {c}' for c in cost)}."
    ]
    if math.isfinite(run.between_s):
        n = count(run.interruptions) if run.interruptions >= 1 else "less than one"
        said.append(
            f"An interruption is expected every {_long(run.between_s)}, {n} in all: with a "
            "checkpoint of "
            f"{format_quantity(run.checkpoint_bytes, 'B')} every {_long(run.interval_s)} "
            f"({seconds(run.write_s)} to write), they take {percent(run.lost_share)} of the time."
        )
    return said


def _days(value: float) -> str:
    days = value / DAY_S
    return f"{days:,.0f} days" if days >= 10 else f"{days:.2g} days" if days >= 1 else _long(value)


def _long(value: float) -> str:
    if value >= 2 * DAY_S:
        return f"{value / DAY_S:,.0f} days"
    if value >= 2 * HOUR_S:
        return f"{value / HOUR_S:.3g} h"
    return f"{value / 60:.0f} min" if value >= 120 else seconds(value)
