"""Every operator of a step on one roofline."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, words

__all__ = ["roofline_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 760, 440
_COLOURS = {
    "attention": "#009E73",
    "experts": "#D55E00",
    "dense products": "#0072B2",
    "head": "#CC79A7",
}
#: of bubbles [px^2]
_AREAS = (30.0, 900.0)
#: smaller shares of the step go without a name
_LABELLED = 0.02
#: width of a letter, about [px]
_LETTER = 7.0
_X, _Y = "intensity_flops_per_byte", "flops_per_s"


def roofline_chart(
    operators: list[Row],
    peaks_flops_per_s: dict[str, float],
    bandwidth_bytes_per_s: float,
    *,
    title: str,
    subtitle: str,
) -> Chart:
    """Draw operators by intensity and rate under the roofs of a chip.

    Parameters
    ----------
    operators : list   Rows of ``name``, ``group``, ``share`` of the step, intensity [FLOP/byte] and
                       rate [FLOP/s].
    peaks_flops_per_s : mapping   Name of an arithmetic to its peak: a roof each. [FLOP/s]
    bandwidth_bytes_per_s : float   The slope they share. [bytes/s]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    top = max(peaks_flops_per_s.values())
    ridges = [
        {_X: peak / bandwidth_bytes_per_s, _Y: peak, "label": f"{name} {peak / 1e12:,.0f} TFLOP/s"}
        for name, peak in peaks_flops_per_s.items()
    ]
    right = max(4 * max(r[_X] for r in ridges), 2 * max(o[_X] for o in operators))
    left = min(0.5, min(o[_X] for o in operators) / 2)
    bottom = min(0.5 * min(o[_Y] for o in operators), left * bandwidth_bytes_per_s)
    x = log_axis(_X, "intensity (FLOP per byte of memory)", (left, right), form="~s")
    y = log_axis(_Y, "rate of one chip (FLOP/s)", (bottom, top * 2.5), form="~s")
    used = {k: v for k, v in _COLOURS.items() if any(o["group"] == k for o in operators)}
    colour = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": list(used), "range": list(used.values())},
        "legend": {
            "title": None,
            "symbolType": "circle",
            "symbolSize": 130,
            "symbolStrokeWidth": 0.8,
        },
    }
    size = {
        "field": "share",
        "type": "quantitative",
        "scale": {"type": "linear", "domain": [0, max(o["share"] for o in operators)],
                  "range": list(_AREAS)},
        "legend": None,
    }  # fmt: skip
    point = {"type": "circle", "opacity": 0.75, "stroke": "white", "strokeWidth": 0.8}
    tooltip = [
        {"field": "name", "title": "operator"},
        {"field": "share", "title": "share of the step", "format": ".1%"},
        {"field": _X, "title": "FLOP per byte", "format": ",.3r"},
        {"field": _Y, "title": "FLOP/s", "format": ".3s"},
    ]
    layers = [
        *_roofs(ridges, (left, right), bandwidth_bytes_per_s, x, y),
        data_layer(operators, point, x=x, y=y, color=colour, size=size, tooltip=tooltip),
        *_names(operators, x, y),
    ]
    heading = {"text": title, "subtitle": subtitle}
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def _roofs(
    ridges: list[Row], limits: tuple[float, float], bandwidth: float, x: Row, y: Row
) -> list[Row]:
    """The slope of memory, a roof for each arithmetic, and the ridge where they meet."""
    left, right = limits
    last = max(ridges, key=lambda r: r[_X])
    slope = [{_X: left, _Y: left * bandwidth}, {_X: last[_X], _Y: last[_Y]}]
    line = {"type": "line", "strokeWidth": 2.5, "color": "#888888"}
    layers = [data_layer(slope, line, x=x, y=y)]
    for ridge in ridges:
        roof = [ridge, {**ridge, _X: right}]
        layers.append(data_layer(roof, line, x=x, y=y))
    foot = [{**r, "bottom": y["scale"]["domain"][0], "at": f"ridge {r[_X]:,.0f}"} for r in ridges]
    dash = {"type": "rule", "strokeDash": [2, 4], "color": "#888888"}
    layers.append(data_layer(foot, dash, x=x, y=y, y2={"field": "bottom"}))
    style = {"align": "right", "baseline": "bottom", "dy": -5, "fontSize": 12}
    layers += words([{**r, _X: right} for r in ridges], style, x=x, y=y, text={"field": "label"})
    style = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -4, "fontSize": 12, "angle": 270}
    layers += words(foot, style, x=x, y={"value": _HEIGHT}, text={"field": "at"})
    start = 3 * left
    name = [{_X: start, _Y: start * bandwidth, "label": f"memory {bandwidth / 1e12:.3g} TB/s"}]
    style = {"align": "left", "baseline": "top", "dx": 10, "dy": 8, "fontSize": 12}
    return layers + words(name, style, x=x, y=y, text={"field": "label"})


def _names(operators: list[Row], x: Row, y: Row) -> list[Row]:
    """Names of what takes longest, where there is room beside the point."""
    most = max(o["share"] for o in operators)
    radius = {id(o): _radius(o, most) for o in operators}
    boxes: list[tuple[float, ...]] = []
    for o in operators:
        (px, py), r = _pixels(o, x, y, 0, 0), 0.8 * radius[id(o)]
        boxes.append((px - r, py - r, px + r, py + r))
    layers = []
    for o in sorted(operators, key=lambda o: -o["share"]):
        if o["share"] < _LABELLED:
            break
        label = f"{o['name']} {o['share']:.0%}"
        spot = _room(o, label, radius[id(o)] + 6, boxes, x, y)
        if spot is not None:
            align, dx, dy, box = spot
            boxes.append(box)
            style = {"baseline": "middle", "fontSize": 12, "align": align, "dx": dx, "dy": dy}
            layers += words([{**o, "label": label}], style, x=x, y=y, text={"field": "label"})
    return layers


def _radius(o: Row, most: float) -> float:
    """Of a bubble whose area goes with its share. [px]"""
    low, high = _AREAS
    return math.sqrt((low + (high - low) * o["share"] / most) / math.pi)


def _pixels(o: Row, x: Row, y: Row, dx: float, dy: float) -> tuple[float, float]:
    """Where a point lies in the picture, moved by some pixels."""
    (left, right), (bottom, top) = (c["scale"]["domain"] for c in (x, y))
    across = math.log(o[_X] / left) / math.log(right / left)
    up = math.log(o[_Y] / bottom) / math.log(top / bottom)
    return across * _WIDTH + dx, (1 - up) * _HEIGHT + dy


def _room(
    o: Row, label: str, off: float, boxes: list[tuple[float, ...]], x: Row, y: Row
) -> tuple[str, float, float, tuple[float, ...]] | None:
    """The first place round a point where a label lies on nothing else."""
    wide = _LETTER * len(label)
    for dy in (0, -16, 16, -32, 32, -48, 48):
        for align, dx in (("left", off), ("right", -off)):
            px, py = _pixels(o, x, y, dx, dy)
            start = px if align == "left" else px - wide
            box = (start, py - 7, start + wide, py + 7)
            free = all(_apart(box, other) for other in boxes)
            if free and start > 0 and start + wide < _WIDTH:
                return align, dx, dy, box
    return None


def _apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
