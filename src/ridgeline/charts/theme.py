"""Colours and type of all pictures. The palette is Okabe and Ito's, safe for colour-blind eyes."""

from __future__ import annotations

from typing import Any

__all__ = ["BOUND_COLOURS", "FONT", "PARTS", "config"]

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"

#: what binds, in every picture
BOUND_COLOURS = {
    "compute": "#D55E00",
    "weights": "#0072B2",
    "KV": "#009E73",
    "attention": "#009E73",  # the calibrated reading's word: caches and what is computed on them
    "network": "#CC79A7",
    "overhead": "#8C8C8C",
}

#: the domain that goes with the theme's ``category`` range: the whole in ink, then the parts
PARTS = ["total", *BOUND_COLOURS]


def config(*, dark: bool = False) -> dict[str, Any]:
    """Vega-Lite configuration of the light or dark theme.

    Parameters
    ----------
    dark : bool

    Returns
    -------
    dict
    """
    ink, faint, paper = (
        ("#E8E8E8", "#4A4A4A", "#16181D") if dark else ("#222222", "#E3E3E3", "white")
    )
    axis = {
        "labelColor": ink,
        "titleColor": ink,
        "gridColor": faint,
        "domainColor": ink,
        "tickColor": ink,
        "labelFontSize": 13,
        "titleFontSize": 14,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelFlush": False,
    }
    return {
        "background": paper,
        "font": FONT,
        "padding": 16,
        "axis": axis,
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelFontSize": 13,
            "orient": "top",
            "direction": "horizontal",
            "symbolType": "stroke",
            "symbolSize": 400,
            "symbolStrokeWidth": 3,
            "labelLimit": 400,
            "columnPadding": 24,
        },
        "title": {
            "color": ink,
            "subtitleColor": ink,
            "fontSize": 18,
            "subtitleFontSize": 14,
            "anchor": "start",
            "offset": 14,
            "subtitlePadding": 6,
        },
        "range": {"category": [ink, *BOUND_COLOURS.values()]},
        "text": {"color": ink, "fontSize": 13},
        "rule": {"color": ink},
        # Under a label, so that a line behind it does not cross the letters.
        "style": {"halo": {"stroke": paper, "strokeWidth": 6, "color": paper}},
        "view": {"stroke": None},
        "line": {"strokeCap": "round"},
    }
