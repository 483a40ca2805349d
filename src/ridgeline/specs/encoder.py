"""What turns images, frames or sound into hidden states of a language model."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Record

__all__ = ["Encoder"]


class Encoder(Record):
    """An encoder that engines load beside a language model, in 16 bits.

    Attributes
    ----------
    n_params : int       With what projects its output to the language model's width.
    d_model, d_ff : int  Widths of its hidden states and of its feed-forward part.
    patch_values : int   Values of a patch of pixels.
    most_patches : int   Patches of the largest image that engines take by default.
    """

    n_params: PositiveCount
    d_model: PositiveCount
    d_ff: PositiveCount
    patch_values: PositiveCount
    most_patches: PositiveCount = Field(description="Of the largest image.")
