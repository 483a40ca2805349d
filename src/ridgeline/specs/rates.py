"""How fast requests arrive at a system: requests per second, or the output tokens they ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from ridgeline.errors import SpecError
from ridgeline.specs.fields import is_number, plain_number, shown
from ridgeline.specs.ranges import REQUESTS_PER_S

__all__ = ["Rate"]

_REQUESTS = ("", "/s", "req/s", "reqs/s", "request/s", "requests/s", "rps", "qps", "1/s")
_TOKENS = ("tok/s", "toks/s", "token/s", "tokens/s", "tps")
_FORM = re.compile(
    r"([^a-zA-Z/]*(?:[eE][+-]?\d+)?\s*(?:[kKMGBT]i?(?![a-zA-Z/]))?)\s*(.*)", re.DOTALL
)
_EXPECTED = "a rate above 0, such as 40 (requests/s) or '12k tok/s' (output tokens/s),"


@dataclass(frozen=True, slots=True)
class Rate:
    """Mean rate at which requests arrive at the whole system.

    Attributes
    ----------
    value : float   [1/s]
    of : str        What is counted: ``requests``, or ``output tokens``.

    Examples
    --------
    >>> Rate.read("12k tok/s")
    Rate('12000 tok/s')
    >>> Rate.read("12k tok/s").requests_per_s(mean_osl=500)
    24.0
    """

    value: float
    of: Literal["requests", "output tokens"] = "requests"

    @classmethod
    def read(cls, value: object) -> Rate:
        """Read a rate.

        Parameters
        ----------
        value : number, str or Rate   Requests per second; or text with a unit: ``40``, ``40/s``,
                                      ``40 req/s``, ``12k tok/s``.

        Raises
        ------
        SpecError   Not a rate, or one out of range.
        """
        plain = value.item() if getattr(value, "ndim", None) == 0 else value  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(plain, Rate):
            return plain
        number, unit = plain, ""
        if isinstance(plain, str) and len(plain) <= 100:
            match = _FORM.fullmatch(plain.strip())
            number, unit = (match[1], match[2].casefold().replace(" ", "")) if match else ("", "")
        elif not is_number(plain):
            raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.")
        if unit not in (*_REQUESTS, *_TOKENS):
            raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.")
        try:
            found = REQUESTS_PER_S.read(number)
        except SpecError:
            raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.") from None
        kind = "output tokens" if unit in _TOKENS else "requests"
        return cls(found, cast("Any", kind))

    def requests_per_s(self, mean_osl: float) -> float:
        """Requests per second.

        Parameters
        ----------
        mean_osl : float   Mean output of a request. [tokens]
        """
        return self.value if self.of == "requests" else self.value / mean_osl

    def plain(self) -> float | str:
        """In JSON types that `read` takes back."""
        return self.value if self.of == "requests" else str(self)

    def __str__(self) -> str:
        return f"{plain_number(self.value)} {'req/s' if self.of == 'requests' else 'tok/s'}"

    def __repr__(self) -> str:
        return f"Rate({str(self)!r})"
