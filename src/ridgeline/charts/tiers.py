"""Price against speed: the tiers one machine can offer."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words

__all__ = ["tiers_chart"]

_WIDTH, _HEIGHT = 700, 380


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
    speeds = [r["speed"] for r in line]
    x = {
        "field": "speed",
        "type": "quantitative",
        "scale": {"domain": [0, max(speeds) * 1.02], "nice": False},
        "axis": {"title": "speed of one user (tok/s)", "format": ",.0f", "tickCount": 8},
    }
    y = log_axis("price", what, rounded_out([r["price"] for r in line], 1.5))
    tip = [
        {"field": "speed", "format": ",.0f", "title": "tok/s per user"},
        {"field": "price", "format": ".3g", "title": what},
        {"field": "batch", "format": ",.0f"},
    ]
    above = {"baseline": "bottom", "dy": -7, "fontSize": 12, "strokeJoin": "round"}
    shown = _spaced(points)
    layers = [
        data_layer(line, {"type": "line", "strokeWidth": 3, "color": "#0072B2"}, x=x, y=y),
        data_layer(
            points,
            {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": "#D55E00"},
            x=x, y=y, tooltip=tip,
        ),
        *words(shown[:1], {"align": "left", "dx": -4, **above}, x=x, y=y, text={"field": "label"}),
        *words(shown[1:], {"align": "right", "dx": -6, **above}, x=x, y=y,
               text={"field": "label"}),
    ]  # fmt: skip
    heading = {"text": title, "subtitle": "every batch that fits; a faster tier is a smaller batch"}
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def _tier(row: dict[str, Any]) -> str:
    return f"{row['tier']}, " if row["tier"] != "fast" else f"{row['price_ratio']:.3g}x, "


def _spaced(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out labels that would touch the one before: prices nearer than a factor of 1.35."""
    kept: list[dict[str, Any]] = []
    for row in sorted(points, key=lambda r: r["price"]):
        if not kept or row["price"] > 1.35 * kept[-1]["price"]:
            kept.append(row)
    return kept
