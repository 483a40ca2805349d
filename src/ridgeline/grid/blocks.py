"""Cut a grid into pieces small enough for the processor's cache."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BLOCK_POINTS", "UNEXPANDED_BLOCK_POINTS", "blocks"]

#: points a block: a dozen float64 columns of it stay in the cache of one core
BLOCK_POINTS = 1 << 14
#: the same where most arithmetic is on faces of the grid, and only its last sums are as large
UNEXPANDED_BLOCK_POINTS = 1 << 18


def blocks(shape: tuple[int, ...], points: int = BLOCK_POINTS) -> Iterator[tuple[slice, ...]]:
    """Yield slices that tile a grid, each of at most `points` points, last axes whole.

    Parameters
    ----------
    shape : tuple of int   Of the grid; may be empty (one point).
    points : int           At most so many in a block.

    Yields
    ------
    tuple of slice   One for each axis.

    Examples
    --------
    >>> list(blocks((3, 4), points=8))
    [(slice(0, 2, None), slice(0, 4, None)), (slice(2, 3, None), slice(0, 4, None))]
    """
    steps = []
    room = points
    for length in reversed(shape):
        step = max(1, min(length, room))
        steps.append(step)
        room = room // step if step == length else 1
    steps.reverse()
    cuts = [
        [slice(i, min(i + step, length)) for i in range(0, length, step)]
        for length, step in zip(shape, steps, strict=True)
    ]
    yield from product(*cuts)
