"""Prefill and decode on separate pools of chips, at matched rates, with the cache sent between."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.grid.axis import distinct
from ridgeline.laws.pools import chip_seconds_per_request, matched_prefill_share
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.words import layout_name, percent, seconds, sequences, times
from ridgeline.questions.serving.words import usd
from ridgeline.service.pools import Pools as ServicePools
from ridgeline.service.pools import closed_pools
from ridgeline.service.prices import pools_price_sheet
from ridgeline.specs.limits import Limit, Limits
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ridgeline.questions.layouts.grid import Candidates
    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.service.performance import Performance
    from ridgeline.specs.layout import Layout

__all__ = ["Pool", "Pools", "split"]

#: sizes of a replica looked at besides powers of two and divisors: every one on a few nodes,
#: multiples of a usual node on more
_NODE = 8
#: pairs that are answered at once: it is nearly always one of the first
_AT_ONCE = 16


class Pool(NamedTuple):
    """One of the two pools.

    Attributes
    ----------
    layout : Layout        Of one replica.
    replicas : int         Of them.
    batch : float          Sequences in one replica: in flight, or prompts per step.
    time_s : float         A prompt by itself, or time per output token. [s]
    rate_per_s : float     Requests the whole pool can take. [1/s]
    chip_s : float         Chip time per request. [s]
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
    concurrency : float      Requests kept in flight: as many as the pools take without a queue.
    transfer_s : float       One prompt's cache from pool to pool. [s]
    transfer_bytes : float   Of it. [bytes]
    inside_domain : bool     The pools are joined by the scale-up fabric.
    tokens_per_s_per_chip : float   Output, over all chips.
    colocated : float or None       The same of the best layout that does both on all chips.
    """

    prefill: Pool
    decode: Pool
    n_chips: int
    concurrency: float
    transfer_s: float
    transfer_bytes: float
    inside_domain: bool
    ttft_s: float
    tpot_s: float
    e2e_s: float
    requests_per_s: float
    tokens_per_s_per_chip: float
    usd_per_mtok_input: float | None
    usd_per_mtok_output: float | None
    usd_per_mtok: float | None
    colocated: float | None

    def sentences(self) -> list[str]:
        """The split in words."""
        over = self.n_chips - self.prefill.n_chips - self.decode.n_chips
        left = f", {over} left over" if over else ""
        p, d = self.prefill, self.decode
        matched = matched_prefill_share(p.chip_s, d.chip_s)
        said = [
            f"Disaggregated: {p.n_chips} chips prefill ({p.name}) and {d.n_chips} decode "
            f"({d.name}, {sequences(d.batch)} per replica){left}: "
            f"{self.tokens_per_s_per_chip:,.0f} output tok/s per chip, TTFT "
            f"{seconds(self.ttft_s)}, TPOT {seconds(self.tpot_s)}, e2e {seconds(self.e2e_s)}"
            f"{self._money()}.",
            f"Rates match where {percent(matched)} of the chips prefill; these pools can take "
            f"{p.rate_per_s:,.2f} and {d.rate_per_s:,.2f} requests/s.",
            f"Each prompt sends {format_quantity(self.transfer_bytes, 'B')} of cache, "
            f"{seconds(self.transfer_s)} over the "
            f"{'scale-up fabric' if self.inside_domain else 'network'}, counted in TTFT.",
        ]
        if self.colocated:
            ratio = self.tokens_per_s_per_chip / self.colocated
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


def split(
    search: Search,
    colocated: float | None = None,
    can: Callable[[Layout], bool] | None = None,
) -> Pools:
    """Find the split of a cluster's chips that serves most requests within the limits.

    Parameters
    ----------
    search : Search             Of both on the same chips.
    colocated : float or None   Its best output tok/s per chip, to compare with.
    can : callable or None      Which layouts may be used; None for all.

    Raises
    ------
    SpecError         Only a context was given, so that there is nothing to prefill.
    InfeasibleError   No two pools hold the model within the limits.

    Notes
    -----
    Of each size of replica the layout with the least chip time per request is taken, for prefill
    and for decode apart; then all pairs and numbers of replicas are tried, and the best is put to
    `service.pools.closed_pools`. The cache is sent after the prefill, whole: engines that send it
    layer by layer hide most of it.
    """
    found = search.candidates
    if not found.has_requests:
        raise SpecError("Pools need requests: give isl and osl instead of a context.")
    layouts, _ = legal_layouts(
        found.base.model,
        _sizes(found.base.cluster.domain_size, search.n_chips),
        whole=False,
        engine=found.base.engine,
    )
    layouts = [x for x in layouts if can is None or can(x)]
    candidates = replace(found, layouts=tuple(layouts))
    prefills = list(_best_prefills(candidates)) if layouts else []
    decodes = list(_best_decodes(candidates)) if prefills else []
    pairs = sorted(_joined(search, prefills, decodes), key=lambda pair: -pair.rate_per_s)
    limits = search.candidates.limits
    for first in range(0, len(pairs), _AT_ONCE):
        some = pairs[first : first + _AT_ONCE]
        answered = _answered(search, some)
        kept = (answered.found.ttft_s <= limits.ttft_s) & (answered.found.e2e_s <= limits.e2e_s)
        if kept.any():
            at = int(kept.argmax())
            return _priced(search, some[at], answered.at(at), colocated)
    raise InfeasibleError(
        f"No two pools of {search.n_chips} x {found.base.cluster.chip.name} hold "
        f"{found.base.model.id} within the limits: each needs a copy of its own."
    )


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
    """Of each size of replica the layout that takes the least chip time per request."""
    for size in distinct(candidates.n_chips):
        own = np.flatnonzero(candidates.n_chips == size)
        best = own[chip_s[own].argmin()]
        if math.isfinite(chip_s[best]):
            yield int(best)


def _best_prefills(candidates: Candidates) -> Iterator[Pool]:
    """Layouts that prefill, within the limit on TTFT, a size each."""
    alone, each = candidates.prefill
    usable = (candidates.fits >= 1) & (alone <= candidates.limits.ttft_s)
    chip_s = np.where(usable, each * candidates.n_chips, np.inf)
    for i in _cheapest(candidates, chip_s):
        layout = candidates.layouts[i]
        yield Pool(layout, 1, 1.0, float(alone[i]), 1 / float(each[i]), float(chip_s[i]))


def _best_decodes(candidates: Candidates) -> Iterator[Pool]:
    """Layouts that decode at their largest batch within the limits, a size each."""
    requests, limits = candidates.requests, candidates.limits
    n_tokens = requests.osl - 1
    # Of a limit on the whole, what the fastest prefill leaves; pairs are checked again.
    left = (limits.e2e_s - float(candidates.prefill[0].min())) / n_tokens
    if left <= 0:
        return
    tpot_s = min(limits.tpot_s, left)
    statistic = limits.tpot.statistic if limits.tpot else "mean"
    edge = Limits(ttft=None, tpot=Limit(tpot_s, statistic), e2e=None)
    edge = edge if tpot_s < math.inf else Limits(ttft=None, tpot=None, e2e=None)
    only = replace(requests, isl=0.0, osl=0.0, cached=0.0, decode_context=requests.context)
    bounded = replace(candidates, requests=only, limits=edge)
    batch = np.minimum(bounded.within_limits, candidates.fits)
    at_least_one = np.maximum(batch, 1.0)
    tpot = np.asarray(bounded.performance(at_least_one, np.arange(len(batch))).tpot_s)
    spent = chip_seconds_per_request(tpot * n_tokens, candidates.n_chips, at_least_one)
    chip_s = np.where(batch >= 1, spent, np.inf)
    for i in _cheapest(candidates, chip_s):
        rate = float(batch[i] / (tpot[i] * n_tokens))
        layout = candidates.layouts[i]
        yield Pool(layout, 1, float(batch[i]), float(tpot[i]), rate, float(chip_s[i]))


class _Pair(NamedTuple):
    """Two pools, and the requests/s that both can take."""

    prefill: Pool
    decode: Pool
    rate_per_s: float


def _joined(search: Search, prefills: list[Pool], decodes: list[Pool]) -> Iterator[_Pair]:
    """All pairs, each with the best numbers of replicas."""
    if not prefills or not decodes:
        return
    p_chips, p_rate = _sizes_of(prefills, (-1, 1, 1))
    d_chips, d_rate = _sizes_of(decodes, (-1, 1))
    n_prefill = np.arange(1, search.n_chips // int(p_chips.min()) + 1)
    n_decode = np.maximum(search.n_chips - n_prefill * p_chips, 0) // d_chips
    rates = np.minimum(n_prefill * p_rate, n_decode * d_rate)
    best = rates.argmax(axis=2)
    for i, p in enumerate(prefills):
        for j, d in enumerate(decodes):
            k = best[i, j]
            if rates[i, j, k] > 0:
                pools = _times(p, int(n_prefill[k])), _times(d, int(n_decode[i, j, k]))
                yield _Pair(*pools, float(rates[i, j, k]))


def _sizes_of(pools: list[Pool], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Chips and requests/s of a replica of each."""
    chips, rates = ([pool.n_chips for pool in pools], [pool.rate_per_s for pool in pools])
    return np.reshape(chips, shape), np.reshape(rates, shape)


