"""Reductions that see a grid block by block, so that no table of it is ever built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from ridgeline.errors import SpecError, there_is_no

__all__ = ["Best", "Histogram", "Mergeable", "Pareto", "Reduction"]

Columns = Mapping[str, np.ndarray]
#: edges up to which values are compared with each, and values that stay in the cache meanwhile
_MOST_COMPARED, _CHUNK = 128, 1 << 14
#: what a reduction holds so far, as arrays by name
Kept = Mapping[str, np.ndarray]


#: of a block, so many points are looked at first, and so many of their front beside all others
_SAMPLE, _PIVOTS = 512, 16


class Reduction(Protocol):
    """Takes in blocks of columns with the flat index of each point, in any order.

    That is all a grid in one process needs. To be spread over processes, or resumed, a reduction is
    `Mergeable`, too. One that has an attribute ``reads``, names of the columns it looks at, spares
    the grid the others. One whose result is flat indices of points says ``gives_points = True``: a
    sweep gives them as rows.
    """

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Take in one block: columns of equal length, and each point's index in the grid."""
        ...

    def result(self) -> Any:
        """What is left after all blocks."""
        ...


@runtime_checkable
class Mergeable(Reduction, Protocol):
    """A reduction whose parts can be made anywhere, in any order, and put together.

    Its class stands in a module that workers can import, its instances can be pickled, and taking
    in blocks here or merging what others kept of them comes to the same: merging is associative and
    commutative, ties included.
    """

    def empty(self) -> Self:
        """One of the same making that has seen nothing."""
        ...

    def kept(self) -> Kept:
        """What it holds so far: arrays of numbers by name, which files can have, too."""
        ...

    def merge(self, kept: Kept) -> None:
        """Take in what another one of the same making has kept, of other points."""
        ...


def _column(columns: Columns, name: str) -> np.ndarray:
    if name not in columns:
        raise SpecError(there_is_no("column", name, columns))
    return columns[name]


def _named(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)


class Best:
    """The k points with the smallest (or largest) value of a column, of those that are finite.

    Parameters
    ----------
    column : str
    k : int          Points to keep.
    largest : bool   Look for the largest instead.
    where : str or None   A column of truth values; points where it is false do not count.

    Raises
    ------
    SpecError   `k` is not a whole number from 1.
    """

    gives_points = True

    def __init__(
        self, column: str, k: int = 1, *, largest: bool = False, where: str | None = None
    ) -> None:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise SpecError(f"Best: k, the points to keep, is a whole number from 1, not {k!r}.")
        self.column, self.k, self.sign = column, k, -1.0 if largest else 1.0
        self.where = where
        self._values = np.empty(0)
        self._index = np.empty(0, dtype=np.int64)

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Keep the best of this block and those before; ties go to the lower index."""
        column = _column(columns, self.column)
        mask = None if self.where is None else _column(columns, self.where)
        # Most blocks have nothing to add to what is kept: one comparison tells. Points that tie
        # with the last one kept may have a lower index.
        edge = self._values[-1] if len(self._values) == self.k else self._first_edge(column, mask)
        near = np.flatnonzero(column <= edge if self.sign > 0 else column >= -edge)
        if mask is not None:
            near = near[mask[near]]
        values = self.sign * column[near]
        usable = np.isfinite(values)
        if np.count_nonzero(usable) > self.k:
            usable &= values <= np.partition(values[usable], self.k - 1)[self.k - 1]
        self.merge({"values": values[usable], "index": index[near[usable]]})

    def _first_edge(self, column: np.ndarray, mask: np.ndarray | None) -> float:
        """What the last point kept has at most, by some points of the first block."""
        every = slice(None, None, max(1, len(column) // _SAMPLE))
        some = self.sign * (column[every] if mask is None else column[every][mask[every]])
        some = some[np.isfinite(some)]
        return np.partition(some, self.k - 1)[self.k - 1] if len(some) > self.k else np.inf

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns it looks at."""
        return _named(self.column, self.where)

    def empty(self) -> Best:
        """One of the same making that has seen nothing."""
        return Best(self.column, self.k, largest=self.sign < 0, where=self.where)

    def kept(self) -> Kept:
        """Values (of the largest: negated) and indices of the points, best first."""
        return {"values": self._values, "index": self._index}

    def merge(self, kept: Kept) -> None:
        """Keep the best of both; ties go to the lower index."""
        values = np.concatenate([self._values, kept["values"]])
        index = np.concatenate([self._index, kept["index"]])
        keep = np.lexsort((index, values))[: self.k]
        self._values, self._index = values[keep], index[keep]

    def result(self) -> np.ndarray:
        """Flat indices of the points, best first."""
        return self._index


