"""Boxes and lines of pixels: where they meet, and how far apart they are."""

from __future__ import annotations

import math

__all__ = ["Box", "beside", "cuts", "distance", "leader", "meet", "overlap", "right_end"]

#: left, top, right, bottom of a box; or from x, y to x, y of a line [px]
Box = tuple[float, float, float, float]


def beside(px: float, py: float, dx: float, dy: float, off: float, wide: float, high: float) -> Box:
    """A box beside a point, in a direction, some way off."""
    far = off if dx == 0 or abs(dy) < 1 else 0.72 * off
    left = px - wide / 2 if dx == 0 else px + far if dx > 0 else px - far - wide
    up = off if dx == 0 else 0.72 * off
    top = py + dy * (up + high / 2) - high / 2
    return left, top, left + wide, top + high


def _nearest(px: float, py: float, box: Box) -> tuple[float, float]:
    left, top, right, bottom = box
    return min(max(px, left), right), min(max(py, top), bottom)


def distance(at: tuple[float, float], box: Box) -> float:
    """Of a point from a box. [px]"""
    qx, qy = _nearest(*at, box)
    return math.hypot(qx - at[0], qy - at[1])


def leader(px: float, py: float, box: Box, rim: float) -> Box:
    """From the rim of a point to the nearest place on a box."""
    qx, qy = _nearest(px, py, box)
    share = min(1.0, rim / max(math.hypot(qx - px, qy - py), 1e-9))
    return px + share * (qx - px), py + share * (qy - py), qx, qy


def meet(a: Box, b: Box) -> bool:
    """Whether two segments cross."""

    def side(s: Box, x: float, y: float) -> float:
        return (s[2] - s[0]) * (y - s[1]) - (s[3] - s[1]) * (x - s[0])

    return (
        side(a, b[0], b[1]) * side(a, b[2], b[3]) < 0
        and side(b, a[0], a[1]) * side(b, a[2], a[3]) < 0
    )


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share more than a rim."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def cuts(box: Box, segment: Box) -> bool:
    """Whether a segment runs through a box."""
    first, last = _clipped(box, segment)
    return first <= last


def right_end(box: Box, segment: Box) -> tuple[float, float]:
    """The right end of the part of a segment that lies in a box."""
    x0, y0, x1, y1 = segment
    return max((x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in _clipped(box, segment))


def _clipped(box: Box, segment: Box) -> tuple[float, float]:
    """Shares of a segment at which it enters and leaves a box (Liang and Barsky's clipping).

    The first is the greater where it does not run through.
    """
    left, top, right, bottom = box
    x0, y0, x1, y1 = segment
    first, last = 0.0, 1.0
    for step, room in ((x0 - x1, x0 - left), (x1 - x0, right - x0),
                       (y0 - y1, y0 - top), (y1 - y0, bottom - y0)):  # fmt: skip
        if step == 0:
            if room < 0:
                return 1.0, 0.0
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first, last
