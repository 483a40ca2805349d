"""A step of reinforcement learning: what the chips of each side do, from left to right."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, edged, heading, key, text_width

__all__ = ["PART_COLOURS", "rl_step_chart"]

Row = dict[str, Any]

#: what chips do, and its colour
PART_COLOURS = {
    "prompts": "$KV",
    "decoding": "$weights",
    "wait for the longest": "$weights-pale",
    "log-probabilities": "$compute-pale",
    "updates": "$compute",
    "new weights": "$network",
    "state to host and back": "$network-pale",
    "idle": "$tint",
}
_PALE = {"wait for the longest", "log-probabilities", "state to host and back", "idle"}
_WIDTH, _BAR = 640, 64
#: units of the axis, from the largest
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_SIZE, _ROOM = 12, 8


def rl_step_chart(bars: list[Row], total_s: float, *, title: str, subtitle: str) -> Chart:
    """Draw one bar per side.

    Parameters
    ----------
    bars : list        Rows of ``lane`` (whose chips), ``part`` (of `PART_COLOURS`), ``from_s``,
                       ``to_s`` and ``words``, which stand on the bar where there is room.
    total_s : float    Of the step. [s]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    unit, scale = next((u for u in _UNITS if total_s >= u[1]), _UNITS[-1])
    rows = [
        {**bar, "from": bar["from_s"] / scale, "to": bar["to_s"] / scale,
         "middle": (bar["from_s"] + bar["to_s"]) / 2 / scale}
        for bar in bars
    ]  # fmt: skip
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, total_s / scale], "nice": False},
        "axis": {"title": f"time ({unit})", "format": "~r", "grid": False, "tickCount": 8},
    }
    lanes = list(dict.fromkeys(row["lane"] for row in rows))
    y = {
        "field": "lane",
        "type": "nominal",
        "sort": lanes,
        "scale": {"paddingInner": 0.25, "paddingOuter": 0.15},
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 200},
    }
    colour = key("part", PART_COLOURS, {row["part"] for row in rows})
    tip = [{"field": "part"}, {"field": "words", "title": "time"}]
    layers = [
        data_layer(rows, {"type": "bar", "strokeWidth": 1}, x=x, x2={"field": "to"}, y=y,
                   color=colour, stroke=edged(colour, _PALE), tooltip=tip),
    ]  # fmt: skip
    mark = {"align": "center", "baseline": "middle", "fontSize": _SIZE}
    for part, fill in PART_COLOURS.items():
        said = [{**r, "text": t} for r in rows if r["part"] == part and (t := _said(r, rows))]
        if said:
            ink = "$ink" if part in _PALE else f"$on-{fill[1:]}"
            text = {"field": "text"}
            layers.append(
                data_layer(said, {"type": "text", "color": ink, **mark},
                           x={**x, "field": "middle"}, y=y, text=text)
            )  # fmt: skip
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, "width": _WIDTH, "height": {"step": _BAR}, "layer": layers})


def _said(row: Row, rows: list[Row]) -> str:
    """What stands on a bar: its time, where there is room for it."""
    room = (row["to"] - row["from"]) / max(r["to"] for r in rows) * _WIDTH - _ROOM
    time = row["words"].rpartition(", ")[2]
    return next((t for t in (row["words"], time) if text_width(t, _SIZE) <= room), "")
