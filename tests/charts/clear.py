"""What makes a picture clear, read from what is drawn: boxes of texts, colours, keys."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

from ridgeline.charts.marks import text_width

__all__ = ["assert_clear", "contrast", "layers_of", "texts"]

Box = tuple[float, float, float, float]

#: of the room estimated for a text: letters of a narrower face than the one estimated for
_SHRINK = 0.96


def texts(svg: str) -> tuple[list[tuple[str, Box]], tuple[float, float]]:
    """Every text with the box it takes, and the size of the picture. [px]"""
    root = ET.fromstring(svg)
    found: dict[tuple[str, int, int], tuple[str, Box]] = {}

    def walk(node: ET.Element, at: tuple[float, float]) -> None:
        moved = re.search(r"translate\(([-\d.e]+)[, ]+([-\d.e]+)\)", node.get("transform", ""))
        turned = re.search(r"rotate\(([-\d.]+)", node.get("transform", ""))
        if moved:
            at = (at[0] + float(moved[1]), at[1] + float(moved[2]))
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


def assert_clear(spec: dict[str, Any], svg: str) -> None:
    """No text on another or cut by the edge; keys show only what is drawn."""
    found, (width, height) = texts(svg)
    for (one, a), (other, b) in itertools.combinations(found, 2):
        assert not _overlap(a, b), f"{one!r} lies on {other!r}"
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
