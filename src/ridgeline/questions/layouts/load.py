"""What is asked of the layouts: lengths of requests, and limits on how long they may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.errors import SpecError
from ridgeline.service.requests import Requests
from ridgeline.specs.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Limits", "lengths", "lengths_words"]

_DEFAULT_ISL, _DEFAULT_OSL = 4096.0, 1024.0


def lengths_words(requests: Requests) -> str:
    """The lengths in a few words."""
    if not requests.osl:
        return f"context {requests.context:,.0f}"
    cached = f", {requests.cached:,.0f} of them cached" if requests.cached else ""
    return f"{requests.isl:,.0f} tokens in{cached}, {requests.osl:,.0f} out"


def lengths(
    context: float | None, isl: float | None, osl: float | None, prefix_hit: float
) -> Requests:
    """Check the lengths given.

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
        return Requests(decode_context=float(load.context))
    assert load.isl is not None
    assert load.osl is not None
    if load.isl < 1 or load.osl < 2:
        raise SpecError(
            "isl must be at least 1 and osl at least 2: a request that gives one token never "
            "decodes, and none without input is prefilled. Give a context to look at decoding."
        )
    if load.prefix_hit >= 1:
        raise SpecError("prefix_hit must be less than 1: the last input token is always computed.")
    return Requests(float(load.isl), float(load.osl), load.isl * load.prefix_hit)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take, prompts of others between its tokens; inf is no limit.

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
