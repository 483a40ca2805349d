"""What is taken for granted of a measured run where its table is silent."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.record import Record

__all__ = ["Assumptions"]


class Assumptions(Record):
    """Numbers of the assumptions about runs; the rules are in `fidelity.engines.assumptions`.

    Attributes
    ----------
    sigma : float           Standard deviation of ln(time) that an assumption brings. [1]
    format_ratio : float    By which the width of weights may be off where nobody states it. [1]
    longest_prompt_tokens : float   Prompts of unstated length are as long as the output, at most
                            this. [tokens]
    full_share : float      Of a chip's memory; weights beyond it leave a tuned system too little
                            room. [1]
    narrow_bits : float     Weights narrower than this come with narrow caches in a tuned run.
                            [bits]
    why : mapping           Field to what its value rests on.
    """

    id: str
    sigma: float = Field(ge=0)
    format_ratio: float = Field(ge=1)
    longest_prompt_tokens: float = Field(ge=1)
    full_share: float = Field(gt=0, le=1)
    narrow_bits: float = Field(gt=0)
    why: dict[str, str]
