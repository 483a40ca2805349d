"""Price against speed: the tiers one machine can offer."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, log_axis, plain_axis, rounded_out

__all__ = ["tiers_chart"]

_WIDTH, _HEIGHT = 700, 380
#: the curve rises to the right: above it on the left is room, then below on the right
_BESIDE = ((-1, -1), (0, -1), (-1, 0), (1, 1), (1, 0), (0, 1))


def tiers_chart(
    curve: dict[str, list[float]], menu: list[dict[str, Any]], title: str, *, priced: bool
) -> Chart:
    """Draw price against speed, with the tiers of a menu on it.

    Parameters
    ----------
    curve : mapping   ``batch``, ``time_s`` and ``price`` of every batch, normal price first in
                      `menu`.
    menu : list       Rows of ``tokens_per_s_per_user``, ``price_ratio``, ``batch``, ``tier``.
    title : str
    priced : bool     Whether prices are dollars.

    Returns
    -------
    Chart
    """
    factor = 1.0 if priced else 1 / min(curve["price"])
    line = [
        {"speed": 1 / t, "price": p * factor, "batch": b}
        for b, t, p in zip(curve["batch"], curve["time_s"], curve["price"], strict=True)
    ]
    normal = next(r for r in menu if r["tier"] == "normal")
    at_normal = min(line, key=lambda r: abs(r["batch"] - normal["batch"]))["price"]
    points = [
        {
            "speed": row["tokens_per_s_per_user"],
            "price": at_normal * row["price_ratio"],
            "batch": row["batch"],
            "label": f"{_tier(row)}batch {row['batch']:,.0f}",
        }
        for row in menu
    ]
    what = "price of output ($ per million tokens)" if priced else "price against the cheapest"
    fastest = max(r["speed"] for r in line)
    x = plain_axis("speed", "speed of one user (tok/s)", (0, fastest * 1.04), form=",~r", ticks=8)
    y = log_axis("price", what, rounded_out([r["price"] for r in line], 1.8))
    tip = [
        {"field": "speed", "format": ",.0f", "title": "tok/s per user"},
        {"field": "price", "format": ".3g", "title": what},
        {"field": "batch", "format": ",.0f"},
    ]
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    plane.keep_off_line(line)
    plane.keep_off_points(points)
    for point in points:
        plane.label(point, point["label"], directions=_BESIDE)
    dot = {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": "$ink"}
    layers = [
        data_layer(line, {"type": "line", "strokeWidth": 3, "color": "$ink"}, x=x, y=y),
        data_layer(points, dot, x=x, y=y, tooltip=tip),
    ]
    said = "every batch that fits; a faster tier is a smaller batch; 2x: twice the normal price"
    size = {"width": _WIDTH, "height": _HEIGHT}
    head = heading(title, said, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


def _tier(row: dict[str, Any]) -> str:
    return f"{row['tier']}, " if row["tier"] != "fast" else f"{row['price_ratio']:.3g}x, "
