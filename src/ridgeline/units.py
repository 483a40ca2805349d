"""Text to SI numbers and back: the only place that knows prefixes.

Inside the library every number is SI without a prefix (bytes, bytes/s, FLOP/s, W, s, USD/h). At the
borders people write ``"141 GB"``, ``"4.8 TB/s"`` or ``"989 TFLOP/s"``; GB is 1e9 and GiB is 2**30.
"""

from __future__ import annotations

import math
import re
from typing import Final

from ridgeline.errors import UnitError

__all__ = [
    "BOUNDS", "DAY_S", "DIMENSIONS", "HOUR_S", "format_quantity", "parse_count", "parse_quantity",
    "short_quantity", "split_values", "unit_of", "with_bare_unit",
]  # fmt: skip

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S

_SI: Final = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY: Final = {f"{p}i": 2.0 ** (10 * i) for i, p in enumerate("KMGTPE", start=1)}
_TIME: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0}
_LONG_TIME: Final = {"min": 60.0, "h": HOUR_S, "hr": HOUR_S, "hour": HOUR_S, "d": DAY_S}
_MONEY: Final = {"$": 1.0, "USD": 1.0, "usd": 1.0, "US$": 1.0}


def _scaled(base: dict[str, float], prefixes: dict[str, float]) -> dict[str, float]:
    return {p + unit: f * g for p, f in prefixes.items() for unit, g in base.items()}


def _unit_table() -> dict[str, dict[str, float]]:
    """Spell out every accepted unit, by dimension, with its factor to SI."""
    sizes = _scaled({"B": 1.0, "bit": 0.125, "b": 0.125}, {**_SI, **_BINARY})
    sizes |= {"byte": 1.0, "bytes": 1.0}
    rates = {f"{unit}/s": f for unit, f in sizes.items()}
    rates |= {f"{unit}ps": f for unit, f in sizes.items() if unit[-1] in "Bb"}
    ops = _scaled(dict.fromkeys(("FLOP/s", "FLOPS", "FLOPs/s", "OP/s", "OPS", "OPs/s"), 1.0), _SI)
    per_hour = {f"{m}/{h}": 1.0 for m in _MONEY for h in ("h", "hr", "hour", "GPU-h", "chip-hour")}
    return {
        "B": sizes,
        "B/s": rates,
        "FLOP/s": ops,
        "W": _scaled({"W": 1.0}, _SI),
        "s": _TIME | _LONG_TIME,
        "USD/h": per_hour,
        "USD": dict(_MONEY),
    }


_UNITS: Final = _unit_table()

#: dimension (named by its SI unit) -> what it is called and an example, for messages and schemas
DIMENSIONS: Final = {
    "B": ("a size", "141 GB"),
    "B/s": ("a rate", "4.8 TB/s"),
    "FLOP/s": ("a compute rate", "989 TFLOP/s"),
    "W": ("a power", "700 W"),
    "s": ("a time", "20 ms"),
    "USD/h": ("a price per hour", "$2.35/h"),
    "USD": ("a price", "$30000"),
}

#: dimension -> the least and the most that machines, models and prices have, with some decades of
#: room: what is beyond is a typing error
BOUNDS: Final = {
    "B": (1.0, 1e18),
    "B/s": (1e3, 1e18),
    "FLOP/s": (1e6, 1e21),
    "W": (1e-3, 1e9),
    "s": (1e-10, 1e6),
    "USD/h": (1e-3, 1e5),
    "USD": (1e-2, 1e12),
}

#: within a number commas separate thousands and nothing else: 1,234,567
_THOUSANDS = r"[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d*)?"
_NUMBER = rf"[+-]?(?:{_THOUSANDS}|\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY: Final = re.compile(rf"(\$?)\s*({_NUMBER})\s*([^\s,][^,]*)?")
_COUNT: Final = re.compile(rf"({_NUMBER})\s*([kKMBGT]|[KMG]i)?")
_ALL_THOUSANDS: Final = re.compile(rf"[+-]?{_THOUSANDS}\s*[^\d,]*")
_BARE: Final = re.compile(_NUMBER)
_MOST_CHARACTERS = 100


