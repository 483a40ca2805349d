"""What a chip's memory is taken by, layout by layout, against its capacity."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, edged, heading, key, words

__all__ = ["MEMORY_PARTS", "memory_chart"]

Row = dict[str, Any]

_WIDTH, _BAR = 640, 30
_GB = 1e9

#: what is stacked, in order, with its colour
MEMORY_PARTS = {
    "weights": "$weights",
    "caches": "$KV",
    "activations": "$ink3",
    "buffers": "$network",
    "reserve": "$tint",
}


def memory_chart(layouts: list[Row], capacity_bytes: float, *, title: str, subtitle: str) -> Chart:
    """Draw one stacked bar per layout.

    Parameters
    ----------
    layouts : list            Rows of ``label``, ``note`` (words after the bar) and the bytes of
                              `MEMORY_PARTS`.
    capacity_bytes : float    Of a chip: ruled. [bytes]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    rows = [_bars(layout) for layout in layouts]
    total = [sum(layout[p] for p in MEMORY_PARTS) / _GB for layout in layouts]
    right = max([*total, capacity_bytes / _GB]) * 1.34
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, right], "nice": False},
        "axis": {
            "title": "memory of the fullest chip (GB)",
            "format": ",.0f",
            "grid": False,
            "domain": False,
            "values": _ticks(max([*total, capacity_bytes / _GB])),
        },
    }
    names = [layout["label"] for layout in layouts]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": names,
        "scale": {"paddingInner": 0.35, "paddingOuter": 0.2},
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 240},
    }
    bars = [bar for own in rows for bar in own if bar["gb"] > 0.5 * right / _WIDTH]
    colour = key("part", MEMORY_PARTS, {b["part"] for b in bars}, offset=30)
    tooltip = [
        {"field": "label"},
        {"field": "part"},
        {"field": "gb", "title": "GB", "format": ".3r"},
    ]
    capacity = capacity_bytes / _GB
    ends = [
        {
            "label": layout["label"],
            "from": max(end, capacity),
            "note": layout["note"],
        }
        for layout, end in zip(layouts, total, strict=True)
    ]
    cap = [{"from": capacity, "text": f"capacity {capacity:,.0f} GB"}]
    after = {"align": "left", "baseline": "middle", "dx": 7, "fontSize": 12}
    above = {"align": "right", "baseline": "bottom", "dx": -5, "dy": -4, "fontSize": 12}
    layers = [
        data_layer(
            bars,
            {"type": "bar", "strokeWidth": 1},
            x=x,
            x2={"field": "to"},
            y=y,
            color=colour,
            stroke=edged(colour, {"reserve"}),
            tooltip=tooltip,
        ),
        data_layer(cap, {"type": "rule", "strokeWidth": 2, "strokeDash": [6, 3]}, x=x),
        data_layer(ends, {"type": "text", **after}, x=x, y=y, text={"field": "note"}),
        *words(cap, above, x=x, y={"value": 0}, text={"field": "text"}),
    ]
    size = {"width": _WIDTH, "height": {"step": _BAR}}
    return Chart({"title": heading(title, subtitle, _WIDTH), **size, "layer": layers})


def _ticks(most: float) -> list[float]:
    """Round steps from nothing to the most there is: an axis ends where memory does."""
    step = 10 ** math.floor(math.log10(most))
    step = next(step / d for d in (1, 2, 5, 10) if most / (step / d) >= 5)
    return [i * step for i in range(int(most / step) + 1)]


def _bars(layout: Row) -> list[Row]:
    found, at = [], 0.0
    for part in MEMORY_PARTS:
        gb = layout[part] / _GB
        found.append({"label": layout["label"], "part": part, "from": at, "to": at + gb, "gb": gb})
        at += gb
    return found
