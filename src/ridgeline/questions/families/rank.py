"""What comes first among rows of a search: the best, and of those too close to call the simplest.

A row is a mapping with the ``cluster`` it is on, its ``layout`` in words and what is ranked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers.words import listed
from ridgeline.grid import Pareto
from ridgeline.questions.prices import recalled_clause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ridgeline.specs.price import Price

__all__ = [
    "TOO_CLOSE",
    "Rank",
    "by_machine_words",
    "close_words",
    "front_of",
    "simplest_first",
    "tied",
]

Row = dict[str, Any]

#: layouts this near the best are as good, as far as any model can tell
TOO_CLOSE = 0.05
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Rank:
    """What is best.

    Attributes
    ----------
    column : str     What is compared.
    largest : bool   More is better.
    noun : str       For sentences: "1.2 times the cost".
    """

    column: str
    largest: bool
    noun: str

    def score(self, row: Row) -> float:
        """Smaller is better."""
        value = row[self.column]
        return -value if self.largest else value

    def ratio(self, row: Row, best: Row) -> float:
        """A row's value over the best one's."""
        return row[self.column] / best[self.column]


def tied(rows: Sequence[Row], rank: Rank, within: float = TOO_CLOSE) -> list[Row]:
    """Rows of the first one's cluster that come so near it that no model can tell them apart.

    Parameters
    ----------
    rows : sequence of mapping   Best first.
    rank : Rank
    within : float               How near, as a share of the first one's value. [1]
    """
    first = rows[0]
    return [
        row
        for row in rows
        if row["cluster"] == first["cluster"] and abs(rank.ratio(row, first) - 1) <= within
    ]


def simplest_first(
    rows: Sequence[Row],
    rank: Rank,
    key_of: Callable[[Row], tuple[Any, ...]],
    within: float = TOO_CLOSE,
) -> list[Row]:
    """Rows with the simplest of those that tie with the best in front; the rest as they were.

    Parameters
    ----------
    rows : sequence of mapping   Best first.
    rank : Rank
    key_of : callable            How simple a row's layout is: a key that sorts, simplest first.
    within : float               How near the best a tie is, as a share of its value. [1]
    """
    if not rows:
        return []
    winner = min(tied(rows, rank, within), key=key_of)
    return [winner, *(row for row in rows if row is not winner)]


def front_of(columns: Mapping[str, np.ndarray], x: str, y: str, where: str = "") -> np.ndarray:
    """Positions of the points that none beats in both of two columns, largest x first.

    Parameters
    ----------
    columns : mapping   Name to 1-D array.
    x, y : str          More is better.
    where : str         A column of points that count; all do where there is none.
    """
    keep = Pareto(x, y, where=where or None)
    keep.update(dict(columns), np.arange(len(columns[x])))
    return keep.result()


def close_words(
    ranking: Sequence[Row], rank: Rank, why: str = "It is the simplest of them."
) -> str:
    """What else comes so near the winner that it is too close to call; empty where nothing does.

    Parameters
    ----------
    ranking : sequence of mapping   The winner, then best first.
    rank : Rank
    why : str   By what it wins: a sentence.
    """
    winner = ranking[0]
    rows = sorted(ranking, key=rank.score)
    first = next(r for r in rows if r["cluster"] == winner["cluster"])
    near = [r for r in tied([first, *rows], rank)[1:] if r is not winner]
    if not near:
        return ""
    names = [r["layout"] for r in near[:_NAMED]] + ["others"] * (len(near) > _NAMED)
    return (
        f"Within {TOO_CLOSE:.0%} of it, too close to call without measuring: {listed(names)}. {why}"
    )


def by_machine_words(
    ranking: Sequence[Row],
    rank: Rank,
    write: Callable[[float], str],
    price_of: Callable[[Row], Price | None],
    *,
    apart: bool,
) -> str:
    """The best of each machine, where several were asked for.

    Parameters
    ----------
    ranking : sequence of mapping   The winner, then best first.
    rank : Rank
    write : callable      How what is ranked is written.
    price_of : callable   The price that a row's dollars come from; None where they do not count.
    apart : bool          Whether prices are not on one basis.
    """
    firsts: dict[str, Row] = {ranking[0]["cluster"]: ranking[0]}
    for row in sorted(ranking, key=rank.score):
        firsts.setdefault(row["cluster"], row)
    each = []
    for row in sorted(firsts.values(), key=rank.score):
        caveat = recalled_clause(price_of(row)).removeprefix(", ")
        value = write(row[rank.column])
        each.append(f"{row['cluster']} {value}{caveat and f' ({caveat})'}")
    why = "; dollars do not rank them, as they have no prices on one basis" if apart else ""
    return f"Best of each machine: {listed(each)}{why}."
