"""Chips of a cluster with the experts they hold, and where the tokens of one of them go."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, edged, heading, key, text_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["MOST_CHIPS_DRAWN", "rack_chart"]

Row = dict[str, Any]

#: more would be too small to read
MOST_CHIPS_DRAWN = 320
_WIDTH, _MOST_HEIGHT, _MOST_CELL = 700, 560, 110
_GAP = 0.7
_EXPERTS, _WEIGHTS, _NOTHING, _OTHER = (
    "holds experts",
    "holds weights",
    "no experts",
    "other replicas",
)
_COLOURS = {
    _EXPERTS: "$weights",
    _WEIGHTS: "$weights",
    _NOTHING: "$tint",
    _OTHER: "$weights-pale",
}
#: letters on them
_INKS = {
    _EXPERTS: "$on-weights",
    _WEIGHTS: "$on-weights",
    _NOTHING: "$ink",
    _OTHER: "$ink",
}
_INSIDE, _ACROSS = "inside the scale-up domain", "across domains"
_LINES = {_INSIDE: "$network", _ACROSS: "$network2"}
#: how far lines bow from the straight, at most [chips]; points of a line for each chip it passes
_BOW, _STEPS = 0.8, 12
#: numbers stand in the upper left corner, lines end in the lower half: off the middle [chips]
_CORNER, _LOWER = 0.38, 0.17
#: a line may go down between a dot and the next number: so far behind the dot, so wide [chips]
_STRIP, _TURN = 0.3, 0.5
#: room of a line to ends of others, to numbers, and to other lines [chips]
_OFF_ENDS, _OFF_NUMBERS, _APART = 0.13, 0.04, 0.08
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
    square = {"type": "square", "size": (0.86 * cell) ** 2, "opacity": 1, "strokeWidth": 1}
    corner = {"baseline": "top", "align": "left", "fontSize": _letters(cell)}
    corner |= {"dx": -_CORNER * cell, "dy": -_CORNER * cell}
    letters = [
        data_layer([s for s in squares if s["is"] == kind],
                   {"type": "text", **corner, "color": ink}, x=x, y=y, text={"field": "label"})
        for kind, ink in _INKS.items()
        if any(s["is"] == kind for s in squares)
    ]  # fmt: skip
    layers = [
        data_layer(
            squares,
            square,
            x=x,
            y=y,
            color=colour,
            stroke=edged(colour, {_NOTHING}),
            tooltip={"field": "tip"},
        ),
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
            "resolve": {"scale": {"color": "independent", "stroke": "independent"}},
        }
    )


def _letters(cell: float) -> float:
    """Size of the numbers on chips so large. [px]"""
    return min(13, max(8, 0.3 * cell))


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
    """Lines in the lower halves of the chips, bowed round numbers and the ends of other lines."""
    if not sends:
        return []
    at = [(s["x"], s["y"] + _LOWER) for s in squares]
    points, ends = [], []
    ways = _bowed([(at[a], at[b]) for a, b in sends], _numbers(squares, cell))
    for i, ((a, b), way) in enumerate(zip(sends, ways, strict=True)):
        send = _INSIDE if a // domain_size == b // domain_size else _ACROSS
        ends.append({"x": at[b][0], "y": at[b][1], "send": send})
        points += [{"x": px, "y": py, "step": k, "send": send, "line": i}
                   for k, (px, py) in enumerate(way.tolist())]  # fmt: skip
    colour = key("send", _LINES, {e["send"] for e in ends}, symbolType="stroke")
    line = {"type": "line", "strokeWidth": 2}
    dot = {"type": "point", "filled": True, "size": min(60, 0.06 * cell**2), "opacity": 1,
           "stroke": "$ink", "strokeWidth": 1}  # fmt: skip
    disc = {**dot, "size": min(200, 0.16 * cell**2), "color": "$you", "strokeWidth": 2.5}
    by = {"x": x, "y": y, "detail": {"field": "line", "type": "nominal"},
          "order": {"field": "step", "type": "quantitative"}}  # fmt: skip
    source = {"x": at[sends[0][0]][0], "y": at[sends[0][0]][1]}
    return [
        # A rim in the colour of the paper.
        data_layer(points, {**line, "strokeWidth": 3.5, "color": "$paper"}, **by),
        data_layer(points, line, **by, color=colour),
        data_layer(ends, dot, x=x, y=y, color={**colour, "legend": None}),
        data_layer([source], disc, x=x, y=y),
    ]


def _numbers(squares: list[Row], cell: float) -> Floats:
    """Boxes of the numbers in the corners of chips, left, top, right, bottom. [chips]"""
    size = _letters(cell) / cell
    return np.asarray(
        [
            (s["x"] - _CORNER, s["y"] - _CORNER,
             s["x"] - _CORNER + text_width(str(s["label"]), size), s["y"] - _CORNER + size)
            for s in squares
        ]
    )  # fmt: skip


def _bowed(
    pairs: list[tuple[tuple[float, float], tuple[float, float]]], numbers: Floats
) -> list[Floats]:
    """Points of a line for each pair, bowed as little as clears numbers and other ends."""
    places = np.unique(np.asarray([p for pair in pairs for p in pair]), axis=0)
    bows = sorted((sign * _BOW * i / 12 for i in range(1, 13) for sign in (1, -1)), key=abs)
    found: dict[int, Floats] = {}
    for i in sorted(range(len(pairs)), key=lambda i: math.dist(*pairs[i])):
        a, b = np.asarray(pairs[i])
        along = b - a
        aside = np.asarray([-along[1], along[0]]) / max(math.hypot(*along), 1e-9)
        t = np.linspace(0, 1, 4 + int(_STEPS * math.hypot(*along)))[:, None]
        ways = [a + turn * along + 4 * t * (1 - t) * bow * aside
                for bow in bows for turn in (t, *_turns(t, float(along[0])))]  # fmt: skip
        others = places[(np.abs(places - a).sum(1) > 0) & (np.abs(places - b).sum(1) > 0)]
        drawn = np.concatenate([way[::4] for way in found.values()] or [np.empty((0, 2))])
        found[i] = min(ways, key=lambda way: _met(way, others, numbers, drawn))
    return [found[i] for i in range(len(pairs))]


def _turns(t: Floats, across: float) -> list[Floats]:
    """Ways that go along a row, but for one of the strips between numbers, where they go down."""
    found = []
    for column in range(int(abs(across))):
        middle = column + _STRIP if across > 0 else column + 1 - _STRIP
        down = np.clip((t * abs(across) - middle) / _TURN + 0.5, 0, 1)
        found.append(np.hstack([t, down * down * (3 - 2 * down)]))
    return found


def _met(way: Floats, ends: Floats, numbers: Floats, drawn: Floats) -> float:
    """How many ends and numbers a line runs through, and how much of it lies on other lines."""

    def near(places: Floats, points: Floats, room: float) -> Any:
        gaps = np.linalg.norm(places[:, None] - points[None], axis=2)
        return gaps.min(axis=1, initial=np.inf) < room

    x, y = way.T[:, None]
    left, top, right, bottom = numbers.T[:, :, None]
    inside = (x > left - _OFF_NUMBERS) & (x < right + _OFF_NUMBERS)
    inside &= (y > top - _OFF_NUMBERS) & (y < bottom + _OFF_NUMBERS)
    # Lines leave one chip together: what counts is how far they stay so.
    own = way[len(way) // 4 : -1 : 4]
    shared = float(near(own, drawn, _APART).mean()) if len(own) else 0.0
    return 2 * inside.any(axis=1).sum() + near(ends, way, _OFF_ENDS).sum() + shared


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
