"""Any value as strict JSON holds it: dicts, lists, text, finite numbers, true, false and null."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Turn a value into plain Python that JSON can hold.

    Parameters
    ----------
    value : object   Records, arrays and numpy scalars are taken apart; keys become text; what JSON
                     has no form for becomes its text.

    Returns
    -------
    object   The same in dicts, lists, str, int, float, bool and None. NaN and infinity are None.

    Examples
    --------
    >>> plain({"a": (1, float("nan")), 2: {"b": True}})
    {'a': [1, None], '2': {'b': True}}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | str):
        return _scalar(value)
    if isinstance(value, Mapping):
        return {_key(k): plain(v) for k, v in value.items()}
    if isinstance(value, Set):
        return sorted((plain(v) for v in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return _record(value)


def _scalar(value: float | str) -> int | float | str | None:
    """Drop what subclasses add: a numpy float is a float, a str enumeration member its text."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _key(key: Any) -> str:
    return str.__str__(key) if isinstance(key, str) else str(key)


def _record(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy arrays and scalars, without importing numpy
        return plain(value.tolist())
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(exclude_none=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return str(value)
