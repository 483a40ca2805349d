"""Pieces several pictures share: logarithmic axes, their ticks, words that lines do not cross."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["data_layer", "log_axis", "log_ticks", "rounded_out", "words"]

Layer = dict[str, Any]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade within the limits; decades alone where there are many.

    Examples
    --------
    >>> log_ticks(3, 60)
    [5.0, 10.0, 20.0, 50.0]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if len(decades) <= 5 else (1,)
    values = [float(f"{d}e{e}") for e in decades for d in digits]
    return [v for v in values if low <= v <= high]


def rounded_out(values: list[float], room: float = 1.25) -> tuple[float, float]:
    """Limits of an axis with a little room by ratio around all values."""
    return min(values) / room, max(values) * room


def log_axis(
    field: str, title: str, limits: tuple[float, float], *, form: str = "~r"
) -> dict[str, Any]:
    """A quantitative channel on a logarithmic scale.

    Parameters
    ----------
    field, title : str
    limits : tuple of float   Of the scale.
    form : str                Of the labels.
    """
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(limits), "nice": False},
        "axis": {"title": title, "format": form, "values": log_ticks(*limits)},
    }


def data_layer(values: list[dict[str, Any]], mark: dict[str, Any], **encoding: Any) -> Layer:
    """One mark over rows of its own."""
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def words(values: list[dict[str, Any]], mark: dict[str, Any], **encoding: Any) -> list[Layer]:
    """Text, first as a halo in the colour of the paper, then as letters."""
    return [
        data_layer(values, {"type": "text", **mark, **style}, **encoding)
        for style in ({"style": "halo"}, {})
    ]
