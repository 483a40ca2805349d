"""What training frameworks hold beyond what a count of tensors tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from ridgeline.specs.framework import FrameworkEra

__all__ = ["MemoryConstant", "MemoryConstants"]


class MemoryConstant(Record):
    """One constant, and where frameworks or their eras are known to differ.

    Attributes
    ----------
    unit : str           ``1`` or ``bytes``.
    value : float
    frameworks : dict    Id of a framework or of an era to a value of its own.
    what, source : str
    """

    unit: str
    value: float = Field(ge=0)
    frameworks: dict[str, float] = Field(default_factory=dict)
    what: str
    source: str

    def of(self, framework: str, era: FrameworkEra) -> float:
        """The value of an era, else of its framework, else of all."""
        return self.frameworks.get(era.id, self.frameworks.get(framework, self.value))


class MemoryConstants(Record):
    """Constants of a training step's memory: see ``catalog/training_memory.toml``.

    Attributes
    ----------
    context : MemoryConstant        Of driver and libraries, outside the allocator. [bytes]
    communicator : MemoryConstant   Of one group of chips, outside the allocator. [bytes]
    workspace : MemoryConstant      Of libraries, inside it. [bytes]
    fragmentation : MemoryConstant  Reserved by the allocator over what is allocated, of tensors
                                    that come and go. [1]
    unfreed : MemoryConstant        Of inputs gathered for tensor-parallel products, those whose
                                    memory an asynchronous collective keeps from reuse until the
                                    host waits for it. [1]
    unfreed_ahead : MemoryConstant  The same of micro-batches that pipeline stages send ahead. [1]
    returned : MemoryConstant       Of those, what the allocator gets back when it is short. [1]
    logit : MemoryConstant          Of one logit, at the peak of loss and gradient. [bytes]
    narrow_gradient : MemoryConstant   Beside a gradient that adds up in 4 bytes. [bytes]
    sigma : MemoryConstant          Standard deviation of ln(predicted / needed). [1]
    reading_sigma : MemoryConstant  The same of ln(predicted / measured) peaks. [1]
    """

    context: MemoryConstant
    communicator: MemoryConstant
    workspace: MemoryConstant
    fragmentation: MemoryConstant
    unfreed: MemoryConstant
    unfreed_ahead: MemoryConstant
    returned: MemoryConstant
    logit: MemoryConstant
    narrow_gradient: MemoryConstant
    sigma: MemoryConstant
    reading_sigma: MemoryConstant
