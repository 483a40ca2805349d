"""Chips of a cluster with the experts they hold, and where the tokens of one of them go."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer

__all__ = ["MOST_CHIPS_DRAWN", "rack_chart"]

Row = dict[str, Any]

#: more would be too small to read
MOST_CHIPS_DRAWN = 320
_WIDTH, _MOST_HEIGHT, _MOST_CELL = 760, 560, 110
_GAP = 0.7
_EXPERTS, _WEIGHTS, _NOTHING, _OTHER = (
    "holds experts",
    "holds a share of the weights",
    "no experts",
    "other replicas",
)
_COLOURS = {_EXPERTS: "#56B4E9", _WEIGHTS: "#56B4E9", _NOTHING: "#A8A8A8", _OTHER: "#DDDDDD"}
_INSIDE, _ACROSS = "inside the scale-up domain", "across domains"
_LINES = {_INSIDE: "#E69F00", _ACROSS: "#D55E00"}


def rack_chart(
    chips: list[Row],
    sends: list[tuple[int, int]],
    *,
    domain_size: int,
    title: str,
    subtitle: list[str],
) -> Chart:
    """Draw chips domain by domain, and lines from one chip to those it sends to.

    Parameters
    ----------
    chips : list        Rows of ``label`` (inside the chip), ``experts`` (how many it holds; None
                        of a dense model),
                        ``drawn`` (whether it is of the replica drawn) and ``tip``, in order.
    sends : list        Pairs of chips by number.
    domain_size : int   Chips of a scale-up domain.
    title : str
    subtitle : list of str

    Returns
    -------
    Chart
    """
    places = _places(len(chips), domain_size)
    columns = max(c for c, _ in places) + 1
    rows_used = max(r for _, r in places) + 1
    cell = min(_WIDTH / columns, _MOST_HEIGHT / rows_used, _MOST_CELL)
    width, height = columns * cell, rows_used * cell
    x, y = _position("x", columns), _position("y", rows_used)
    squares = [
        {"x": c + 0.5, "y": r + 0.5, **chip, "is": _kind(chip)}
        for chip, (c, r) in zip(chips, places, strict=True)
    ]
    colour = _scale("is", {k: v for k, v in _COLOURS.items() if any(s["is"] == k for s in squares)})
    square = {"type": "square", "size": (0.86 * cell) ** 2, "opacity": 0.9}
    corner = {"baseline": "top", "align": "left", "fontSize": min(13, 0.3 * cell)}
    corner |= {"dx": -0.38 * cell, "dy": -0.36 * cell}
    layers = [
        data_layer(squares, square, x=x, y=y, color=colour, tooltip={"field": "tip"}),
        *_lines(sends, squares, domain_size, x, y),
        data_layer(
            squares,
            {"type": "text", **corner},
            x=x,
            y=y,
            text={"field": "label"},
            color={"value": "#222222"},
        ),
        *_frames(len(chips), domain_size, places, x, y),
    ]
    heading = {"text": title, "subtitle": subtitle}
    return Chart(
        {
            "title": heading,
            "width": width,
            "height": height,
            "layer": layers,
            "resolve": {"scale": {"color": "independent"}},
        }
    )


def _kind(chip: Row) -> str:
    if not chip["drawn"]:
        return _OTHER
    if chip["experts"] is None:
        return _WEIGHTS
    return _EXPERTS if chip["experts"] else _NOTHING


def _position(field: str, n: float) -> Row:
    scale = {"domain": [0, n] if field == "x" else [n, 0], "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": None}


def _scale(field: str, colours: dict[str, str]) -> Row:
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": list(colours), "range": list(colours.values())},
        "legend": {"title": None, "symbolType": "square", "symbolSize": 140},
    }


def _columns_of(n: int) -> int:
    """Columns of a domain, so that it is about twice as wide as high."""
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    return min(divisors, key=lambda d: abs(math.log(d / (n / d) / 2)))


def _places(n_chips: int, domain_size: int) -> list[tuple[float, float]]:
    """Column and row of each chip; domains apart, side by side."""
    size = min(domain_size, n_chips)
    inside = _columns_of(size)
    high = -(-size // inside)
    n_domains = -(-n_chips // size)
    beside = max(1, min(n_domains, round(math.sqrt(2.2 * n_domains * high / inside))))
    found = []
    for i in range(n_chips):
        domain, own = divmod(i, size)
        across, down = domain % beside, domain // beside
        found.append(
            (across * (inside + _GAP) + own % inside, down * (high + _GAP) + own // inside)
        )
    return found


def _lines(
    sends: list[tuple[int, int]], squares: list[Row], domain_size: int, x: Row, y: Row
) -> list[Row]:
    if not sends:
        return []
    values = [
        {
            "x": squares[a]["x"],
            "y": squares[a]["y"],
            "x2": squares[b]["x"],
            "y2": squares[b]["y"],
            "send": _INSIDE if a // domain_size == b // domain_size else _ACROSS,
        }
        for a, b in sends
    ]
    used = {k: v for k, v in _LINES.items() if any(v["send"] == k for v in values)}
    colour = {**_scale("send", used)}
    colour["legend"] = {"title": None, "symbolType": "stroke", "symbolSize": 140}
    rule = {"type": "rule", "strokeWidth": 2.5, "opacity": 0.9}
    ends = {"type": "point", "filled": True, "size": 60, "opacity": 1}
    start = values[:1]
    ring = {"type": "point", "size": 420, "strokeWidth": 3, "filled": False, "color": "#E69F00"}
    to = {"x": {**x, "field": "x2"}, "y": {**y, "field": "y2"}}
    return [
        data_layer(values, rule, x=x, y=y, x2={"field": "x2"}, y2={"field": "y2"}, color=colour),
        data_layer(values, ends, **to, color={**colour, "legend": None}),
        data_layer(start, ring, x=x, y=y),
    ]


def _frames(
    n_chips: int, domain_size: int, places: list[tuple[float, float]], x: Row, y: Row
) -> list[Row]:
    """A frame around each domain where there are several."""
    if n_chips <= domain_size or domain_size == 1:
        return []
    boxes = []
    for first in range(0, n_chips, domain_size):
        own = places[first : first + domain_size]
        boxes.append(
            {
                "x": min(c for c, _ in own) - 0.1,
                "x2": max(c for c, _ in own) + 1.1,
                "y": min(r for _, r in own) - 0.1,
                "y2": max(r for _, r in own) + 1.1,
            }
        )
    box = {"type": "rect", "fillOpacity": 0, "stroke": "#888888", "strokeWidth": 1.5}
    return [data_layer(boxes, box, x=x, y=y, x2={"field": "x2"}, y2={"field": "y2"})]
