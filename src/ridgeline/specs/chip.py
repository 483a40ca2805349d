"""One accelerator: its memory and its compute. Links and prices belong to the `Cluster`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.quantities import Bytes, BytesPerSecond, FlopsPerSecond, Watts
from ridgeline.specs.record import Record, Sourced
from ridgeline.units import format_quantity

__all__ = ["Chip", "ComputeDtype", "Memory"]

#: memory comes in GiB, and is sold in GB
_MOST_USABLE = 1.001 * 2**30 / 1e9

#: number formats that hardware multiplies in; fp16 runs at the bf16 rate on every listed chip
ComputeDtype = Literal["fp32", "tf32", "bf16", "fp8", "fp4", "int8"]


class Memory(Record):
    """The memory weights and KV live in."""

    capacity: Bytes = Field(description="Nominal capacity; GB is 1e9, GiB is 2^30.")
    usable: Bytes | None = Field(
        default=None,
        description="What a program sees (cudaMemGetInfo), where that differs; no more than that "
        "capacity in GiB.",
    )
    bandwidth: BytesPerSecond = Field(description="Peak read bandwidth.")
    technology: str = ""


class Chip(Sourced):
    """One accelerator package, as bought and scheduled.

    Attributes
    ----------
    peak : mapping of compute dtype to FLOP/s
        *Dense* peak, two FLOPs a multiply-add. Vendors often print twice that (2:4 sparsity).
    matrix_units : bool
        Whether products fill tiles of rows; vectors are multiplied one by one where not.
    node : str
        The cluster meant when this chip's id is given where a cluster is expected.
    engine : str
        The engine people run on it, where the servers' engines (vLLM and its like) do not run or
        run as a program compiled for it.
    """

    id: str
    name: str
    vendor: str
    kind: Literal["gpu", "tpu", "asic", "sram", "wafer", "consumer", "local", "cpu"] = "gpu"
    launched: str = Field(
        default="", description="Year or year-month; 'announced' where not yet shipped."
    )
    generation: str = Field(default="", description="What its maker calls the generation: Hopper.")
    aliases: tuple[str, ...] = ()
    memory: Memory
    peak: dict[ComputeDtype, FlopsPerSecond] = Field(min_length=1)
    tdp: Watts | None = Field(default=None, description="Thermal design power of the package.")
    node: str = ""
    engine: str = ""
    matrix_units: bool = True
    confidence: Literal["high", "medium", "low"] | None = None
    notes: str = ""

    def in_words(self) -> str:
        """Memory and rates."""
        memory = self.memory
        said = [format_quantity(memory.capacity, "B"), format_quantity(memory.bandwidth, "B/s")]
        peaks = {k: v for k, v in self.peak.items() if k in ("bf16", "fp8")}
        said += [f"{k} {format_quantity(v, 'FLOP/s')}" for k, v in peaks.items()]
        return ", ".join(said)

    @model_validator(mode="after")
    def _check(self) -> Self:
        usable = self.memory.usable
        if usable is not None and usable > _MOST_USABLE * self.memory.capacity:
            raise ValueError("memory.usable is above memory.capacity; GB or GiB mixed up?")
        return self
