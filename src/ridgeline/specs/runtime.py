"""What an engine does with a chip's memory and a step's tokens."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Sourced

__all__ = ["Runtime"]


class Runtime(Sourced):
    """Settings of an engine that decide what fits.

    Attributes
    ----------
    memory_utilization : float
        Share of a chip's usable memory for weights, caches, activations and buffers. The rest is
        for the driver's context, captured graphs, communicators and fragments.
    token_budget : int
        New tokens of a step at most, on each rank: prompts are cut into chunks of it. [tokens]
    """

    id: str
    memory_utilization: float = Field(gt=0, le=1)
    token_budget: PositiveCount
    notes: str = ""
