"""Cut a grid into shards: ranges of blocks, each a pure function of the study and its number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.grid.blocks import blocks
from ridgeline.grid.kernel import Prepared, shape_of, sized
from ridgeline.grid.reduce import Mergeable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ridgeline.grid.kernel import Cut, Fields, Kernel
    from ridgeline.grid.reduce import Reduction

__all__ = [
    "Shard",
    "Study",
    "columns_of",
    "mergeable",
    "needed",
    "reduced",
    "run_shard",
]

#: shards of a small grid at least, where it has so many blocks, and of a large one at most: enough
#: for workers to end together, few enough for files
_LEAST, _MOST = 32, 1024
#: between these, blocks of a shard: what it begins with, reductions that have seen nothing, counts
#: for little
_BLOCKS = 16
#: axes of so many bytes in all are sent whole, once with the study: what is computed along some of
#: them is then computed once in a process
_SENT_BYTES = 1 << 17


@dataclass(eq=False)
class Study:
    """What all shards of a grid share, and each process needs once.

    Attributes
    ----------
    kernel : callable         See `Kernel`; it can be pickled.
    axes : tuple of Fields    Of the whole grid, where they are small; empty where each shard has
                              its own part of them.
    shape : tuple of int      Of the whole grid.
    reductions : mapping or None   Name to what is kept, of the caller; None keeps columns.
    run_as : str              How the kernel is run: see `Prepared`.
    n_workers : int           Processes that share the grid.
    """

    kernel: Kernel
    axes: tuple[Fields, ...]
    shape: tuple[int, ...]
    reductions: Mapping[str, Any] | None
    run_as: str
    n_workers: int
    _ready: Prepared | None = field(default=None, init=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """To other processes go no points that were seen, and nothing that was prepared here."""
        return Study, (
            self.kernel, self.axes, self.shape, self.empty(), self.run_as, self.n_workers
        )  # fmt: skip

    @classmethod
    def of(
        cls,
        kernel: Kernel,
        axes: Sequence[Fields],
        reductions: Mapping[str, Reduction] | None,
        run_as: str,
        n_workers: int,
    ) -> Study:
        """The study of a kernel on axes."""
        n_bytes = sum(values.nbytes for fields in axes for values in fields.values())
        whole = tuple(axes) if n_bytes <= _SENT_BYTES else ()
        return cls(kernel, whole, shape_of(axes), reductions, run_as, n_workers)

    def shards(self, axes: Sequence[Fields], block_points: int) -> list[Shard]:
        """Cut the grid of these axes; how, depends on nothing else, whoever goes on with it."""
        cuts = list(blocks(self.shape, block_points))
        each = max(math.ceil(len(cuts) / _MOST), min(_BLOCKS, len(cuts) // _LEAST), 1)
        rest = iter(cuts)
        parts = list(iter(lambda: tuple(islice(rest, each)), ()))
        return [Shard(own) if self.axes else _shard(axes, own) for own in parts]

    def parts(self, shard: Shard) -> Iterator[tuple[Cut, Mapping[str, Any]]]:
        """Evaluate the blocks of a shard, in order; with their place in the whole grid."""
        axes = self.axes or shard.axes
        found = self.ready.parts(axes, shard.own_cuts)
        for cut, (_, part) in zip(shard.cuts, found, strict=True):
            yield cut, part

    def empty(self) -> dict[str, Mergeable] | None:
        """Reductions that have seen nothing."""
        asked = self.reductions
        return None if asked is None else {name: r.empty() for name, r in asked.items()}

    @property
    def ready(self) -> Prepared:
        """The kernel, prepared once in this process."""
        if self._ready is None:
            n_points = math.prod(self.shape) / self.n_workers
            columns = needed(self.reductions)
            self._ready = Prepared(self.kernel, n_points, self.run_as, columns)
        return self._ready


@dataclass(frozen=True)
class Shard:
    """A range of blocks, with no more of large axes than they need.

    Attributes
    ----------
    cuts : tuple of slices   Of the whole grid, a block each.
    axes : tuple of Fields   1-D arrays by name, from `first` on; empty where the study has them.
    first : tuple of int     Where along each axis of the grid they begin.
    """

    cuts: tuple[Cut, ...]
    axes: tuple[Fields, ...] = ()
    first: tuple[int, ...] = ()

    @property
    def own_cuts(self) -> Sequence[Cut]:
        """Its blocks within the axes that it is evaluated on."""
        if not self.axes:
            return self.cuts
        return [
            tuple(slice(c.start - f, c.stop - f) for c, f in zip(cut, self.first, strict=True))
            for cut in self.cuts
        ]

    @property
    def n_points(self) -> int:
        """Points of all its blocks."""
        return sum(math.prod(sized(cut)) for cut in self.cuts)


def _shard(axes: Sequence[Fields], cuts: tuple[Cut, ...]) -> Shard:
    first = tuple(min(cut[i].start for cut in cuts) for i in range(len(axes)))
    ends = tuple(max(cut[i].stop for cut in cuts) for i in range(len(axes)))
    own = tuple(
        {name: values[a:b] for name, values in fields.items()}
        for fields, a, b in zip(axes, first, ends, strict=True)
    )
    return Shard(cuts, own, first)


def run_shard(study: Study, shard: Shard) -> dict[str, np.ndarray]:
    """Evaluate one shard.

    Parameters
    ----------
    study : Study
    shard : Shard

    Returns
    -------
    dict   What each reduction kept, ``{number of the reduction}.{name of the array}``; without
           reductions the columns of each block, ``{number of the block}.{name of the column}``.
    """
    asked = study.empty()
    if asked is None:
        return {
            f"{i}.{name}": np.asarray(value)
            for i, (_, part) in enumerate(study.parts(shard))
            for name, value in part.items()
        }
    for cut, part in study.parts(shard):
        reduced(asked, part, cut, study.shape)
    return {
        f"{i}.{name}": value
        for i, reduction in enumerate(asked.values())
        for name, value in reduction.kept().items()
    }


def columns_of(arrays: Mapping[str, np.ndarray], n: int) -> list[dict[str, np.ndarray]]:
    """Sort the arrays of a shard by their number: of one of n reductions, or of n blocks."""
    found: list[dict[str, np.ndarray]] = [{} for _ in range(n)]
    for key, value in arrays.items():
        number, _, name = key.partition(".")
        found[int(number)][name] = value
    return found


def reduced(
    reductions: Mapping[str, Reduction], part: Mapping[str, Any], cut: Cut, shape: tuple[int, ...]
) -> None:
    """Show the columns of a block to reductions."""
    size = sized(cut)
    first = np.ravel_multi_index([c.start for c in cut], shape) if shape else 0
    last = np.ravel_multi_index([c.stop - 1 for c in cut], shape) if shape else 0
    n = math.prod(size)
    # Blocks run along the last axes, which they have whole: their points mostly lie side by side.
    if last - first == n - 1:
        index = np.arange(first, last + 1)
    else:
        starts = np.ix_(*(np.arange(c.start, c.stop) for c in cut))
        index = np.ravel_multi_index(np.broadcast_arrays(*starts), shape).reshape(-1)
    columns = _Flat(part, size)
    for reduction in reductions.values():
        reduction.update(columns, index)


class _Flat(Mapping[str, np.ndarray]):
    """Columns of a block, a value a point, laid out when they are asked for."""

    def __init__(self, part: Mapping[str, Any], size: tuple[int, ...]) -> None:
        self._part, self._size = part, size
        self._known: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._known:
            self._known[name] = np.broadcast_to(self._part[name], self._size).reshape(-1)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._part)

    def __len__(self) -> int:
        return len(self._part)


def needed(reductions: Mapping[str, Reduction] | None) -> frozenset[str] | None:
    """Columns that reductions read; None for all: without reductions, or where one does not say."""
    if reductions is None:
        return None
    found: set[str] = set()
    for reduction in reductions.values():
        own = getattr(reduction, "reads", None)
        if own is None:
            return None
        found.update(own)
    return frozenset(found)


def mergeable(reductions: Mapping[str, Reduction]) -> dict[str, Mergeable]:
    """The reductions, where all can be put together from parts.

    Raises
    ------
    SpecError   One cannot.
    """
    found = {}
    for name, reduction in reductions.items():
        if not isinstance(reduction, Mergeable):
            raise SpecError(
                f"Reduction {name!r} is a {type(reduction).__name__} without empty(), kept() and "
                "merge(): it sees a grid in one process. To spread or resume, add them as "
                "ridgeline.grid.Mergeable says."
            )
        found[name] = reduction
    return found
