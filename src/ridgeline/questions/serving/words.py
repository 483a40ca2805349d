"""An answer as a person would put it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.answers.words import count, usd
from ridgeline.catalog import usual_engine
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.serving.answer import Serving
    from ridgeline.replica import Replica
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = [
    "choice_of_experts",
    "count",
    "engine_words",
    "layout_words",
    "price_words",
    "sentences",
    "usd",
]


def price_words(answer: Serving) -> str:
    """What an hour of a chip costs, on which basis, when."""
    price = answer.price
    if price is None:
        return "no price"
    dated = f", {price.date}" if price.date else ""
    return f"${price.usd_per_chip_hour:,.2f} per chip-hour ({price.basis}{dated})"


def sentences(answer: Serving) -> list[str]:
    """Floor, balance, cost, and the request: the answer in two to four sentences."""
    said = [_floor(answer), _balance(answer), _cost(answer), _request(answer)]
    return [s for s in said if s]


def layout_words(layout: Layout) -> str:
    """The degrees that are not one.

    Examples
    --------
    >>> from ridgeline.specs import Layout
    >>> layout_words(Layout(tp=4, attn_dp=2, ep=8))
    'attention DP 2, TP 4, EP 8'
    """
    names = {"replicas": "replicas", "pp": "PP", "attn_dp": "attention DP", "tp": "TP", "ep": "EP"}
    shown = [f"{n} {getattr(layout, f)}" for f, n in names.items() if getattr(layout, f) > 1]
    return ", ".join(shown) or "one chip per replica"


def engine_words(replica: Replica) -> list[str]:
    """Why the engine modelled is not the servers' usual one, where it is not."""
    usual, why = usual_engine(replica.model, replica.cluster.chip)
    return [why] if why and replica.how.calibrated and replica.engine.id == usual.id else []


def _floor(answer: Serving) -> str:
    floor = answer.balance.latency_floor_s
    size = format_quantity(answer.counts.weight_bytes, "B")
    if answer.reading == "calibrated" and answer.layout is not None:
        row = answer.result.row((0, 0))
        low, high = (format_quantity(row[k], "s") for k in ("time_low_s", "time_high_s"))
        return (
            f"{answer.name}, {layout_words(answer.layout)}: a decode step takes about "
            f"{format_quantity(row['time_s'], 's')} at a batch of {count(row['batch'])} "
            f"(80% interval {low} to {high}), about {row['tokens_per_s_per_user']:,.0f} tok/s per "
            f"user, bound by {row['bound']}."
        )
    if answer.layout is not None:
        return (
            f"{answer.name}, {layout_words(answer.layout)}: a decode step takes at least "
            f"{format_quantity(floor, 's')} for a single sequence, at datasheet peaks with perfect "
            f"overlap (at most {1 / floor:,.0f} tok/s per user)."
        )
    return (
        f"{answer.name}: a decode step takes at least {format_quantity(floor, 's')}, however small "
        f"the batch, to read {size} of weights once "
        f"(at most {1 / floor:,.0f} tok/s per user)."
    )


def _balance(answer: Serving) -> str:
    b = answer.balance
    at = f"At {answer.context:,.0f} tokens of context"
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
    fit = f"{count(b.largest_batch)} sequences fit"
    what = "GEMM arithmetic" if answer.reading == "calibrated" else "compute"
    if math.isfinite(b.batch):
        return f"{what} becomes the bottleneck at a batch of about {count(b.batch)}; {fit}"
    if not 1 <= b.largest_batch < math.inf:
        return f"{what} is never the bottleneck; {fit}"
    names = answer.replica.how.bottlenecks
    full = names[int(answer.step(math.floor(b.largest_batch)).bottleneck)]
    return (
        f"{what} is never the bottleneck: with all {fit.replace(' fit', ' that fit')} it is {full}"
    )


def _cost(answer: Serving) -> str:
    fits = answer.result.infeasible[0] == 0
    if not fits.any():
        return (
            "No batch asked for fits in memory: "
            f"{count(answer.balance.largest_batch)} sequences are the most at this context "
            f"({answer.result.row((0, 0))['infeasible']})."
        )
    row = answer.chosen
    kept = bool(row["within_limits"])
    speed = f"{row['tokens_per_s_per_user']:,.0f} tok/s per user"
    bound = f"bottleneck {row['bound']}"
    least = "about" if answer.reading == "calibrated" else "at least"
    where = f"At a batch of {count(row['batch'])}"
    limited = any(answer.limits.items())
    where += f", the cheapest within {answer.limits}," if kept and limited else ""
    if not kept and limited:
        where = f"No batch keeps {answer.limits}. {where}"
    if answer.price is None:
        time = format_quantity(row["time_s"], "s")
        return f"{where} a step takes {least} {time} ({speed}, {bound})."
    return (
        f"{where} output costs {least} {usd(row['usd_per_mtok_output'])} per million tokens at "
        f"{price_words(answer)}, {speed}, {bound}."
    )


def _request(answer: Serving) -> str:
    """What a request waits and costs, prompts of others between its tokens."""
    if not answer.has_requests:
        return ""
    asked, fits = answer.requests, answer.result.infeasible[0] == 0
    if not fits.any():
        return ""
    row = answer.chosen
    about = "about" if answer.reading == "calibrated" else "at least"
    cached = f", {asked.cached / asked.isl:.0%} of the input cached" if asked.cached else ""
    money = ""
    if answer.price is not None:
        money = f", {usd(1000 * row['usd_per_request'])} per thousand requests"
    most = "" if answer.reading == "calibrated" else "at most "
    return (
        f"Requests of {asked.isl:,.0f} + {asked.osl:,.0f} tokens{cached}, {count(row['batch'])} "
        f"in flight per replica: TTFT {about} {_with_interval(row, 'ttft')}, TPOT "
        f"{_with_interval(row, 'tpot')}, {most}{row['requests_per_s']:,.3g} requests/s{money}."
    )


def _with_interval(row: dict[str, float], name: str) -> str:
    value = format_quantity(row[f"{name}_s"], "s")
    if f"{name}_low_s" not in row:
        return value
    low, high = (format_quantity(row[f"{name}_{end}_s"], "s") for end in ("low", "high"))
    return f"{value} ({low} to {high})"


def choice_of_experts(model: Model, expert_load_cv: float) -> list[str]:
    """Say how unevenly experts are taken to be chosen, where a model has several."""
    routed = [b.ffn for b in model.blocks if isinstance(b.ffn, MixtureOfExperts)]
    if not any(moe.n_experts_active < moe.n_experts for moe in routed):
        return []
    if expert_load_cv == 0:
        return ["Experts are taken as chosen equally often."]
    return [
        "Experts are taken as unevenly chosen, with a standard deviation of "
        f"{expert_load_cv:g} times the mean (expert_load_cv)."
    ]
