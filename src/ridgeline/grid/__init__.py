"""Named axes, blocks that fit the cache, and labelled results."""

from ridgeline.grid.axis import Axis, logspace
from ridgeline.grid.blocks import blocks
from ridgeline.grid.result import Column, Result

__all__ = ["Axis", "Column", "Result", "blocks", "logspace"]
