"""Named axes, blocks that fit the cache, reductions, and labelled results."""

from ridgeline.grid.axis import Axis, logspace
from ridgeline.grid.blocks import BLOCK_POINTS, UNEXPANDED_BLOCK_POINTS, blocks
from ridgeline.grid.evaluate import Fields, Kernel, evaluate, points, reduce_grid
from ridgeline.grid.progress import ProgressLine
from ridgeline.grid.reduce import Best, Histogram, Pareto, Reduction
from ridgeline.grid.result import Column, Result

__all__ = [
    "BLOCK_POINTS",
    "UNEXPANDED_BLOCK_POINTS",
    "Axis",
    "Best",
    "Column",
    "Fields",
    "Histogram",
    "Kernel",
    "Pareto",
    "ProgressLine",
    "Reduction",
    "Result",
    "blocks",
    "evaluate",
    "logspace",
    "points",
    "reduce_grid",
]
