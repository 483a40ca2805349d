"""Dispatch and combine of an expert layer: time on either fabric, over one domain and several."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key

__all__ = ["spread_chart"]

Row = dict[str, Any]

_WIDTH, _STEP, _BAR = 600, 58, 20
#: both are the network: the fabric between domains in the strong tone
_COLOURS = {"inside domains (scale-up)": "$network", "between domains (scale-out)": "$network2"}
_US = 1e6


def spread_chart(rows: list[Row], title: str, subtitle: str) -> Chart:
    """Draw dispatch and combine of a layer, a bar or a pair for each number of domains.

    Parameters
    ----------
    rows : list   ``n_domains``, ``n_chips``, ``inside_s``, ``outside_s``, ``slowdown``.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    bars = [bar for i, row in enumerate(rows) for bar in _bars(row, (i + 0.5) * _STEP)]
    x = {
        "field": "us",
        "type": "quantitative",
        "scale": {"domain": [0, 1.16 * max(b["us"] for b in bars)], "nice": False},
        "axis": {
            "title": "dispatch and combine of one layer, at the links' rate (µs)",
            "tickCount": 6,
            "grid": True,
        },
    }
    y = {"field": "py", "type": "quantitative", "scale": None, "axis": None}
    colour = key("fabric", _COLOURS, {b["fabric"] for b in bars})
    names = [{"name": _name(row), "py": (i + 0.5) * _STEP} for i, row in enumerate(rows)]
    bar = {"type": "bar", "orient": "horizontal", "height": _BAR}
    end = {"type": "text", "align": "left", "baseline": "middle", "dx": 6, "fontSize": 13}
    before = {"type": "text", "align": "right", "baseline": "middle", "dx": -10}
    layers = [
        data_layer(bars, bar, x=x, y=y, color=colour),
        data_layer(bars, end, x=x, y=y, text={"field": "label"}),
        data_layer(names, before, x={"value": 0}, y=y, text={"field": "name"}),
    ]
    size = {"width": _WIDTH, "height": _STEP * len(rows)}
    return Chart({"title": heading(title, subtitle, _WIDTH + 60), **size, "layer": layers})


def _bars(row: Row, middle: float) -> list[Row]:
    """The bars of one row, about its middle; what takes no time has none."""
    spent = [(f, row[k] * _US) for f, k in zip(_COLOURS, ("inside_s", "outside_s"), strict=True)]
    spent = [(fabric, us) for fabric, us in spent if us > 0]
    off = [(i - (len(spent) - 1) / 2) * (_BAR + 2) for i in range(len(spent))]
    return [
        {"fabric": fabric, "us": us, "label": f"{us:,.3g} µs", "py": middle + d}
        for (fabric, us), d in zip(spent, off, strict=True)
    ]


def _name(row: Row) -> str:
    n = row["n_domains"]
    return f"{n} domain{'s' if n > 1 else ''}, {row['n_chips']:,} chips"
