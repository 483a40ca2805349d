"""The heart: binds records to laws. All that takes time or memory is asked here."""

from typing import TYPE_CHECKING

from ridgeline.lazy import from_modules

if TYPE_CHECKING:
    from ridgeline.steps.blackboard import BOUNDS, Balance, Step, balance, decode_step
    from ridgeline.steps.counts import Counts, counts
    from ridgeline.steps.facts import ChipFacts, chip_facts
    from ridgeline.steps.machine import Machine, chip_capacity_bytes, fewest_chips, machine, sizes
else:
    __getattr__ = from_modules(
        __name__,
        {
            "blackboard": "BOUNDS Balance Step balance decode_step",
            "counts": "Counts counts",
            "facts": "ChipFacts chip_facts",
            "machine": "Machine chip_capacity_bytes fewest_chips machine sizes",
        },
    )

__all__ = [
    "BOUNDS",
    "Balance",
    "ChipFacts",
    "Counts",
    "Machine",
    "Step",
    "balance",
    "chip_capacity_bytes",
    "chip_facts",
    "counts",
    "decode_step",
    "fewest_chips",
    "machine",
    "sizes",
]
