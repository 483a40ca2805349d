"""The memory wall: how long a context can be at a latency and a price, and what attention gains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, quantity, tokens, usd
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid import logspace
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.memory import largest_batch
from ridgeline.laws.roofline import (
    kv_fetch_time_s,
    step_time_s,
    weight_fetch_time_s,
)
from ridgeline.questions.attention_kinds import AttentionKind, attention_kinds
from ridgeline.questions.prices import price_notes
from ridgeline.questions.solve import last_true
from ridgeline.questions.variants import fits
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.ranges import LATENCY_S, SEQUENCES, USD_PER_MTOK
from ridgeline.steps import decode_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving

__all__ = ["wall"]

_LONGEST_TOKENS = 1e12
_COLUMNS = {
    "attention": ("attention", ""),
    "read_bytes": ("read a step", "B"),
    "kept_bytes": ("kept", "B"),
    "balance_context": ("balance", "reach"),
    "context_one": ("longest, one sequence", "reach"),
    "context_batch": ("longest, batch", "reach"),
    "context_price": ("longest at price", "reach"),
}


@dataclass(frozen=True, slots=True)
class _Limits:
    """What is asked of a token."""

    tpot_s: float
    usd_per_mtok: float | None


@reads(
    answer=ANSWER,
    tpot_s=LATENCY_S,
    usd_per_mtok=USD_PER_MTOK,
    batch=SEQUENCES,
)
def wall(
    answer: Serving,
    *,
    tpot_s: Amount = 0.020,
    usd_per_mtok: Amount | None = None,
    batch: Amount = 64,
) -> Answer:
    """How long a context a model can be served at, as it is and with other attention.

    Parameters
    ----------
    answer : Serving               A model on a machine.
    tpot_s : float or str          Time a token may take. [s]
    usd_per_mtok : float or None   What a million output tokens may cost; needs a price.
    batch : float                  Sequences for the column ``longest, batch``. [1]

    Returns
    -------
    Answer
        Table ``attention``: the model as it is; with every layer dense; five layers of six with a
        window of 1,024; four layers on one cache; reads that grow with the root of the context
        (from 2,048 tokens on). Values: ``balance_context``, ``context_one``, ``context_batch``,
        ``context_price``, ``overtaking_context`` (attention multiplies as much as weights), all
        None where there is no such limit. Charts ``cost`` and ``bounds``.

    Raises
    ------
    SpecError   No time, less than one sequence, or a price limit without a price.

    Notes
    -----
    The lecture's forms. The longest context at a price serves as many sequences as fit and as the
    latency allows, at least one.

    Examples
    --------
    >>> import ridgeline as rl
    >>> model = rl.Model.from_counts("100B", "1T", 1667, 8)
    >>> found = wall(rl.serving(model, "hgx-h100", chips=64, price=2))
    >>> round(found.values["balance_context"], -3)
    203000.0
    """
    limits = _check(answer, tpot_s, usd_per_mtok)
    kinds = attention_kinds(answer.counts)
    rows = [_row(answer, kind, limits, batch) for kind in kinds]
    overtaking = _overtaking(answer)
    own = rows[0]
    values = {k: own[k] for k in _COLUMNS if k.startswith(("balance", "context"))}
    values["overtaking_context"] = overtaking

    def cost() -> Chart:
        from ridgeline.charts.wall import cost_context_chart  # noqa: PLC0415  (when drawn)

        if answer.price is None:
            raise SpecError("A cost picture needs a price: give one in USD per chip-hour.")
        points = _cost_rows(answer, kinds, limits)
        if not points:
            raise InfeasibleError(
                f"Nobody gets a token in {quantity(tpot_s, 's')} at any context, so that there is "
                "no cost to draw: allow more time."
            )
        return cost_context_chart(points, rows, answer.name, tpot_s)

    def bounds() -> Chart:
        from ridgeline.charts.wall import bounds_chart  # noqa: PLC0415  (when drawn)

        return bounds_chart(*_bounds(answer), answer.name, answer.reading)

    columns = {k: c for k, c in _COLUMNS.items() if usd_per_mtok or k != "context_price"}
    return Answer(
        question="wall",
        title=f"The memory wall: {answer.name}",
        sentences=_words(answer, rows, limits, batch, overtaking),
        tables=(Table("attention", _title(answer, limits, batch), columns, rows),),
        values=values,
        notes=(*answer.notes, *price_notes(answer.machine_name, answer.price), *_notes(answer)),
        provenance={**answer.result.about, "tpot_s": tpot_s, "usd_per_mtok": usd_per_mtok},
        charts={"cost": cost, "bounds": bounds},
    )


def _check(answer: Serving, tpot_s: float, usd_per_mtok: float | None) -> _Limits:
    if usd_per_mtok is not None and answer.price is None:
        raise SpecError(
            f"No price is known for {answer.machine_name}, so no token can be too dear: give one "
            "in USD per chip-hour (--price)."
        )
    return _Limits(tpot_s, usd_per_mtok)


def _parts(answer: Serving, kind: AttentionKind, batch: Any, context: Any) -> tuple[Any, Any, Any]:
    """Compute, weight and KV time of a step. [s]"""
    own = decode_step(answer.counts, answer.machine, batch, 0.0)
    kv = kv_fetch_time_s(batch, kind.read(context), answer.machine.bandwidth_bytes_per_s)
    return own.compute_s, own.weight_fetch_s, kv


def _time_s(answer: Serving, kind: AttentionKind, batch: Any, context: Any) -> Any:
    return step_time_s(*_parts(answer, kind, batch, context))


def _fits(answer: Serving, kind: AttentionKind, context: float) -> float:
    """Sequences whose caches fit beside the weights."""
    machine = answer.machine
    return float(
        largest_batch(machine.capacity_bytes, answer.counts.weight_bytes, kind.kept(context))
    )


def _longest(holds: Callable[[float], bool]) -> float | None:
    found = last_true(holds, 1.0, _LONGEST_TOKENS)
    return None if math.isinf(found) else float(math.floor(found))


def _best_batch(answer: Serving, kind: AttentionKind, limits: _Limits, context: float) -> float:
    """The most sequences that fit and still get their tokens in time; 0 where not even one does."""
    most = min(_fits(answer, kind, context), 1e7)
    if most < 1:
        return 0.0

    def in_time(batch: float) -> bool:
        return bool(_time_s(answer, kind, batch, context) <= limits.tpot_s)

    found = last_true(in_time, 1.0, most) if most > 1 else float(in_time(1.0))
    return most if math.isinf(found) else found


def _cost(answer: Serving, kind: AttentionKind, limits: _Limits, context: float) -> float:
    """Of per million tokens at the best batch; inf where nobody can be served. [USD/Mtok]"""
    assert answer.price is not None
    batch = _best_batch(answer, kind, limits, context)
    if batch < 1:
        return math.inf
    time_s = _time_s(answer, kind, batch, context)
    rent = answer.price.usd_per_chip_hour
    return float(cost_usd_per_mtok(time_s, batch, rent, answer.machine.n_chips))


def _row(answer: Serving, kind: AttentionKind, limits: _Limits, batch: float) -> dict[str, Any]:
    def served(n: float) -> Callable[[float], bool]:
        return lambda context: (
            n <= _fits(answer, kind, context)
            and bool(_time_s(answer, kind, n, context) <= limits.tpot_s)
        )

    def balanced(context: float) -> bool:
        compute, _, kv = _parts(answer, kind, 1.0, context)
        return bool(kv <= compute)

    allowed = limits.usd_per_mtok
    at_price = None
    if allowed is not None:
        at_price = _longest(lambda context: _cost(answer, kind, limits, context) <= allowed)
    return {
        "attention": kind.name,
        "read_bytes": float(kind.read(answer.context)),
        "kept_bytes": float(kind.kept(answer.context)),
        "balance_context": _longest(balanced),
        "kink_context": _longest(lambda context: _computes(answer, kind, limits, context)),
        "context_one": _longest(served(1.0)),
        "context_batch": _longest(served(batch)),
        "context_price": at_price,
    }


def _computes(answer: Serving, kind: AttentionKind, limits: _Limits, context: float) -> bool:
    """Whether multiplying still binds with the best batch: until the kink it does."""
    batch = _best_batch(answer, kind, limits, context)
    compute, weights, kv = _parts(answer, kind, batch, context)
    return batch >= 1 and bool(compute >= (weights + kv) * (1 - 1e-6))


def _overtaking(answer: Serving) -> float | None:
    """Context at which attention multiplies as much as all weights; None if never (or unknown)."""
    tally = answer.counts
    weights = float(tally.flops_per_token(0))
    if float(tally.flops_per_token(1e6)) <= weights:
        return None
    return _longest(lambda context: bool(tally.flops_per_token(context) <= 2 * weights))


def _notes(answer: Serving) -> tuple[str, ...]:
    longest = answer.model.max_context
    if not longest:
        return ()
    return (
        f"{answer.model.name or answer.model.id} is made for contexts up to {tokens(longest)} "
        "tokens; longer ones are what the machine could bear.",
    )


def _title(answer: Serving, limits: _Limits, batch: float) -> str:
    price = f", {usd(limits.usd_per_mtok)}/Mtok" if limits.usd_per_mtok else ""
    return (
        f"{quantity(limits.tpot_s, 's')} per token{price}, batch {count(batch)}; "
        f"reads at {count(answer.context)} tokens"
    )


def _said(context: float | None) -> str:
    return "any length" if context is None else f"{tokens(context)} tokens"


def _words(
    answer: Serving, rows: list[dict[str, Any]], limits: _Limits, batch: float, over: float | None
) -> tuple[str, ...]:
    own = rows[0]
    at = quantity(limits.tpot_s, "s")
    said = [_served_words(answer, own, at, batch), _balance_words(own, over)]
    if limits.usd_per_mtok is not None:
        said.append(_price_words(answer, own, limits))
    others = [r for r in rows[1:] if r["context_batch"] and own["context_batch"]]
    if others:
        gains = ", ".join(
            f"{r['attention']} {factor(r['context_batch'] / own['context_batch'])}" for r in others
        )
        said.append(f"Against the model as it is the batch could have contexts: {gains}.")
    return tuple(said)


def _served_words(answer: Serving, own: dict[str, Any], at: str, batch: float) -> str:
    if own["context_one"] == 0:
        floor = weight_fetch_time_s(
            answer.counts.weight_bytes, answer.machine.bandwidth_bytes_per_s
        )
        return (
            f"{answer.name} serves no context at {at} per token: reading the weights alone takes "
            f"{quantity(float(floor), 's')}. Missing is bandwidth: more chips in one domain, or a "
            "smaller format."
        )
    return (
        f"{answer.name}: at {at} per token one sequence can have {_said(own['context_one'])}, "
        f"{count(batch)} at once {_said(own['context_batch'])}."
    )


def _balance_words(own: dict[str, Any], over: float | None) -> str:
    balance = own["balance_context"]
    if balance is None:
        said = "At no context does reading a sequence's cache take longer than its multiplies."
    elif balance == 0:
        said = (
            "From the first token on, reading a sequence's cache takes longer than its multiplies."
        )
    else:
        said = (
            f"Beyond {tokens(balance)} tokens of context, reading a sequence's cache takes longer "
            "than its multiplies: with weights amortised, twice that context costs twice as much."
        )
    if over is None:
        return said
    ratio = f", {factor(over / balance)} further" if balance else ""
    return f"{said} Attention multiplies as much as the weights only from {tokens(over)} on{ratio}."


def _price_words(answer: Serving, own: dict[str, Any], limits: _Limits) -> str:
    assert limits.usd_per_mtok is not None
    if own["context_price"] != 0:
        return f"At {usd(limits.usd_per_mtok)} per million tokens: {_said(own['context_price'])}."
    least = _cost(answer, attention_kinds(answer.counts)[0], limits, 1.0)
    closest = f"the cheapest is {usd(least)}, without any context" if least < math.inf else (
        "nobody can be served in that time at all"
    )  # fmt: skip
    return f"At {usd(limits.usd_per_mtok)} per million tokens none: {closest}."


def _cost_rows(
    answer: Serving, kinds: list[AttentionKind], limits: _Limits
) -> list[dict[str, Any]]:
    """Cost against context for each kind of attention, where anybody can be served."""
    found = []
    for kind in kinds:
        for context in logspace(256, 2**24, per_octave=8):
            usd_per_mtok = _cost(answer, kind, limits, float(context))
            if math.isfinite(usd_per_mtok):
                found.append(
                    {"attention": kind.name, "context": float(context), "usd": usd_per_mtok}
                )
    return found


def _bounds(answer: Serving) -> tuple[list[dict[str, Any]], list[dict[str, float]]]:
    """What binds at each batch and context, and the most sequences that fit by context."""
    batch, context = 2.0 ** np.arange(0, 17.01, 1 / 16), 2.0 ** np.arange(8, 21.01, 1 / 16)
    B, L = batch[None, :], context[:, None]
    shape = (len(context), len(batch))
    bound = np.broadcast_to(answer.step(B, L).bottleneck, shape)
    memory = np.broadcast_to(answer.memory_bytes_per_chip(B, L), shape)
    capacity = answer.machine.capacity_bytes / answer.machine.n_chips
    cells = [
        {
            "batch": float(b),
            "context": float(c),
            "part": answer.replica.how.bottlenecks[int(bound[i, j])],
            "fits": bool(memory[i, j] <= capacity),
        }
        for i, c in enumerate(context)
        for j, b in enumerate(batch)
    ]
    edge = [{"context": float(c), "batch": fits(answer.replica, float(c))} for c in context]
    return cells, edge
