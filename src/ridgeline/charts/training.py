"""Where the time of an optimizer step goes: its parts, each from where the one before ends."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, edged, heading, key, words

__all__ = ["TIME_KINDS", "training_chart"]

Row = dict[str, Any]

#: what a part of the time is, and its colour
TIME_KINDS = {
    "arithmetic": "$compute",
    "attention": "$attention",
    "computed again": "$compute-pale",
    "memory passes": "$weights",
    "exposed communication": "$network",
    "bubble": "$tint",
    "overhead": "$overhead",
}
_PALE = {"computed again", "bubble"}
_WIDTH, _BAR = 570, 30
#: units of the axis, from the largest
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
#: room right of the longest bar for its words, as a factor
_ROOM = 1.3
#: a bar is no thinner than this share of the axis, so that it is seen
_THIN = 0.002


def training_chart(
    parts: list[Row],
    total_s: float,
    interval_s: tuple[float, float] | None,
    *,
    title: str,
    subtitle: str,
) -> Chart:
    """Draw the waterfall of a step.

    Parameters
    ----------
    parts : list               Rows of ``part`` (words), ``kind`` (of `TIME_KINDS`), ``seconds`` and
                               ``words`` (after the bar), in the order of the picture.
    total_s : float            Of the step, parts too small to be drawn among it. [s]
    interval_s : tuple or None The 80% interval of the step, drawn on its bar. [s]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    unit, scale = next((u for u in _UNITS if total_s >= u[1]), _UNITS[-1])
    bars, at = [], 0.0
    for row in parts:
        end = at + row["seconds"] / scale
        bars.append({**row, "from": at, "to": end, "time": row["seconds"] / scale})
        at = end
    at = total_s / scale
    most = max(at, interval_s[1] / scale if interval_s else 0.0)
    right = most * _ROOM
    for bar in bars:
        bar["to"] = max(bar["to"], bar["from"] + right * _THIN)
    names = [*(bar["part"] for bar in bars), _STEP]
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, right], "nice": False},
        "axis": {"title": f"time ({unit})", "format": "~r", "grid": False, "tickCount": 7},
    }
    y = {
        "field": "part",
        "type": "nominal",
        "sort": names,
        "scale": {"paddingInner": 0.3, "paddingOuter": 0.2},
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 260},
    }
    colour = key("kind", TIME_KINDS, {bar["kind"] for bar in bars}, columns=4, offset=24)
    tip = [
        {"field": "part"},
        {"field": "kind"},
        {"field": "time", "title": unit, "format": ".3r"},
    ]
    whole = [{"part": _STEP, "from": 0.0, "to": at, "words": _whole_words(at, unit, interval_s)}]
    layers = [
        data_layer(
            bars, {"type": "bar", "strokeWidth": 1}, x=x, x2={"field": "to"}, y=y, color=colour,
            stroke=edged(colour, _PALE), tooltip=tip,
        ),
        data_layer(whole, {"type": "bar", "color": "$ink3", "height": {"band": 0.5}},
                   x=x, x2={"field": "to"}, y=y),
    ]  # fmt: skip
    after = {"align": "left", "baseline": "middle", "dx": 6, "fontSize": 12}
    ends = [{"part": b["part"], "from": b["to"], "words": b["words"]} for b in bars]
    ends += [{"part": _STEP, "from": most, "words": whole[0]["words"]}]
    layers += words(ends, after, x=x, y=y, text={"field": "words"})
    if interval_s is not None:
        span = [{"part": _STEP, "from": interval_s[0] / scale, "to": interval_s[1] / scale}]
        rule = {"type": "rule", "color": "$ink", "strokeWidth": 2}
        tick = {"type": "tick", "color": "$ink", "thickness": 2, "size": 11}
        layers += [
            data_layer(span, rule, x=x, x2={"field": "to"}, y=y),
            data_layer(span, tick, x=x, y=y),
            data_layer(span, tick, x={**x, "field": "to"}, y=y),
        ]
    size = {"width": _WIDTH, "height": {"step": _BAR}}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": layers})


_STEP = "step"


def _whole_words(total: float, unit: str, interval_s: tuple[float, float] | None) -> str:
    return f"{total:.3g} {unit}" + (", 80% interval" if interval_s else "")
