"""Pipeline schedules of training: what each stage does when, and when it idles."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key, text_width
from ridgeline.charts.theme import SERIES

__all__ = ["KIND_COLOURS", "schedule_chart"]

Row = dict[str, Any]

#: what a stage does, and its colour
KIND_COLOURS = {
    "forward": SERIES[0],
    "backward": SERIES[1],
    "input gradient": SERIES[5],
    "weight gradient": SERIES[2],
    "exchange": "$network",
    "idle": "$tint",
}
_WIDTH, _BAR, _MOST_HEIGHT, _SIZE = 700, 34, 320, 11
#: lines at the foot of a bar [px], and the most that there is room for
_LINE, _MOST_LINES = 2, 3
#: bars narrower than this have no edges, and then no lines [px]
_THIN, _SHORT = 4.0, 6.0
#: units of the axis, from the largest
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def schedule_chart(panels: list[Row], *, title: str, subtitle: str, chunk: str = "chunk") -> Chart:
    """Draw one Gantt chart per panel, stages below each other, on one axis of time.

    Parameters
    ----------
    panels : list   Of ``title``, ``n_stages`` and ``bars``: rows of ``stage``, ``micro_batch`` and
                    ``chunk`` (from 0), ``kind`` (of `KIND_COLOURS`), ``from_s`` and ``to_s``. Bars
                    of the second chunk have a line at their foot, of the third two, and so on.
    title, subtitle : str
    chunk : str     What a chunk is called: "direction" in DualPipe.

    Returns
    -------
    Chart
    """
    last = max(bar["to_s"] for panel in panels for bar in panel["bars"])
    unit, scale = next((u for u in _UNITS if last >= u[1]), _UNITS[-1])
    present = {bar["kind"] for panel in panels for bar in panel["bars"]} | {"idle"}
    colour = key("kind", KIND_COLOURS, present)
    drawn = [
        _panel(panel, last / scale, scale, unit if i + 1 == len(panels) else None, colour)
        for i, panel in enumerate(panels)
    ]
    said = [subtitle]
    if any("yOffset" in layer["mark"] for panel in drawn for layer in panel["layer"]):
        many = max(bar["chunk"] for panel in panels for bar in panel["bars"]) > 1
        more = ", two: the third" if many else ""
        said.append(f"a line at the foot of a bar: the second {chunk}{more}")
    head = heading(title, said, _WIDTH)
    return Chart({"title": head, "vconcat": drawn, "spacing": 26})


def _panel(panel: Row, last: float, scale: float, unit: str | None, colour: Row) -> Row:
    n_stages = panel["n_stages"]
    height = min(_BAR * n_stages, _MOST_HEIGHT)
    bars = [
        {
            "stage": bar["stage"] + 1,
            "micro-batch": bar["micro_batch"] + 1,
            "chunk": bar["chunk"] + 1,
            "kind": bar["kind"],
            "from": bar["from_s"] / scale,
            "to": bar["to_s"] / scale,
        }
        for bar in panel["bars"]
    ]
    stages = list(range(1, n_stages + 1))
    axis = {"title": f"time ({unit})" if unit else None, "format": "~r", "tickCount": 10}
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, last], "nice": False},
        "axis": {**axis, "grid": False},
    }
    y = {
        "field": "stage",
        "type": "ordinal",
        "sort": stages,
        "scale": {"paddingInner": 0.18, "paddingOuter": 0.1},
        "axis": {"title": "stage", "ticks": False, "domain": False, "labelAngle": 0},
    }
    across = {"x": x, "x2": {"field": "to"}, "y": y}
    idle = [{"stage": s, "from": 0, "to": last, "kind": "idle"} for s in stages]
    passes = [bar for bar in bars if bar["kind"] != "exchange"]
    waits = [bar for bar in bars if bar["kind"] == "exchange"]
    narrow = min(bar["to"] - bar["from"] for bar in passes) / last * _WIDTH
    edge = {"stroke": "$paper", "strokeWidth": 1 if narrow >= _THIN else 0}
    tooltip = [
        *({"field": name} for name in ("kind", "micro-batch", "chunk", "stage")),
        *({"field": name, "format": ".4~r"} for name in ("from", "to")),
    ]
    layers = [
        data_layer(idle, {"type": "bar"}, **across, color=colour),
        data_layer(passes, {"type": "bar", **edge}, **across, color=colour, tooltip=tooltip),
    ]
    if waits:
        layers.append(data_layer(waits, {"type": "bar"}, **across, color=colour, tooltip=tooltip))
    step = height / n_stages
    if step >= _SIZE + 6:
        layers += _foot(passes, across, step) if narrow >= _SHORT else []
        layers += _numbers(passes, x, y, last)
    head = {"text": panel["title"], "fontSize": 14, "fontWeight": "normal", "offset": 6}
    return {"title": head, "width": _WIDTH, "height": height, "layer": layers}


def _on(kind: str) -> str:
    """The colour of words on a bar."""
    return f"$on-{KIND_COLOURS[kind][1:]}"


def _foot(bars: list[Row], across: Row, step: float) -> list[Row]:
    """Lines at the foot of bars of later chunks."""
    half = step * 0.82 / 2
    found = []
    for kind in KIND_COLOURS:
        for line in range(_MOST_LINES):
            own = [b for b in bars if b["kind"] == kind != "exchange" and line < b["chunk"] - 1]
            if own:
                low = half - 4 - line * 2 * _LINE
                mark = {"type": "bar", "height": _LINE, "yOffset": low, "color": _on(kind)}
                found.append(data_layer(own, {**mark, "opacity": 0.75}, **across))
    return found


def _numbers(bars: list[Row], x: Row, y: Row, last: float) -> list[Row]:
    """Micro-batches on the bars, of each kind on all or on none."""
    found = []
    for kind in KIND_COLOURS:
        own = [{**b, "middle": (b["from"] + b["to"]) / 2} for b in bars if b["kind"] == kind]
        room = min((b["to"] - b["from"] for b in own), default=0.0) / last * _WIDTH
        if own and room >= 2 + max(text_width(str(b["micro-batch"]), _SIZE) for b in own):
            mark = {"type": "text", "fontSize": _SIZE, "baseline": "middle", "color": _on(kind)}
            text = {"field": "micro-batch"}
            found.append(data_layer(own, mark, x={**x, "field": "middle"}, y=y, text=text))
    return found
