"""Memory of a chip in training: by part against capacity, and over a schedule's time."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, edged, heading, key, words
from ridgeline.charts.theme import SERIES

__all__ = ["TRAINING_MEMORY_PARTS", "memory_time_chart", "training_memory_chart"]

Row = dict[str, Any]

_WIDTH, _LINES, _BAR, _HEIGHT = 640, 600, 34, 260
_GB = 1e9
#: lines that can be told apart where they cross
_MOST_LINES = 4
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))

#: what is stacked, in order: name, the parts of a chip's memory that it is made of, colour
TRAINING_MEMORY_PARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "parameters": (("parameters",), "$weights"),
    "gathered": (("gathered",), "$weights-pale"),
    "gradients": (("gradients",), SERIES[2]),
    "master, optimizer": (("master", "optimizer"), SERIES[3]),
    "activations": (("activations",), "$ink3"),
    "working set": (("working",), SERIES[5]),
    "logits and loss": (("logits",), SERIES[0]),
    "buffers": (("buffers",), "$network"),
    "workspace, context": (("workspace", "context"), "$overhead"),
    "fragmentation": (("fragmentation",), "$tint"),
}
_COLOURS = {name: colour for name, (_, colour) in TRAINING_MEMORY_PARTS.items()}


def training_memory_chart(
    bars: list[Row], capacity_bytes: float, *, title: str, subtitle: str
) -> Chart:
    """Draw one stacked bar per job, or per stage of one.

    Parameters
    ----------
    bars : list               Rows of ``label``, ``note`` (words after the bar) and ``parts``: bytes
                              by the names that `TRAINING_MEMORY_PARTS` is made of.
    capacity_bytes : float    Of a chip: ruled. [bytes]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    stacked = [part for bar in bars for part in _stacked(bar)]
    totals = [sum(bar["parts"].values()) / _GB for bar in bars]
    capacity = capacity_bytes / _GB
    most = max(*totals, capacity)
    right = most * 1.3
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, right], "nice": False},
        "axis": {
            "title": "memory of a chip (GB)",
            "format": ",~r",
            "grid": False,
            "domain": False,
            "values": _ticks(most),
        },
    }
    y = {
        "field": "label",
        "type": "nominal",
        "sort": [bar["label"] for bar in bars],
        "scale": {"paddingInner": 0.3, "paddingOuter": 0.2},
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 240},
    }
    drawn = [part for part in stacked if part["gb"] > 0.5 * right / _WIDTH]
    colour = key("part", _COLOURS, {part["part"] for part in drawn}, offset=26)
    tooltip = [
        {"field": "label"},
        {"field": "part"},
        {"field": "gb", "format": ".3r", "title": "GB"},
    ]
    cap = [{"from": capacity, "text": f"capacity {capacity:,.3g} GB"}]
    ends = [
        {"label": bar["label"], "from": max(end, capacity), "note": bar["note"]}
        for bar, end in zip(bars, totals, strict=True)
    ]
    after = {"type": "text", "align": "left", "baseline": "middle", "dx": 7, "fontSize": 12}
    above = {"align": "right", "baseline": "bottom", "dx": -5, "dy": -4, "fontSize": 12}
    rims = edged(colour, {"fragmentation"})
    layers = [
        data_layer(
            drawn, {"type": "bar", "strokeWidth": 1}, x=x, x2={"field": "to"}, y=y, color=colour,
            stroke=rims, tooltip=tooltip,
        ),
        data_layer(cap, {"type": "rule", "strokeWidth": 2, "strokeDash": [6, 3]}, x=x),
        data_layer(ends, after, x=x, y=y, text={"field": "note"}),
        *words(cap, above, x=x, y={"value": 0}, text={"field": "text"}),
    ]  # fmt: skip
    size = {"width": _WIDTH, "height": {"step": _BAR}}
    return Chart({"title": heading(title, subtitle, _WIDTH), **size, "layer": layers})


def _stacked(bar: Row) -> list[Row]:
    found, at = [], 0.0
    for name, (parts, _) in TRAINING_MEMORY_PARTS.items():
        gb = sum(bar["parts"].get(part, 0.0) for part in parts) / _GB
        found.append({"label": bar["label"], "part": name, "from": at, "to": at + gb, "gb": gb})
        at += gb
    return found


def _ticks(most: float) -> list[float]:
    """Round steps from nothing to the most there is: an axis ends where memory does."""
    step = 10 ** math.floor(math.log10(most))
    step = next(step / d for d in (1, 2, 5, 10) if most / (step / d) >= 5)
    return [round(i * step, 6) for i in range(int(most / step) + 1)]


def memory_time_chart(
    stages: list[list[tuple[float, float]]], capacity_bytes: float, *, title: str, subtitle: str
) -> Chart:
    """Draw what chips of each pipeline stage hold over the time of a step.

    Parameters
    ----------
    stages : list             For each stage, times and what is held from then on. [s], [bytes]
    capacity_bytes : float    Of a chip: ruled. [bytes]
    title, subtitle : str

    Returns
    -------
    Chart   Of more than four stages, the first, the last and two between them.
    """
    n = len(stages)
    shown = sorted({round(i * (n - 1) / (_MOST_LINES - 1)) for i in range(_MOST_LINES)})
    last = max(t for stage in stages for t, _ in stage)
    unit, scale = next((u for u in _UNITS if last >= u[1]), _UNITS[-1])
    capacity = capacity_bytes / _GB
    rows = [
        {"stage": f"stage {s + 1}", "time": t / scale, "gb": held / _GB}
        for s in shown
        for t, held in _closed(stages[s], last)
    ]
    most = max(capacity, *(row["gb"] for row in rows))
    x = {
        "field": "time",
        "type": "quantitative",
        "scale": {"domain": [0, last / scale], "nice": False},
        "axis": {"title": f"time ({unit})", "format": "~r", "grid": False, "tickCount": 10},
    }
    y = {
        "field": "gb",
        "type": "quantitative",
        "scale": {"domain": [0, most * 1.08], "nice": False},
        "axis": {
            "title": "memory of a chip (GB)",
            "format": ",~r",
            "values": _ticks(most * 1.08),
        },
    }
    lines = {f"stage {s + 1}": SERIES[i] for i, s in enumerate(shown)}
    colour = key("stage", lines, lines, symbolType="stroke")
    cap = [{"time": last / scale, "gb": capacity, "text": f"capacity {capacity:,.3g} GB"}]
    beside = {"align": "left", "baseline": "middle", "dx": 7, "fontSize": 12}
    tooltip = [
        {"field": "stage"},
        {"field": "time", "title": f"from ({unit})", "format": ".4~r"},
        {"field": "gb", "title": "GB", "format": ".3r"},
    ]
    step = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "strokeJoin": "round"}
    layers = [
        data_layer(rows, step, x=x, y=y, color=colour, tooltip=tooltip),
        data_layer(cap, {"type": "rule", "strokeWidth": 2, "strokeDash": [6, 3]}, y=y),
        *words(cap, beside, x=x, y=y, text={"field": "text"}),
    ]
    head = heading(title, subtitle, _LINES)
    return Chart({"title": head, "width": _LINES, "height": _HEIGHT, "layer": layers})


def _closed(stage: list[tuple[float, float]], last: float) -> list[tuple[float, float]]:
    """The steps of a stage, to the end of the axis."""
    return stage if stage[-1][0] >= last else [*stage, (last, stage[-1][1])]
