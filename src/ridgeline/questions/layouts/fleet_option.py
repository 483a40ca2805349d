"""One fleet: replicas of a layout at a rate, with what it costs and what it misses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ridgeline.answers.plain import plain
from ridgeline.laws.energy import energy_per_token_j
from ridgeline.laws.traffic import sequences_in_flight
from ridgeline.questions.headings import headings
from ridgeline.questions.layouts import fleet_words
from ridgeline.questions.layouts.words import layout_name
from ridgeline.service.fleet import is_saturated, step_wait_s
from ridgeline.service.performance import PERCENTILES
from ridgeline.service.prices import PriceSheet

if TYPE_CHECKING:
    from ridgeline.service.fleet import Miss
    from ridgeline.service.performance import Performance
    from ridgeline.specs.layout import Layout

__all__ = ["COLUMNS", "FleetOption"]

#: columns that tables show, with heading and unit
COLUMNS = headings(
    "n_chips", "layout", "utilization", "ttft_s", "tpot_s", "e2e_s", "most_per_s", "usd_per_hour",
    "usd_per_mtok_output", "misses",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, repr=False)
class FleetOption:
    """A number of replicas of one layout at a rate.

    Attributes
    ----------
    layout : Layout           With its replicas.
    n_chips : int
    n_domains : int           Nodes or racks that they fill, the last one perhaps in part.
    rate_per_s : float        Requests that arrive at the whole fleet. [1/s]
    performance : Performance   Of the whole fleet; numbers.
    most_per_s : float        The largest rate up to which limits and headroom are kept. [1/s]
    misses : tuple of Miss    What it does not keep, worst first; empty if it holds.
    prices : PriceSheet or None
    usd_per_hour : float or None   [USD/h]
    power_w : float or None   TDP of all its chips: see `questions.serving.power`. [W]
    """

    layout: Layout
    n_chips: int
    n_domains: int
    rate_per_s: float
    performance: Performance
    most_per_s: float
    misses: tuple[Miss, ...]
    prices: PriceSheet | None
    usd_per_hour: float | None
    power_w: float | None

    @property
    def load(self) -> float:
        """Requests that arrive over those that every slot would finish; above 1 a queue grows."""
        return self.rate_per_s / self.performance.capacity_per_s

    @property
    def n_live(self) -> float:
        """Sequences that decode in the whole fleet, on average over all time. [1]"""
        found = self.performance
        if self.is_saturated:
            return float(found.n_live)
        return float(sequences_in_flight(found.requests_per_s, 1.0, found.e2e_s - found.ttft_s))

    @property
    def is_saturated(self) -> bool:
        """Whether more arrives than can be finished."""
        return bool(is_saturated(self.performance, self.rate_per_s))

    @property
    def step_wait_s(self) -> float:
        """Of the TTFT, the wait for the running step to end. [s]"""
        return float(step_wait_s(self.performance))

    def row(self, osl: float) -> Row:
        """One row of a table; times that have no end are None."""
        found, tokens = self.performance, self.performance.requests_per_s * osl
        row: Row = {
            "n_chips": self.n_chips,
            "n_domains": self.n_domains,
            "layout": layout_name(self.layout),
            **self.layout.model_dump(),
            "rate_per_s": self.rate_per_s,
        }
        for metric in ("ttft", "tpot", "e2e"):
            known = metric == "tpot" or not self.is_saturated
            for name in ("mean", *PERCENTILES):
                key = f"{metric}_s" if name == "mean" else f"{metric}_{name}_s"
                row[key] = float(found.statistic(metric, name)) if known else None
        row |= {
            "step_wait_s": self.step_wait_s,
            "queue_wait_s": None if self.is_saturated else found.wait_s,
            "utilization": self.load,
            "n_live_per_replica": self.n_live / self.layout.replicas,
            "slots_per_replica": found.slots / self.layout.replicas,
            "requests_per_s": found.requests_per_s,
            "capacity_per_s": found.capacity_per_s,
            "most_per_s": self.most_per_s,
            "output_tokens_per_s_per_chip": tokens / self.n_chips,
            "usd_per_hour": self.usd_per_hour,
        }
        for f in fields(PriceSheet):
            row[f.name] = float(getattr(self.prices, f.name)) if self.prices else None
        row["power_w"] = self.power_w
        watts = None if self.power_w is None else self.power_w / self.n_chips
        row["joule_per_token"] = (
            None if watts is None else energy_per_token_j(watts, tokens / self.n_chips)
        )
        missed = fleet_words.missed(self) if self.misses else ""
        return plain(row | {"misses": missed})

    def __repr__(self) -> str:
        return (
            f"FleetOption({self.n_chips} chips, {layout_name(self.layout)}, at "
            f"{self.rate_per_s:g} requests/s{', misses its limits' if self.misses else ''})"
        )
