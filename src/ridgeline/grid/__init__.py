"""Named axes, blocks that fit the cache, reductions, and labelled results."""

from ridgeline.grid.axis import Axis, logspace
from ridgeline.grid.blocks import blocks
from ridgeline.grid.evaluate import evaluate, points, reduce_grid
from ridgeline.grid.reduce import Best, Histogram, Pareto, Reduction
from ridgeline.grid.result import Column, Result

__all__ = [
    "Axis",
    "Best",
    "Column",
    "Histogram",
    "Pareto",
    "Reduction",
    "Result",
    "blocks",
    "evaluate",
    "logspace",
    "points",
    "reduce_grid",
]