def _matched(pattern: re.Pattern[str], text: str, expected: str) -> tuple[str, ...]:
    """Groups of a pattern that matches all of a text but the blanks around it."""
    text = text.strip()
    if len(text) > _MOST_CHARACTERS:
        raise UnitError(f"{text[:20]!r}… ({len(text):,} characters) is not {expected}.")
    match = pattern.fullmatch(text)
    if match is None and "," in text:
        raise UnitError(
            f"{text!r} is not {expected}: commas separate thousands (1,234,567), a point decimals."
        )
    if match is None:
        raise UnitError(f"{text!r} is not {expected}.")
    return match.groups(default="")


def split_values(text: str) -> list[str]:
    """Split a list of values at its commas.

    Parameters
    ----------
    text : str   ``1,64,2400``; with blanks after the commas (``8,192, 16,384``) commas within a
                 number separate thousands.

    Returns
    -------
    list of str

    Raises
    ------
    UnitError   One number with thousands, or several: nobody can tell.

    Examples
    --------
    >>> split_values("1,64,2400"), split_values("8,192, 16,384")
    (['1', '64', '2400'], ['8,192', '16,384'])
    """
    text = text.strip()
    if _ALL_THOUSANDS.fullmatch(text):
        several = text.replace(",", ", ")
        raise UnitError(
            f"{text!r} can be one number or a list: write {text.replace(',', '')} for the number, "
            f"'{several}' with blanks for the list."
        )
    spaced = re.split(r",\s+", text)
    if len(spaced) == 1:
        return text.split(",")
    return [v for part in spaced for v in ([part] if _is_one(part) else part.split(","))]


def _is_one(text: str) -> bool:
    return "," not in text or _ALL_THOUSANDS.fullmatch(text.strip()) is not None


def with_bare_unit(text: str, unit: str) -> str:
    """Text of a quantity; a bare number is given a unit.

    Examples
    --------
    >>> with_bare_unit("20", "ms"), with_bare_unit("2 s", "ms")
    ('20 ms', '2 s')
    """
    return f"{text.strip()} {unit}" if _BARE.fullmatch(text.strip()) else text


def _float(number: str) -> float:
    return float(number.replace(",", "").replace("_", ""))


def unit_of(text: str) -> tuple[float, str | None]:
    """Split ``"4.8 TB/s"`` into its SI value and dimension.

    Parameters
    ----------
    text : str   A number with or without a unit.

    Returns
    -------
    (float, str or None)   Value in SI, and the SI unit of its dimension (None: a bare number).

    Raises
    ------
    UnitError   No number, or a unit nobody knows.

    Examples
    --------
    >>> unit_of("80 GiB")
    (85899345920.0, 'B')
    >>> unit_of("400 Gbit/s")
    (50000000000.0, 'B/s')
    """
    expected = "a number with a unit, such as '141 GB' or '4.8 TB/s'"
    dollar, number, unit = _matched(_QUANTITY, text, expected)
    value = _float(number)
    unit = dollar + unit.replace(" ", "")
    if not unit:
        return value, None
    for dimension, table in _UNITS.items():
        if unit in table:
            return value * table[unit], dimension
    raise UnitError(
        f"{text!r} has the unknown unit {unit!r}. Units are case-sensitive: "
        "GB (1e9), GiB (2^30), TB/s, Gbit/s, TFLOP/s, TOP/s, W, ms, $/h."
    )


