"""Why a layout wins and why every other family of layouts does not, with the number that decides.

A family is all layouts with one value of one degree: TP 16, attention DP 1. Its best member is
compared with the winner part by part (compute, weights, KV, network, overhead, prefill), per output
token: in chip time where money or throughput is ranked, in waiting where latency is. The part that
has grown most names the cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.questions.families import Family, cause, refused_words
from ridgeline.questions.families import families as families_of
from ridgeline.questions.layouts.grid import DEGREES, PARTS
from ridgeline.questions.layouts.load import limit_words
from ridgeline.questions.layouts.words import (
    DEGREE_WORDS,
    listed,
    percent,
    seconds,
    sequences,
)
from ridgeline.steps import counts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.questions.families import Rank
    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.specs.limits import Limits

__all__ = ["degree_values", "families", "impossible", "why_best"]

Row = dict[str, Any]

#: how a message is told
_COLLECTIVES = {
    "all_reduce": "all-reduces",
    "all_to_all": "exchanges with experts",
    "all_gather": "gathers",
    "reduce_scatter": "sums of what experts made",
    "hop": "hops between stages",
}


def degree_values(search: Search) -> dict[str, list[int]]:
    """The values of each degree that a search's layouts have, in order."""
    layouts = search.candidates.layouts
    return {d: sorted({getattr(x, d) for x in layouts}) for d in DEGREES}


