"""Numbers as text: the one place where an answer's numbers become words.

`ridgeline.units.format_quantity` knows the prefixes of units; everything else about how a number
reads (separators, digits, percent signs, dollars) is here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "count",
    "counted",
    "factor",
    "listed",
    "percent",
    "percents_apart",
    "quantity",
    "seconds",
    "sequences",
    "times",
    "tokens",
    "usd",
]

#: decimals of two shares that are nearly the same
_MOST_DECIMALS = 6
#: from here on prefixes of SI say little to anybody
_QUADRILLION, _SEXTILLION = 1e15, 1e21


def quantity(value: float, unit: str) -> str:
    """Write a number with its unit, as tables do.

    Parameters
    ----------
    value : float
    unit : str   An SI unit, or one of: ``#`` and ``sequences`` (whole numbers), ``tokens``,
                 ``reach`` (tokens, where None means any number), ``1`` (any number), ``1/s``,
                 ``R`` (a ratio in whole numbers), ``params``, ``%`` (a share), ``x`` (a factor),
                 ``+`` (an elasticity), ``nats`` (a loss), ``tok/s``, ``USD/Mtok``.

    Examples
    --------
    >>> quantity(0.0144, "s"), quantity(2400.4, "#"), quantity(0.5, "%"), quantity(2.5, "x")
    ('14.4 ms', '2,400', '50%', '2.5x')
    >>> quantity(float("inf"), "tokens")
    'none'
    """
    if not math.isfinite(value):
        return "none"
    return _PLAIN[unit](value) if unit in _PLAIN else format_quantity(value, unit)


def count(value: float) -> str:
    """Write a whole number with separators, rounded down.

    Examples
    --------
    >>> count(5440.7)
    '5,440'
    """
    return f"{math.floor(value):,}"


def tokens(value: float) -> str:
    """Write a number of tokens, exact below a million, in trillions from a thousand of them on.

    Examples
    --------
    >>> tokens(8192), tokens(1_234_567), tokens(3.2e9), tokens(2.592e15)
    ('8,192', '1.23 M', '3.20 B', '2,592 T')
    """
    if value >= _QUADRILLION:
        return f"{value / 1e12:,.0f} T"
    return count(value) if value < 1e6 else _counted_in_billions(value)


def sequences(n: float) -> str:
    """Write a number of sequences, singular or plural.

    Examples
    --------
    >>> sequences(1.9), sequences(2400)
    ('1 sequence', '2,400 sequences')
    """
    return f"{count(n)} sequence" + ("" if 1 <= n < 2 else "s")


def seconds(value: float) -> str:
    """Write a time in the unit that fits.

    Examples
    --------
    >>> seconds(0.00231), seconds(90)
    ('2.31 ms', '90.0 s')
    """
    return format_quantity(value, "s")


def percent(share: float) -> str:
    """Write a share in percent, with one or more decimals where it is small.

    Examples
    --------
    >>> percent(0.283), percent(0.00123), percent(-0.05), percent(0.0000123)
    ('28%', '0.12%', '-5.0%', '0.001%')
    """
    digits = 0 if abs(share) >= 0.0995 or share == 0 else 1 if abs(share) >= 0.00995 else 2
    while digits >= 2 and not round(share * 100, digits) and digits < _MOST_DECIMALS:
        digits += 1
    return f"{share * 100:.{digits}f}%"


def percents_apart(share: float, other: float) -> tuple[str, str]:
    """Write two shares that differ, with as many decimals as it takes to tell them apart.

    Examples
    --------
    >>> percents_apart(0.84, 0.8), percents_apart(0.8003, 0.8)
    (('84%', '80%'), ('80.03%', '80.00%'))
    """
    pair = percent(share), percent(other)
    for digits in range(1, _MOST_DECIMALS + 1):
        if pair[0] != pair[1]:
            break
        pair = f"{share * 100:.{digits}f}%", f"{other * 100:.{digits}f}%"
    return pair


def counted(n: int, noun: str) -> str:
    """Write a number of things with their noun.

    Examples
    --------
    >>> counted(1, "layout"), counted(1200, "point")
    ('1 layout', '1,200 points')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def factor(value: float) -> str:
    """Write a ratio as a factor.

    Examples
    --------
    >>> factor(2.5), factor(1186.0), factor(0.072)
    ('2.5x', '1,186x', '0.072x')
    """
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def times(ratio: float) -> str:
    """Write a ratio as "so many times".

    Examples
    --------
    >>> times(1.042), times(12.7)
    ('1.04 times', '13 times')
    """
    return f"{ratio:.2f} times" if ratio < 9.995 else f"{ratio:,.0f} times"


def usd(value: float) -> str:
    """Write dollars with the digits that matter.

    Examples
    --------
    >>> usd(0.3), usd(12.5), usd(0.00123)
    ('$0.300', '$12.50', '$0.00123')
    """
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:#.3g}"


def listed(items: Sequence[str]) -> str:
    """Join words as a list in a sentence.

    Examples
    --------
    >>> listed(["3", "6", "12"])
    '3, 6 and 12'
    """
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last


def _flops(value: float) -> str:
    """FLOPs of a whole run are written as powers of ten, as everybody does."""
    if value < _SEXTILLION:
        return format_quantity(value, "FLOP")
    return f"{value:.3g} FLOP".replace("e+", "e")


def _counted_in_billions(value: float) -> str:
    """Parameters and tokens count in billions, not in "giga"."""
    return format_quantity(value, "").strip().replace("G", "B")


_PLAIN: dict[str, Callable[[float], str]] = {
    "#": count,
    "sequences": count,
    "tokens": tokens,
    "reach": tokens,
    "1": lambda v: count(v) if v >= 1000 else f"{v:.3g}",
    "1/s": lambda v: f"{v:,.0f}" if v >= 1000 else f"{v:.3g}",
    "+": lambda v: f"{v:+.2f}",
    "R": lambda v: f"{v:,.0f}",
    "%": percent,
    "FLOP": _flops,
    "nats": lambda v: f"{v:.4f}",
    "x": factor,
    "USD/Mtok": usd,
    "tok/s": lambda v: f"{v:,.0f}" if v >= 10 else f"{v:.3g}",
    "params": _counted_in_billions,
}
