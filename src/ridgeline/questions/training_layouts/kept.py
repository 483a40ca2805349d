"""What a search keeps of the rows that it has seen: parts of it can be made anywhere and merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid import Pareto
from ridgeline.questions.training_layouts.space import AXES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Chunk", "Kept"]

#: rows nearest to fitting that are kept
_NEAREST = 100
#: times are counted in bins of a hundredth, from a millisecond to a year
_FIRST_S, _BIN, _N_BINS = 1e-3, 0.01, 2450


@dataclass(frozen=True)
class Chunk:
    """Rows of a search, times and ids of shape (n, free): what memory and time do not share.

    Attributes
    ----------
    index : dict            Axis to the indices of its values, of shape (n,); but for `free`.
    ids : array             Of the first free combination of each row.
    free : array of shape (free, 2)   Indices of ``overlap`` and ``order``.
    free_ids : array of shape (free,)   What they add to an id.
    margin_bytes : array    What memory is left; below 0, what is missing. [bytes]
    """

    index: dict[str, Ints]
    ids: Ints
    free: Ints
    free_ids: Ints
    margin_bytes: Floats

    def of(self, rows: Any) -> Chunk:
        """Some of the rows."""
        own = {axis: v[rows] for axis, v in self.index.items()}
        return Chunk(own, self.ids[rows], self.free, self.free_ids, self.margin_bytes[rows])


class _Smallest:
    """The smallest value of each value of an axis, and where; of equal ones the lowest id."""

    def __init__(self, size: int) -> None:
        self.values = np.full(size, np.inf)
        self.ids = np.full(size, -1, dtype=np.int64)

    def take(self, at: Ints, values: Floats, ids: Ints) -> None:
        """Take in rows with their values on the axis."""
        # Nearly all rows are no better than what is there: one comparison tells.
        near = np.flatnonzero(values <= self.values[at])
        near = near[np.isfinite(values[near])]
        if not len(near):
            return
        at, values, ids = at[near], values[near], ids[near]
        order = np.lexsort((ids, values, at))
        first = np.ones(len(order), dtype=bool)
        first[1:] = at[order][1:] != at[order][:-1]
        keep = order[first]
        at, values, ids = at[keep], values[keep], ids[keep]
        there = self.ids[at] >= 0
        better = (values < self.values[at]) | ~there | (ids < self.ids[at])
        self.values[at[better]], self.ids[at[better]] = values[better], ids[better]

    def merge(self, other: _Smallest) -> None:
        """Take in what another has kept."""
        seen = np.flatnonzero(other.ids >= 0)
        self.take(seen, other.values[seen], other.ids[seen])


class _Least:
    """The rows with the n smallest values; of equal ones the lower ids."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.values = np.empty(0)
        self.ids = np.empty(0, dtype=np.int64)

    @property
    def edge(self) -> float:
        """What the last row kept has; infinite while there is room."""
        return self.values[-1] if len(self.values) == self.n else np.inf

    def take(self, values: Floats, ids: Ints) -> None:
        """Take in rows."""
        if len(values) > self.n:
            few = np.partition(values, self.n - 1)[self.n - 1]
            near = values <= few
            values, ids = values[near], ids[near]
        values, ids = np.concatenate([self.values, values]), np.concatenate([self.ids, ids])
        keep = np.lexsort((ids, values))[: self.n]
        self.values, self.ids = values[keep], ids[keep]


