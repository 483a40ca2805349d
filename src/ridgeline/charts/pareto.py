"""Throughput of a chip against speed for a user: the front, and the layouts that make it."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, hatch, heading, key, log_axis, rounded_out
from ridgeline.charts.theme import RESOURCES, series

__all__ = ["pareto_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 700, 420
_X, _Y = "tokens_per_s_per_user", "tokens_per_s_per_chip"
#: stretches of fronts that are named, the longest
_NAMED = 12
#: as many as have no divisor in common with the colours: a pair of both comes back late
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
_TOOLTIP = [
    {"field": "machine", "title": "on"},
    {"field": "layout"},
    {"field": "batch", "title": "sequences per replica", "format": ",.0f"},
    {"field": "bound", "title": "bottleneck"},
    {"field": _X, "title": "tok/s per user", "format": ",.4r"},
    {"field": _Y, "title": "tok/s per chip", "format": ",.4r"},
]


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
    best : mapping or None   The point to be marked; its ``machine``, too.
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
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    low, high = y["scale"]["domain"]
    limits = x["scale"]["domain"]
    cloud = [r for r in cloud if low <= r[_Y] <= high and limits[0] <= r[_X] <= limits[1]]
    layers = []
    least = least_tokens_per_s_per_user
    if least:
        layers += _limit(least, plane)
    dot = {"type": "point", "shape": _CROSS, "size": 22, "strokeWidth": 1.2, "opacity": 1,
           "color": "$edge"}  # fmt: skip
    colour = _bound([*rows, *([best] if best else [])])
    looks = {"color": colour} if len(fronts) == 1 else _by_machine(list(fronts))
    layers += [data_layer(cloud, dot, x=x, y=y), *_fronts(fronts, x, y, looks)]
    if best is not None:
        disc = {"type": "point", "size": 260, "filled": True, "opacity": 1, "color": "$you",
                "stroke": "$ink", "strokeWidth": 2.5}  # fmt: skip
        layers.append(data_layer([best], disc, x=x, y=y, tooltip=_TOOLTIP))
        # What it would look like without the disc: its bottleneck, or its machine.
        inner = {"type": "point", "filled": True, "size": 64, "opacity": 1, "stroke": "$ink",
                 "strokeWidth": 1}  # fmt: skip
        layers.append(data_layer([best], inner, x=x, y=y, tooltip=_TOOLTIP, **looks))
        plane.keep_off_points([best], 10)
    for front in fronts.values():
        plane.keep_off_line(front)
        plane.keep_off_points(front, 4)
    plane.keep_off_points(cloud, 2, faint=True)
    if least:
        plane.label_rule(least, f"limit: {least:,.3g} tok/s per user", at_foot=True)
    colours = series(fronts)
    for row in _runs(fronts)[:_NAMED]:
        color = f"{colours[row['machine']]}-line" if len(fronts) > 1 else "$ink"
        plane.label(row, row["layout"], directions=_BESIDE, color=color)
    size = {"width": _WIDTH, "height": _HEIGHT}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


#: a front falls to the right: above it and to the right is room
_BESIDE = ((1, -1), (1, 0), (0, -1), (1, -0.6), (-1, -1))
#: of what does not make the front, unlike any point of a front
_CROSS = "M-1,-1L1,1M-1,1L1,-1"


def _bound(rows: list[Row]) -> Row:
    """Colours of what binds."""
    return key("bound", RESOURCES, {r["bound"] for r in rows}, "bottleneck", **_DOTS,
               titleOrient="left")  # fmt: skip


def _axis(rows: list[Row], field: str, title: str, also: float = 0.0) -> dict[str, Any]:
    values = [r[field] for r in rows] + ([also] if also else [])
    return log_axis(field, title, rounded_out(values, 1.4))


def _limit(value: float, plane: Plane) -> list[Row]:
    """What is slower than allowed: hatched, with the limit ruled."""
    row = {_X: value, _Y: plane.y["scale"]["domain"][0]}
    left, _ = plane.at(row)
    plane.keep_off_rule(x=value)
    rule = {"type": "rule", "strokeWidth": 1.5}
    return [hatch(0, left, plane.height), data_layer([row], rule, x=plane.x)]


def _by_machine(names: list[str]) -> Row:
    """Colour and shape of each machine, in one key."""
    colour = key("machine", series(names), names, None, **_DOTS)
    shapes = [_SHAPES[i % len(_SHAPES)] for i in range(len(names))]
    shape = {"field": "machine", "type": "nominal", "scale": {"domain": names, "range": shapes},
             "legend": colour["legend"]}  # fmt: skip
    return {"color": colour, "shape": shape}


def _fronts(fronts: dict[str, list[Row]], x: Row, y: Row, looks: Row) -> list[Row]:
    """A band, a line and points a machine; of a single one, points say what binds."""
    rows = [
        {**r, "machine": name, "low": r[_Y] / r["wide"], "high": r[_Y] * r["wide"]}
        for name, front in fronts.items()
        for r in front
    ]
    low, high = {**y, "field": "low"}, {"field": "high"}
    area = {"type": "area", "clip": True, "opacity": 0.7, "color": "$tint"}
    line = {"type": "line", "strokeWidth": 2.5}
    point = {"type": "point", "filled": True, "opacity": 1, "stroke": "$paper", "strokeWidth": 0.6}
    if len(fronts) == 1:
        return [
            data_layer(rows, area, x=x, y=low, y2=high),
            data_layer(rows, {**line, "color": "$ink"}, x=x, y=y),
            data_layer(rows, {**point, "size": 64, "stroke": "$ink", "strokeWidth": 1}, x=x, y=y,
                       tooltip=_TOOLTIP, **looks),
        ]  # fmt: skip
    lines = [[r for r in rows if r["machine"] == name] for name in fronts]
    return [
        *(data_layer(own, area, x=x, y=low, y2=high) for own in lines),
        data_layer(rows, line, x=x, y=y, color=looks["color"]),
        data_layer(rows, {**point, "size": 56}, x=x, y=y, tooltip=_TOOLTIP, **looks),
    ]  # fmt: skip


_DOTS = {"symbolType": "circle", "symbolSize": 110}


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
