"""From a grid of layouts and batches to a ranked list: the best batch of each layout first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.questions.families import Rank, front_of, simplest_first
from ridgeline.questions.layouts.grid import DEGREES
from ridgeline.questions.layouts.simplicity import simplicity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ridgeline.grid import Result
    from ridgeline.questions.layouts.grid import Candidates
    from ridgeline.questions.layouts.legal import Refusal
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.price import Price

__all__ = ["RANKS", "Rows", "Search", "merged_front", "rank_of", "ranked"]

Row = dict[str, Any]


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

    def rows_at(self, i: Any, j: Any) -> list[Row]:
        """Some points with their degrees and what all their batches share.

        Parameters
        ----------
        i, j : 1-D array of int   Candidate and batch of each.
        """
        rows = self.result.rows_at((np.asarray(i, dtype=int), np.asarray(j, dtype=int)))
        return [self._described(row) for row in rows]

    def row(self, i: int, j: int) -> Row:
        """One point: see `rows_at`."""
        return self.rows_at([i], [j])[0]

    def all_rows(self) -> list[Row]:
        """All points, the batches of a layout together."""
        return self.rows_at(*(x.ravel() for x in np.indices(self.result.shape)))

    def _described(self, row: Row) -> Row:
        i = row["candidate"]
        about = {"cluster": self.key, "layout": row.pop("layout"), "n_chips": self.n_chips}
        own = self.candidates.layouts[i]
        about |= {name: getattr(own, name) for name in DEGREES}
        return about | row | {"largest_batch": float(self.candidates.fits[i])}

    def best_points(self, rank: Rank) -> list[Row]:
        """The best feasible point of each layout that has one, and what it is compared by."""
        values = np.asarray(self.result[rank.column], dtype=float)
        usable = (self.result.infeasible == 0) & np.isfinite(values)
        best = np.where(usable, -values if rank.largest else values, np.inf).argmin(axis=1)
        i = np.flatnonzero(usable[np.arange(len(best)), best])
        j = best[i]
        found = {"candidate": i, "point": j}
        found |= {n: self.result[n][i, j] for n in (rank.column, "tokens_per_s_per_chip")}
        each = zip(*(values.tolist() for values in found.values()), strict=True)
        return [{"cluster": self.key, **dict(zip(found, point, strict=True))} for point in each]

    def front(self, x: str, y: str) -> list[Row]:
        """The feasible points that none beats in both of two columns (more is better)."""
        flat = {n: np.ravel(self.result[n]) for n in (x, y)}
        flat["can_be"] = np.ravel(self.result.infeasible == 0)
        where = np.unravel_index(front_of(flat, x, y, "can_be"), self.result.shape)
        return self.rows_at(*where)


class Rows(Sequence[Row]):
    """Rows of a ranking. What they say beyond what is ranked is evaluated when they are read.

    Parameters
    ----------
    points : sequence of mapping   In order: cluster, candidate and point of each.
    searches : mapping             By cluster.
    """

    def __init__(self, points: Sequence[Row], searches: Mapping[str, Search]) -> None:
        self._points, self._searches = points, searches
        self._read: dict[int, Row] = {}

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._points)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        """A row, or a list of some, which are evaluated together."""
        chosen = range(len(self._points))[at]
        return self._at([chosen])[0] if isinstance(chosen, int) else self._at(chosen)

    def __iter__(self) -> Iterator[Row]:
        """All rows, evaluated together."""
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        """Whether a sequence has equal rows."""
        return isinstance(other, Sequence) and self[:] == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  (as lists)

    def __repr__(self) -> str:
        """As a list."""
        return repr(self[:])

    def _at(self, chosen: Sequence[int]) -> list[Row]:
        by_search: dict[str, list[int]] = {}
        for k in chosen:
            if k not in self._read:
                by_search.setdefault(self._points[k]["cluster"], []).append(k)
        for key, own in by_search.items():
            at = ([self._points[k][name] for k in own] for name in ("candidate", "point"))
            self._read |= zip(own, self._searches[key].rows_at(*at), strict=True)
        return [self._read[k] for k in chosen]


def ranked(searches: Sequence[Search], rank: Rank) -> Rows:
    """Rows of all clusters, a row per layout: the winner, then the others, best first.

    The winner is the simplest of the layouts that are too close to the best to call.
    """
    by_key = {search.key: search for search in searches}
    points = [point for search in searches for point in search.best_points(rank)]
    points.sort(key=lambda p: (rank.score(p), -p["tokens_per_s_per_chip"]))
    ordered = simplest_first(points, rank, lambda p: by_key[p["cluster"]].simplicity(p))
    return Rows(ordered, by_key)


def merged_front(searches: Sequence[Search], x: str, y: str) -> list[Row]:
    """The front of all clusters together, largest x first."""
    rows = [row for search in searches for row in search.front(x, y)]
    if not rows:
        return []
    columns = {n: np.asarray([row[n] for row in rows]) for n in (x, y)}
    return [rows[i] for i in front_of(columns, x, y)]
