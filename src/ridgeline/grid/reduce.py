"""Reductions that see a grid block by block, so that no table of it is ever built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from ridgeline.errors import SpecError, there_is_no

__all__ = ["Best", "Histogram", "Mergeable", "Pareto", "Reduction"]

Columns = dict[str, np.ndarray]
#: what a reduction holds so far, as arrays by name
Kept = Mapping[str, np.ndarray]


class Reduction(Protocol):
    """Takes in blocks of columns with the flat index of each point, in any order.

    That is all a grid in one process needs. To be spread over processes, or resumed, a reduction is
    `Mergeable`, too.
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


def _usable(columns: Columns, name: str, where: str | None) -> np.ndarray:
    """Return the column, not-a-number where the mask named does not hold."""
    values = _column(columns, name)
    return values if where is None else np.where(_column(columns, where), values, np.nan)


class Best:
    """The k points with the smallest (or largest) value of a column, of those that are finite.

    Parameters
    ----------
    column : str
    k : int          Points to keep.
    largest : bool   Look for the largest instead.
    where : str or None   A column of truth values; points where it is false do not count.
    """

    def __init__(
        self, column: str, k: int = 1, *, largest: bool = False, where: str | None = None
    ) -> None:
        self.column, self.k, self.sign = column, k, -1.0 if largest else 1.0
        self.where = where
        self._values = np.empty(0)
        self._index = np.empty(0, dtype=np.int64)

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Keep the best of this block and those before; ties go to the lower index."""
        values = self.sign * _usable(columns, self.column, self.where)
        usable = np.flatnonzero(np.isfinite(values))
        if usable.size > self.k:
            # Points that tie with the last one kept may have a lower index: let them in.
            edge = np.partition(values[usable], self.k - 1)[self.k - 1]
            usable = usable[values[usable] <= edge]
        self.merge({"values": values[usable], "index": index[usable]})

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


class Pareto:
    """The points that no other point beats in both of two columns.

    Parameters
    ----------
    x, y : str             Columns; larger is better in both unless said otherwise.
    smaller_x, smaller_y   Smaller is better.
    where : str or None    A column of truth values; points where it is false do not count.
    """

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
        points = np.stack(
            [
                self.sign_x * _usable(columns, self.x, self.where),
                self.sign_y * _column(columns, self.y),
            ]
        )
        usable = np.isfinite(points).all(axis=0)
        self.merge({"points": points[:, usable], "index": index[usable]})

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
        # By falling x, then falling y, then index: a point stands if its y tops all before it.
        order = np.lexsort((index, -points[1], -points[0]))
        y = points[1, order]
        best_before = np.concatenate([[-np.inf], np.maximum.accumulate(y)[:-1]])
        keep = order[y > best_before]
        self._points, self._index = points[:, keep], index[keep]

    def result(self) -> np.ndarray:
        """Flat indices along the front, best x first."""
        return self._index


class Histogram:
    """How many points fall between given edges of a column.

    Parameters
    ----------
    column : str
    edges : 1-D array   Increasing; the last bin includes its upper edge.
    where : str or None   A column of truth values; points where it is false do not count.
    """

    def __init__(self, column: str, edges: np.ndarray, *, where: str | None = None) -> None:
        self.column, self.edges, self.where = column, np.asarray(edges, dtype=float), where
        self._counts = np.zeros(len(self.edges) - 1, dtype=np.int64)

    def update(self, columns: Columns, index: np.ndarray) -> None:
        """Count this block."""
        self.merge(
            {"counts": np.histogram(_usable(columns, self.column, self.where), self.edges)[0]}
        )

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
