"""Named axes, blocks that fit the cache, reductions, and labelled results."""

from ridgeline.grid.axis import Axis, logspace, spaced
from ridgeline.grid.blocks import BLOCK_POINTS, UNEXPANDED_BLOCK_POINTS, blocks
from ridgeline.grid.evaluate import evaluate, points, reduce_grid
from ridgeline.grid.kernel import Fields, Kernel
from ridgeline.grid.progress import ProgressLine
from ridgeline.grid.reduce import Best, Histogram, Mergeable, Pareto, Reduction
from ridgeline.grid.result import Column, LateColumns, Result
from ridgeline.grid.spread import Spread

__all__ = [
    "BLOCK_POINTS",
    "UNEXPANDED_BLOCK_POINTS",
    "Axis",
    "Best",
    "Column",
    "Fields",
    "Histogram",
    "Kernel",
    "LateColumns",
    "Mergeable",
    "Pareto",
    "ProgressLine",
    "Reduction",
    "Result",
    "Spread",
    "blocks",
    "evaluate",
    "logspace",
    "points",
    "reduce_grid",
    "spaced",
]
