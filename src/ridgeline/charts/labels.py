"""Where labels go: beside what they name, on nothing else, inside the panel.

A `Plane` knows the pixels of a panel, what lies there (points, lines, boxes), and finds each label
a free place near its point; one that is pushed far gets a thin line back to it.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from ridgeline.charts.geometry import beside, cuts, distance, leader, meet, overlap, right_end
from ridgeline.charts.marks import data_layer, text_width, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.charts.geometry import Box

__all__ = ["Plane", "share_of"]

Row = dict[str, Any]

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
#: a line that comes so near to the right edge is named beside the panel [px]
_EARLY = 60.0
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
        across = share_of(row[self.x["field"]], self.x["scale"])
        up = share_of(row[self.y["field"]], self.y["scale"])
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
            px = share_of(x, self.x["scale"]) * self.width
            self._segments.append((px, 0.0, px, self.height))
        if y is not None:
            py = (1 - share_of(y, self.y["scale"])) * self.height
            self._segments.append((0.0, py, self.width, py))

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
            (beside(px, py, dx, dy, off + ring, wide, high),
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
                join = leader(px, py, box, off - _RIM) if far else None
                if clear and (self._crosses(join) if join else self._misleads(box, (px, py))):
                    continue
                if self._free(box, join, (px, py), strict=strict, faint=faint):
                    self._keep(text, box, join, size, color)
                    return True
        return False

    def _crosses(self, join: Box) -> bool:
        """Whether a joining line crosses another or a line of the panel."""
        return any(meet(join, other) for other in self._segments)

    def _misleads(self, box: Box, at: tuple[float, float]) -> bool:
        """Whether a label that no line joins to its point is nearer to another one."""
        own = distance(at, box)
        return any(
            distance(other, box) < own
            for other in self._points
            if math.hypot(other[0] - at[0], other[1] - at[1]) > 1
        )

    def label_rule(
        self, value: float, text: str, *, size: float = 12.0, at_foot: bool = False
    ) -> None:
        """Name a vertical rule near its top or foot, on the side and at the height that are free.

        Where one line has no room, two have it, or the right edge of the panel, or a line for each
        word; else it lies on lines, never on other labels.
        """
        px = share_of(value, self.x["scale"]) * self.width
        at_edge = self.width - 4 - text_width(text, size)
        one, two, each = [text], _in_two(text), text.split(" ")
        passes = ((one, None, True, True), (one, None, True, False), (two, None, True, False),
                  (one, at_edge, True, False), (each, None, True, False),
                  (one, None, False, False))  # fmt: skip
        for said, left, strict, faint in passes:
            if self._rule_named(px, said, left, size, strict=strict, faint=faint, at_foot=at_foot):
                return

    def _rule_named(
        self, px: float, said: list[str], at_edge: float | None, size: float, *,
        strict: bool, faint: bool, at_foot: bool,
    ) -> bool:  # fmt: skip
        """Put the lines of a name beside a rule, or at a left edge, where they are free."""
        wide, step = max(text_width(line, size) for line in said), _LINE * size
        high = step * len(said)
        sides = [(px - 6 - wide, "right"), (px + 6, "left")][:: -1 if at_foot else 1]
        if at_edge is not None:
            sides = [(at_edge, "right")]
        heights = [4 + row * (step + 2) for row in range(int(self.height / (step + 2)))]
        for top in [self.height - high - t for t in heights] if at_foot else heights:
            for left, align in sides:
                box = (left, top, left + wide, top + high)
                if self._free(box, None, (px, top), strict=strict, faint=faint):
                    for i, line in enumerate(said):
                        own = (left, top + i * step, left + wide, top + (i + 1) * step)
                        self._keep(line, own, None, size, "$ink", align)
                    return True
        return False

    def label_ends(self, lines: list[tuple[list[Row], str, str]], *, size: float = 13.0) -> None:
        """Name lines at their right ends, beside the panel, apart from each other.

        A line that ends within the panel, or leaves it at its top or foot, is named there.

        Parameters
        ----------
        lines : list   Rows of a line, its name, the colour of the letters.
        size : float   Of the letters. [px]
        """
        high = _LINE * size + 1
        ends = []
        for rows, text, color in lines:
            end = self._end([self.at(r) for r in rows])
            if end is None:
                continue
            px, py = end
            wide = text_width(text, size)
            top = min(max(py - high / 2, 0.0), self.height - high)
            beside_it = (px + 8, top, px + 8 + wide, top + high)
            around = [
                (px + off, max(0.0, top - up), px + off + wide, max(0.0, top - up) + high)
                for up in (0.0, high / 2, high)
                for off in range(-int(wide) - 64, 64, 8)
            ]
            places = [beside_it, *sorted(around, key=lambda box, at=end: distance(at, box))]
            free = (b for b in places if self._free(b, None, end, strict=True))
            # It ends early: there is room inside.
            box = next(free, None) if self.width - px > min(wide / 2, _EARLY) else None
            if box:
                self._keep(text, box, None, size, color)
            else:
                ends.append((end, text, color))
        ends.sort(key=lambda e: e[0][1])
        for (px, py), place, (_, text, color) in zip(
            [e[0] for e in ends], _spread([e[0][1] for e in ends], high, self.height), ends,
            strict=True,
        ):  # fmt: skip
            start = self.width + 10
            if abs(place - py) > 3 or self.width - px > 3:
                self._joins.append({"px": px, "py": py, "qx": start - 2, "qy": place})
            self.label_at(start, place, text, size=size, color=color)

    def _end(self, points: list[tuple[float, float]]) -> tuple[float, float] | None:
        """Where a line ends or leaves the panel, at the right; None for one that is outside."""
        panel = (0.0, 0.0, self.width, self.height)
        segments = [(*a, *b) for a, b in itertools.pairwise(points)] or [(*points[0], *points[0])]
        within = [s for s in segments if cuts(panel, s)]
        return max(right_end(panel, s) for s in within) if within else None

    def label_first(
        self, places: list[tuple[float, float, str]], text: str, *, size: float = 12.0
    ) -> None:
        """Put a label at the first of some places that is free: x, y of its middle line, align.

        If none is, in two lines, from there up or down; if none is then, at the first.
        """
        step = _LINE * size
        for lines in ([text], _in_two(text)):
            wide, more = max(text_width(line, size) for line in lines), step * (len(lines) - 1)
            for px, py, align in places:
                left = px - wide * _ALIGNED[align]
                for top in (py - step / 2, py - step / 2 - more)[: len(lines)]:
                    box = (left, top, left + wide, top + step + more)
                    if self._free(box, None, (px, py), strict=True):
                        for i, line in enumerate(lines):
                            self.label_at(px, top + (i + 0.5) * step, line, align=align, size=size)
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
        if any(overlap(grown, other) for other in self._boxes):
            return False
        if faint and any(overlap(box, other) for other in self._faint):
            return False
        if strict and any(cuts(grown, segment) for segment in self._segments):
            return False
        # A joining line may leave its own point, and cross lines, but no label or other point.
        return join is None or not any(
            cuts(other, join)
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


def _in_two(text: str) -> list[str]:
    """A text in two lines: after its last colon or comma, else as alike as can be."""
    at = max(text.rfind(": "), text.rfind(", "))
    if at > 0:
        return [text[: at + 1], text[at + 2 :]]
    words_of = text.split(" ")
    halves = [[" ".join(words_of[:i]), " ".join(words_of[i:])] for i in range(1, len(words_of))]
    return min(halves, key=lambda two: max(len(line) for line in two), default=[text])


def share_of(value: float, scale: Row) -> float:
    """How far along its axis a value lies, from 0 to 1."""
    low, high = scale["domain"]
    if scale.get("type") == "log":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)
