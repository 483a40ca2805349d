"""Where labels go: beside what they name, on nothing else, inside the panel.

A `Plane` knows the pixels of a panel, what lies there (points, lines, boxes), and finds each label
a free place near its point; one that is pushed far gets a thin line back to it.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from ridgeline.charts.marks import data_layer, text_width, words

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Plane"]

Row = dict[str, Any]
Box = tuple[float, float, float, float]

_LINE = 1.25
#: room between a label and anything else [px]
_ROOM = 2.0
#: a line from a label ends so far before the nearest place of a label: at the rim of its point [px]
_RIM = 4.0
#: directions in which a place is sought: to the right and left first, then above and below
_DIRECTIONS: tuple[tuple[float, float], ...] = (
    *((1, 0), (-1, 0), (1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1)),
    *((1, -0.6), (1, 0.6), (-1, -0.6), (-1, 0.6)),
)
_ALIGNED = {"left": 0.0, "center": 0.5, "right": 1.0}
_RINGS = (0, 7, 15, 24, 34, 46, 60, 76, 95, 116)
#: steps that a label is pushed at most, unless told otherwise
_PUSHED = 8


class Plane:
    """The pixels of a panel, and what already lies there.

    Parameters
    ----------
    width, height : float   Of the panel. [px]
    x, y : mapping          Channels with the field and a scale with its ``domain``.
    """

    def __init__(self, width: float, height: float, x: Row, y: Row) -> None:
        self.width, self.height, self.x, self.y = width, height, x, y
        self._boxes: list[Box] = []
        self._faint: list[Box] = []
        self._points: list[tuple[float, float]] = []
        self._segments: list[Box] = []
        self._placed: list[Row] = []
        self._joins: list[Row] = []

    def at(self, row: Row) -> tuple[float, float]:
        """Where a row lies. [px]"""
        across = _share(row[self.x["field"]], self.x["scale"])
        up = _share(row[self.y["field"]], self.y["scale"])
        return across * self.width, (1 - up) * self.height

    def keep_off_points(
        self, rows: Iterable[Row], radius: float = 6.0, *, faint: bool = False
    ) -> None:
        """Labels do not cover these points; faint ones only where there is no other room."""
        for row in rows:
            px, py = self.at(row)
            box = (px - radius, py - radius, px + radius, py + radius)
            (self._faint if faint else self._boxes).append(box)
            if not faint:
                self._points.append((px, py))

    def keep_off_line(self, rows: Iterable[Row]) -> None:
        """Labels do not cross the line through these rows."""
        points = [self.at(r) for r in rows]
        self._segments += [(*a, *b) for a, b in itertools.pairwise(points)]

    def keep_off_rule(self, *, x: Any = None, y: Any = None) -> None:
        """Labels do not cross a rule over the whole panel, at a value of x or y."""
        if x is not None:
            px = _share(x, self.x["scale"]) * self.width
            self._segments.append((px, 0.0, px, self.height))
        if y is not None:
            py = (1 - _share(y, self.y["scale"])) * self.height
            self._segments.append((0.0, py, self.width, py))

    def keep_off(self, box: Box) -> None:
        """Labels do not cover this: left, top, right, bottom. [px]"""
        self._boxes.append(box)

    def label(
        self,
        row: Row,
        text: str,
        *,
        off: float = 8.0,
        size: float = 12.0,
        needed: bool = False,
        rings: int = _PUSHED,
        directions: tuple[tuple[float, float], ...] = _DIRECTIONS,
        color: str = "$ink",
    ) -> bool:
        """Find a label a place near a row; where it is not the nearest, a line joins them.

        Parameters
        ----------
        row : mapping       What it names.
        text : str
        off : float         Distance of the nearest place. [px]
        size : float        Of the letters. [px]
        needed : bool       Rather cross a line than be left out.
        rings : int         How far it may be pushed: steps of growing distance.
        directions : tuple  Of x and y, tried in this order.
        color : str

        Returns
        -------
        bool   Whether it was placed.
        """
        px, py = self.at(row)
        wide, high = text_width(text, size), _LINE * size
        places = [
            (_beside(px, py, dx, dy, off + ring, wide, high),
             ring > 0 or abs(dy) > 1)
            for ring in _RINGS[:rings]
            for dx, dy in directions
        ]  # fmt: skip
        # Faint points, lines under letters, and lines crossed by the joining line: all are kept
        # clear of, then fewer and fewer.
        passes = ((True, True, True), (False, True, True), (False, True, False),
                  (False, False, False))  # fmt: skip
        for faint, strict, clear in passes[: 4 if needed else 3]:
            for box, far in places:
                join = _join(px, py, box, off - _RIM) if far else None
                if clear and (self._crosses(join) if join else self._misleads(box, (px, py))):
                    continue
                if self._free(box, join, (px, py), strict=strict, faint=faint):
                    self._keep(text, box, join, size, color)
                    return True
        return False

    def _crosses(self, join: Box) -> bool:
        """Whether a joining line crosses another or a line of the panel."""
        return any(_meet(join, other) for other in self._segments)

    def _misleads(self, box: Box, at: tuple[float, float]) -> bool:
        """Whether a label that no line joins to its point is nearer to another one."""
        own = _distance(at, box)
        return any(
            _distance(other, box) < own
            for other in self._points
            if math.hypot(other[0] - at[0], other[1] - at[1]) > 1
        )

    def label_rule(self, value: float, text: str, *, size: float = 12.0) -> None:
        """Name a vertical rule near its top, on the side and in the line that are free."""
        px = _share(value, self.x["scale"]) * self.width
        wide, high = text_width(text, size), _LINE * size
        for strict in (True, False):
            for row in range(int(self.height / (high + 2))):
                for left in (px - 6 - wide, px + 6):
                    top = 4 + row * (high + 2)
                    box = (left, top, left + wide, top + high)
                    if self._free(box, None, (px, top), strict=strict):
                        self._keep(text, box, None, size, "$ink")
                        return

    def label_ends(self, lines: list[tuple[list[Row], str, str]], *, size: float = 13.0) -> None:
        """Name lines at their right ends, beside the panel, apart from each other.

        Parameters
        ----------
        lines : list   Rows of a line, its name, the colour of the letters.
        size : float   Of the letters. [px]
        """
        high = _LINE * size + 1
        ends = []
        for rows, text, color in lines:
            inside = [self.at(r) for r in rows if self._inside(r)]
            if not inside:
                continue
            px, py = max(inside)
            wide = text_width(text, size)
            box = (px + 8, py - high / 2, px + 8 + wide, py + high / 2)
            if self.width - px > wide / 2 and self._free(box, None, (px, py), strict=True):
                self._keep(text, box, None, size, color)  # it ends early: there is room inside
            else:
                ends.append(((px, py), text, color))
        ends.sort(key=lambda e: e[0][1])
        for (px, py), place, (_, text, color) in zip(
            [e[0] for e in ends], _spread([e[0][1] for e in ends], high, self.height), ends,
            strict=True,
        ):  # fmt: skip
            start = self.width + 10
            if abs(place - py) > 3 or self.width - px > 3:
                self._joins.append({"px": px, "py": py, "qx": start - 2, "qy": place})
            self.label_at(start, place, text, size=size, color=color)

    def _inside(self, row: Row) -> bool:
        px, py = self.at(row)
        return -1 <= px <= self.width + 1 and -1 <= py <= self.height + 1

    def label_first(
        self, places: list[tuple[float, float, str]], text: str, *, size: float = 12.0
    ) -> None:
        """Put a label at the first of some places that is free: x, y of its middle line, align.

        If none is, at the first.
        """
        wide, high = text_width(text, size), _LINE * size
        for px, py, align in places:
            left = px - wide * _ALIGNED[align]
            box = (left, py - high / 2, left + wide, py + high / 2)
            if self._free(box, None, (px, py), strict=True):
                self._keep(text, box, None, size, "$ink", align)
                return
        px, py, align = places[0]
        self.label_at(px, py, text, align=align, size=size)

    def label_at(
        self, px: float, py: float, text: str, *, align: str = "left", size: float = 12.0,
        color: str = "$ink",
    ) -> None:  # fmt: skip
        """Put a label at a place chosen by the caller, its middle line there. [px]"""
        wide, high = text_width(text, size), _LINE * size
        left = px - wide * _ALIGNED[align]
        self._keep(
            text, (left, py - high / 2, left + wide, py + high / 2), None, size, color, align
        )

    def _keep(
        self, text: str, box: Box, join: Box | None, size: float, color: str, align: str = ""
    ) -> None:
        self._boxes.append(box)
        left, top, right, bottom = box
        align = align or "center"
        at = {"left": left, "center": (left + right) / 2, "right": right}[align]
        self._placed.append(
            {"px": at, "py": (top + bottom) / 2, "text": text, "align": align, "size": size,
             "color": color}
        )  # fmt: skip
        if join is not None:
            self._segments.append(join)
            self._joins.append(dict(zip(("px", "py", "qx", "qy"), join, strict=True)))

    def _free(
        self,
        box: Box,
        join: Box | None,
        at: tuple[float, float],
        *,
        strict: bool,
        faint: bool = False,
    ) -> bool:
        left, top, right, bottom = box
        if left < 0 or top < 0 or right > self.width or bottom > self.height:
            return False
        grown = (left - _ROOM, top - _ROOM, right + _ROOM, bottom + _ROOM)
        if any(_overlap(grown, other) for other in self._boxes):
            return False
        if faint and any(_overlap(box, other) for other in self._faint):
            return False
        if strict and any(_cuts(grown, segment) for segment in self._segments):
            return False
        # A joining line may leave its own point, and cross lines, but no label or other point.
        return join is None or not any(
            _cuts(other, join)
            for other in self._boxes
            if not (other[0] <= at[0] <= other[2] and other[1] <= at[1] <= other[3])
        )

    def layers(self) -> list[Row]:
        """Joining lines and labels, the labels over a halo in the colour of the paper."""
        found = []
        if self._joins:
            rule = {"type": "rule", "color": "$ink3", "strokeWidth": 1}
            found.append(
                data_layer(self._joins, rule, x=_pixel("px"), y=_pixel("py"),
                           x2={"field": "qx"}, y2={"field": "qy"})
            )  # fmt: skip
        looks = dict.fromkeys((r["align"], r["size"], r["color"]) for r in self._placed)
        for align, size, color in looks:
            own = [
                {k: r[k] for k in ("px", "py", "text")}
                for r in self._placed
                if (r["align"], r["size"], r["color"]) == (align, size, color)
            ]
            mark = {"align": align, "baseline": "middle", "fontSize": size}
            found += words(own, mark, ink=color, x=_pixel("px"), y=_pixel("py"),
                           text={"field": "text", "type": "nominal"})  # fmt: skip
        return found


def _spread(places: list[float], high: float, room: float) -> list[float]:
    """Heights in rising order, moved as little as keeps them apart and within the panel."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + high) if found else place)
    least = room
    for i in reversed(range(len(found))):
        found[i] = min(found[i], least)
        least = found[i] - high
    return found


