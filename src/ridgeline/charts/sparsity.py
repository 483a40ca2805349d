"""Sparsity: what more experts are worth, and the sequences that use them."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words

__all__ = ["sparsity_chart"]

_WIDTH, _HEIGHT = 700, 200


def sparsity_chart(rows: list[dict[str, Any]], own: dict[str, Any], title: str) -> Chart:
    """Draw worth and needed batch against total over active parameters.

    Parameters
    ----------
    rows : list   ``sparsity``, ``effective_params``, ``balance_batch``, ``largest_batch``.
    own : dict    The same of the model itself: marked.
    title : str

    Returns
    -------
    Chart
    """
    worth = [{**r, "worth": r["effective_params"] / 1e9} for r in (*rows, own)]
    dots = [{**worth[-1], "label": f"the model itself, {own['sparsity']:.3g}x"}]
    plain = {
        "field": "worth",
        "type": "quantitative",
        "scale": {"domain": [0, 1.15 * max(r["worth"] for r in worth)], "nice": False},
        "axis": {"title": "worth, dense (B params)", "tickCount": 5},
    }
    top = _panel(worth[:-1], dots, plain, "worth", "#0072B2", None)
    fits = [r for r in rows if 1 <= r["largest_batch"] < math.inf]
    both = [r["balance_batch"] for r in worth] + [r["largest_batch"] for r in fits]
    y = log_axis("balance_batch", "sequences", rounded_out(both, 1.6), form="~s")
    bottom = _panel(worth[:-1], dots, y, "balance_batch", "#D55E00", "total over active parameters")
    at = {**y, "field": "largest_batch"}
    x = _x("total over active parameters")
    line = {"type": "line", "strokeWidth": 2, "strokeDash": [6, 4], "color": "#8C8C8C"}
    bottom["layer"].append(data_layer(fits, line, x=x, y=at))
    small = {"align": "right", "baseline": "bottom", "dx": -14, "dy": -7, "fontSize": 12}
    bottom["layer"] += words(
        [{**rows[-1], "label": "needed to use the multipliers"}], small, x=x, y=y,
        text={"field": "label"},
    )  # fmt: skip
    bottom["layer"] += words(
        [{**fits[-1], "label": "that fit in memory"}] if fits else [], small, x=x, y=at,
        text={"field": "label"},
    )  # fmt: skip
    subtitle = "worth by the published law for routed models, beyond its fit; blackboard reading"
    heading = {"text": title, "subtitle": subtitle}
    return Chart({"title": heading, "vconcat": [top, bottom], "spacing": 16})


def _x(title: str | None) -> dict[str, Any]:
    return {
        "field": "sparsity",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False},
        "axis": {
            "title": title,
            "values": [2**i for i in range(11)],
            "format": ",d",
            "labelExpr": "datum.label + 'x'",
        },
    }


def _panel(
    rows: list[dict[str, Any]],
    dots: list[dict[str, Any]],
    y: dict[str, Any],
    field: str,
    colour: str,
    below: str | None,
) -> dict[str, Any]:
    x = _x(below)
    tip = [
        {"field": "sparsity", "format": ".3g", "title": "total/active"},
        {"field": field, "format": ".3s", "title": y["axis"]["title"]},
    ]
    mark = {"type": "point", "filled": True, "size": 100, "opacity": 1, "color": colour}
    near = {"align": "left", "baseline": "top", "dx": 8, "dy": 4, "fontSize": 12}
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "layer": [
            data_layer(rows, {"type": "line", "strokeWidth": 3, "color": colour}, x=x, y=y,
                       tooltip=tip),
            *words(dots, near, x=x, y=y, text={"field": "label"}),
            data_layer(dots, mark, x=x, y=y, tooltip=tip),
        ],
    }  # fmt: skip