def _times(pool: Pool, replicas: int) -> Pool:
    return pool._replace(replicas=replicas, rate_per_s=pool.rate_per_s * replicas)


class _Answered(NamedTuple):
    """What pairs of pools give with as many requests in flight as they take without a queue."""

    found: Performance
    concurrency: Any
    transfer_s: Any
    service: ServicePools

    def at(self, i: int) -> _Answered:
        """One of the pairs."""
        found = self.found.mapped(lambda x: x[i] if np.ndim(x) else x)
        return _Answered(found, self.concurrency[i], self.transfer_s[i], self.service)


def _answered(search: Search, pairs: list[_Pair]) -> _Answered:
    candidates, requests = search.candidates, search.candidates.requests
    p, d = [pair.prefill for pair in pairs], [pair.decode for pair in pairs]
    service = ServicePools(
        candidates.rows_of([pool.layout for pool in p]),
        np.asarray([pool.replicas for pool in p]),
        candidates.rows_of([pool.layout for pool in d]),
        np.asarray([pool.replicas for pool in d]),
        search.n_chips,
    )
    sent_s = np.broadcast_to(service.transfer_s(requests), (len(pairs),))
    prompt_s, gap_s = (np.asarray([pool.time_s for pool in pools]) for pools in (p, d))
    rate = np.asarray([pair.rate_per_s for pair in pairs])
    concurrency = rate * (prompt_s + sent_s + (requests.osl - 1) * gap_s)
    found = closed_pools(service, requests, concurrency)
    return _Answered(found, concurrency, sent_s, service)