def _front(points: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Where the points are that no other beats, best x first; of equal ones the lowest index."""
    # By falling x, then falling y, then index: a point stands if its y tops all before it.
    order = np.lexsort((index, -points[1], -points[0]))
    y = points[1, order]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(y)[:-1]])
    return order[y > best_before]


class Pareto:
    """The points that no other point beats in both of two columns.

    Parameters
    ----------
    x, y : str             Columns; larger is better in both unless said otherwise.
    smaller_x, smaller_y   Smaller is better.
    where : str or None    A column of truth values; points where it is false do not count.
    """

    gives_points = True

    def __init__(
        self,
        x: str,
        y: str,
        *,
        smaller_x: bool = False,
        smaller_y: bool = False,
        where: str | None = None,
    ) -> None:
        self.x, self.y, self.where = x, y, where
        self.sign_x, self.sign_y = (-1.0 if s else 1.0 for s in (smaller_x, smaller_y))
        self._points = np.empty((2, 0))
        self._index = np.empty(0, dtype=np.int64)

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Keep the front of this block and the front so far."""
        x, y = _column(columns, self.x), _column(columns, self.y)
        usable = np.isfinite(x) & np.isfinite(y)
        if self.where is not None:
            usable &= _column(columns, self.where)
        points, index = np.stack([self.sign_x * x[usable], self.sign_y * y[usable]]), index[usable]
        if len(index) > _SAMPLE:
            near = self._may_stand(points)
            points, index = points[:, near], index[near]
        self.merge({"points": points, "index": index})

    def _may_stand(self, points: np.ndarray) -> np.ndarray:
        """Points that a few others do not beat in both columns: most fall, and are never sorted."""
        some = np.concatenate([self._points, points[:, :: len(points[0]) // _SAMPLE]], axis=1)
        front = some[:, _front(some, np.arange(len(some[0])))]
        few = np.unique(np.linspace(0, len(front[0]) - 1, _PIVOTS).astype(int))
        stands = np.ones(len(points[0]), dtype=bool)
        for x, y in front[:, few].T:
            stands &= (points[0] >= x) | (points[1] >= y)
        return stands

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns it looks at."""
        return _named(self.x, self.y, self.where)

    def empty(self) -> Pareto:
        """One of the same making that has seen nothing."""
        return Pareto(
            self.x, self.y, smaller_x=self.sign_x < 0, smaller_y=self.sign_y < 0, where=self.where
        )

    def kept(self) -> Kept:
        """Both values of each point (where smaller is better: negated), and indices."""
        return {"points": self._points, "index": self._index}

    def merge(self, kept: Kept) -> None:
        """Keep the front of both fronts; of equal points that with the lower index."""
        points = np.concatenate([self._points, kept["points"]], axis=1)
        index = np.concatenate([self._index, kept["index"]])
        keep = _front(points, index)
        self._points, self._index = points[:, keep], index[keep]

    def result(self) -> np.ndarray:
        """Flat indices along the front, best x first."""
        return self._index


def _counted(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values between edges, the last one included."""
    if len(edges) > _MOST_COMPARED:
        return np.histogram(values[np.isfinite(values)], edges)[0]
    # Comparing with each edge within reach is faster than finding each value's place among all.
    above = np.zeros(len(edges), dtype=np.int64)
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        low, high = part.min(), part.max()
        if np.isnan(low):
            part = part[~np.isnan(part)]
            low, high = part.min(initial=np.inf), part.max(initial=-np.inf)
        first, last = np.searchsorted(edges, low, "right"), np.searchsorted(edges, high, "right")
        above[:first] += part.size
        for i in range(first, last):
            above[i] += np.count_nonzero(part >= edges[i])
        # The last edge belongs to the last bin.
        above[-1] -= np.count_nonzero(part == edges[-1]) if high >= edges[-1] else 0
    return above[:-1] - above[1:]


def _checked_edges(column: str, edges: Any) -> np.ndarray:
    try:
        found = np.asarray(edges, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(0)
    # An edge that is no number is not above the one before it.
    if found.ndim != 1 or len(found) < 2 or not (found[1:] > found[:-1]).all():
        raise SpecError(
            f"Histogram of {column!r}: edges are two or more increasing numbers, not {edges!r:.60}."
        )
    return found


class Histogram:
    """How many points fall between given edges of a column.

    Parameters
    ----------
    column : str
    edges : 1-D array   Two or more, increasing; the first may be -inf and the last inf. The last
                        bin includes its upper edge.
    where : str or None   A column of truth values; points where it is false do not count.

    Raises
    ------
    SpecError   The edges are not such.
    """

    def __init__(self, column: str, edges: np.ndarray, *, where: str | None = None) -> None:
        self.column, self.edges, self.where = column, _checked_edges(column, edges), where
        self._counts = np.zeros(len(self.edges) - 1, dtype=np.int64)

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Count this block."""
        values = _column(columns, self.column)
        if self.where is not None:
            values = values[_column(columns, self.where)]
        self.merge({"counts": _counted(values, self.edges)})

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns it looks at."""
        return _named(self.column, self.where)

    def empty(self) -> Histogram:
        """One of the same making that has seen nothing."""
        return Histogram(self.column, self.edges, where=self.where)

    def kept(self) -> Kept:
        """Points a bin."""
        return {"counts": self._counts}

    def merge(self, kept: Kept) -> None:
        """Add the counts of another."""
        self._counts = self._counts + kept["counts"]

    def result(self) -> np.ndarray:
        """Points a bin."""
        return self._counts
