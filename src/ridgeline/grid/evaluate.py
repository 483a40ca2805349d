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

__all__ = ["evaluate", "points", "reduce_grid", "shaped"]

#: from the axes' values, each shaped to broadcast over the grid, to columns that broadcast
Kernel = Callable[[Sequence[np.ndarray]], Mapping[str, Any]]

Cut = tuple[slice, ...]
#: called with points done and points in all
Progress = Callable[[int, int], None]


def shaped(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give each axis a dimension of its own, so that together they broadcast to the grid.

    Examples
    --------
    >>> [v.shape for v in shaped([np.arange(2), np.arange(3)])]
    [(2, 1), (1, 3)]
    """
    n = len(values)
    return [v.reshape([-1 if j == i else 1 for j in range(n)]) for i, v in enumerate(values)]


def _parts(
    kernel: Kernel, values: Sequence[np.ndarray], cuts: Iterable[Cut], workers: int
) -> Iterator[tuple[Cut, Mapping[str, Any]]]:
    """Evaluate blocks in order, a few ahead where there are several threads."""

    def part(cut: Cut) -> Mapping[str, Any]:
        return kernel(shaped([v[c] for v, c in zip(values, cut, strict=True)]))

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


def points(
    kernel: Kernel, values: Sequence[np.ndarray], index: np.ndarray
) -> dict[str, np.ndarray]:
    """Evaluate single points of a grid.

    Parameters
    ----------
    kernel : callable   See `Kernel`.
    values : sequence of 1-D arrays   One an axis.
    index : 1-D array of int   Flat indices, as reductions give them.

    Returns
    -------
    dict   Column name to an array as long as `index`.
    """
    where = np.unravel_index(index, tuple(len(v) for v in values))
    found = kernel([v[i] for v, i in zip(values, where, strict=True)])
    return {k: np.broadcast_to(v, index.shape) for k, v in found.items()}


def evaluate(
    kernel: Kernel,
    values: Sequence[np.ndarray],
    *,
    block_points: int = BLOCK_POINTS,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate whole columns, block by block.

    Parameters
    ----------
    kernel : callable   See `Kernel`.
    values : sequence of 1-D arrays   One an axis.
    block_points : int  Points a block.
    workers : int       Threads; numpy lets go of the interpreter in large blocks.
    progress : callable or None   Called with points done and points in all, after each block.

    Returns
    -------
    dict   Column name to an array of the grid's shape.
    """
    shape = tuple(len(v) for v in values)
    columns: dict[str, np.ndarray] = {}
    done = 0
    for cut, part in _parts(kernel, values, blocks(shape, block_points), workers):
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
    values: Sequence[np.ndarray],
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
    values : sequence of 1-D arrays   One an axis.
    reductions : mapping         Name to what is kept: `Best`, `Pareto`, `Histogram`.
    block_points : int           Points a block.
    workers : int                Threads that evaluate blocks; reductions see them in order.
    progress : callable or None  Called with points done and points in all, after each block.

    Returns
    -------
    dict   Name to the reduction's result; points as flat indices (`numpy.unravel_index`).
    """
    shape = tuple(len(v) for v in values)
    whole, done = math.prod(shape), 0
    for cut, part in _parts(kernel, values, blocks(shape, block_points), workers):
        size = tuple(len(range(*c.indices(n))) for c, n in zip(cut, shape, strict=True))
        starts = shaped([np.arange(n)[c] for c, n in zip(cut, shape, strict=True)])
        index = np.ravel_multi_index(np.broadcast_arrays(*starts), shape).reshape(-1)
        columns = {k: np.broadcast_to(v, size).reshape(-1) for k, v in part.items()}
        for reduction in reductions.values():
            reduction.update(columns, index)
        done += math.prod(size)
        if progress is not None:
            progress(done, whole)
    return {name: reduction.result() for name, reduction in reductions.items()}
