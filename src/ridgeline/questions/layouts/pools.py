"""Prefill and decode on separate pools of chips, at matched rates, with the cache sent between."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.economics import cost_per_step_usd
from ridgeline.laws.pools import (
    cache_transfer_time_s,
    chip_seconds_per_request,
    matched_prefill_share,
)
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.load import Limits
from ridgeline.questions.layouts.words import layout_name, per_cent, seconds, sequences, times
from ridgeline.questions.serving.words import usd
from ridgeline.steps import counts
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.layouts.grid import Candidates
    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.specs.layout import Layout

__all__ = ["Pool", "Pools", "split"]

#: sizes of a replica looked at besides powers of two and divisors: every one on a few nodes,
#: multiples of a usual node on more
_NODE = 8
_TOKENS_PER_MTOK = 1e6


class Pool(NamedTuple):
    """One of the two pools.

    Attributes
    ----------
    layout : Layout        Of one replica.
    replicas : int         Of them.
    batch : float          Sequences in one replica: in flight, or prompts a step.
    time_s : float         Time to the first token, or between tokens. [s]
    rate_per_s : float     Requests the whole pool can take. [1/s]
    chip_s : float         Chip time a request takes. [s]
    """

    layout: Layout
    replicas: int
    batch: float
    time_s: float
    rate_per_s: float
    chip_s: float

    @property
    def n_chips(self) -> int:
        """Of the pool."""
        one = self.layout
        return self.replicas * one.pp * one.attn_dp * one.tp

    @property
    def name(self) -> str:
        """The pool in a few letters."""
        return layout_name(self.layout.model_copy(update={"replicas": self.replicas}))


@dataclass(frozen=True, slots=True)
class Pools:
    """The best split of the chips of a cluster.

    Attributes
    ----------
    n_chips : int            There are; some may be left over.
    transfer_s : float       One prompt's cache from pool to pool. [s]
    transfer_bytes : float   Of it. [bytes]
    inside_domain : bool     The pools are joined by the scale-up fabric.
    tokens_per_s_per_chip : float   Output, over all chips.
    together : float or None        The same of the best layout that does both on all chips.
    """

    prefill: Pool
    decode: Pool
    n_chips: int
    transfer_s: float
    transfer_bytes: float
    inside_domain: bool
    ttft_s: float
    e2e_s: float
    requests_per_s: float
    tokens_per_s_per_chip: float
    usd_per_mtok_input: float | None
    usd_per_mtok_output: float | None
    usd_per_mtok: float | None
    together: float | None

    def sentences(self) -> list[str]:
        """The split in words."""
        over = self.n_chips - self.prefill.n_chips - self.decode.n_chips
        left = f", {over} left over" if over else ""
        p, d = self.prefill, self.decode
        matched = matched_prefill_share(p.chip_s, d.chip_s)
        said = [
            f"Apart: {p.n_chips} chips prefill ({p.name}) and {d.n_chips} decode ({d.name}, "
            f"{sequences(d.batch)} a replica){left}: {self.tokens_per_s_per_chip:,.0f} output "
            f"tok/s a chip, TTFT {seconds(self.ttft_s)}, TPOT {seconds(d.time_s)}, "
            f"e2e {seconds(self.e2e_s)}{self._money()}.",
            f"Rates match where {per_cent(matched)} of the chips prefill; these pools can take "
            f"{p.rate_per_s:,.2f} and {d.rate_per_s:,.2f} requests/s.",
            f"Each prompt sends {format_quantity(self.transfer_bytes, 'B')} of cache, "
            f"{seconds(self.transfer_s)} over the "
            f"{'scale-up fabric' if self.inside_domain else 'network'}, counted in TTFT.",
        ]
        if self.together:
            ratio = self.tokens_per_s_per_chip / self.together
            said.append(f"That is {times(ratio)} the throughput of both on the same chips.")
        return said

    def _money(self) -> str:
        if self.usd_per_mtok_output is None or self.usd_per_mtok_input is None:
            return ""
        return (
            f", {usd(self.usd_per_mtok_output)} per million output tokens and "
            f"{usd(self.usd_per_mtok_input)} per million input"
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        found = {n: getattr(self, n) for n in self.__dataclass_fields__}
        for name in ("prefill", "decode"):
            pool = found[name]
            found[name] = pool._asdict() | {
                "layout": pool.layout.model_dump(),
                "n_chips": pool.n_chips,
            }
        return found | {"answer": self.sentences()}


def split(search: Search, together: float | None = None) -> Pools:
    """Find the split of a cluster's chips that serves most requests within the limits.

    Parameters
    ----------
    search : Search            Of both on the same chips, for what was asked.
    together : float or None   Its best output tok/s a chip, to compare with.

    Raises
    ------
    SpecError         Only a context was given, so that there is nothing to prefill.
    InfeasibleError   No two pools hold the model within the limits.

    Notes
    -----
    Of each size of replica the layout with the least chip time a request is taken, for prefill and
    for decoding apart; then all pairs and numbers of replicas are tried. The cache is sent after
    the prefill, whole: engines that send it layer by layer hide most of it.
    """
    asked = search.candidates
    if not asked.lengths.has_requests:
        raise SpecError("Pools need requests: give --isl and --osl instead of --context.")
    layouts, _ = legal_layouts(
        asked.timer.model, _sizes(asked.timer.cluster.domain_size, search.n_chips), whole=False
    )
    candidates = replace(asked, layouts=tuple(layouts), apart=True)
    prefills = list(_best_prefills(candidates)) if layouts else []
    decodes = list(_best_decodes(candidates)) if prefills else []
    pairs = [found for p in prefills for d in decodes for found in _joined(search, p, d, together)]
    if not pairs:
        raise InfeasibleError(
            f"No two pools of {search.n_chips} x {asked.timer.cluster.chip.name} hold "
            f"{asked.timer.model.id} within the limits: each needs a copy of its own."
        )
    return max(pairs, key=lambda pools: pools.requests_per_s)


def _sizes(domain_size: int, n_chips: int) -> list[int]:
    """Numbers of chips of one replica, of those that leave room for the other pool."""
    powers = {2**i for i in range(n_chips.bit_length())}
    divisors = {d for d in range(1, n_chips) if n_chips % d == 0}
    step = 1 if n_chips <= 4 * _NODE else _NODE
    nodes = set(range(step, n_chips, step)) if n_chips <= 32 * _NODE else set()
    every = powers | divisors | nodes
    if n_chips > domain_size:
        # Within a domain any chips are neighbours; across domains only whole ones or even parts.
        every = {s for s in every if domain_size % s == 0 or s % domain_size == 0}
    return sorted(s for s in every if s < n_chips)


def _cheapest(candidates: Candidates, chip_s: np.ndarray) -> Iterator[int]:
    """Of each size of replica the layout that takes the least chip time a request."""
    for size in np.unique(candidates.n_chips):
        own = np.flatnonzero(candidates.n_chips == size)
        best = own[chip_s[own].argmin()]
        if math.isfinite(chip_s[best]):
            yield int(best)


def _best_prefills(candidates: Candidates) -> Iterator[Pool]:
    """Layouts that prefill, within the limit on TTFT, a size each."""
    prompt = candidates.prefill
    usable = (candidates.fits >= 1) & (prompt.first_s <= candidates.limits.ttft_s)
    chip_s = np.where(usable, prompt.each_s * candidates.n_chips, np.inf)
    for i in _cheapest(candidates, chip_s):
        first, each = float(prompt.first_s[i]), float(prompt.each_s[i])
        yield Pool(candidates.layouts[i], 1, 1.0, first, 1 / each, float(chip_s[i]))


def _best_decodes(candidates: Candidates) -> Iterator[Pool]:
    """Layouts that decode at their largest batch within the limits, a size each."""
    at, limits = candidates.lengths, candidates.limits
    # Of a limit on the whole, what the fastest prefill leaves; pairs are checked again.
    left = (limits.e2e_s - float(candidates.prefill.first_s.min())) / at.n_steps
    tpot_s = min(limits.tpot_s, left)
    if tpot_s <= 0:
        return
    bounded = replace(candidates, limits=Limits(tpot_s=tpot_s))
    batch = bounded.within_limits
    at_least_one = np.maximum(batch, 1.0)
    tpot = np.asarray(bounded.columns(np.arange(len(batch)), at_least_one)["tpot_s"])
    spent = chip_seconds_per_request(tpot * at.n_steps, candidates.n_chips, at_least_one)
    chip_s = np.where(batch >= 1, spent, np.inf)
    for i in _cheapest(candidates, chip_s):
        rate = float(batch[i] / (tpot[i] * at.n_steps))
        layout = candidates.layouts[i]
        yield Pool(layout, 1, float(batch[i]), float(tpot[i]), rate, float(chip_s[i]))


def _joined(search: Search, p: Pool, d: Pool, together: float | None) -> Iterator[Pools]:
    """The best numbers of replicas of a pair, if any keeps the limits."""
    n, limits, at = search.n_chips, search.candidates.limits, search.candidates.lengths
    most = (n - d.n_chips) // p.n_chips
    if most < 1:
        return
    n_prefill = np.arange(1, most + 1)
    n_decode = (n - n_prefill * p.n_chips) // d.n_chips
    rates = np.minimum(n_prefill * p.rate_per_s, n_decode * d.rate_per_s)
    best = int(rates.argmax())
    sent, transfer_s, inside = _transfer(search, p, d)
    ttft = p.time_s + transfer_s
    e2e = ttft + at.n_steps * d.time_s
    if ttft > limits.ttft_s or e2e > limits.e2e_s or rates[best] <= 0:
        return
    p, d = _times(p, int(n_prefill[best])), _times(d, int(n_decode[best]))
    rate = float(rates[best])
    yield Pools(
        prefill=p,
        decode=d,
        n_chips=n,
        transfer_s=transfer_s,
        transfer_bytes=sent,
        inside_domain=inside,
        ttft_s=ttft,
        e2e_s=e2e,
        requests_per_s=rate,
        tokens_per_s_per_chip=rate * at.osl / n,
        **_money(search, p, d, rate),
        together=together,
    )


def _times(pool: Pool, replicas: int) -> Pool:
    return pool._replace(replicas=replicas, rate_per_s=pool.rate_per_s * replicas)


def _transfer(search: Search, p: Pool, d: Pool) -> tuple[float, float, bool]:
    """Bytes and seconds of a prompt's cache, and whether it stays within a domain."""
    timer, at = search.candidates.timer, search.candidates.lengths
    cluster = timer.cluster
    sent = float(counts(timer.model).cache_bytes(at.isl))
    inside = search.n_chips <= cluster.domain_size
    rate = (cluster.link if inside else cluster.scale_out) or 0.0
    if not rate:
        return sent, math.inf, inside
    holders = [pool.layout.pp * pool.layout.tp for pool in (p, d)]
    return sent, float(cache_transfer_time_s(sent, holders[0], holders[1], rate)), inside


def _money(search: Search, p: Pool, d: Pool, rate: float) -> dict[str, float | None]:
    """Dollars of each pool by the tokens it makes; chips left over are paid with the decoding."""
    at, rent = search.candidates.lengths, search.candidates.usd_per_chip_hour
    names = ("usd_per_mtok_input", "usd_per_mtok_output", "usd_per_mtok")
    if rent is None:
        return dict.fromkeys(names)
    per_request = cost_per_step_usd(1 / rate, rent, 1) * _TOKENS_PER_MTOK
    rest = search.n_chips - p.n_chips
    values = (
        per_request * p.n_chips / at.new_tokens,
        per_request * rest / at.osl,
        per_request * search.n_chips / (at.isl + at.osl),
    )
    return dict(zip(names, values, strict=True))
