"""Evaluate a question on a grid of axes, in blocks, with reductions or into whole columns."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.grid.blocks import BLOCK_POINTS, blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from ridgeline.grid.reduce import Reduction

__all__ = ["Fields", "Kernel", "evaluate", "points", "reduce_grid", "shape_of", "shaped"]

#: names to values, equally long: what varies together along one axis
Fields = Mapping[str, np.ndarray]
#: from the fields of all axes, shaped to broadcast over the grid, to columns that broadcast. Pure:
#: equal values give equal columns. What other processes are to run can be pickled.
Kernel = Callable[[Mapping[str, Any]], Mapping[str, Any]]

Cut = tuple[slice, ...]
#: called with points done and points in all
Progress = Callable[[int, int], None]


def shaped(axes: Sequence[Fields]) -> dict[str, np.ndarray]:
    """Give each axis a dimension of its own, so that together they broadcast to the grid.

    Examples
    --------
    >>> {n: v.shape for n, v in shaped([{"a": np.arange(2)}, {"b": np.arange(3)}]).items()}
    {'a': (2, 1), 'b': (1, 3)}
    """
    n = len(axes)
    return {
        name: v.reshape([-1 if j == i else 1 for j in range(n)])
        for i, fields in enumerate(axes)
        for name, v in fields.items()
    }


def shape_of(axes: Sequence[Fields]) -> tuple[int, ...]:
    """Length of each axis.

    Examples
    --------
    >>> shape_of([{"a": np.arange(2)}, {"b": np.arange(3), "c": np.zeros(3)}])
    (2, 3)
    """
    return tuple(len(next(iter(fields.values()))) for fields in axes)


def _parts(
    kernel: Kernel, axes: Sequence[Fields], cuts: Iterable[Cut], workers: int
) -> Iterator[tuple[Cut, Mapping[str, Any]]]:
    """Evaluate blocks in order, a few ahead where there are several threads."""

    def part(cut: Cut) -> Mapping[str, Any]:
        own = [{n: v[c] for n, v in f.items()} for f, c in zip(axes, cut, strict=True)]
        return kernel(shaped(own))

    if workers <= 1:
        for cut in cuts:
            yield cut, part(cut)
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[tuple[Cut, Future[Mapping[str, Any]]]] = deque()
        try:
            for cut in cuts:
                ahead.append((cut, pool.submit(part, cut)))
                if len(ahead) > 2 * workers:
                    first, answer = ahead.popleft()
                    yield first, answer.result()
            for first, answer in ahead:
                yield first, answer.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def points(kernel: Kernel, axes: Sequence[Fields], index: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate single points of a grid.

    Parameters
    ----------
    kernel : callable   See `Kernel`.
    axes : sequence of Fields   1-D arrays by name.
    index : 1-D array of int   Flat indices, as reductions give them.

    Returns
    -------
    dict   Column name to an array as long as `index`.
    """
    where = np.unravel_index(index, shape_of(axes))
    own = {n: v[i] for fields, i in zip(axes, where, strict=True) for n, v in fields.items()}
    found = kernel(own)
    return {k: np.broadcast_to(v, index.shape) for k, v in found.items()}


def evaluate(
    kernel: Kernel,
    axes: Sequence[Fields],
    *,
    block_points: int = BLOCK_POINTS,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate whole columns, block by block.

    Parameters
    ----------
    kernel : callable   See `Kernel`.
    axes : sequence of Fields         1-D arrays by name.
    block_points : int  Points a block.
    workers : int       Threads; numpy lets go of the interpreter in large blocks.
    progress : callable or None   Called with points done and points in all, after each block.

    Returns
    -------
    dict   Column name to an array of the grid's shape.
    """
    shape = shape_of(axes)
    columns: dict[str, np.ndarray] = {}
    done = 0
    for cut, part in _parts(kernel, axes, blocks(shape, block_points), workers):
        for name, value in part.items():
            if name not in columns:
                columns[name] = np.empty(shape, dtype=np.asarray(value).dtype)
            columns[name][cut] = value
        done += _size(cut, shape)
        if progress is not None:
            progress(done, math.prod(shape))
    return columns


def _size(cut: Cut, shape: tuple[int, ...]) -> int:
    return math.prod(len(range(*c.indices(n))) for c, n in zip(cut, shape, strict=True))


def reduce_grid(
    kernel: Kernel,
    axes: Sequence[Fields],
    reductions: Mapping[str, Reduction],
    *,
    block_points: int = BLOCK_POINTS,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate a grid of any size without a table of it.

    Parameters
    ----------
    kernel : callable            See `Kernel`.
    axes : sequence of Fields         1-D arrays by name.
    reductions : mapping         Name to what is kept: `Best`, `Pareto`, `Histogram`.
    block_points : int           Points a block.
    workers : int                Threads that evaluate blocks; reductions see them in order.
    progress : callable or None  Called with points done and points in all, after each block.

    Returns
    -------
    dict   Name to the reduction's result; points as flat indices (`numpy.unravel_index`).
    """
    shape = shape_of(axes)
    whole, done = math.prod(shape), 0
    for cut, part in _parts(kernel, axes, blocks(shape, block_points), workers):
        size = tuple(len(range(*c.indices(n))) for c, n in zip(cut, shape, strict=True))
        starts = np.ix_(*(np.arange(n)[c] for c, n in zip(cut, shape, strict=True)))
        index = np.ravel_multi_index(np.broadcast_arrays(*starts), shape).reshape(-1)
        columns = {k: np.broadcast_to(v, size).reshape(-1) for k, v in part.items()}
        for reduction in reductions.values():
            reduction.update(columns, index)
        done += math.prod(size)
        if progress is not None:
            progress(done, whole)
    return {name: reduction.result() for name, reduction in reductions.items()}
