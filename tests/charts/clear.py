"""What makes a picture clear, read from what is drawn: boxes of texts, colours, keys."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

from ridgeline.charts.marks import text_width
from ridgeline.charts.theme import tokens

__all__ = ["assert_clear", "contrast", "layers_of", "lines", "texts"]

Box = tuple[float, float, float, float]

#: of the room estimated for a text: letters of a narrower face than the one estimated for
_SHRINK = 0.96
#: a line that only touches the letters is seen to end there [px]
_TOUCH = 2.0
#: lines that are ground: what cannot be
_HATCHES = {tokens(dark=dark)["hatch"] for dark in (False, True)}


def texts(svg: str) -> tuple[list[tuple[str, Box]], tuple[float, float]]:
    """Every text with the box it takes, and the size of the picture. [px]"""
    root = ET.fromstring(svg)
    found: dict[tuple[str, int, int], tuple[str, Box]] = {}

    def walk(node: ET.Element, at: tuple[float, float]) -> None:
        turned = re.search(r"rotate\(([-\d.]+)", node.get("transform", ""))
        at = _moved(node, at)
        if node.tag.endswith("text") and node.get("opacity") != "0":
            said = [t for t in [node.text, *(c.text for c in node)] if t]
            for line, text in enumerate(said):
                box = _box(node, text, at, line, turned=bool(turned and float(turned[1])))
                found[text, round(at[0]), round(at[1]) + line] = (text, box)
        for child in node:
            walk(child, at)

    walk(root, (0.0, 0.0))
    return list(found.values()), (float(root.get("width", 0)), float(root.get("height", 0)))


def _box(node: ET.Element, text: str, at: tuple[float, float], line: int, *, turned: bool) -> Box:
    size = float(re.sub(r"[a-z]+$", "", node.get("font-size", "11px")))
    bold = 1.1 if node.get("font-weight") == "bold" else 1.0
    wide = _SHRINK * bold * text_width(text, size)
    start = {"start": 0.0, "middle": -0.5, "end": -1.0}[node.get("text-anchor", "start")] * wide
    low, high = -0.72 * size, 0.18 * size
    drop = line * 1.2 * size
    if turned:  # every turned text reads upwards
        return at[0] + low, at[1] - start - wide, at[0] + high, at[1] - start
    return at[0] + start, at[1] + low + drop, at[0] + start + wide, at[1] + high + drop


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def lines(svg: str) -> list[Box]:
    """Segments of every rule and line, as far as they are drawn; hatches are ground. [px]"""
    root = ET.fromstring(svg)
    clips = {clip.get("id"): clip[0] for clip in root.iter() if clip.tag.endswith("clipPath")}
    found: list[Box] = []

    def walk(node: ET.Element, at: tuple[float, float], kind: str, panel: Box | None) -> None:
        kind = next((k for k in ("mark-rule", "mark-line") if k in node.get("class", "")), kind)
        if "role-mark" not in node.get("class", "role-mark"):
            kind = ""
        at = _moved(node, at)
        if node.get("clip-path"):
            rect = clips[node.get("clip-path", "")[5:-1]]
            left, top, wide, high = (float(rect.get(k, 0)) for k in ("x", "y", "width", "height"))
            panel = (at[0] + left, at[1] + top, at[0] + left + wide, at[1] + top + high)
        drawn = kind and node.get("opacity") != "0" and node.get("stroke") not in _HATCHES
        ends: list[tuple[float, float]] = []
        if drawn and node.tag.endswith("line"):
            ends = [(0.0, 0.0), (float(node.get("x2", 0)), float(node.get("y2", 0)))]
        elif drawn and node.tag.endswith("path"):
            numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", node.get("d", ""))]
            ends = list(zip(numbers[::2], numbers[1::2], strict=True))
        placed = [(at[0] + x, at[1] + y) for x, y in ends]
        for a, b in itertools.pairwise(placed):
            part = _clipped((*a, *b), panel) if panel else (*a, *b)
            found.extend([part] if part else [])
        for child in node:
            walk(child, at, kind, panel)

    walk(root, (0.0, 0.0), "", None)
    return found


def _moved(node: ET.Element, at: tuple[float, float]) -> tuple[float, float]:
    moved = re.search(r"translate\(([-\d.e]+)[, ]+([-\d.e]+)\)", node.get("transform", ""))
    return (at[0] + float(moved[1]), at[1] + float(moved[2])) if moved else at


def _clipped(segment: Box, box: Box) -> Box | None:
    """The part of a segment in a box; None if there is none. By samples: half a pixel is enough."""
    x0, y0, x1, y1 = segment
    if not _overlap((min(x0, x1), min(y0, y1), max(x0, x1) + 1e-6, max(y0, y1) + 1e-6), box):
        return None
    n = max(1, int(2 * max(abs(x1 - x0), abs(y1 - y0))))
    inside = [
        (x, y)
        for x, y in ((x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n) for i in range(n + 1))
        if box[0] <= x <= box[2] and box[1] <= y <= box[3]
    ]
    return (*inside[0], *inside[-1]) if inside else None


def assert_clear(spec: dict[str, Any], svg: str) -> None:
    """No text on another, on a line or cut by the edge; keys show only what is drawn."""
    found, (width, height) = texts(svg)
    for (one, a), (other, b) in itertools.combinations(found, 2):
        assert not _overlap(a, b), f"{one!r} lies on {other!r}"
    drawn = lines(svg)
    for text, (left, top, right, bottom) in found:
        ink = (left + _TOUCH, top + _TOUCH, right - _TOUCH, bottom - _TOUCH)
        on = [line for line in drawn if _clipped(line, ink)]
        assert not on, f"{text!r} lies on a line from {on[0][:2]} to {on[0][2:]}"
    for text, box in found:
        inside = box[0] >= -1 and box[1] >= -1 and box[2] <= width + 1 and box[3] <= height + 1
        assert inside, f"{text!r} is cut by the edge of the picture"
    layers = layers_of(spec)
    for layer in layers:
        _assert_key(layer, layers)


def layers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All marks of a specification, however nested."""
    if "mark" in spec:
        return [spec]
    return [
        layer
        for group in ("layer", "vconcat", "hconcat", "concat")
        for part in spec.get(group, [])
        for layer in layers_of(part)
    ]


def _assert_key(layer: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    for channel in layer["encoding"].values():
        if not isinstance(channel, dict) or not channel.get("legend") or "scale" not in channel:
            continue
        shown = channel["legend"].get("values", channel["scale"]["domain"])
        if channel.get("type") != "nominal":
            continue
        field = channel["field"]
        drawn = {r[field] for other in layers for r in other["data"]["values"] if field in r}
        assert set(shown) <= drawn, f"the key shows {set(shown) - drawn}, which is not drawn"


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2."""
    a, b = sorted((_luminance(one), _luminance(other)))
    return (b + 0.05) / (a + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
