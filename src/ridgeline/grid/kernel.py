"""A kernel and the axes that it is evaluated on, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Cut", "Fields", "Kernel", "Prepared", "shape_of", "shaped", "sized"]

#: names to values, equally long: what varies together along one axis
Fields = Mapping[str, np.ndarray]
#: from the fields of all axes, shaped to broadcast over the grid, to columns that broadcast. Pure:
#: equal values give equal columns. What other processes are to run can be pickled.
Kernel = Callable[[Mapping[str, Any]], Mapping[str, Any]]
#: a block of a grid
Cut = tuple[slice, ...]
#: grids of fewer points are not worth a trace
_TRACED_FROM_POINTS = 1 << 15


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


class Prepared:
    """A kernel as this process runs it: traced where that pays, see `ridgeline.compiled`.

    Parameters
    ----------
    kernel : callable     See `Kernel`.
    n_points : float      Of all that this process will evaluate, which tells what pays.
    run_as : str          One of `ridgeline.compiled.WAYS`; ``shared`` for ``auto`` decided alike in
                          all processes of this machine.
    columns : iterable of str or None   Those that are wanted; None for all.

    Raises
    ------
    SpecError   Another way to run it.
    """

    def __init__(
        self,
        kernel: Kernel,
        n_points: float,
        run_as: str = "auto",
        columns: Iterable[str] | None = None,
    ) -> None:
        self._kernel = kernel
        small = run_as in ("auto", "shared") and n_points < _TRACED_FROM_POINTS
        self._traced = None
        if not small:
            from ridgeline.compiled import TracedKernel  # noqa: PLC0415  (single answers do without)

            self._traced = TracedKernel(kernel, n_points, way=run_as, columns=columns)

    def parts(
        self, axes: Sequence[Fields], cuts: Iterable[Cut]
    ) -> Iterator[tuple[Cut, Mapping[str, Any]]]:
        """Evaluate blocks in order.

        Parameters
        ----------
        axes : sequence of Fields   As the grid has them, or those of a shard of it: names and order
                                    are the same, and only lengths differ.
        cuts : iterable of slices   Blocks of these axes.
        """
        on = None if self._traced is None else self._traced.on(axes)
        for cut in cuts:
            if on is not None:
                yield cut, on(cut)
                continue
            own = [{n: v[c] for n, v in f.items()} for f, c in zip(axes, cut, strict=True)]
            yield cut, self._kernel(shaped(own))
