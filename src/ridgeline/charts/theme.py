"""Colours and type of all pictures: one colour has one meaning, on paper and on the board.

Specifications name colours; `Chart.to_dict` puts in the hex codes of the light or dark theme:
``$weights`` fills areas, ``$weights-line`` is for lines and words on paper, ``$on-weights`` for
words on the fill, ``$weights-pale`` for what does not fit. The five resources are the ground
colours; machines, vendors, contexts and other series have colours of their own. Within the series,
and within the resources, colours are apart to colour-blind eyes, too; a series and a resource are
apart to normal sight only, so that keys and names say which of the two is drawn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DASHES", "FONT", "RESOURCES", "SERIES", "config", "dashes", "painted", "series", "tokens",
]  # fmt: skip

FONT = "'Source Sans 3', Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"

#: how a specification names a colour
_NAME = re.compile(r"\$[A-Za-z][\w-]*")

#: what can bind: fills of areas and bars, on paper and on the board
RESOURCES = {
    "compute": "$compute",
    "weights": "$weights",
    "KV": "$KV",
    "attention": "$attention",  # the calibrated reading's word: caches and what is computed on them
    "network": "$network",
    "overhead": "$overhead",
}

#: of machines, vendors, contexts and the like; apart from each other to colour-blind eyes, too
#: (smallest OKLab distance x 100, after Machado 2009: 7.9 light, 9 dark)
SERIES = ("$series1", "$series2", "$series3", "$series4", "$ink", "$series5")

#: of lines that lie on each other, in order
DASHES: tuple[list[int], ...] = ([1, 0], [9, 4], [3, 4], [12, 3, 3, 3])

_LIGHT = {
    "paper": "#FBFCFA",
    "ink": "#17201C",
    "ink2": "#4A5650",
    "ink3": "#66716B",
    "edge": "#7F8B85",
    "hatch": "#AEB8B1",
    "grid": "#DCE2DD",
    "tint": "#E2E5E2",
    "you": "#FFD84D",
    "compute": "#DC6412",
    "weights": "#0A5FA3",
    "KV": "#21986F",
    "network": "#C574AE",
    "overhead": "#B3BCB6",
    "network2": "#A03A83",
    "compute-line": "#B84600",
    "weights-line": "#0A5FA3",
    "KV-line": "#007A50",
    "network-line": "#A03A83",
    "overhead-line": "#5F6A64",
    "compute-pale": "#F5D0B6",
    "weights-pale": "#B5CEE2",
    "KV-pale": "#BBDFD2",
    "network-pale": "#ECD4E5",
    "overhead-pale": "#E6EAE6",
    "on-compute": "#17201C",
    "on-weights": "#FBFCFA",
    "on-KV": "#17201C",
    "on-network": "#17201C",
    "on-overhead": "#17201C",
    "series1": "#6A35D0",
    "series2": "#8A4B10",
    "series3": "#5B9A00",
    "series4": "#C8206B",
    "series5": "#007A99",
    "series1-line": "#6A35D0",
    "series2-line": "#8A4B10",
    "series3-line": "#4A8000",
    "series4-line": "#C8206B",
    "series5-line": "#007A99",
    "ink-line": "#17201C",
    "ink3-line": "#66716B",
    "on-series1": "#FBFCFA",
    "on-series2": "#FBFCFA",
    "on-series3": "#17201C",
    "on-series4": "#FBFCFA",
    "on-series5": "#FBFCFA",
    "on-ink": "#FBFCFA",
    "on-ink3": "#FBFCFA",
}
_DARK = {
    "paper": "#16201C",
    "ink": "#EEF2EC",
    "ink2": "#B7C2BB",
    "ink3": "#8E9A93",
    "edge": "#6B7B73",
    "hatch": "#4C5B54",
    "grid": "#2C3933",
    "tint": "#37413C",
    "you": "#F7D154",
    "compute": "#F5843F",
    "weights": "#3C8CD2",
    "KV": "#34B98E",
    "network": "#EBA6D2",
    "overhead": "#66726C",
    "network2": "#B8619C",
    "compute-line": "#FFA066",
    "weights-line": "#6DB6F2",
    "KV-line": "#4FDCAE",
    "network-line": "#EE9BCF",
    "overhead-line": "#A9B4AE",
    "compute-pale": "#5B3F28",
    "weights-pale": "#21405A",
    "KV-pale": "#1E4E3E",
    "network-pale": "#574859",
    "overhead-pale": "#2E3834",
    "on-compute": "#16201C",
    "on-weights": "#16201C",
    "on-KV": "#16201C",
    "on-network": "#16201C",
    "on-overhead": "#FFFFFF",
    "series1": "#9A78F0",
    "series2": "#C08A45",
    "series3": "#B5DC5A",
    "series4": "#FF6F9E",
    "series5": "#5FD0DC",
    "series1-line": "#9A78F0",
    "series2-line": "#C08A45",
    "series3-line": "#B5DC5A",
    "series4-line": "#FF6F9E",
    "series5-line": "#5FD0DC",
    "ink-line": "#EEF2EC",
    "ink3-line": "#8E9A93",
    "on-series1": "#16201C",
    "on-series2": "#16201C",
    "on-series3": "#16201C",
    "on-series4": "#16201C",
    "on-series5": "#16201C",
    "on-ink": "#16201C",
    "on-ink3": "#16201C",
}
for _colours in (_LIGHT, _DARK):
    _colours |= {k.replace("KV", "attention"): v for k, v in _colours.items() if "KV" in k}


def series(names: Iterable[Any]) -> dict[Any, str]:
    """A colour for each name, in order; from the start again when there are more names.

    Examples
    --------
    >>> series(["H100", "MI300X"])
    {'H100': '$series1', 'MI300X': '$series2'}
    """
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(dict.fromkeys(names))}


def dashes(names: Iterable[Any]) -> dict[Any, list[int]]:
    """A dash for each name, in order: the first is whole."""
    return {name: DASHES[i % len(DASHES)] for i, name in enumerate(dict.fromkeys(names))}


def tokens(*, dark: bool = False) -> dict[str, str]:
    """Names of colours and their hex codes in the light or dark theme."""
    return dict(_DARK if dark else _LIGHT)


def painted(spec: Any, *, dark: bool = False) -> Any:
    """A specification with hex codes where it names colours; data are left as they are.

    Raises
    ------
    KeyError   There is no such colour.

    Examples
    --------
    >>> painted({"mark": {"color": "$ink"}, "data": {"values": [{"name": "$ink"}]}})
    {'mark': {'color': '#17201C'}, 'data': {'values': [{'name': '$ink'}]}}
    """
    return _painted(spec, _DARK if dark else _LIGHT)


def _painted(spec: Any, colours: dict[str, str]) -> Any:
    if isinstance(spec, dict):
        return {k: v if k == "data" else _painted(v, colours) for k, v in spec.items()}
    if isinstance(spec, list | tuple):
        return [_painted(v, colours) for v in spec]
    if isinstance(spec, str) and _NAME.fullmatch(spec):
        return colours[spec[1:]]
    return spec


def config(*, dark: bool = False) -> dict[str, Any]:
    """Vega-Lite configuration of the light or dark theme.

    Parameters
    ----------
    dark : bool

    Returns
    -------
    dict
    """
    axis = {
        "labelColor": "$ink2",
        "titleColor": "$ink2",
        "gridColor": "$grid",
        "domainColor": "$ink2",
        "tickColor": "$edge",
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelFlush": False,
    }
    legend = {
        "labelColor": "$ink",
        "titleColor": "$ink2",
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "orient": "top",
        "direction": "horizontal",
        "symbolSize": 160,
        "symbolStrokeWidth": 3,
        "labelLimit": 400,
        "columnPadding": 24,
    }
    title = {
        "color": "$ink",
        "subtitleColor": "$ink2",
        "fontSize": 18,
        "subtitleFontSize": 14,
        "anchor": "start",
        "offset": 14,
        "subtitlePadding": 6,
    }
    own = {
        "background": "$paper",
        "font": FONT,
        "padding": 16,
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
        "legend": legend,
        "title": title,
        "text": {"color": "$ink", "fontSize": 13},
        "rule": {"color": "$ink"},
        # Under a label, so that a line behind it does not cross the letters.
        "style": {"halo": {"stroke": "$paper", "strokeWidth": 5, "color": "$paper",
                           "strokeJoin": "round"}},
        "view": {"stroke": None},
        "line": {"strokeCap": "round"},
    }  # fmt: skip
    return painted(own, dark=dark)