def _priced(search: Search, pair: _Pair, given: _Answered, colocated: float | None) -> Pools:
    """One pair in full, with what it gives."""
    candidates, requests, found = search.candidates, search.candidates.requests, given.found
    p, d = pair.prefill, pair.decode
    answered = float(found.requests_per_s)
    rest = search.n_chips - p.n_chips
    rent = candidates.usd_per_chip_hour
    sheet = None if rent is None else pools_price_sheet(answered, requests, rent, p.n_chips, rest)
    return Pools(
        prefill=p,
        decode=d,
        n_chips=search.n_chips,
        concurrency=float(given.concurrency),
        transfer_s=float(given.transfer_s),
        transfer_bytes=float(given.service.transfer_bytes(requests)),
        inside_domain=bool(given.service.inside_domain),
        ttft_s=float(found.ttft_s),
        tpot_s=float(found.tpot_s),
        e2e_s=float(found.e2e_s),
        requests_per_s=answered,
        tokens_per_s_per_chip=answered * requests.osl / search.n_chips,
        usd_per_mtok_input=None if sheet is None else float(sheet.usd_per_mtok_input),
        usd_per_mtok_output=None if sheet is None else float(sheet.usd_per_mtok_output),
        usd_per_mtok=None if sheet is None else float(sheet.usd_per_mtok),
        colocated=colocated,
    )
