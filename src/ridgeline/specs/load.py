"""What is asked of one replica: how many sequences, how long."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Record

__all__ = ["EXPERT_LOAD_CV", "Load"]

#: how unevenly experts are taken to be chosen where nobody says: standard deviation over mean. The
#: default of a field, and so of the schema, which is why it stands here and not in the catalogue.
#: From measurements of whole engines (docs/engine-model.md, "Uneven experts"): the log evidence of
#: the fit is best at 1.4, two less at 1 and 1.7, six at 0.7 and sixteen at 0
EXPERT_LOAD_CV = 1.2


class Load(Record):
    """Sequences in flight in one replica and their length.

    `context` is the mean number of cached tokens a sequence has while it decodes; or give the
    input and output lengths `isl` and `osl` of a request and let it follow.
    """

    batch: PositiveCount = Field(default=1, description="Sequences in flight in one replica.")
    context: float | None = Field(
        default=None, ge=0, le=1e9, description="Mean cached tokens a sequence."
    )
    isl: float | None = Field(default=None, ge=0, le=1e9, description="Input tokens of a request.")
    osl: float | None = Field(default=None, ge=1, le=1e9, description="Output tokens of a request.")
    prefix_hit: float = Field(
        default=0.0, ge=0, le=1, description="Share of a request's input that is cached already."
    )
    drafts: float = Field(
        default=0, ge=0, le=64, description="Tokens drafted a sequence and step, to be verified."
    )
    acceptance: float = Field(
        default=0.0, ge=0, le=1, description="How often a draft is accepted, those before it too."
    )
    expert_load_cv: float = Field(
        default=EXPERT_LOAD_CV,
        ge=0,
        le=10,
        description="Spread over mean of how often experts are chosen.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.context is not None and (self.isl is not None or self.osl is not None):
            raise ValueError("give either context, or isl and osl, not both.")
        if (self.isl is None) != (self.osl is None):
            raise ValueError("isl and osl come together.")
        if self.context is None and self.isl is None:
            raise ValueError("a context length is needed: context, or isl and osl.")
        return self
