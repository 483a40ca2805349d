"""Limits on latency: a time and the statistic that must keep it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast, get_args

from ridgeline.errors import SpecError, UnitError, did_you_mean
from ridgeline.specs.fields import Value, is_number, option, plain_number, shown
from ridgeline.specs.option_record import OptionRecord
from ridgeline.units import parse_quantity, short_quantity, unit_of, with_bare_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BARE_TIME", "DEFAULT_LIMITS", "Limit", "Limits", "Statistic"]

#: over requests: what must be within a limit
Statistic = Literal["mean", "p50", "p90", "p99"]

_LONGEST_S = 1e6
_SHORTEST_S = 1e-6
#: unit of a time that is typed without one, as tools of the field have it
BARE_TIME: Final = "ms"
_NONE = ("none", "inf", "no")
_FORM = re.compile(r"(?:(mean|median|p\d+(?:\.\d+)?)(?![\d.]))?\s*(?:<=|<|≤)?\s*(.*)", re.DOTALL)
_EXPECTED = "a time from 1 µs to 1e6 s, such as 50 ms or p99<2s, or none"


@dataclass(frozen=True, slots=True)
class Limit:
    """A latency that requests must keep.

    Attributes
    ----------
    seconds : float         [s]
    statistic : Statistic   Of what over requests: the mean or a percentile.

    Examples
    --------
    >>> Limit.of("p99<2s")
    Limit('p99 <= 2 s')
    >>> Limit.of(0.05)
    Limit('mean <= 50 ms')
    """

    seconds: float
    statistic: Statistic = "mean"

    @classmethod
    def of(cls, value: object, *, bare: str = "") -> Limit | None:
        """Read a limit.

        Parameters
        ----------
        value : number, str, Limit or None   Seconds; or text: a time with its unit, with a
                             statistic before it where it is not the mean: ``2s``, ``p99<2s``,
                             ``p90 2 s``. None, ``none`` and infinity are no limit.
        bare : str           Unit of text without one; empty: it must have one.

        Raises
        ------
        SpecError   Not a time, a time out of range, or an unknown statistic.
        """
        plain = value.item() if getattr(value, "ndim", None) == 0 else value  # pyright: ignore[reportAttributeAccessIssue]
        if plain is None or isinstance(plain, Limit):
            return plain
        if is_number(plain):
            return cls._within(cast("float", plain), "mean", value)
        if not isinstance(plain, str) or len(plain) > 100:
            raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.")
        if plain.strip().casefold() in _NONE:
            return None
        match = _FORM.fullmatch(plain.strip().casefold().replace("µ", "u"))
        assert match is not None
        statistic = match[1] or "mean"
        if statistic not in get_args(Statistic):
            known = get_args(Statistic)
            raise SpecError(
                f"{shown(plain)}: the statistic is one of {', '.join(known)}, not {statistic}."
                f"{did_you_mean(statistic, known)}"
            )
        return cls._within(_seconds(match[2], bare, plain), statistic, value)

    @classmethod
    def _within(cls, seconds: float, statistic: str, value: object) -> Limit | None:
        if seconds == math.inf:
            return None
        if not _SHORTEST_S <= seconds <= _LONGEST_S:
            raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.")
        return cls(float(seconds), cast("Statistic", statistic))

    def plain(self) -> float | str:
        """In JSON types that `of` reads back: seconds, or text with the statistic."""
        if self.statistic == "mean":
            return self.seconds
        return f"{self.statistic} <= {plain_number(self.seconds)} s"

    def __str__(self) -> str:
        return f"{self.statistic} <= {short_quantity(self.seconds, 's')}"

    def __repr__(self) -> str:
        return f"Limit({str(self)!r})"


def _seconds(text: str, bare: str, whole: str) -> float:
    """Seconds of a time with a unit; without one, in `bare`."""
    try:
        number, dimension = unit_of(text)
        if not math.isfinite(number):
            raise SpecError(f"{_EXPECTED} is expected, not {shown(whole)}.")
        if dimension is None and bare:
            return parse_quantity(with_bare_unit(text, bare), "s")
        if dimension is None:
            raise SpecError(
                f"{shown(whole)} has no unit: write {text} ms or {text} s, or give a number of "
                "seconds."
            )
        return parse_quantity(text, "s")
    except UnitError:
        raise SpecError(f"{_EXPECTED} is expected, not {shown(whole)}.") from None


#: the limits of every question that states no others: a reader keeps up at 20 tokens/s per user,
#: and waits about as long as for a web page
DEFAULT_LIMITS: Final = {"ttft": Limit(2.0), "tpot": Limit(0.05)}


def _rule(most_bare_s: float) -> Value:
    """How a limit is read; beyond some seconds a number without a unit was meant in ms."""

    def of(value: object) -> Limit | None:
        found = Limit.of(value)
        number = value.item() if getattr(value, "ndim", None) == 0 else value  # pyright: ignore[reportAttributeAccessIssue]
        if found is not None and is_number(number) and found.seconds > most_bare_s:
            bare = plain_number(found.seconds)
            raise SpecError(
                f"a number is in seconds, and {bare} s is a long wait: write "
                f"'{bare} ms' or {plain_number(found.seconds / 1e3)}, or '{bare} s' where that is "
                "meant."
            )
        return found

    def plain(limit: Limit) -> float | str:
        if limit.statistic == "mean" and limit.seconds > most_bare_s:
            return f"{plain_number(limit.seconds)} s"
        return limit.plain()

    return Value(
        what=_EXPECTED,
        of=of,
        plain=plain,
        kinds=("number", "string"),
        examples=("50 ms", "p99 <= 2 s", "none"),
        typed=lambda text: Limit.of(text, bare=BARE_TIME),
        bare=BARE_TIME,
    )


class Limits(OptionRecord):
    """Latencies that every deployment must keep; None is no limit.

    Those that are not given are `DEFAULT_LIMITS`. A number is in seconds, whereas the command line
    takes a bare one as milliseconds; numbers above 5 s for TPOT, 60 s for TTFT and 600 s for E2E
    are refused for that: text with a unit says what is meant.
    """

    ttft: Annotated[Limit | None, _rule(60.0)] = option(
        DEFAULT_LIMITS["ttft"],
        "Limit on the time to first token (TTFT): a time, with p50, p90 or p99 before it where it "
        "is not for the mean (p99<2s), or none.",
        "s",
    )
    tpot: Annotated[Limit | None, _rule(5.0)] = option(
        DEFAULT_LIMITS["tpot"],
        "Limit on the time per output token (TPOT) after the first, in the forms of the limit on "
        "TTFT.",
        "s",
    )
    e2e: Annotated[Limit | None, _rule(600.0)] = option(
        None,
        "Limit on the time from request to last token, in the forms of the limit on TTFT.",
        "s",
    )

    @property
    def ttft_s(self) -> float:
        """Limit on the time to first token; inf for none. [s]"""
        return self.ttft.seconds if self.ttft else math.inf

    @property
    def tpot_s(self) -> float:
        """Limit on the time per output token; inf for none. [s]"""
        return self.tpot.seconds if self.tpot else math.inf

    @property
    def e2e_s(self) -> float:
        """Limit on the time to last token; inf for none. [s]"""
        return self.e2e.seconds if self.e2e else math.inf

    def items(self) -> Iterator[tuple[str, Limit]]:
        """Metrics (``ttft``, ``tpot``, ``e2e``) that have a limit, with it."""
        for name in type(self).model_fields:
            limit = getattr(self, name)
            if limit is not None:
                yield name, limit

    @classmethod
    def parse_text(
        cls, ttft: str | None = None, tpot: str | None = None, e2e: str | None = None
    ) -> Limits:
        """Read limits as typed on the command line: a bare number is in milliseconds.

        Parameters
        ----------
        ttft, tpot, e2e : str or None   As in `Limit.of`; None for the default.

        Raises
        ------
        SpecError   One sentence for each that cannot be read.

        Examples
        --------
        >>> Limits.parse_text(ttft="none", tpot="p99 50")
        Limits('TPOT p99 <= 50 ms')
        """
        given: dict[str, Any] = {}
        wrong = []
        for name, text in (("ttft", ttft), ("tpot", tpot), ("e2e", e2e)):
            try:
                if text is not None:
                    given[name] = Limit.of(text, bare=BARE_TIME)
            except SpecError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise SpecError(" ".join(wrong))
        return cls(**given)

    def __str__(self) -> str:
        words = [f"{'E2E' if n == 'e2e' else n.upper()} {limit}" for n, limit in self.items()]
        return ", ".join(words) or "no limits"

    def __repr__(self) -> str:
        return f"Limits({str(self)!r})"
