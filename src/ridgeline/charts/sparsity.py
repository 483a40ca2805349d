"""Sparsity: what more experts are worth, and the sequences that use them."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, log2_axis, log_axis, plain_axis, rounded_out

__all__ = ["sparsity_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 580, 220


def sparsity_chart(rows: list[Row], own: Row, title: str) -> Chart:
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
    worth = [{**r, "worth": r["effective_params"] / 1e9} for r in rows]
    itself = {**own, "worth": own["effective_params"] / 1e9}
    sparsities = [r["sparsity"] for r in (*rows, own)]
    x = log2_axis("sparsity", "total over active parameters", (min(sparsities), max(sparsities)))
    x["axis"]["labelExpr"] = "datum.label + 'x'"
    most = max(r["worth"] for r in (*worth, itself))
    top_y = plain_axis("worth", "worth, dense (B params)", (0, 1.25 * most), ticks=5)
    fits = [r for r in rows if 1 <= r["largest_batch"] < math.inf]
    both = [r["balance_batch"] for r in (*rows, own)] + [r["largest_batch"] for r in fits]
    y = log_axis("balance_batch", "sequences", rounded_out(both, 1.8), form="~s")
    top = _panel([(worth, "worth", "", "$ink", None)], itself, {**x, "axis": {**x["axis"],
                 "title": None}}, top_y)  # fmt: skip
    bottom = _panel(
        [
            (rows, "balance_batch", "needed to use multipliers", "$compute-line", None),
            (fits, "largest_batch", "that fit in memory", "$KV-line", [7, 5]),
        ],
        own, x, y,
    )  # fmt: skip
    said = "worth by the published law for routed models, beyond its fit; blackboard reading"
    head = heading(title, said, _WIDTH + 100)
    return Chart({"title": head, "vconcat": [top, bottom], "spacing": 16})


def _panel(
    lines: list[tuple[list[Row], str, str, str, list[int] | None]], own: Row, x: Row, y: Row
) -> Row:
    """Lines named at their ends, and the model itself on the first."""
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    layers, named = [], []
    for rows, field, name, colour, dash in lines:
        if not rows:
            continue
        at = {**y, "field": field}
        mark = {"type": "line", "strokeWidth": 3, "color": colour}
        mark |= {"strokeDash": dash} if dash else {}
        tip = [
            {"field": "sparsity", "format": ".3g", "title": "total/active"},
            {"field": field, "format": ".3s", "title": name or y["axis"]["title"]},
        ]
        layers.append(data_layer(rows, mark, x=x, y=at, tooltip=tip))
        shown = [{**r, y["field"]: r[field]} for r in rows]
        plane.keep_off_line(shown)
        if name:
            named.append((shown, name, colour))
    plane.label_ends(named)
    plane.keep_off_points([own])
    says = f"the model itself, {own['sparsity']:.3g}x"
    plane.label(own, says, directions=((1, 1), (0, 1), (1, -1), (0, -1), (-1, -1)), needed=True)
    dot = {"type": "point", "filled": True, "size": 120, "opacity": 1, "color": "$you",
           "stroke": "$ink", "strokeWidth": 2}  # fmt: skip
    layers.append(data_layer([own], dot, x=x, y=y))
    return {"width": _WIDTH, "height": _HEIGHT, "layer": [*layers, *plane.layers()]}
