"""Throughput and utilization of training against the number of chips, and where more end."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, log2_axis, log_axis, plain_axis

__all__ = ["scaling_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT, _BELOW = 680, 380, 120
#: marks further right than this beyond the last size are left out of the picture
_BEYOND = 4.0


def scaling_chart(
    rows: list[Row], marks: list[Row], bounds: list[Row], *, title: str, subtitle: str
) -> Chart:
    """Draw tokens per second against chips beside the ideal, and MFU below.

    Parameters
    ----------
    rows : list       Sizes, rising: ``n_chips``, ``tokens_per_s``, ``mfu``, ``efficiency``; with
                      ``layout`` for the tooltip.
    marks : list      Where something ends: ``n_chips`` (None: nowhere) and ``words``. Ruled.
    bounds : list     Of the network: ``n_chips`` (None: no number of chips) and ``bound``. Dotted.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    first, last = rows[0]["n_chips"], rows[-1]["n_chips"]
    limits = (first / 1.25, last * 1.25)
    ruled = [m for m in marks if _inside(m["n_chips"], first, last)]
    dotted = [b for b in bounds if _inside(b["n_chips"], first, last)]
    ends = [m["n_chips"] for m in (*ruled, *dotted)]
    limits = (min(limits[0], *[e / 1.15 for e in ends], limits[0]),
              max(limits[1], *[e * 1.15 for e in ends], limits[1]))  # fmt: skip
    x = log2_axis("n_chips", None, limits)
    foot = log2_axis("n_chips", "chips", limits)
    start = max(r["tokens_per_s"] / r["n_chips"] for r in rows)
    ideal = [{"n_chips": n, "tokens_per_s": start * n} for n in (max(limits[0], first), limits[1])]
    reached = [r["tokens_per_s"] for r in (*rows, *ideal)]
    y = log_axis("tokens_per_s", "tokens per second", (min(reached) / 1.5, max(reached) * 1.3),
                 form="~s")  # fmt: skip
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    plane.keep_off_line(rows)
    plane.keep_off_line(ideal)
    plane.keep_off_points(rows, 6)
    for n in ends:
        plane.keep_off_rule(x=n)
    for row in rows[1:][:: max(1, len(rows) // 5)][-5:] if len(rows) > 1 else []:
        plane.label(row, f"{row['efficiency']:.0%}", off=9, size=11,
                    directions=((1, 1), (0, 1), (1, 0), (-1, -1)))  # fmt: skip
    named = True
    if len(rows) > 1:
        at = {"n_chips": math.sqrt(first * limits[1]), "tokens_per_s": 0.0}
        at["tokens_per_s"] = start * at["n_chips"]
        named = plane.label(at, "ideal: all chips as fast as the best", off=10, color="$ink2",
                    directions=((-1, -1), (-1, 0)))  # fmt: skip
    for mark in ruled:
        plane.label_rule(mark["n_chips"], mark["words"], at_foot=True)
    for bound in dotted:
        plane.label_rule(bound["n_chips"], f"bound: {bound['bound']}", at_foot=True)
    tip = [
        {"field": "n_chips", "title": "chips", "format": ",d"},
        {"field": "layout"},
        {"field": "tokens_per_s", "title": "tok/s", "format": ",.0f"},
        {"field": "efficiency", "format": ".0%", "title": "tokens per chip against the best"},
        {"field": "mfu", "title": "MFU", "format": ".1%"},
    ]
    line = {"type": "line", "strokeWidth": 3, "color": "$series1"}
    dot = {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": "$series1"}
    rule = {"type": "rule", "strokeWidth": 1.5, "color": "$ink3", "strokeDash": [7, 4]}
    bound_rule = {"type": "rule", "strokeWidth": 1.5, "color": "$network-line",
                  "strokeDash": [1, 4]}  # fmt: skip
    shown = [_point(r) for r in rows]
    rules = [
        *([data_layer(_at(ruled), rule, x=x)] if ruled else []),
        *([data_layer(_at(dotted), bound_rule, x=x)] if dotted else []),
    ]
    above = [
        *rules,
        data_layer(ideal, {"type": "line", "strokeWidth": 2, "strokeDash": [2, 5],
                           "color": "$ink2"}, x=x, y=y),
        data_layer(shown, line, x=x, y=y),
        data_layer(shown, dot, x=x, y=y, tooltip=tip),
    ]  # fmt: skip
    most = max(r["mfu"] for r in rows) * 1.15
    use = plain_axis("mfu", "MFU", (0, most), form=".0%", ticks=4)
    below = [
        *([data_layer(_at(ruled), rule, x=foot)] if ruled else []),
        *([data_layer(_at(dotted), bound_rule, x=foot)] if dotted else []),
        data_layer(shown, line, x=foot, y=use),
        data_layer(shown, dot, x=foot, y=use, tooltip=tip),
    ]
    said = f"{subtitle}; percentages: tokens per chip against the best size"
    if not named:
        said += "; dashed line: all chips as fast as the best"
    if dotted:
        said += "; dotted: bounds of the network at datasheet rates"
    panels = [
        {"width": _WIDTH, "height": _HEIGHT, "layer": [*above, *plane.layers()]},
        {"width": _WIDTH, "height": _BELOW, "layer": below},
    ]
    return Chart({"title": heading(title, said, _WIDTH), "vconcat": panels, "spacing": 14})


def _inside(n: float | None, first: float, last: float) -> bool:
    return n is not None and first <= n <= last * _BEYOND


def _at(rows: list[Row]) -> list[Row]:
    return [{"n_chips": r["n_chips"]} for r in rows]


def _point(row: Row) -> Row:
    names = ("n_chips", "layout", "tokens_per_s", "efficiency", "mfu")
    return {name: row.get(name, "") for name in names}
