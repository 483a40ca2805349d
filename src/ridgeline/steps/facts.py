"""What follows from a chip alone: balance by format, drain time, ratios for tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.catalog import dtypes
from ridgeline.laws.memory import drain_time_s
from ridgeline.laws.roofline import hardware_ratio

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip, ComputeDtype

__all__ = ["ChipFacts", "chip_facts"]

_BITS_PER_BYTE = 8
#: arithmetic -> the plain storage format of the same width, for the lecture's ratio
_WIDTH_OF: dict[ComputeDtype, str] = {
    "fp32": "fp32",
    "tf32": "fp32",
    "bf16": "bf16",
    "fp8": "fp8",
    "int8": "int8",
    "fp4": "fp4",
}


@dataclass(frozen=True, slots=True)
class ChipFacts:
    """Derived numbers of one chip.

    Attributes
    ----------
    hardware_ratio : mapping of compute dtype to R   Multiplies in the time one weight is read. [1]
    drain_s : float   Time to read the whole memory once. [s]
    """

    hardware_ratio: dict[ComputeDtype, float]
    drain_s: float


def chip_facts(chip: Chip) -> ChipFacts:
    """Derive the lecture's ratios of a chip: R by dtype, and the drain time.

    Examples
    --------
    >>> from ridgeline.catalog import chip
    >>> round(chip_facts(chip("h100-sxm")).hardware_ratio["bf16"])
    295
    """
    memory = chip.memory
    ratios: dict[ComputeDtype, float] = {
        kind: hardware_ratio(
            peak, dtypes()[_WIDTH_OF[kind]].bits / _BITS_PER_BYTE, memory.bandwidth
        )
        for kind, peak in chip.peak.items()
    }
    return ChipFacts(ratios, drain_time_s(memory.capacity, memory.bandwidth))
