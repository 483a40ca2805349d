"""What is asked of the layouts: lengths of requests, and limits on how long they may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.errors import SpecError
from ridgeline.laws.memory import mean_decode_context_tokens
from ridgeline.specs.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Lengths", "Limits", "lengths"]

_DEFAULT_ISL, _DEFAULT_OSL = 4096.0, 1024.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a request, or only the context it decodes at.

    Attributes
    ----------
    context : float    Mean cached tokens while decoding. [tokens]
    isl, osl : float   Input and output of a request; 0 where only the context is given. [tokens]
    cached : float     Of the input, found in a cache. [tokens]
    """

    context: float
    isl: float = 0.0
    osl: float = 0.0
    cached: float = 0.0

    @property
    def has_requests(self) -> bool:
        """Whether prompts come at all, or sequences only decode."""
        return self.osl > 0

    @property
    def new_tokens(self) -> float:
        """Of the input, what must be computed. [tokens]"""
        return self.isl - self.cached

    @property
    def n_steps(self) -> float:
        """Decode steps of a request: prefill gives the first token."""
        return self.osl - 1

    def words(self) -> str:
        """The lengths in a few words."""
        if not self.has_requests:
            return f"context {self.context:,.0f}"
        cached = f", {self.cached:,.0f} of them cached" if self.cached else ""
        return f"{self.isl:,.0f} tokens in{cached}, {self.osl:,.0f} out"


def lengths(
    context: float | None, isl: float | None, osl: float | None, prefix_hit: float
) -> Lengths:
    """Check the lengths asked for.

    Raises
    ------
    SpecError   Context beside lengths, one length alone, or no new input at all.
    """
    if context is None and isl is None and osl is None:
        isl, osl = _DEFAULT_ISL, _DEFAULT_OSL
    given = {"context": context, "isl": isl, "osl": osl, "prefix_hit": prefix_hit}
    load = Load.parse({k: v for k, v in given.items() if v is not None}, where="the load")
    if load.context is not None:
        if load.prefix_hit:
            raise SpecError("prefix_hit is of a request's input: give isl and osl with it.")
        return Lengths(context=float(load.context))
    assert load.isl is not None
    assert load.osl is not None
    if load.isl < 1 or load.osl < 2:
        raise SpecError(
            "isl must be at least 1 and osl at least 2: a request that gives one token never "
            "decodes, and none without input is prefilled. Give a context to look at decoding."
        )
    if load.prefix_hit >= 1:
        raise SpecError("prefix_hit must be less than 1: the last input token is always computed.")
    mean = float(mean_decode_context_tokens(load.isl, load.osl))
    return Lengths(mean, float(load.isl), float(load.osl), load.isl * load.prefix_hit)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take where nothing queues; inf is no limit.

    Attributes
    ----------
    ttft_s : float   To the first token. [s]
    tpot_s : float   Mean time between tokens after that, ``(e2e - ttft) / (osl - 1)``. [s]
    e2e_s : float    To the last token. [s]
    """

    ttft_s: float = math.inf
    tpot_s: float = math.inf
    e2e_s: float = math.inf

    def __post_init__(self) -> None:
        for name, value in self.items():
            if not value > 0:
                raise SpecError(f"{name}: a time above zero is expected, not {value:g} s.")

    def words(self) -> Iterator[tuple[str, str, float]]:
        """Names, how they are told, and values of the limits there are."""
        told = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "e2e"}
        yield from ((n, told[n], v) for n, v in self.items() if math.isfinite(v))

    def items(self) -> Iterator[tuple[str, float]]:
        """Names and values, those without a limit too."""
        yield from (("ttft", self.ttft_s), ("tpot", self.tpot_s), ("e2e", self.e2e_s))

    @classmethod
    def of(cls, ttft_s: Any, tpot_s: Any, e2e_s: Any) -> Limits:
        """Limits with None for none."""
        given = (ttft_s, tpot_s, e2e_s)
        return cls(*(math.inf if v is None else float(v) for v in given))
