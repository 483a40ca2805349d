"""Chips of a cluster with the experts they hold, and where the tokens of one of them go."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key

__all__ = ["MOST_CHIPS_DRAWN", "rack_chart"]

Row = dict[str, Any]

#: more would be too small to read
MOST_CHIPS_DRAWN = 320
_WIDTH, _MOST_HEIGHT, _MOST_CELL = 700, 560, 110
_GAP = 0.7
_EXPERTS, _WEIGHTS, _NOTHING, _OTHER = (
    "holds experts",
    "holds a share of the weights",
    "no experts",
    "other replicas",
)
_COLOURS = {
    _EXPERTS: "$weights",
    _WEIGHTS: "$weights",
    _NOTHING: "$overhead",
    _OTHER: "$weights-pale",
}
#: letters on them
_LETTERS = {
    _EXPERTS: "$on-weights",
    _WEIGHTS: "$on-weights",
    _NOTHING: "$on-overhead",
    _OTHER: "$ink",
}
_INSIDE, _ACROSS = "inside the scale-up domain", "across domains"
_LINES = {_INSIDE: "$network", _ACROSS: "$you"}
#: how far lines bow from the straight, at most [chips]; points of a line
_BOW, _STEPS = 0.46, 16
#: titles of a small rack may be wider than it [px]
_NARROWEST = 520.0


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
    colour = key("is", _COLOURS, {s["is"] for s in squares})
    square = {"type": "square", "size": (0.86 * cell) ** 2, "opacity": 1}
    corner = {"type": "text", "baseline": "top", "align": "left"}
    corner |= {"fontSize": min(13, max(8, 0.3 * cell))}
    corner |= {"dx": -0.38 * cell, "dy": -0.37 * cell}
    letters = [
        data_layer([s for s in squares if s["is"] == kind], {**corner, "color": ink}, x=x, y=y,
                   text={"field": "label"})
        for kind, ink in _LETTERS.items()
        if any(s["is"] == kind for s in squares)
    ]  # fmt: skip
    layers = [
        data_layer(squares, square, x=x, y=y, color=colour, tooltip={"field": "tip"}),
        *_lines(sends, squares, domain_size, x, y, cell),
        *letters,
        *_frames(len(chips), domain_size, places, x, y),
    ]
    return Chart(
        {
            "title": heading(title, subtitle, max(width, _NARROWEST) - 44),
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
    sends: list[tuple[int, int]], squares: list[Row], domain_size: int, x: Row, y: Row, cell: float
) -> list[Row]:
    """Bowed lines, so that those along one row stay apart; ends and the source on top."""
    if not sends:
        return []
    points, ends = [], []
    bows = _bows([(squares[a], squares[b]) for a, b in sends])
    for i, (a, b) in enumerate(sends):
        send = _INSIDE if a // domain_size == b // domain_size else _ACROSS
        ends.append({"x": squares[b]["x"], "y": squares[b]["y"], "send": send})
        points += [{**p, "send": send, "line": i} for p in _bowed(squares[a], squares[b], bows[i])]
    colour = key("send", _LINES, {e["send"] for e in ends}, symbolType="stroke")
    line = {"type": "line", "strokeWidth": 2}
    under = {**line, "strokeWidth": 3.5, "color": "$paper"}
    dot = {"type": "point", "filled": True, "size": min(60, 0.06 * cell**2), "opacity": 1,
           "stroke": "$ink", "strokeWidth": 1}  # fmt: skip
    disc = {**dot, "size": min(200, 0.16 * cell**2), "color": "$you", "strokeWidth": 2.5}
    by = {"x": x, "y": y, "detail": {"field": "line", "type": "nominal"},
          "order": {"field": "step", "type": "quantitative"}}  # fmt: skip
    across = [p for p in points if p["send"] == _ACROSS]
    return [
        # A rim in the colour of the paper under bright lines, or of ink under yellow ones.
        data_layer([p for p in points if p["send"] == _INSIDE], under, **by),
        data_layer(across, {**under, "color": "$ink", "strokeWidth": 3.5}, **by),
        data_layer(points, line, **by, color=colour),
        data_layer(ends, dot, x=x, y=y, color={**colour, "legend": None}),
        data_layer([squares[sends[0][0]]], disc, x=x, y=y),
    ]


def _bows(pairs: list[tuple[Row, Row]]) -> list[float]:
    """How far each line bows: of those the same way long ones bow farther."""
    ways: dict[tuple[float, float, float], list[int]] = {}
    lengths = [math.hypot(b["x"] - a["x"], b["y"] - a["y"]) for a, b in pairs]
    for i, (a, b) in enumerate(pairs):
        angle = round(math.atan2(b["y"] - a["y"], b["x"] - a["x"]), 2)
        ways.setdefault((a["x"], a["y"], angle), []).append(i)
    found = [0.0] * len(pairs)
    for own in ways.values():
        own.sort(key=lambda i: lengths[i])
        for rank, i in enumerate(own):
            found[i] = _BOW * (rank + 1) / len(own)
    return found


def _bowed(a: Row, b: Row, bow: float) -> list[Row]:
    """Points on a parabola from one chip to another."""
    across, down = b["x"] - a["x"], b["y"] - a["y"]
    length = max(math.hypot(across, down), 1e-9)
    found = []
    for step in range(_STEPS + 1):
        t = step / _STEPS
        rise = 4 * t * (1 - t) * bow / length
        found.append({"x": a["x"] + t * across - rise * down,
                      "y": a["y"] + t * down + rise * across, "step": step})  # fmt: skip
    return found


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
    box = {"type": "rect", "fillOpacity": 0, "stroke": "$edge", "strokeWidth": 1.5}
    return [data_layer(boxes, box, x=x, y=y, x2={"field": "x2"}, y2={"field": "y2"})]
