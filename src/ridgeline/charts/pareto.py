"""Throughput of a chip against speed for a user: the front, and the layouts that make it."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words
from ridgeline.charts.theme import BOUND_COLOURS

__all__ = ["pareto_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 760, 440
_X, _Y = "tokens_per_s_per_user", "tokens_per_s_per_chip"
_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
_TOOLTIP = [
    {"field": "machine", "title": "on"},
    {"field": "layout"},
    {"field": "batch", "title": "sequences per replica", "format": ",.0f"},
    {"field": "bound", "title": "bottleneck"},
    {"field": _X, "title": "tok/s per user", "format": ",.4r"},
    {"field": _Y, "title": "tok/s per chip", "format": ",.4r"},
]
#: labels nearer than this share of the axis would lie on each other
_APART = 0.075


def pareto_chart(
    fronts: dict[str, list[Row]],
    cloud: list[Row],
    best: Row | None,
    *,
    title: str,
    subtitle: str,
    least_tokens_per_s_per_user: float = 0.0,
) -> Chart:
    """Draw fronts of tok/s per chip against tok/s per user.

    Parameters
    ----------
    fronts : mapping   Name of a machine to the points of its front: both rates, ``layout``,
                       ``batch``, and ``wide``, the factor to the ends of the 80% interval.
    cloud : list       Other points, for the ground.
    best : mapping or None   The point to be ringed.
    title, subtitle : str
    least_tokens_per_s_per_user : float   A limit to be ruled; 0 for none.

    Returns
    -------
    Chart
    """
    rows = [r for front in fronts.values() for r in front]
    x = _axis(rows, _X, "tok/s per user", least_tokens_per_s_per_user)
    ends = [{_Y: r[_Y] * w} for r in rows for w in (r["wide"], 1 / r["wide"])]
    y = _axis(ends, _Y, "output tok/s per chip")
    low, high = y["scale"]["domain"]
    limits = x["scale"]["domain"]
    cloud = [r for r in cloud if low <= r[_Y] <= high and limits[0] <= r[_X] <= limits[1]]
    dot = {"type": "circle", "size": 10, "opacity": 0.25, "color": "#888888"}
    layers = [data_layer(cloud, dot, x=x, y=y)]
    if least_tokens_per_s_per_user:
        layers += _limit(least_tokens_per_s_per_user, x)
    layers += _fronts(fronts, x, y)
    layers += _labels(_runs(fronts), x, y)
    if best is not None:
        ring = {"type": "point", "size": 260, "filled": False, "strokeWidth": 3, "color": "#D55E00"}
        layers.append(data_layer([best], ring, x=x, y=y))
    heading = {"text": title, "subtitle": subtitle}
    size = {"width": _WIDTH, "height": _HEIGHT}
    return Chart({"title": heading, **size, "layer": layers})


def _axis(rows: list[Row], field: str, title: str, also: float = 0.0) -> dict[str, Any]:
    values = [r[field] for r in rows] + ([also] if also else [])
    return log_axis(field, title, rounded_out(values, 1.4))


def _limit(value: float, x: dict[str, Any]) -> list[dict[str, Any]]:
    row = [{_X: value, "label": f"limit: {value:,.3g} tok/s per user"}]
    rule = {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5}
    text = {"align": "left", "baseline": "bottom", "angle": 270, "dx": 8, "dy": -4}
    at = {"value": _HEIGHT}
    return [
        data_layer(row, rule, x=x),
        *words(row, text, x=x, y=at, text={"field": "label"}),
    ]


def _fronts(fronts: dict[str, list[Row]], x: Row, y: Row) -> list[Row]:
    """A band, a line and points a machine; of a single one, points say what binds."""
    rows = [
        {**r, "machine": name, "low": r[_Y] / r["wide"], "high": r[_Y] * r["wide"]}
        for name, front in fronts.items()
        for r in front
    ]
    low, high = {**y, "field": "low"}, {"field": "high"}
    point = {"type": "circle", "size": 60, "opacity": 1, "stroke": "white", "strokeWidth": 0.6}
    if len(fronts) == 1:
        area = {"type": "area", "opacity": 0.2, "clip": True, "color": "#888888"}
        line = {"type": "line", "strokeWidth": 2}
        return [
            data_layer(rows, area, x=x, y=low, y2=high),
            data_layer(rows, line, x=x, y=y),
            data_layer(rows, point, x=x, y=y, color=_by_bound(rows), tooltip=_TOOLTIP),
        ]
    names = list(fronts)
    colour = {
        "field": "machine",
        "type": "nominal",
        "scale": {"domain": names, "range": _COLOURS[: len(names)]},
        "legend": {"title": None, "symbolOpacity": 1, "symbolStrokeWidth": 4},
    }
    area = {"type": "area", "opacity": 0.16, "clip": True}
    line = {"type": "line", "strokeWidth": 3}
    return [
        # The legend takes after the first layer.
        data_layer(rows, line, x=x, y=y, color=colour),
        data_layer(rows, area, x=x, y=low, y2=high, color=colour),
        data_layer(rows, point, x=x, y=y, color=colour, tooltip=_TOOLTIP),
    ]


def _by_bound(rows: list[Row]) -> Row:
    used = {k: v for k, v in BOUND_COLOURS.items() if any(r["bound"] == k for r in rows)}
    return {
        "field": "bound",
        "type": "nominal",
        "scale": {"domain": list(used), "range": list(used.values())},
        "legend": {
            "title": "bottleneck",
            "symbolType": "circle",
            "symbolSize": 110,
            "symbolStrokeWidth": 0.6,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "titleOrient": "left",
        },
    }


def _runs(fronts: dict[str, list[Row]]) -> list[Row]:
    """The middle of the longest stretch of a front that each layout makes, longest first."""
    found = []
    for name, points in fronts.items():
        front = [{**row, "machine": name} for row in points]
        start = 0
        for i in range(1, len(front) + 1):
            if i == len(front) or front[i]["layout"] != front[start]["layout"]:
                span = math.log(front[start][_X] / front[i - 1][_X])
                found.append((span, front[(start + i - 1) // 2]))
                start = i
    longest: dict[tuple[str, str], Row] = {}
    for _, row in sorted(found, key=lambda item: -item[0]):
        longest.setdefault((row["machine"], row["layout"]), row)
    return list(longest.values())


def _labels(runs: list[Row], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Names of layouts beside the front, as many as have room."""
    low, high = (math.log(v) for v in x["scale"]["domain"])
    bottom, top = (math.log(v) for v in y["scale"]["domain"])
    placed: list[tuple[float, float]] = []
    kept = []
    for row in runs:
        at = (
            (math.log(row[_X]) - low) / (high - low),
            (math.log(row[_Y]) - bottom) / (top - bottom),
        )
        if all(abs(at[0] - px) > 2 * _APART or abs(at[1] - py) > _APART for px, py in placed):
            placed.append(at)
            kept.append(row)
    style = {"align": "left", "baseline": "bottom", "dx": 7, "dy": -5, "fontSize": 12}
    return words(kept, style, x=x, y=y, text={"field": "layout"})
