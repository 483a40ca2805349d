"""A kernel and the axes that it is evaluated on, block by block."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ridgeline.compiled import OnGrid, TracedKernel

__all__ = ["Cut", "Fields", "Kernel", "Prepared", "shape_of", "shaped", "sized"]

#: names to values, equally long: what varies together along one axis
Fields = Mapping[str, np.ndarray]
#: from the fields of all axes, shaped to broadcast over the grid, to columns that broadcast. Pure:
#: equal values give equal columns. What other processes are to run can be pickled.
Kernel = Callable[[Mapping[str, Any]], Mapping[str, Any]]
#: a block of a grid
Cut = tuple[slice, ...]
#: blocks run as they are before it is decided: the first one also loads what others find
_TRIALS = 2
#: where several processes share a grid, each traces it where it has so many points
_SHARED_FROM_POINTS = 1 << 18
#: what would take less as it is, is not worth a trace
_WORTH_S = 0.08


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
    """A kernel as this process runs it: traced where that pays (`ridgeline.compiled`).

    Alone, two blocks are run as they are and timed. What is left is traced where that takes longer
    than a trace costs; the digits are the same, but for compiled loops.

    Parameters
    ----------
    kernel : callable     See `Kernel`.
    n_points : float      Of all that this process will evaluate.
    run_as : str          One of `ridgeline.compiled.WAYS`; ``shared`` for ``auto`` decided alike in
                          all processes of this machine.
    columns : iterable of str or None   Those that are wanted; None for all.
    n_alike : float or None   Points of all kernels of the same structure, which share what is
                          compiled of any of them; None: this one's alone.

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
        *,
        n_alike: float | None = None,
    ) -> None:
        self._kernel = kernel
        self._n_points = n_points
        self._n_alike = n_points if n_alike is None else n_alike
        self._run_as, self._columns = run_as, columns
        self._traced: TracedKernel | None = None
        self._last: tuple[Sequence[Fields], OnGrid | None] | None = None
        #: blocks that are still timed as they are, before it is known whether a trace pays; what
        #: several processes share does not depend on how fast each of them is
        self._trials = _TRIALS if run_as == "auto" else 0
        if not self._trials and (run_as != "shared" or n_points >= _SHARED_FROM_POINTS):
            self._trace()

    def _trace(self) -> None:
        from ridgeline.compiled import TracedKernel  # noqa: PLC0415  (small grids do without)

        options: dict[str, Any] = {"way": self._run_as, "columns": self._columns}
        self._traced = TracedKernel(self._kernel, self._n_alike, **options)

    def _as_it_is(self, axes: Sequence[Fields], cut: Cut) -> Mapping[str, Any]:
        own = [{n: v[c] for n, v in f.items()} for f, c in zip(axes, cut, strict=True)]
        return self._kernel(shaped(own))

    def _try(self, axes: Sequence[Fields], cut: Cut) -> Mapping[str, Any]:
        """Evaluate a block as it is; the last trial tells how long the rest would take."""
        start = time.perf_counter()
        found = self._as_it_is(axes, cut)
        passed_s = time.perf_counter() - start
        self._trials -= 1
        left = self._n_points / math.prod(sized(cut)) - _TRIALS
        if not self._trials and left * passed_s > _WORTH_S:
            self._trace()
        return found

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
        rest = iter(cuts)
        while self._trials:
            cut = next(rest, None)
            if cut is None:
                return
            yield cut, self._try(axes, cut)
        on = self._on(axes)
        for cut in rest:
            yield cut, self._as_it_is(axes, cut) if on is None else on(cut)

    def _on(self, axes: Sequence[Fields]) -> OnGrid | None:
        """The traced kernel on axes; on the same ones again, with what it has computed of them."""
        if self._traced is None:
            return None
        known = self._last
        if known is None or known[0] is not axes:
            known = self._last = (axes, self._traced.on(axes))
        return known[1]
