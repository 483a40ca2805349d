"""How a model is cut over chips."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Record

__all__ = ["Layout"]


class Layout(Record):
    """Degrees of parallelism: ``n_chips = replicas * pp * attn_dp * tp``.

    `ep` says over how many chips the experts of one layer are spread; it divides ``attn_dp * tp``.
    """

    replicas: PositiveCount = 1
    pp: PositiveCount = 1
    attn_dp: PositiveCount = 1
    tp: PositiveCount = 1
    ep: PositiveCount = 1

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.attn_dp * self.tp) % self.ep:
            raise ValueError(f"ep ({self.ep}) must divide attn_dp x tp ({self.attn_dp * self.tp}).")
        return self
