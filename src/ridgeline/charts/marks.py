"""Pieces several pictures share: axes and ticks, headings, keys, words that lines do not cross."""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "data_layer",
    "edged",
    "hatch",
    "heading",
    "key",
    "log2_axis",
    "log_axis",
    "log_ticks",
    "plain_axis",
    "rounded_out",
    "text_width",
    "words",
    "wrapped",
]

Layer = dict[str, Any]

#: what an axis with its title takes at the left of a panel, at least [px]
_LEFT = 44.0
#: a key is no wider than this [px]
_KEY = 640.0
#: widths of letters of DejaVu Sans, a wide face, in its size: what is laid out with them has room
_NARROW, _MIDDLE, _CAPITAL, _BROAD = 0.36, 0.61, 0.67, 0.9
_THIN, _WIDE = set("iljtfrI.,:;'|!()[]/ -"), set("mwMWGOQ%@—&")


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade within the limits; of many decades every one, or every third.

    Examples
    --------
    >>> log_ticks(3, 60)
    [5.0, 10.0, 20.0, 50.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1, 3 if last - first > 12 else 1)
    digits = (1, 2, 5) if len(decades) <= 5 else (1,)
    values = [float(f"{d}e{e}") for e in decades for d in digits]
    found = [v for v in values if low <= v <= high]
    if len(found) < 3:
        finer = [float(f"{d}e{e}") for e in decades for d in (1, 1.5, 2, 3, 4, 5, 6, 8)]
        found = [v for v in finer if low <= v <= high]
    return found


def rounded_out(values: list[float], room: float = 1.25) -> tuple[float, float]:
    """Limits of an axis with a little room by ratio around all values."""
    return min(values) / room, max(values) * room


def log_axis(
    field: str, title: str | None, limits: tuple[float, float], *, form: str = ",~r"
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


def log2_axis(
    field: str, title: str | None, limits: tuple[float, float], *, most: int = 11
) -> dict[str, Any]:
    """A logarithmic channel with ticks at powers of two, every second or third of many."""
    low, high = limits
    powers = [2.0**i for i in range(-10, 50) if low <= 2.0**i <= high]
    step = -(-len(powers) // most)
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [low, high], "nice": False},
        "axis": {"title": title, "format": ",~r", "values": powers[::step]},
    }


def plain_axis(
    field: str, title: str | None, limits: tuple[float, float], *, form: str = ",~r", ticks: int = 6
) -> dict[str, Any]:
    """A quantitative channel on a linear scale."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"domain": list(limits), "nice": False},
        "axis": {"title": title, "format": form, "tickCount": ticks},
    }


def text_width(text: str, size: float = 13.0) -> float:
    """How wide a line of text is drawn, a little above the truth. [px]"""
    return size * sum(_letter(c) for c in text)


def _letter(c: str) -> float:
    if c in _THIN:
        return _NARROW
    if c in _WIDE:
        return _BROAD
    return _CAPITAL if c.isupper() or c.isdigit() else _MIDDLE


def wrapped(text: str, width: float, size: float = 14.0) -> list[str]:
    """A text in lines no wider than some pixels, broken between words.

    Examples
    --------
    >>> wrapped("one two three", 60, 14)
    ['one two', 'three']
    """
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def heading(title: str, subtitle: str | list[str], width: float) -> dict[str, Any]:
    """Title and subtitle of a picture, in lines that are no wider than its panel.

    Parameters
    ----------
    title : str
    subtitle : str or list of str   Empty for none.
    width : float                   Of the panel; the axis on its left gives some more. [px]
    """
    width += _LEFT
    said = [subtitle] if isinstance(subtitle, str) else subtitle
    below = [line for part in said if part for line in wrapped(part, width, 14)]
    found: dict[str, Any] = {"text": wrapped(title, width, 19)}
    return found | ({"subtitle": below} if below else {})


def key(
    field: str, colours: dict[str, str], present: Any, title: str | None = None, **legend: Any
) -> dict[str, Any]:
    """A channel of colours with a legend that shows what is drawn, and only that.

    Parameters
    ----------
    field : str
    colours : mapping   All names and their colours, in order.
    present : iterable  The names that are drawn.
    title : str or None
    legend              More of the legend; ``symbolType="stroke"`` for lines.
    """
    drawn = set(present)
    used = {k: v for k, v in colours.items() if k in drawn}
    symbol = {"symbolType": "square", "symbolSize": 160, "symbolStrokeWidth": 0}
    if legend.get("symbolType") == "stroke":
        symbol = {"symbolSize": 160}
    room = sum(text_width(name, 13) + 45 for name in used)
    if room > _KEY:  # in lines that are no wider than a panel
        symbol["columns"] = max(1, int(len(used) * _KEY / room))
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(used), "range": list(used.values())},
        "legend": {"title": title, "symbolOpacity": 1, **symbol, **legend},
    }


def edged(colour: dict[str, Any], pale: Any) -> dict[str, Any]:
    """The rims that go with a channel of `key`: of its own fill, or an edge where that is pale.

    Both channels get one key, whose symbols have the rims, too.
    """
    scale = colour["scale"]
    rims = [
        "$edge" if n in pale else c for n, c in zip(scale["domain"], scale["range"], strict=True)
    ]
    colour["legend"] |= {"symbolStrokeWidth": 1.5}
    return {**colour, "scale": {**scale, "range": rims}}


def data_layer(values: list[dict[str, Any]], mark: dict[str, Any], **encoding: Any) -> Layer:
    """One mark over rows of its own."""
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def words(
    values: list[dict[str, Any]], mark: dict[str, Any], *, ink: str = "$ink", **encoding: Any
) -> list[Layer]:
    """Text, first as a halo in the colour of the paper, then as letters."""
    return [
        data_layer(values, {"type": "text", **mark, **style}, **encoding)
        for style in ({"style": "halo"}, {"color": ink})
    ]


def hatch(left: float, right: float, height: float, *, every: float = 7.0) -> Layer:
    """Thin slanting lines over what cannot be, from one x to another. [px]"""
    lines = []
    start = left - height
    while start < right:
        low, high = max(start, left), min(start + height, right)
        if high > low:
            lines.append({"px": low, "py": height - (low - start),
                          "qx": high, "qy": height - (high - start)})  # fmt: skip
        start += every
    rule = {"type": "rule", "color": "$hatch", "strokeWidth": 1}
    plain = {"type": "quantitative", "scale": None, "axis": None}
    return data_layer(lines, rule, x={"field": "px", **plain}, y={"field": "py", **plain},
                      x2={"field": "qx"}, y2={"field": "qy"})  # fmt: skip
