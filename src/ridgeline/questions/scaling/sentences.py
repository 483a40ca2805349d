"""An answer about scaling in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.answers.words import count, factor, listed, percent, seconds, tokens
from ridgeline.questions.training.words import probability_words
from ridgeline.trainer.memory import LIKELY
from ridgeline.units import DAY_S, format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.scaling.answer import Scaling
    from ridgeline.questions.scaling.rows import Row

__all__ = ["sentences"]


def sentences(answer: Scaling) -> list[str]:
    """From the smallest to the largest machine, what ends where, and the batch that is best."""
    found = [_span(answer), _best(answer), _fits(answer), _ends(answer), _bounds(answer),
             _critical(answer), _runs(answer), answer.why_layout]  # fmt: skip
    return [s for s in found if s]


def _span(answer: Scaling) -> str:
    first, last = answer.rows[0], answer.rows[-1]
    load = answer.jobs[-1].load
    about = "about" if answer.is_calibrated else "at least"
    batch = (
        f"{load.global_batch:,} x {load.seq_len:,} tokens"
        if not answer.is_weak
        else f"{answer.jobs[0].load.global_batch:,} to {load.global_batch:,} x {load.seq_len:,} "
        "tokens"
    )
    if len(answer.rows) == 1:
        return (
            f"{answer.name}, {answer.kind} scaling at {batch} a step: {_chips(first)} alone, "
            f"{about} {seconds(first['time_s'])} a step."
        )
    more, faster = last["n_chips"] / first["n_chips"], last["tokens_per_s"] / first["tokens_per_s"]
    return (
        f"{answer.name}, {answer.kind} scaling at {batch} a step: on {count(first['n_chips'])} to "
        f"{count(last['n_chips'])} chips a step takes {about} {seconds(first['time_s'])} to "
        f"{seconds(last['time_s'])}. {factor(more)} the chips train {factor(faster)} as fast; "
        f"tokens per chip are {percent(last['efficiency'])} of the best."
    )


def _best(answer: Scaling) -> str:
    best = max(answer.rows, key=lambda row: row["mfu"])
    worst = answer.rows[-1]
    said = f"MFU is {percent(best['mfu'])} at best, on {_chips(best)}"
    if worst is not best:
        said += f", and {percent(worst['mfu'])} on {count(worst['n_chips'])}"
        kinds = {k: worst[f"{k}_s"] / worst["time_s"] for k in _LOSSES}
        lead = max(kinds, key=lambda k: kinds[k])
        if kinds[lead] > 0.01:
            said += f", where {_LOSSES[lead]} {percent(kinds[lead])} of a step"
    return f"{said}."


_LOSSES = {
    "bubble": "the pipeline bubble takes",
    "exposed communication": "exposed communication takes",
    "overhead": "overhead takes",
    "computed again": "recompute takes",
}


def _chips(row: Row) -> str:
    return f"{count(row['n_chips'])} chip{'s' * (row['n_chips'] > 1)}"


def _fits(answer: Scaling) -> str:
    """Where memory does not suffice, and how near the nearest is."""
    chances = [row["fits_probability"] for row in answer.rows]
    short = [
        row
        for row in answer.rows
        if row["fits_probability"] is not None and row["fits_probability"] < LIKELY
    ]
    if None in chances or not short:
        return ""
    where = listed([count(row["n_chips"]) for row in short])
    where = "any of these sizes" if len(short) == len(chances) else f"{where} chips"
    best = probability_words(max(row["fits_probability"] for row in short))
    return (
        f"Memory does not suffice on {where}: {best} probability that it runs at best; recompute "
        "or sharding save some."
    )


def _ends(answer: Scaling) -> str:
    most = answer.rows[-1]["n_chips"]
    reached, beyond = [], []
    for mark in answer.landmarks:
        if mark.name == "critical_batch":
            continue
        if mark.alone:
            each = listed([count(n) for n in mark.alone])
            reached.append(f"on {each} chip{'s' * (mark.alone != (1,))} {mark.words}")
        if mark.n_chips is not None:
            chips = f"{count(mark.n_chips)} chip{'s' * (mark.n_chips > 1)}"
            reached.append(f"{mark.preposition} {chips} {mark.words}")
        elif not mark.alone and len(answer.rows) > 1 and answer.reading != "blackboard":
            beyond.append(mark)
    said = []
    if reached:
        said.append(f"{reached[0][0].upper()}{reached[0][1:]}")
        said += reached[1:]
    found = f"{'; '.join(said)}." if said else ""
    never = {"dp_exposed": "data parallelism stays hidden", "half_mfu": "MFU stays above half its "
             "best"}  # fmt: skip
    stays = [never[m.name] for m in beyond]
    if stays:
        also = f"Up to {count(most)} chips {listed(stays)}."
        found = f"{found} {also}" if found else also
    return found


def _bounds(answer: Scaling) -> str:
    rows = [b for b in answer.bounds if b["tokens_per_chip"] is not None]
    if answer.is_weak and rows:
        job = answer.jobs[-1]
        given = job.load.tokens / int(job.n_chips)
        sides = {
            "enough for": [_asks(b) for b in rows if b["holds"]],
            "too few for": [_asks(b) for b in rows if not b["holds"]],
        }
        said = ", and ".join(f"{words} {listed(each)}" for words, each in sides.items() if each)
        return (
            f"Each chip has {count(given)} tokens of a step; at datasheet rates that is {said}, if "
            "the network is to hide behind arithmetic."
        )
    each = [
        f"{b['bound']} up to {count(b['n_chips'])} chips ({count(b['tokens_per_chip'])} tokens "
        "each)"
        for b in rows
        if b["n_chips"] >= 1
    ]
    if not each:
        return ""
    return (
        f"At datasheet rates the network hides behind this batch's arithmetic for {listed(each)}."
    )


def _asks(bound: Row) -> str:
    return f"{bound['bound']} ({count(bound['tokens_per_chip'])})"


def _critical(answer: Scaling) -> str:
    mark = next(m for m in answer.landmarks if m.name == "critical_batch")
    critical, load = answer.critical, answer.jobs[-1].load
    over = load.tokens / critical.batch_tokens
    more = answer.tokens_over_least
    assert mark.n_chips is not None
    ends = f"Beyond {count(mark.n_chips)} chips {mark.words}."
    return (
        f"The critical batch is about {tokens(critical.batch_tokens)} tokens ({critical.why}); the "
        f"batch of {tokens(load.tokens)} is {factor(over)} of it and takes {factor(more)} the "
        f"fewest tokens to a loss. {ends}"
    )


def _runs(answer: Scaling) -> str:
    fastest, cheapest = answer.fastest, answer.cheapest
    if fastest is None or cheapest is None:
        return ""
    # Of runs steps alone are compared: interruptions are those of rows with --tokens.
    start = f"To the loss of {answer.run_words}"
    unfit = "" if fastest["fits"] else ", if memory sufficed,"
    said = f"{start} the run{unfit} ends soonest, by its steps alone, with {_run(fastest)}"
    if fastest is cheapest:
        return f"{said}, which is the cheapest as well."
    return f"{said}; it is cheapest with {_run(cheapest)}."


def _run(row: Row) -> str:
    cost = f"{count(row['chip_hours'])} chip-hours"
    if row["usd"] is not None:
        cost += f", {format_quantity(row['usd'], 'USD')}"
    days = row["run_s"] / DAY_S
    time = f"{count(days)} days" if days >= 10 else f"{days:.1f} days"
    time = time if days >= 1 else seconds(row["run_s"])
    return (
        f"batches of {count(row['global_batch'])} sequences ({tokens(row['batch_tokens'])} tokens) "
        f"on {_chips(row)}: {time}, {cost}"
    )
