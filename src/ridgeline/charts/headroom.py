"""Training: throughput of a chip against the memory it has left, the front and families named."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, key, plain_axis
from ridgeline.charts.theme import series

__all__ = ["headroom_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 700, 420
_X, _Y = "headroom_gb", "tokens_per_s_per_chip"
#: of axes around the points, as a share of what they span
_ROOM = 0.12
#: points of a front that are named at most, those furthest apart
_NAMED = 8
#: what neither makes the front nor is the best of a family, unlike any other point
_CROSS = "M-1,-1L1,1M-1,1L1,-1"
_TOOLTIP = [
    {"field": "machine", "title": "on"},
    {"field": "layout"},
    {"field": "name", "title": "best of"},
    {"field": _X, "title": "headroom (GB per chip)", "format": ",.3r"},
    {"field": _Y, "title": "tok/s per chip", "format": ",.4r"},
]
_DOTS = {"symbolType": "circle", "symbolSize": 110}


def headroom_chart(
    fronts: dict[str, list[Row]],
    families: list[Row],
    cloud: list[Row],
    best: Row,
    *,
    title: str,
    subtitle: str,
) -> Chart:
    """Draw fronts of tok/s per chip against memory that is left.

    Parameters
    ----------
    fronts : mapping   Name of a machine to the points of its front: ``headroom_gb``,
                       ``tokens_per_s_per_chip`` and ``layout``.
    families : list    The best points of families, with ``name``.
    cloud : list       Other points.
    best : mapping     The point to be marked; its ``machine``, too.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    rows = [r for front in fronts.values() for r in front] + [*families, best]
    x = plain_axis(_X, "memory headroom (GB per chip)", _limits(rows, _X, least=0.0))
    y = plain_axis(_Y, "tok/s per chip", _limits(rows, _Y))
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    cloud = [r for r in cloud if _inside(r, x, y)]
    colours = series(fronts)
    looks = {} if len(fronts) == 1 else {"color": key("machine", colours, list(fronts), **_DOTS)}
    plain = {"color": "$ink"} if len(fronts) == 1 else {}
    front = [{**r, "machine": name} for name, own in fronts.items() for r in own]
    cross = {"type": "point", "shape": _CROSS, "size": 22, "strokeWidth": 1.2, "opacity": 1,
             "color": "$edge"}  # fmt: skip
    step = {"type": "line", "strokeWidth": 2.5, "interpolate": "step-before", **plain}
    dot = {"type": "point", "filled": True, "size": 64, "opacity": 1, "stroke": "$paper",
           "strokeWidth": 0.8, **plain}  # fmt: skip
    ring = {"type": "point", "shape": "diamond", "filled": True, "size": 95, "opacity": 1,
            "color": "$series2" if len(fronts) == 1 else "$edge", "stroke": "$paper",
            "strokeWidth": 0.8}  # fmt: skip
    disc = {"type": "point", "size": 260, "filled": True, "opacity": 1, "color": "$you",
            "stroke": "$ink", "strokeWidth": 2.5}  # fmt: skip
    layers = [
        data_layer(cloud, cross, x=x, y=y, tooltip=_TOOLTIP),
        data_layer(front, step, x=x, y=y, **looks),
        data_layer(front, dot, x=x, y=y, tooltip=_TOOLTIP, **looks),
        data_layer(families, ring, x=x, y=y, tooltip=_TOOLTIP),
        data_layer([best], disc, x=x, y=y, tooltip=_TOOLTIP),
    ]
    plane.keep_off_points([best], 10)
    for own in fronts.values():
        plane.keep_off_line(_stepped(own))
        plane.keep_off_points(own, 4)
    plane.keep_off_points(families, 5)
    plane.keep_off_points(cloud, 2, faint=True)
    plane.label(best, best["layout"], size=13, needed=True, off=13)
    for row in families:
        plane.label(row, row["name"], color="$series2-line" if len(fronts) == 1 else "$ink3-line")
    for row in _apart(front, best):
        color = "$ink" if len(fronts) == 1 else f"{colours[row['machine']]}-line"
        plane.label(row, row["layout"], color=color)
    size = {"width": _WIDTH, "height": _HEIGHT}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


def _limits(rows: list[Row], field: str, least: float = -math.inf) -> tuple[float, float]:
    values = [r[field] for r in rows]
    low, high = min(values), max(values)
    room = _ROOM * (high - low or abs(high) or 1.0)
    return max(low - room, least), high + room


def _inside(row: Row, x: Row, y: Row) -> bool:
    limits = ((row[_X], x), (row[_Y], y))
    return all(low <= v <= high for v, c in limits for low, high in [c["scale"]["domain"]])


def _stepped(front: list[Row]) -> list[Row]:
    """The corners of a front that falls in steps."""
    found: list[Row] = []
    for row in sorted(front, key=lambda r: -r[_X]):
        if found:
            found.append({_X: row[_X], _Y: found[-1][_Y]})
        found.append(row)
    return found


def _apart(front: list[Row], best: Row) -> list[Row]:
    """Points of fronts that are worth a name: each layout once, the fastest first."""
    seen, found = {best["layout"]}, []
    for row in sorted(front, key=lambda r: -r[_Y]):
        if row["layout"] not in seen:
            seen.add(row["layout"])
            found.append(row)
    every = max(1, -(-len(found) // _NAMED))
    return found[::every]