def _pixel(field: str) -> Row:
    return {"field": field, "type": "quantitative", "scale": None, "axis": None}


def _share(value: float, scale: Row) -> float:
    """How far along its axis a value lies, from 0 to 1."""
    low, high = scale["domain"]
    if scale.get("type") == "log":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _beside(
    px: float, py: float, dx: float, dy: float, off: float, wide: float, high: float
) -> Box:
    """A box beside a point, in a direction, some way off."""
    far = off if dx == 0 or abs(dy) < 1 else 0.72 * off
    left = px - wide / 2 if dx == 0 else px + far if dx > 0 else px - far - wide
    up = off if dx == 0 else 0.72 * off
    top = py + dy * (up + high / 2) - high / 2
    return left, top, left + wide, top + high


def _nearest(px: float, py: float, box: Box) -> tuple[float, float]:
    left, top, right, bottom = box
    return min(max(px, left), right), min(max(py, top), bottom)


def _distance(at: tuple[float, float], box: Box) -> float:
    """Of a point from a box. [px]"""
    qx, qy = _nearest(*at, box)
    return math.hypot(qx - at[0], qy - at[1])


def _join(px: float, py: float, box: Box, rim: float) -> Box:
    """From the rim of a point to the nearest place on a box."""
    qx, qy = _nearest(px, py, box)
    share = min(1.0, rim / max(math.hypot(qx - px, qy - py), 1e-9))
    return px + share * (qx - px), py + share * (qy - py), qx, qy


def _meet(a: Box, b: Box) -> bool:
    """Whether two segments cross."""

    def side(s: Box, x: float, y: float) -> float:
        return (s[2] - s[0]) * (y - s[1]) - (s[3] - s[1]) * (x - s[0])

    return (
        side(a, b[0], b[1]) * side(a, b[2], b[3]) < 0
        and side(b, a[0], a[1]) * side(b, a[2], a[3]) < 0
    )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _cuts(box: Box, segment: Box) -> bool:
    """Whether a segment runs through a box (Liang and Barsky's clipping)."""
    left, top, right, bottom = box
    x0, y0, x1, y1 = segment
    first, last = 0.0, 1.0
    for step, room in ((x0 - x1, x0 - left), (x1 - x0, right - x0),
                       (y0 - y1, y0 - top), (y1 - y0, bottom - y0)):  # fmt: skip
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first <= last
