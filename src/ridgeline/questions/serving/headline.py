"""A serving answer in sentences: the point a user would run, then floor, balance and room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import count, quantity, sequences, usd
from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.rows import cheapest
from ridgeline.questions.serving.words import layout_words, limits_words
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.serving.answer import Serving

__all__ = ["sentences"]


def sentences(answer: Serving) -> list[str]:
    """The point a user would run, what it costs, the fastest a user can be, and what fits."""
    if not (answer.result.infeasible[0] == 0).any():
        said = [_nothing_fits(answer)]
    else:
        row = answer.chosen
        said = [_point(answer, row), _input_cost(answer, row)]
    return [s for s in [*said, _floor(answer), _balance(answer)] if s]


def _limits(answer: Serving) -> str:
    return limits_words(answer.limits, answer.scenario.workload)


def _name(answer: Serving) -> str:
    layout = "" if answer.layout is None else f", {layout_words(answer.layout)}"
    return f"{answer.name}{layout}"


def _point(answer: Serving, row: dict[str, Any]) -> str:
    """Latency, throughput and cost of the point that a user would run, and why it is that."""
    numbers = [_latency(answer, row), *_rates(answer, row), *_cost(answer, row)]
    bound = f"bottleneck {row['bound']}"
    at = ""
    if len(answer.result["context"]) > 1:
        tokens = f"{answer.context:,.0f} token{'' if answer.context == 1 else 's'}"
        at = f"at {tokens} of context, the first asked for, "
    return f"{_name(answer)}: {at}{_choice(answer, row)}: {', '.join(numbers)}; {bound}."


def _choice(answer: Serving, row: dict[str, Any]) -> str:
    """Which batch, and how it was chosen."""
    n, of = count(row["batch"]), ""
    if answer.has_requests:
        asked = answer.requests
        cached = f" ({asked.cached / asked.isl:.0%} of the input cached)" if asked.cached else ""
        lengths = f"{asked.isl:,.0f} + {asked.osl:,.0f} tokens{cached}"
        of = f" request{'' if n == '1' else 's'} of {lengths}"
    batch = f"{n}{of} in flight per replica" if of else f"a batch of {n}"
    limited, several = any(answer.limits.items()), len(answer.result["batch"]) > 1
    best = "cheapest" if answer.price is not None else "most output per chip"
    if cheapest(answer.result, 0) is None:
        asked = answer.scenario.workload
        if asked.batch is None and asked.concurrency is None:
            return f"no batch keeps {_limits(answer)}; the nearest is {batch}"
        if several:
            return f"no batch asked for keeps {_limits(answer)}; the nearest is {batch}"
        which = f"the batch asked for, {batch}," if of else f"the batch of {n} asked for"
        return f"{which} does not keep {_limits(answer)}"
    if not several:
        return f"{batch}, within {_limits(answer)}" if limited else batch
    return f"{best} {f'within {_limits(answer)} ' if limited else ''}is {batch}"


def _latency(answer: Serving, row: dict[str, Any]) -> str:
    about = "about" if answer.reading == "calibrated" else "at least"
    if answer.has_requests:
        return f"TTFT {about} {_interval(row, 'ttft')}, TPOT {_interval(row, 'tpot')}"
    if row["tpot_s"] == row["time_s"]:
        return f"TPOT {about} {_interval(row, 'time')}"
    step = _interval(row, "time")
    return f"TPOT {about} {format_quantity(row['tpot_s'], 's')}, a step {step}"


def _interval(row: dict[str, Any], name: str) -> str:
    value = format_quantity(row[f"{name}_s"], "s")
    if row.get(f"{name}_low_s") is None or row[f"{name}_low_s"] == row[f"{name}_high_s"]:
        return value
    low, high = (format_quantity(row[f"{name}_{end}_s"], "s") for end in ("low", "high"))
    return f"{value} (80% interval {low} to {high})"


def _rates(answer: Serving, row: dict[str, Any]) -> list[str]:
    most = "" if answer.reading == "calibrated" else "at most "
    user, chip = row["tokens_per_s_per_user"], row["tokens_per_s_per_chip"]
    per_user = f"{most}{quantity(user, 'tok/s')} tok/s per user"
    if not answer.has_requests:
        return [per_user, f"{quantity(chip, 'tok/s')} tok/s per chip"]
    requests = f"{quantity(row['requests_per_s'], '1/s')} requests/s"
    return [per_user, requests, f"{quantity(chip, 'tok/s')} output tok/s per chip"]


def _cost(answer: Serving, row: dict[str, Any]) -> list[str]:
    if answer.price is None:
        return []
    least = "" if answer.reading == "calibrated" else "at least "
    cost = usd(row["usd_per_mtok_output"])
    return [f"{least}{cost} per million output tokens at {price_words(answer.price)}"]


def _input_cost(answer: Serving, row: dict[str, Any]) -> str:
    """What input pays, and how the bill is shared."""
    if answer.price is None or not answer.has_requests:
        return ""
    least = "" if answer.reading == "calibrated" else "at least "
    return (
        f"Input costs {least}{usd(row['usd_per_mtok_input'])} per million tokens; input and output "
        f"each pay for the time they take, {usd(row['usd_per_mtok'])} per million tokens of both, "
        f"{usd(1000 * row['usd_per_request'])} per thousand requests."
    )


def _nothing_fits(answer: Serving) -> str:
    load = answer.scenario.workload
    asked = "" if load.batch is None and load.concurrency is None else " asked for"
    return (
        f"{_name(answer)}: no batch{asked} fits in memory: "
        f"{sequences(answer.balance.largest_batch)} at this context at most "
        f"({answer.result.row((0, 0))['infeasible']})."
    )


def _floor(answer: Serving) -> str:
    """The fastest that a user can be served."""
    floor = answer.balance.latency_floor_s
    step = format_quantity(floor, "s")
    rate = f"{answer.requests.tokens_per_step / floor:,.0f}"
    if answer.layout is None:
        size = format_quantity(answer.counts.weight_bytes, "B")
        return (
            f"However small the batch, a step takes at least {step}, to read {size} of weights "
            f"once (at most {rate} tok/s per user)."
        )
    if answer.reading == "ideal":
        return (
            f"A single sequence takes at least {step} per step at datasheet peaks with perfect "
            f"overlap (at most {rate} tok/s per user)."
        )
    bound = answer.replica.how.bottlenecks[int(answer.step(1.0).bottleneck)]
    return (
        f"A single sequence takes about {step} per step ({rate} tok/s per user), "
        f"bottleneck {bound}."
    )


def _balance(answer: Serving) -> str:
    b = answer.balance
    one = round(answer.context) == 1
    at = f"At {answer.context:,.0f} token{'' if one else 's'} of context"
    where = "memory binds whatever the context"
    if math.isfinite(b.context):
        where = f"beyond {count(b.context)} tokens memory binds whatever the batch"
    if answer.layout is not None:
        return f"{at} {_compute_bound(answer)}."
    if not math.isfinite(b.batch):
        return (
            f"{at} every sequence brings more reading than computing, so no batch balances the two "
            f"(without KV it would be {count(b.batch_without_kv)}): {where}."
        )
    if b.batch > b.largest_batch >= 1:
        beyond = f", but only {count(b.largest_batch)} fit, so memory binds throughout"
    else:
        beyond = ""
    limit = "" if not math.isfinite(b.context) else f"; {where}"
    return (
        f"{at} compute catches up with memory at a batch of {count(b.batch)} "
        f"({count(b.batch_without_kv)} without KV){beyond}{limit}."
    )


def _compute_bound(answer: Serving) -> str:
    """Where compute becomes the bottleneck; where it never does, what is with all that fit."""
    b = answer.balance
    one = 1 <= b.largest_batch < 2
    fit = f"{sequences(b.largest_batch)} fit{'s' if one else ''}"
    what = "GEMM arithmetic" if answer.reading == "calibrated" else "compute"
    if math.isfinite(b.batch):
        return f"{what} becomes the bottleneck at a batch of about {count(b.batch)}; {fit}"
    if not 1 <= b.largest_batch < math.inf:
        return f"{what} is never the bottleneck; {fit}"
    full = answer.replica.how.bottlenecks[int(answer.step(math.floor(b.largest_batch)).bottleneck)]
    most = "the 1 sequence that fits" if one else f"all {sequences(b.largest_batch)} that fit"
    return f"{what} is never the bottleneck: with {most} it is {full}"
