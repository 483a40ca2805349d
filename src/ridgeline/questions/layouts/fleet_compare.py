"""Fleets of several machines for one traffic, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.answers import Answer, Table
from ridgeline.answers.answered import Answered
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


@dataclass(frozen=True, repr=False)
class ComparedFleets(Answered):
    """Fleets of several machines for the same traffic, best first.

    Attributes
    ----------
    fleets : tuple of Fleet   Those that hold the limits first; then as `sentence` says.
    sentence : str            Which comes first, and what ranks them.
    """

    fleets: tuple[Fleet, ...]
    sentence: str

    @property
    def best(self) -> Fleet:
        """The first of the ranking."""
        return self.fleets[0]

    def table(self) -> Table:
        """A row per machine, best first."""
        rows = [fleet.rows()[0] for fleet in self.fleets]
        return Table("machines", "", COLUMNS, rows, first=FIRST)

    def notes(self) -> tuple[str, ...]:
        """How prices were chosen, and what speaks against them."""
        return tuple(dict.fromkeys(note for fleet in self.fleets for note in fleet.price_notes))

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`: the ranking, then the best fleet in words."""
        model = self.best.search.base.model
        return Answer(
            question="fleet",
            title=f"{model.name or model.id} on {len(self.fleets)} machines",
            sentences=(self.sentence, *self.best.sentences()),
            tables=(self.table(),),
            notes=self.notes(),
            provenance={"fleets": [fleet.answer.provenance for fleet in self.fleets]},
        )


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
    rows = {id(f): f.rows()[0] for f in fleets}
    ranked = sorted(fleets, key=lambda f: (bool(rows[id(f)]["misses"]), rows[id(f)][key]))
    best, first = ranked[0], rows[id(ranked[0])]
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
    return ComparedFleets(tuple(ranked), said)
