"""Values in messages: short, and without the brackets of Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from types import NoneType

__all__ = ["is_number", "plain_number", "shown"]

_MOST_SHOWN = 40


def is_number(value: object) -> bool:
    """Whether a value is one real number, of Python or of an array library; never a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def plain_number(value: float) -> str:
    """Shortest text that reads back as the same number: ``2048``, ``0.05``, ``1e9``.

    Examples
    --------
    >>> plain_number(2048.0), plain_number(0.1), plain_number(1e12), plain_number(123456789.5)
    ('2048', '0.1', '1e12', '123456789.5')
    """
    short = f"{value:.6g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    if float(short) == value:
        return short
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def shown(value: object) -> str:
    """A value that was refused, in a few characters and without brackets.

    Examples
    --------
    >>> shown("8q"), shown(-5), shown([1, 2]), shown([]), shown({})
    ("'8q'", '-5', 'a list', 'an empty list', 'a table')
    """
    if isinstance(value, bool | NoneType):
        return str(value)
    if isinstance(value, str):
        return repr(value) if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]!r}…"
    if isinstance(value, Real):
        try:
            return plain_number(float(value))
        except OverflowError:
            return "a number beyond all range"
    if isinstance(value, Mapping):
        what = "a table"
    elif isinstance(value, list | tuple) and not value:
        what = "an empty list"
    elif isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        what = "a list"
    else:
        what = f"a value of type {type(value).__name__}"
    return what
