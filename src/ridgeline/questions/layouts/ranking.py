"""From a grid of layouts and batches to a ranked list: the best batch of each layout first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.grid import Pareto
from ridgeline.questions.layouts.grid import DEGREES
from ridgeline.questions.layouts.simplicity import simplest_first, simplicity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.grid import Result
    from ridgeline.questions.layouts.grid import Candidates
    from ridgeline.questions.layouts.legal import Refusal
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.price import Price

__all__ = ["RANKS", "Rank", "Search", "merged_front", "rank_of", "ranked"]

Row = dict[str, Any]


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


RANKS = {
    "usd": Rank("usd_per_mtok", largest=False, noun="the cost"),
    "throughput": Rank("tokens_per_s_per_chip", largest=True, noun="the throughput"),
    "latency": Rank("e2e_s", largest=False, noun="the latency"),
}


def rank_of(name: str, *, has_requests: bool, has_price: bool) -> Rank:
    """The rank asked for.

    Raises
    ------
    SpecError   There is no such rank, or none without a price.
    """
    if name not in RANKS:
        raise SpecError(
            f"There is no rank {name!r}.{did_you_mean(name, RANKS)} There are {', '.join(RANKS)}."
        )
    if name == "usd" and not has_price:
        raise SpecError(
            "Ranking by dollars needs a price: give one in USD per chip-hour (--price), or rank by "
            "throughput or latency."
        )
    if name == "latency" and not has_requests:
        return Rank("tpot_s", largest=False, noun="the latency")
    return RANKS[name]


@dataclass(frozen=True, slots=True)
class Search:
    """All layouts of one cluster, evaluated.

    Attributes
    ----------
    n_chips : int           That every layout fills.
    too_few : str           Why fewer chips would not do, where the fewest were asked for.
    result : Result         Over candidates and batches.
    refusals : tuple        What no layout could be built with.
    price : Price or None   Per chip-hour.
    notes : tuple of str    What is assumed of the machine.
    """

    candidates: Candidates
    result: Result
    refusals: tuple[Refusal, ...]
    price: Price | None
    n_chips: int
    too_few: str = ""
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Number and kind of chips, as a cluster is named on the command line."""
        cluster = self.candidates.base.cluster
        domains, rest = divmod(self.n_chips, cluster.domain_size)
        if rest or cluster.domain_size == 1:
            return f"{self.n_chips} x {cluster.chip.id}"
        return cluster.id if domains == 1 else f"{domains}x{cluster.id}"

    def layout(self, row: Row) -> Layout:
        """The layout of a row."""
        return self.candidates.layouts[row["candidate"]]

    def simplicity(self, row: Row) -> tuple[int, ...]:
        """How simple a row's layout is: see `questions.layouts.simplicity`."""
        cluster = self.candidates.base.cluster
        return simplicity(self.layout(row), cluster.domain_size, cluster.chips_per_host)

    def row(self, i: int, j: int) -> Row:
        """One point with its degrees and what all its batches share."""
        own = self.candidates.layouts[i]
        row = self.result.row((i, j))
        about = {"cluster": self.key, "layout": row.pop("layout"), "n_chips": self.n_chips}
        about |= {name: getattr(own, name) for name in DEGREES}
        return about | row | {"largest_batch": float(self.candidates.fits[i])}

    def best_rows(self, rank: Rank) -> list[Row]:
        """The best feasible point of each layout that has one."""
        values = np.asarray(self.result[rank.column], dtype=float)
        usable = (self.result.infeasible == 0) & np.isfinite(values)
        sign = -1.0 if rank.largest else 1.0
        ordered = np.where(usable, sign * values, np.inf)
        best = ordered.argmin(axis=1)
        return [self.row(i, int(j)) for i, j in enumerate(best) if usable[i, j]]

    def front(self, x: str, y: str) -> list[Row]:
        """The feasible points that none beats in both of two columns (more is better)."""
        flat = {n: np.ravel(self.result[n]) for n in (x, y)}
        flat["can_be"] = np.ravel(self.result.infeasible == 0)
        where = np.unravel_index(_front(flat, x, y), self.result.shape)
        return [self.row(int(i), int(j)) for i, j in zip(*where, strict=True)]


def ranked(searches: Sequence[Search], rank: Rank) -> list[Row]:
    """Rows of all clusters, a row per layout: the winner, then the others, best first.

    The winner is the simplest of the layouts that are too close to the best to call.
    """
    rows = [row for search in searches for row in search.best_rows(rank)]
    rows.sort(key=lambda row: (rank.score(row), -row["tokens_per_s_per_chip"]))
    by_key = {search.key: search for search in searches}
    return simplest_first(rows, rank, lambda row: by_key[row["cluster"]].simplicity(row))


def _front(columns: dict[str, np.ndarray], x: str, y: str) -> np.ndarray:
    keep = Pareto(x, y, where="can_be")
    keep.update(columns, np.arange(len(columns[x])))
    return keep.result()


def merged_front(searches: Sequence[Search], x: str, y: str) -> list[Row]:
    """The front of all clusters together, largest x first."""
    rows = [row for search in searches for row in search.front(x, y)]
    if not rows:
        return []
    columns = {n: np.asarray([row[n] for row in rows]) for n in (x, y)}
    return [rows[i] for i in _front({**columns, "can_be": np.ones(len(rows), bool)}, x, y)]
