"""A kernel and the axes that it is evaluated on, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Cut", "Fields", "Kernel", "parts", "prepared", "shape_of", "shaped", "sized"]

#: names to values, equally long: what varies together along one axis
Fields = Mapping[str, np.ndarray]
#: from the fields of all axes, shaped to broadcast over the grid, to columns that broadcast. Pure:
#: equal values give equal columns. What other processes are to run can be pickled.
Kernel = Callable[[Mapping[str, Any]], Mapping[str, Any]]
#: a block of a grid
Cut = tuple[slice, ...]


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


def sized(cut: Cut) -> tuple[int, ...]:
    """Shape of a block."""
    return tuple(c.stop - c.start for c in cut)


def prepared(kernel: Kernel, axes: Sequence[Fields]) -> Kernel:
    """The kernel as this process runs it, prepared once for all blocks.

    Parameters
    ----------
    kernel : callable
    axes : sequence of Fields   As the grid has them, or those of a shard of it: names and order are
                                the same, and only lengths differ.
    """
    return kernel


def parts(
    kernel: Kernel, axes: Sequence[Fields], cuts: Iterable[Cut]
) -> Iterator[tuple[Cut, Mapping[str, Any]]]:
    """Evaluate blocks in order."""
    for cut in cuts:
        own = [{n: v[c] for n, v in f.items()} for f, c in zip(axes, cut, strict=True)]
        yield cut, kernel(shaped(own))
