"""Fleets of several machines for one traffic, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers.table import Table
from ridgeline.answers.words import quantity, usd
from ridgeline.questions.headings import headings
from ridgeline.questions.prices import basis_words, on_one_basis, recalled_clause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.layouts.fleet import Fleet

__all__ = ["ComparedFleets", "compare_fleets"]

#: columns that tables show, with heading and unit
COLUMNS = headings(
    "machine", "n_chips", "layout", "usd_per_hour", "usd_per_mtok_output", "power_w", "ttft_s",
    "tpot_s", "utilization", "usd_per_chip_hour", "price_basis", "misses",
)  # fmt: skip
#: the columns that a narrow screen shows first
FIRST = ("n_chips", "layout", "usd_per_hour", "usd_per_mtok_output", "power_w", "tpot_s")


@dataclass(frozen=True)
class ComparedFleets:
    """Fleets of several machines for the same traffic.

    Attributes
    ----------
    best : Fleet       The first of the ranking.
    sentence : str     What it is, and by what the machines are ranked.
    table : Table      A row per machine, best first.
    """

    best: Fleet
    sentence: str
    table: Table


def compare_fleets(fleets: Sequence[Fleet]) -> ComparedFleets:
    """Rank the fleets of several machines for the same traffic.

    Parameters
    ----------
    fleets : sequence of Fleet   At least two.

    Returns
    -------
    ComparedFleets
        Fleets that hold the limits come first. They are ranked by dollars per hour where all
        machines have a price on one basis; where they have not, by power, else by the number of
        chips, and the sentence says so.
    """
    by_cost = on_one_basis([f.search.price for f in fleets])
    by_power = not by_cost and all(f.options[0].power_w is not None for f in fleets)
    key = "usd_per_hour" if by_cost else "power_w" if by_power else "n_chips"
    ranked = sorted(
        ((_row(f), f) for f in fleets), key=lambda pair: (bool(pair[0]["misses"]), pair[0][key])
    )
    first, best = ranked[0]
    if first["misses"]:
        said = "No machine holds the limits; what comes closest on each:"
    elif by_cost:
        said = (
            f"Cheapest per hour, {basis_words(first['price_basis'])}: {first['n_chips']:,} x "
            f"{first['machine']}, {usd(first['usd_per_hour'])} per hour"
            f"{recalled_clause(best.search.price)}."
        )
    else:
        least = quantity(first["power_w"], "W") if by_power else f"{first['n_chips']:,} chips"
        said = (
            f"{'Least TDP' if by_power else 'Fewest chips'} first ({first['n_chips']:,} x "
            f"{first['machine']}, {least}): the machines have no price on one basis, so that "
            "dollars do not rank them."
        )
    return ComparedFleets(
        best, said, Table("machines", "", COLUMNS, [row for row, _ in ranked], first=FIRST)
    )


def _row(fleet: Fleet) -> dict[str, Any]:
    row, price = fleet.rows()[0], fleet.search.price
    return {
        "machine": fleet.search.base.cluster.chip.name,
        "cluster": fleet.search.base.cluster.id,
        **row,
        "usd_per_chip_hour": price.usd_per_chip_hour if price else None,
        "price_basis": price.basis if price else None,
    }
