"""What is expected of an effect of whole engines before any is measured."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.record import Record

__all__ = ["EffectKind"]


class EffectKind(Record):
    """One way in which whole engines differ from lone kernels.

    Attributes
    ----------
    unit : str          ``1`` for a factor on what a kernel reaches, ``s`` for a time.
    prior : float       What is expected before any measurement, at ``all``.
    spread : mapping    Level to the standard deviation between its places, on the log scale, widest
                        first; the effect has no other levels.
    what : str          A sentence.
    why : str           What the expectation rests on.
    """

    unit: Literal["1", "s"]
    prior: float = Field(gt=0)
    spread: dict[str, float]
    what: str
    why: str

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels in order, widest first."""
        return tuple(self.spread)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.levels[:1] != ("all",) or min(self.spread.values()) <= 0:
            raise ValueError("spread: standard deviations above 0 are expected, the first of all.")
        return self
