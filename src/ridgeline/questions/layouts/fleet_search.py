"""All fleets of one kind of machine: what a replica of each layout takes, replicas for any rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.layouts.fleet_option import FleetOption
from ridgeline.questions.layouts.legal import legal_layouts
from ridgeline.questions.layouts.words import layout_name
from ridgeline.questions.serving.power import power_w
from ridgeline.replica.replica import degrees
from ridgeline.service.deployment import requests_of
from ridgeline.service.fleet import (
    LONG_RUN,
    Terms,
    as_numbers,
    domains_filled,
    largest_rates,
    misses,
    overshoot,
    replicas_needed,
)
from ridgeline.service.prices import PriceSheet, cached_token_s, price_sheet
from ridgeline.service.server import Server
from ridgeline.specs.layout import Layout
from ridgeline.steps.bind import bound
from ridgeline.steps.layouts import check_engine
from ridgeline.steps.machine import joined, network_hint, sizes
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.replica import Replica
    from ridgeline.service.performance import Performance
    from ridgeline.service.requests import Requests
    from ridgeline.specs.price import Price
    from ridgeline.specs.workload import Workload

__all__ = ["MOST_CHIPS", "FleetSearch", "fleet_search"]

#: chips of the largest fleet that is looked at
MOST_CHIPS = 16_384
#: chips of the largest replica, where the cluster itself is smaller
_LARGEST_REPLICA = 64
#: numbers of replicas of each size that are looked at for smaller fleets
_N_MULTIPLES = 8
#: rates at which a fleet is looked at that holds one rate but not all below it
_N_RATES = 65
_CLOSE = 1 + 1e-9

Row = dict[str, Any]


def fleet_search(
    base: Replica,
    workload: Workload,
    *,
    price: Price | None = None,
    max_sequences: float | None = None,
    most_chips: int = MOST_CHIPS,
    only: Layout | None = None,
) -> FleetSearch:
    """Find the layouts of one replica that fleets are made of.

    Parameters
    ----------
    base : Replica             Model, cluster, engine, formats and reading; its layout is not used.
    workload : Workload        Lengths, limits, headroom; its rate is not used.
    price : Price or None      Per chip-hour.
    max_sequences : float or None   Sequences of a rank that the engine is set to take at most.
    most_chips : int           Of the largest fleet looked at. [1]
    only : Layout or None      Replicas in this layout alone; None for all that engines could run.

    Returns
    -------
    FleetSearch   Replicas are of 1, 2, 4, ... chips of a domain and of whole domains, up to all of
                  the cluster; of more where nothing there takes any traffic within the limits, up
                  to 64 chips.

    Raises
    ------
    SpecError         The workload has no lengths, or counts alone are known of the model.
    InfeasibleError   No layout has room for one sequence; says by how much.
    """
    if not workload.has_lengths:
        raise SpecError("A rate is of requests: give isl and osl, not a context.")
    if not base.model.blocks:
        raise SpecError(
            f"{base.model.id} is known by its counts alone, which no layout can divide. "
            "Give its config.json."
        )
    if only is not None:
        check_engine(base.engine, only)
        n_chips = only.pp * only.attn_dp * only.tp
        base = replace(base, cluster=joined(base.cluster, n_chips))
    cluster = base.cluster
    n_domains, found = cluster.n_domains, None
    while True:
        most = min(n_domains * cluster.domain_size, most_chips)
        numbers = [n for n in sizes(cluster) if n <= most]
        drawn, _ = legal_layouts(base.model, numbers, whole=False, engine=base.engine)
        drawn = drawn if only is None else [only.model_copy(update={"replicas": 1})]
        draft = FleetSearch(
            base, workload, tuple(drawn), price, max_sequences, most_chips, only is not None
        )
        room = draft.rows.slots
        fits = tuple(x for x, slots in zip(drawn, room, strict=True) if slots >= 1)
        found = replace(draft, layouts=fits)
        if fits and found.can_hold:
            return found
        n_domains *= 2
        larger = n_domains * cluster.domain_size
        if only or cluster.scale_out is None or larger > min(_LARGEST_REPLICA, most_chips):
            break
    if not fits:
        raise InfeasibleError(_no_room(draft))
    return found


def _no_room(draft: FleetSearch) -> str:
    """By how much the best layout lacks the memory for one sequence."""
    base, most = draft.base, int(draft.n_chips.max())
    held = draft.rows.replica.memory(
        draft.requests.kept(base.engine), drafts=draft.requests.has_drafts
    )
    needed = np.broadcast_to(held.fixed_bytes + held.bytes_per_sequence, draft.n_chips.shape)
    i = int(needed.argmin())
    have = base.capacity_bytes
    return (
        f"{base.model.id} does not fit on up to {most} x {base.cluster.chip.name} per replica: as "
        f"{layout_name(draft.layouts[i])} it needs {format_quantity(float(needed[i]), 'B')} per "
        f"chip for one sequence, and a chip has {format_quantity(have, 'B')}. "
        f"Use a smaller format (--weights), or chips with more memory.{network_hint(base.cluster)}"
    )


@dataclass(frozen=True, repr=False)
class FleetSearch:
    """What one replica of each layout takes of a workload: fleets for any rate follow from it.

    Attributes
    ----------
    base : Replica              In any layout: those of the candidates take its place.
    workload : Workload         Its limits and headroom are those of every rate.
    layouts : tuple of Layout   Of one replica each, with room for a sequence.
    price : Price or None       Per chip-hour.
    max_sequences : float or None   Sequences of a rank that the engine is set to take at most.
    most_chips : int            Of the largest fleet looked at.
    is_fixed : bool             The layout of a replica was given, and no other looked at.
    """

    base: Replica
    workload: Workload
    layouts: tuple[Layout, ...]
    price: Price | None = None
    max_sequences: float | None = None
    most_chips: int = MOST_CHIPS
    is_fixed: bool = False

    @cached_property
    def requests(self) -> Requests:
        """Lengths and drafts."""
        return requests_of(self.workload, self.base.model)

    @property
    def terms(self) -> Terms:
        """Limits, and the utilization that leaves the headroom."""
        return Terms(self.workload.limits, self.workload.utilization_target)

    def server(self, layouts: Sequence[Layout]) -> Server:
        """Layouts with the requests, a row each, in runs that have no end."""
        arrays = bound({"layout": Layout()}, degrees(layouts))["layout"]
        replica = replace(self.base, layout=arrays)
        return Server(
            replica,
            self.requests,
            most=np.inf,
            max_sequences=self.max_sequences,
            n_requests=float(LONG_RUN),
        )

    @cached_property
    def rows(self) -> Server:
        """All layouts, a row each."""
        return self.server(self.layouts)

    @cached_property
    def n_chips(self) -> np.ndarray:
        """Chips of one replica of each layout."""
        return np.asarray([x.pp * x.attn_dp * x.tp for x in self.layouts])

    @cached_property
    def largest(self) -> np.ndarray:
        """Requests that one replica of each layout takes at most. [1/s]"""
        return largest_rates(self.rows, self.terms)

    # --- rates

    def _chips(self, rates: Any) -> tuple[np.ndarray, np.ndarray]:
        """Replicas and chips that each rate (rows) takes in each layout (columns)."""
        needed = replicas_needed(np.asarray(rates)[:, None], self.largest)
        chips = needed * self.n_chips
        return needed, np.where(chips <= self.most_chips, chips, np.inf)

    def chosen(self, rates: Sequence[float] | np.ndarray) -> list[tuple[int, int] | None]:
        """Row of the layout and replicas for each rate: the fewest chips, then the lowest TPOT.

        At one rate fleets of equally many chips cost the same per token, so that speed decides.
        """
        rates = np.asarray(rates, dtype=float)
        needed, chips = self._chips(rates)
        least = chips.min(axis=1)
        i, j = np.nonzero((chips == least[:, None]) & np.isfinite(chips))
        found = self.rows.open(rates[i] / needed[i, j], j)
        picked: dict[int, tuple[int, int]] = {}
        for at in np.lexsort((found.ttft_s, found.tpot_s, i)):
            picked.setdefault(int(i[at]), (int(j[at]), int(needed[i[at], j[at]])))
        return [picked.get(at) for at in range(len(rates))]

    def against(self, rates: Sequence[float] | np.ndarray) -> list[Row]:
        """Chips against rate: a row per rate; without chips where no fleet holds."""
        rows = []
        for rate, pick in zip(rates, self.chosen(rates), strict=True):
            row: Row = {"rate_per_s": float(rate), "n_chips": None, "n_domains": None}
            row |= {"layout": None, "replicas": None, "usd_per_hour": None}
            if pick is not None:
                at, replicas = pick
                own = self.layouts[at].model_copy(update={"replicas": replicas})
                n_chips = int(replicas * self.n_chips[at])
                row |= {"n_chips": n_chips, "n_domains": self._n_domains(at, replicas)}
                row |= {"layout": layout_name(own), "replicas": replicas}
                row["usd_per_hour"] = self._usd_per_hour(n_chips)
            rows.append(row)
        return rows

    @property
    def can_hold(self) -> bool:
        """Whether any layout keeps the limits at all, however little arrives."""
        return bool((self.largest > 0).any())

    def chips_without_cap(self, rate: float) -> float:
        """Chips that a rate takes, however many; inf where no layout keeps the limits."""
        return float((replicas_needed(rate, self.largest) * self.n_chips).min())

    # --- fleets

    def option(self, row: int, replicas: int, rate: float) -> FleetOption:
        """So many replicas of a layout at a rate, in full."""
        layout = self.layouts[row].model_copy(update={"replicas": replicas})
        chips = int(self.n_chips[row])
        each = as_numbers(self.rows.open(np.array([rate / replicas]), np.array([row])))
        watts = power_w(self.base.cluster)
        return FleetOption(
            layout=layout,
            n_chips=chips * replicas,
            n_domains=self._n_domains(row, replicas),
            rate_per_s=rate,
            performance=each.of_system(replicas),
            most_per_s=float(self.largest[row] * replicas),
            misses=misses(each, rate / replicas, self.terms),
            prices=self._prices(each, layout, chips),
            usd_per_hour=self._usd_per_hour(chips * replicas),
            power_w=None if watts is None else watts * chips * replicas,
        )

    def _prices(self, each: Performance, layout: Layout, n_chips: int) -> PriceSheet | None:
        if self.price is None:
            return None
        replica = replace(self.base, layout=layout).with_fitted(self.rows.calibration)
        cached_s = cached_token_s(replica, self.requests)
        return price_sheet(each, self.requests, self.price.usd_per_chip_hour, n_chips, cached_s)

    def _n_domains(self, row: int, replicas: int) -> int:
        return domains_filled(int(self.n_chips[row]), replicas, self.base.cluster.domain_size)

    def _usd_per_hour(self, n_chips: int) -> float | None:
        return None if self.price is None else self.price.usd_per_chip_hour * n_chips

    def _misses_least(
        self, rate: float, row: np.ndarray, replicas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """By how much some fleets miss, and their order: least first, then the fastest."""
        each = rate / replicas
        found = self.rows.open(each, row)
        worst = np.maximum(overshoot(found, each, self.terms), _CLOSE)
        return worst, np.lexsort((found.ttft_s, found.tpot_s, worst))

    def smaller(self, rate: float, n_chips: int, n: int = 3) -> tuple[FleetOption, ...]:
        """The next smaller fleets, largest first, each in its best layout.

        Numbers of chips of which some are better left idle are passed over: 23 replicas of 2 chips
        may do less than 11 of 4.
        """
        each = np.unique(self.n_chips)
        below = (n_chips - 1) // each[:, None] - np.arange(_N_MULTIPLES)
        totals = np.unique((below * each[:, None])[below >= 1])
        of, row = np.nonzero(totals[:, None] % self.n_chips == 0)
        if not len(row):
            return ()
        replicas = totals[of] // self.n_chips[row]
        worst, order = self._misses_least(rate, row, replicas)
        first: dict[int, int] = {}
        for at in order:
            first.setdefault(int(of[at]), int(at))
        least, kept = np.inf, []
        for _, at in sorted(first.items()):
            if worst[at] < least:
                least = worst[at]
                kept.append(at)
        return tuple(
            self.at_its_worst(int(row[at]), int(replicas[at]), rate) for at in kept[::-1][:n]
        )

    def at_its_worst(self, row: int, replicas: int, rate: float) -> FleetOption:
        """A fleet at a rate; if it holds there but not at less, where it misses by most."""
        found = self.option(row, replicas, rate)
        if found.misses:
            return found
        rates = np.linspace(self.largest[row], rate / replicas, _N_RATES)[1:]
        rows = np.full(len(rates), row)
        worst = overshoot(self.rows.open(rates, rows), rates, self.terms)
        return self.option(row, replicas, float(rates[worst.argmax()]) * replicas)

    def closest(self, rate: float) -> FleetOption:
        """Where no fleet holds: of the largest ones, the one that misses by least."""
        row = np.flatnonzero(self.n_chips <= self.most_chips)
        replicas = self.most_chips // self.n_chips[row]
        at = self._misses_least(rate, row, replicas)[1][0]
        return self.option(int(row[at]), int(replicas[at]), rate)

    def __repr__(self) -> str:
        base = self.base
        return f"FleetSearch({base.model.id} on {base.cluster.id}: {len(self.layouts)} layouts)"
