"""Sensitivity: what halving and doubling each constant does to time or cost."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key, log_ticks, words

__all__ = ["tornado_chart"]

_WIDTH, _BAR = 620, 26
_SHOWN = 16
_COLOURS = {"halved": "$series1", "doubled": "$series3"}
#: beyond this, or below one over it, a bar ends with an arrow and its number
_FURTHEST = 4.0


def tornado_chart(
    rows: list[dict[str, Any]],
    *,
    title: str,
    conditions: str,
    factors: tuple[str, str] = ("cost_refilled_halved", "cost_refilled"),
    what: str = "cost per token against now, with the batch that then fits",
    cannot: str = "does not fit",
) -> Chart:
    """Draw a bar each way for every constant, the most telling on top.

    Parameters
    ----------
    rows : list        Of a sensitivity: ``what``, ``kind``, ``now``, and the columns `factors`.
    title : str
    conditions : str   Under which it was asked.
    factors : tuple    Columns of what halving and doubling give (None: it cannot be).
    what : str         What they are factors of.
    cannot : str       How a bar is named that cannot be.

    Returns
    -------
    Chart
    """

    def swing(row: dict[str, Any]) -> float:
        """The larger of the two factors, either way."""
        known = [_FURTHEST if row[k] is None else max(row[k], 1 / row[k]) for k in factors]
        return max(known)

    telling = sorted((r for r in rows if swing(r) > 1.01), key=swing, reverse=True)[:_SHOWN]
    names = [_name(r) for r in telling]
    bars = [
        {
            "name": _name(r),
            "change": change,
            "from": 1.0,
            "ratio": _clipped(r[key]),
            "label": _said(r[key], cannot),
        }
        for r in telling
        for change, key in zip(("halved", "doubled"), factors, strict=True)
        if r[key] is None or abs(r[key] - 1) > 0.004
    ]
    ends = [b["ratio"] for b in bars] or [0.5, 2.0]
    low, high = min(0.6, *ends) / 1.6, max(1.7, *ends) * 1.35
    x = {
        "field": "ratio",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {
            "grid": True,
            "title": f"{what} (log)",
            "format": "~r",
            "values": [*log_ticks(low, high), 1.0],
            "labelExpr": "datum.label + 'x'",
        },
    }
    y = {
        "field": "name",
        "type": "nominal",
        "sort": names,
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 320},
        "scale": {"paddingInner": 0.25, "paddingOuter": 0.3},
    }
    colour = key("change", _COLOURS, {b["change"] for b in bars}, "the constant is",
                 titleOrient="left")  # fmt: skip
    tip = [{"field": "name", "title": "constant"}, {"field": "change"}, {"field": "label"}]
    sides = (
        ([b for b in bars if b["ratio"] >= 1], {"align": "left", "dx": 5}),
        ([b for b in bars if b["ratio"] < 1], {"align": "right", "dx": -5}),
    )
    span = {"x": x, "x2": {"field": "from"}, "y": y, "tooltip": tip}
    fits = [b for b in bars if b["label"] != cannot]
    # What does not fit has no cost: an outline as long as a bar gets.
    hollow = {"type": "bar", "fillOpacity": 0, "strokeWidth": 1.5, "strokeDash": [5, 3]}
    outlines = [b for b in bars if b["label"] == cannot]
    layers = [
        data_layer(fits, {"type": "bar"}, **span, color=colour),
        data_layer(outlines, hollow, **span, stroke={**colour, "legend": None}),
        data_layer([{"ratio": 1.0}], {"type": "rule", "strokeWidth": 1.5}, x=x),
    ]
    for side, place in sides:
        mark = {"baseline": "middle", "fontSize": 12, **place}
        layers += words(side, mark, x=x, y=y, text={"field": "label"})
    subtitle = f"{conditions}; up to {len(telling)} constants that matter most"
    size = {"width": _WIDTH, "height": {"step": _BAR}}
    return Chart({"title": heading(title, subtitle, _WIDTH + 100), **size, "layer": layers})


def _name(row: dict[str, Any]) -> str:
    return f"{row['what']} ({row['now']})"


def _clipped(ratio: float | None) -> float:
    return _FURTHEST if ratio is None else min(max(ratio, 1 / _FURTHEST), _FURTHEST)


def _said(ratio: float | None, cannot: str) -> str:
    if ratio is None:
        return cannot
    before, after = "◂ " * (ratio < 1 / _FURTHEST), " ▸" * (ratio > _FURTHEST)
    return f"{before}{ratio:.3g}x{after}"