@dataclass
class Kept:
    """What is left of all rows seen.

    Attributes
    ----------
    sizes : tuple of int    Values of each axis of `AXES`.
    n_best : int            Fastest rows to keep.
    legal, fitting : dict   Axis to how many rows each of its values has.
    """

    sizes: tuple[int, ...]
    n_best: int
    legal: dict[str, Ints] = field(init=False)
    fitting: dict[str, Ints] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        of = dict(zip(AXES, self.sizes, strict=True))
        self.legal = {a: np.zeros(n, dtype=np.int64) for a, n in of.items()}
        self.fitting = {a: np.zeros(n, dtype=np.int64) for a, n in of.items()}
        self.fastest = {a: _Smallest(n) for a, n in of.items()}
        self.sparest = {a: _Smallest(n) for a, n in of.items()}
        self.best, self.nearest = _Least(self.n_best), _Least(_NEAREST)
        self.front = Pareto("time_s", "margin_bytes", smaller_x=True)
        self.times = np.zeros(_N_BINS, dtype=np.int64)

    @property
    def n_legal(self) -> int:
        """Rows that can be. [1]"""
        return int(self.legal[AXES[0]].sum())

    @property
    def n_fit(self) -> int:
        """Rows that fit memory. [1]"""
        return int(self.fitting[AXES[0]].sum())

    def weighed(self, chunk: Chunk, fits: NDArray[np.bool_]) -> None:
        """Take in what memory says of rows: free combinations of a row are alike in it."""
        for counts, rows in ((self.legal, chunk), (self.fitting, chunk.of(fits))):
            n_rows, n_free = len(rows.ids), len(chunk.free)
            for axis, at in rows.index.items():
                counts[axis] += np.bincount(at, minlength=len(counts[axis])) * n_free
            for axis, at in zip(("overlap", "order"), chunk.free.T, strict=True):
                counts[axis] += np.bincount(at, minlength=len(counts[axis])) * n_rows
        missing = -chunk.margin_bytes
        ids = chunk.ids + chunk.free_ids[0]
        for axis, at in chunk.index.items():
            self.sparest[axis].take(at, missing, ids)
        least = int(np.argmin(missing))
        for axis, at in zip(("overlap", "order"), chunk.free.T, strict=True):
            own = np.full(len(at), missing[least])
            self.sparest[axis].take(at, own, chunk.ids[least] + chunk.free_ids)
        near = missing <= self.nearest.edge
        self.nearest.take(missing[near], ids[near])

    def timed(self, chunk: Chunk, time_s: Floats) -> None:
        """Take in the times of rows that fit, of shape (n, free). [s]"""
        first = np.argmin(time_s, axis=1)
        own = np.take_along_axis(time_s, first[:, None], axis=1)[:, 0]
        ids = chunk.ids + chunk.free_ids[first]
        for axis, at in chunk.index.items():
            self.fastest[axis].take(at, own, ids)
        most = np.min(time_s, axis=0)
        for axis, at in zip(("overlap", "order"), chunk.free.T, strict=True):
            for j, value in enumerate(most):
                if value <= self.fastest[axis].values[at[j]]:
                    same = chunk.ids[time_s[:, j] == value].min() + chunk.free_ids[j]
                    self.fastest[axis].take(at[j : j + 1], np.array([value]), np.array([same]))
        bins = np.log(time_s.ravel() / _FIRST_S) / _BIN
        self.times += np.bincount(np.clip(bins, 0, _N_BINS - 1).astype(int), minlength=_N_BINS)
        self.front.update({"time_s": own, "margin_bytes": chunk.margin_bytes}, ids)
        row, column = np.nonzero(time_s <= self.best.edge)
        self.best.take(time_s[row, column], chunk.ids[row] + chunk.free_ids[column])

    def merge(self, other: Kept) -> None:
        """Take in what another has kept of other rows."""
        for axis in AXES:
            self.legal[axis] += other.legal[axis]
            self.fitting[axis] += other.fitting[axis]
            self.fastest[axis].merge(other.fastest[axis])
            self.sparest[axis].merge(other.sparest[axis])
        self.best.take(other.best.values, other.best.ids)
        self.nearest.take(other.nearest.values, other.nearest.ids)
        self.front.merge(other.front.kept())
        self.times += other.times

    def share_faster(self, time_s: float) -> float:
        """Of the rows that were timed, those that take less: to a hundredth of the time. [1]"""
        if not self.n_fit:
            return 0.0
        before = int(np.clip(np.log(time_s / _FIRST_S) / _BIN, 0, _N_BINS - 1))
        if time_s <= self.best.edge:
            return float(np.count_nonzero(self.best.values < time_s)) / self.times.sum()
        return float(self.times[:before].sum()) / self.times.sum()

    def may_matter(self, chunk: Chunk, bound_s: Floats, first: int) -> NDArray[np.bool_]:
        """Of rows whose time is known from below alone, those that could change what is kept.

        Parameters
        ----------
        chunk : Chunk        One free combination.
        bound_s : array      [s]
        first : int          So many of the fastest are to be exact.
        """
        found = np.zeros(len(bound_s), dtype=bool)
        for axis, at in chunk.index.items():
            found |= bound_s <= self.fastest[axis].values[at]
        for axis, at in zip(("overlap", "order"), chunk.free[0], strict=True):
            found |= bound_s <= self.fastest[axis].values[at]
        edge = self.best.values[first - 1] if len(self.best.values) >= first else np.inf
        found |= bound_s <= edge
        # Along the front times fall as what is left of memory does.
        times, margins = self.front.kept()["points"]
        times, margins = -times[::-1], margins[::-1]
        if not len(times):
            return np.ones(len(bound_s), dtype=bool)
        order = np.argsort(times)
        at = np.searchsorted(times[order], bound_s, "right") - 1
        most = np.where(at >= 0, np.maximum.accumulate(margins[order])[at], -np.inf)
        return found | (chunk.margin_bytes > most)
