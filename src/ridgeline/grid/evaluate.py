"""Evaluate a question on a grid of axes, in blocks, with reductions or into whole columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.grid.blocks import BLOCK_POINTS
from ridgeline.grid.kernel import Fields, Kernel, shape_of, sized
from ridgeline.grid.shards import Study, columns_of, mergeable, reduced, run_shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.grid.reduce import Reduction
    from ridgeline.grid.shards import Shard
    from ridgeline.grid.spread import Spread

__all__ = ["evaluate", "points", "reduce_grid"]

#: called with points done and points in all
Progress = Callable[[int, int], None]


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
    spread: Spread | None = None,
    run_as: str = "auto",
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate whole columns, block by block.

    Parameters
    ----------
    kernel : callable   See `Kernel`.
    axes : sequence of Fields     1-D arrays by name.
    block_points : int  Points a block.
    spread : Spread or None       Where shards run and are kept; this process by default.
    run_as : str        How the kernel is run: see `Prepared`.
    progress : callable or None   Called with points done and points in all, after each block (of
                                  what is spread: each shard).

    Returns
    -------
    dict   Column name to an array of the grid's shape.

    Raises
    ------
    SpecError        Blocks that have unlike columns.
    RidgelineError   See `Spread`.
    """
    shape = shape_of(axes)
    columns: dict[str, np.ndarray] = {}
    told = _Told(shape, progress)

    def place(cut: tuple[slice, ...], part: Mapping[str, Any]) -> None:
        if not columns:
            columns.update({n: np.empty(shape, dtype=np.asarray(v).dtype) for n, v in part.items()})
        if part.keys() != columns.keys():
            raise SpecError(
                f"A kernel has the same columns everywhere; one block has {_listed(columns)}, "
                f"another {_listed(part)}."
            )
        for name, value in part.items():
            columns[name][cut] = value

    study = Study.of(kernel, axes, None, *_how(run_as, spread))
    if spread is None or spread.is_plain:
        for shard in study.shards(axes, block_points):
            for cut, part in study.parts(shard):
                place(cut, part)
                told.more(math.prod(sized(cut)))
        return columns
    for shard, found in _spread(study, axes, block_points, spread):
        for cut, part in zip(shard.cuts, columns_of(found, len(shard.cuts)), strict=True):
            place(cut, part)
        told.more(shard.n_points)
    return columns


def reduce_grid(
    kernel: Kernel,
    axes: Sequence[Fields],
    reductions: Mapping[str, Reduction],
    *,
    block_points: int = BLOCK_POINTS,
    spread: Spread | None = None,
    run_as: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate a grid of any size without a table of it.

    Parameters
    ----------
    kernel : callable            See `Kernel`.
    axes : sequence of Fields    1-D arrays by name.
    reductions : mapping         Name to what is kept: `Best`, `Pareto`, `Histogram`; to be spread
                                 or resumed, each is `Mergeable`.
    block_points : int           Points a block.
    spread : Spread or None      Where shards run and are kept; this process by default.
    run_as : str                 How the kernel is run: see `Prepared`.
    progress : callable or None  Called with points done and points in all, after each block (of
                                 what is spread: each shard).

    Returns
    -------
    dict   Name to the reduction's result; points as flat indices (`numpy.unravel_index`). It is the
           same to the last digit wherever shards run, and in whatever order they end, on machines
           alike: compiled loops differ from numpy by about 3e-16.

    Raises
    ------
    SpecError        A reduction that cannot be spread.
    RidgelineError   See `Spread`.
    """
    shape = shape_of(axes)
    told = _Told(shape, progress)
    if spread is None or spread.is_plain:
        study = Study.of(kernel, axes, reductions, *_how(run_as, spread))
        for shard in study.shards(axes, block_points):
            for cut, part in study.parts(shard):
                reduced(reductions, part, cut, shape)
                told.more(math.prod(sized(cut)))
    else:
        merging = mergeable(reductions)
        study = Study.of(kernel, axes, merging, *_how(run_as, spread))
        for shard, found in _spread(study, axes, block_points, spread):
            for reduction, kept in zip(
                merging.values(), columns_of(found, len(merging)), strict=True
            ):
                reduction.merge(kept)
            told.more(shard.n_points)
    return {name: reduction.result() for name, reduction in reductions.items()}


def _listed(columns: Mapping[str, Any]) -> str:
    return ", ".join(sorted(columns)) or "none"


def _how(run_as: str, spread: Spread | None) -> tuple[str, int]:
    """How a kernel is run, and by how many processes, which decide alike.

    What is resumed is so by any number of them.
    """
    if spread is None or spread.is_plain:
        return run_as, 1
    n_workers = 1 if spread.resume is not None else spread.n_workers
    return ("shared" if run_as == "auto" else run_as), n_workers


def _spread(
    study: Study, axes: Sequence[Fields], block_points: int, spread: Spread
) -> Iterator[tuple[Shard, dict[str, np.ndarray]]]:
    """Each shard with its arrays, as they are finished."""
    shards = study.shards(axes, block_points)
    identity = {
        "kernel": study.kernel,
        "axes": list(axes),
        "reductions": study.empty(),
        "blocks": block_points,
        "run_as": study.run_as,
    }
    title = _title(study.kernel, axes)
    for i, found in spread.run(run_shard, study, shards, identity=identity, title=title):
        yield shards[i], found


def _title(kernel: Kernel, axes: Sequence[Fields]) -> str:
    """What messages call a study: by what its kernel says it is, and its axes."""
    over = " x ".join(f"{n:,} {', '.join(f)}" for n, f in zip(shape_of(axes), axes, strict=True))
    return ", ".join(part for part in (getattr(kernel, "title", ""), over) if part)


class _Told:
    """Tells of progress."""

    def __init__(self, shape: tuple[int, ...], progress: Progress | None) -> None:
        self.progress, self.done, self.whole = progress, 0, math.prod(shape)

    def more(self, n_points: int) -> None:
        """So many points are done besides."""
        self.done += n_points
        if self.progress is not None:
            self.progress(self.done, self.whole)