def families(
    search: Search, winner: Row, rows: list[Row], rank: Rank, limits: Limits
) -> list[Family]:
    """Every other value of every degree, with what is wrong with it.

    Parameters
    ----------
    search : Search   That the winner is of.
    winner : mapping  Its row.
    rows : list       Best rows of the search's layouts, best first.
    rank, limits      That were asked for.
    """
    return families_of(
        degree_values(search),
        winner,
        rank,
        best_of=lambda degree, value: next((r for r in rows if r[degree] == value), None),
        name=lambda degree, value: f"{DEGREE_WORDS[degree]} {value}",
        lacking=lambda degree, value: _nothing_meets(search, degree, value, limits),
        costs=lambda row: _cause(_Compared(search, row, rank), _Compared(search, winner, rank)),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """A row with what its tokens spend their time on."""

    search: Search
    row: Row
    rank: Rank

    @property
    def waits(self) -> bool:
        """Whether the user's wait counts, or the chips' time."""
        return self.rank.column in ("e2e_s", "tpot_s")

    @property
    def whose(self) -> str:
        """Of whose time shares are told."""
        return "the wait" if self.waits else "the chips' time"

    @property
    def per_chip(self) -> float:
        """Sequences in flight a chip."""
        return self.row["batch"] * self.row["replicas"] / self.search.n_chips

    def parts(self) -> dict[str, float]:
        """Time of an output token by part: of one chip, or of the user. [s]"""
        row, candidates = self.row, self.search.candidates
        requests = candidates.requests
        per_replica = self.search.n_chips / row["replicas"]
        gained = float(requests.tokens_per_step)
        share = (1.0 if self.waits else per_replica / row["batch"]) / gained
        found = {name: row[c] * share for c, name in PARTS.items()}
        if not candidates.has_requests:
            return found
        if self.waits:
            # Of the wait per token, what is no decode step is prompts and queues.
            wait = row["tpot_s"] - row["step_s"] / gained + row["ttft_s"] / (requests.osl - 1)
            found["prefill"] = max(wait, 0.0)
        else:
            prompt = float(candidates.prefill[1][row["candidate"]])
            found["prefill"] = prompt * per_replica / requests.osl
        return found


def _cause(own: _Compared, winner: _Compared) -> str:
    """What costs a family most more than the winner, in words."""
    layout = own.row["layout"]
    return cause(own.parts(), winner.parts(), layout, lambda name, v: _CAUSES[name](own, v))


def _network(own: _Compared, _: float) -> str:
    sends: dict[str, float] = {}
    crossed: dict[str, int] = {}
    for piece, spent in _pieces(own):
        if piece.collective is not None and spent > 0:
            name = piece.collective.kind
            sends[name] = sends.get(name, 0.0) + spent
            if float(piece.collective.group) > 1:
                crossed[name] = max(crossed.get(name, 1), int(piece.collective.n_domains))
    name = max(sends, key=lambda n: sends[n])
    share = percent(sends[name] / own.row["step_s"])
    domain = own.search.candidates.base.cluster.domain_size
    n = crossed.get(name, 1)
    across = f", which cross {n} domains of {domain} chips," if n > 1 else ""
    return f"{_COLLECTIVES[name]}{across} take {share} of the step ({own.row['layout']})"


def _pieces(own: _Compared) -> list[Any]:
    candidates = own.search.candidates
    replica = candidates.replica_of(own.search.layout(own.row))
    return replica.op_seconds(candidates.requests.decode(own.row["batch"]))


def _weights(own: _Compared, share: float) -> str:
    row = own.row
    held = _gb(own.search.candidates.memory(own.search.layout(row)).weights_bytes)
    start = f"weights take {percent(share)} of {own.whose}: each chip holds {held} GB of them"
    if own.waits:
        return f"{start} ({row['layout']})"
    return (
        f"{start}, and reads them for {own.per_chip:,.1f} sequences, {_stops(own)} "
        f"({row['layout']})"
    )


def _gb(value: float) -> str:
    return f"{float(value) / 1e9:,.0f}"


def _stops(own: _Compared) -> str:
    """What keeps the batch from growing."""
    row, candidates = own.row, own.search.candidates
    fits = row["largest_batch"]
    if row["batch"] >= fits:
        fixed = float(candidates.held[0][row["candidate"]])
        have = candidates.capacity_bytes
        return f"as {_gb(fixed)} of {_gb(have)} GB are taken before the first cache"
    return f"while memory would do for {fits * row['replicas'] / own.search.n_chips:,.0f}"


def _attention(own: _Compared, share: float) -> str:
    row, candidates = own.row, own.search.candidates
    held = candidates.memory(own.search.layout(row))
    once = float(counts(candidates.base.model).cache_bytes(candidates.kept))
    copies = float(held.cache_bytes_per_sequence) * own.search.n_chips / row["replicas"] / once
    again = f", each held {copies:,.0f} times over," if copies > 1.5 else ""
    return f"attention over caches{again} takes {percent(share)} of {own.whose} ({row['layout']})"


def _overhead(own: _Compared, share: float) -> str:
    start = f"launches, small passes and the host take {percent(share)} of {own.whose}"
    if own.waits:
        return f"{start} ({own.row['layout']})"
    return f"{start}, which {own.per_chip:,.1f} sequences per chip share ({own.row['layout']})"


def _compute(own: _Compared, share: float) -> str:
    return f"multiplying takes {percent(share)} of {own.whose} ({own.row['layout']})"


def _prefill(own: _Compared, share: float) -> str:
    return f"prefills take {percent(share)} of {own.whose} ({own.row['layout']})"


_CAUSES = {
    "network": _network,
    "weights": _weights,
    "attention": _attention,
    "overhead": _overhead,
    "compute": _compute,
    "prefill": _prefill,
}


def _nothing_meets(search: Search, degree: str, value: int, limits: Limits) -> str:
    """Why no layout of a family is left: memory, or the limit nearest missed."""
    candidates = search.candidates
    index = [i for i, x in enumerate(candidates.layouts) if getattr(x, degree) == value]
    fixed, each = (v[index] for v in candidates.held)
    needed = float((fixed + each).min())
    have = candidates.capacity_bytes
    if needed > have:
        need, has = format_quantity(needed, "B"), format_quantity(have, "B")
        return f"needs {need} per chip for one sequence; a chip has {has}"
    missed = []
    for name, told, limit in limit_words(limits):
        lowest = float(search.result[f"{name}_s"][index].min())
        if lowest > limit:
            missed.append(f"{told} is {seconds(lowest)} at best, {seconds(limit)} asked")
    return "; ".join(missed) or "meets each limit, but never all at one batch"


def impossible(search: Search) -> list[str]:
    """What could not be built at all, values with one reason together."""
    refused = {(r.degree, r.value): r.reason for r in search.refusals}
    return refused_words(refused, lambda degree: DEGREE_WORDS[degree])


def why_best(search: Search, row: Row, rank: Rank) -> str:
    """What the winner spends its time on, and what stops its batch."""
    own = _Compared(search, row, rank)
    spent = own.parts()
    whole = sum(spent.values())
    ordered = sorted(spent.items(), key=lambda item: -item[1])[:3]
    shares = listed([f"{name} {percent(v / whole)}" for name, v in ordered])
    fits = row["largest_batch"]
    stop = "all that fit" if row["batch"] >= fits else f"{fits:,.0f} would fit"
    return f"{sequences(row['batch'])} per replica ({stop}); {own.whose} goes to {shares}."