def parse_quantity(value: object, dimension: str) -> float:
    """Read a quantity of the given dimension as an SI float.

    Parameters
    ----------
    value : str or number   ``"4.8 TB/s"``; a bare number is taken to be SI already.
    dimension : str         SI unit: one of `DIMENSIONS`.

    Returns
    -------
    float   In that SI unit.

    Raises
    ------
    UnitError   Not a number, not finite, unknown unit, or a unit of another dimension.

    Examples
    --------
    >>> parse_quantity("4.8 TB/s", "B/s")
    4800000000000.0
    >>> parse_quantity("4.8 TB", "B/s")
    Traceback (most recent call last):
    ridgeline.errors.UnitError: '4.8 TB' is a size; a rate is expected here, such as '4.8 TB/s'.
    """
    what, example = DIMENSIONS[dimension]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise UnitError(f"{value!r} is not {what}, such as {example!r}.")
    if isinstance(value, str):
        number, found = unit_of(value)
        if found not in (None, dimension):
            is_what = DIMENSIONS[found][0]
            raise UnitError(
                f"{value!r} is {is_what}; {what} is expected here, such as {example!r}."
            )
    else:
        number = _as_float(value)
    if not math.isfinite(number):
        raise UnitError(
            f"{_short(value)} is not a finite number; {what} is expected, such as {example!r}."
        )
    return number


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf


def _short(value: float | str) -> str:
    """A value in a message; Python refuses to write integers of thousands of digits."""
    return f"{value!r}" if not isinstance(value, int) or abs(value) < 10**30 else "this integer"


_COUNTS: Final = {
    "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30,
}  # fmt: skip


def parse_count(text: str | float) -> float:
    """Read ``"671B"`` (10^9), ``"8k"`` (8000) or ``"8Ki"`` (8192) as a plain number of things.

    Raises
    ------
    UnitError   Not a number of things.

    Examples
    --------
    >>> parse_count("671B"), parse_count("8Ki")
    (671000000000.0, 8192.0)
    """
    if isinstance(text, (int, float)):
        found = _as_float(text)
    else:
        number, prefix = _matched(_COUNT, text, "a count, such as '8192', '8k' or '671B'")
        found = _float(number) * _COUNTS[prefix]
    if not math.isfinite(found):
        raise UnitError(f"{_short(text)} is not a finite number; a count is expected.")
    return found


def _engineering(value: float, unit: str) -> str:
    prefixes = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
    for factor, prefix in prefixes:
        # 999.5 k would print as "1000 k": hand it to the next prefix up.
        if abs(value) >= 0.9995 * factor:
            return f"{_three(value / factor)} {prefix}{unit}"
    return f"{_three(value)} {unit}"


def _three(value: float) -> str:
    """Three significant digits without an exponent in the range people read."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value) * 1.0005)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits > 3 else text


def format_quantity(value: float, dimension: str) -> str:
    """Write an SI number for people, three digits and a fitting prefix.

    Parameters
    ----------
    value : float      In SI.
    dimension : str    SI unit; any text is allowed as a unit.

    Returns
    -------
    str

    Examples
    --------
    >>> format_quantity(4.8e12, "B/s"), format_quantity(0.00231, "s"), format_quantity(1.5, "USD/h")
    ('4.80 TB/s', '2.31 ms', '$1.50/h')
    """
    if dimension == "s":
        return _format_time(value)
    if dimension == "USD/h":
        return f"${value:,.2f}/h"
    if dimension == "USD":
        return f"${value:,.0f}"
    return _engineering(value, dimension)


def short_quantity(value: float, dimension: str) -> str:
    """As `format_quantity`, without zeros that say nothing: ``50 ms``, ``2 s``, ``1.5 s``.

    Examples
    --------
    >>> short_quantity(0.05, "s"), short_quantity(1.5, "s")
    ('50 ms', '1.5 s')
    """
    number, _, unit = format_quantity(value, dimension).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}".rstrip()


def _format_time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return f"{seconds:g} s"
    for factor, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * factor:
            return f"{_three(seconds / factor)} {unit}"
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= 0.9995 * factor:
            return f"{_three(seconds / factor)} {unit}"
    return f"{_three(seconds / 1e-9)} ns"
