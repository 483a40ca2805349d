"""Micro-batches passing through pipeline stages while decoding, with what idles."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading
from ridgeline.charts.theme import series

__all__ = ["timeline_chart"]

Row = dict[str, Any]

_WIDTH, _BAR, _MOST_HEIGHT = 700, 34, 300


def timeline_chart(panels: list[Row], *, title: str, subtitle: str) -> Chart:
    """Draw one Gantt chart per panel, stages below each other.

    Parameters
    ----------
    panels : list   Of ``title`` and ``bars``: rows of ``stage``, ``micro_batch`` and ``token``
                    (numbers), ``from_ms`` and ``to_ms``.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    last = max(bar["to_ms"] for panel in panels for bar in panel["bars"])
    drawn = [_panel(panel, last, i + 1 == len(panels)) for i, panel in enumerate(panels)]
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, "vconcat": drawn, "spacing": 26})


def _panel(panel: Row, last: float, with_title: bool) -> Row:
    bars = panel["bars"]
    stages = sorted({b["stage"] for b in bars})
    paint = series(sorted({b["micro_batch"] for b in bars}))
    x = {
        "field": "from_ms",
        "type": "quantitative",
        "scale": {"domain": [0, last], "nice": False},
        "axis": {
            "title": "time (ms)" if with_title else None,
            "format": "~r",
            "grid": False,
            "tickCount": 10,
        },
    }
    y = {
        "field": "stage",
        "type": "ordinal",
        "sort": stages,
        "scale": {"paddingInner": 0.18, "paddingOuter": 0.1},
        "axis": {"title": "stage", "ticks": False, "domain": False},
    }
    colour = {
        "field": "micro_batch",
        "type": "nominal",
        "scale": {
            "domain": list(paint),
            "range": list(paint.values()),
        },
        "legend": None,
    }
    tooltip = [
        {"field": "micro_batch", "title": "micro-batch"},
        {"field": "token"},
        {"field": "stage"},
        {"field": "from_ms", "title": "from (ms)", "format": ".3r"},
        {"field": "to_ms", "title": "to (ms)", "format": ".3r"},
    ]
    idle = [{"stage": s, "from_ms": 0, "to_ms": last} for s in stages]
    ground = {"type": "bar", "color": "$tint"}
    bar = {"type": "bar", "stroke": "$paper", "strokeWidth": 1}
    width_px = max(b["to_ms"] - b["from_ms"] for b in bars) / last * _WIDTH
    named = [{**b, "middle": (b["from_ms"] + b["to_ms"]) / 2} for b in bars]
    letter = {"type": "text", "fontSize": 12, "baseline": "middle"}
    layers = [
        data_layer(idle, ground, x=x, x2={"field": "to_ms"}, y=y),
        data_layer(bars, bar, x=x, x2={"field": "to_ms"}, y=y, color=colour, tooltip=tooltip),
    ]
    if width_px >= 14 and len(stages) <= 12:
        at = {**x, "field": "middle"}
        for fill in dict.fromkeys(paint.values()):
            own = [b for b in named if paint[b["micro_batch"]] == fill]
            mark = {**letter, "color": f"$on-{fill[1:]}"}
            layers.append(data_layer(own, mark, x=at, y=y, text={"field": "micro_batch"}))
    head = {"text": panel["title"], "fontSize": 14, "fontWeight": "normal", "offset": 6}
    height = min(_BAR * len(stages), _MOST_HEIGHT)
    return {"title": head, "width": _WIDTH, "height": height, "layer": layers}
