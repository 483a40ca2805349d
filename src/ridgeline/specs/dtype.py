"""Storage formats: bits per weight, scales included, and the format the products run in."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.chip import ComputeDtype
from ridgeline.specs.record import Sourced

__all__ = ["Dtype"]


class Dtype(Sourced):
    """A weight or cache format.

    `compute` lists the formats the products can run in, first choice first; later ones are what
    an engine falls back to (dequantising) on a chip without the first. `base` is set where a name
    stands for a mixture: the format that most of it is in, whose kernels it runs. `engine` is what
    people run such weights with, where that is one: it is modelled unless another is named.
    """

    id: str
    bits: float = Field(gt=0, le=64, description="Bits a value, scales and zero points included.")
    compute: tuple[ComputeDtype, ...] = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    base: str = ""
    engine: str = ""
    notes: str = ""
