"""The exchanges of one expert layer: time on either fabric, over one domain and over several."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, words

__all__ = ["spread_chart"]

_WIDTH, _BAR = 620, 22
_COLOURS = {"inside domains (scale-up)": "#0072B2", "between domains (scale-out)": "#D55E00"}
_US = 1e6


def spread_chart(rows: list[dict[str, Any]], title: str, subtitle: str) -> Chart:
    """Draw dispatch and combine of a layer, a pair of bars for each number of domains.

    Parameters
    ----------
    rows : list   ``n_domains``, ``n_chips``, ``inside_s``, ``outside_s``, ``slowdown``.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    bars = [
        {
            "name": _name(row),
            "fabric": fabric,
            "us": row[key] * _US,
            "label": f"{row[key] * _US:,.3g} µs",
        }
        for row in rows
        for fabric, key in zip(_COLOURS, ("inside_s", "outside_s"), strict=True)
        if row[key] > 0
    ]
    x = {
        "field": "us",
        "type": "quantitative",
        "scale": {"domain": [0, 1.16 * max(b["us"] for b in bars)], "nice": False},
        "axis": {
            "title": "dispatch and combine of one layer, at the links' rate (µs)",
            "tickCount": 6,
        },
    }
    y = {
        "field": "name",
        "type": "nominal",
        "sort": [_name(r) for r in rows],
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 260},
        "scale": {"paddingInner": 0.3},
    }
    offset = {"field": "fabric", "sort": list(_COLOURS)}
    colour = {
        "field": "fabric",
        "type": "nominal",
        "scale": {"domain": list(_COLOURS), "range": list(_COLOURS.values())},
        "legend": {"title": None, "symbolType": "square", "symbolSize": 160},
    }
    end = {"align": "left", "baseline": "middle", "dx": 6, "fontSize": 12}
    layers = [
        data_layer(bars, {"type": "bar"}, x=x, y=y, yOffset=offset, color=colour),
        *words(bars, end, x=x, y=y, yOffset=offset, text={"field": "label"}),
    ]
    heading = {"text": title, "subtitle": subtitle}
    size = {"width": _WIDTH, "height": {"step": _BAR}}
    return Chart({"title": heading, **size, "layer": layers})


def _name(row: dict[str, Any]) -> str:
    n = row["n_domains"]
    return f"{n} domain{'s' if n > 1 else ''}, {row['n_chips']:,} chips"
