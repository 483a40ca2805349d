"""What the time of a step goes to: shares by resource, and a strip of what binds."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.labels import Plane, share_of
from ridgeline.charts.marks import data_layer, key, plain_axis, text_width
from ridgeline.charts.theme import RESOURCES

if TYPE_CHECKING:
    from ridgeline.grid import Result

__all__ = ["PART_COLUMNS", "share_panel", "strip_panel"]

Row = dict[str, Any]

#: resource to the column with its time
PART_COLUMNS = {
    "compute": "compute_s",
    "weights": "weight_fetch_s",
    "KV": "attention_s",
    "network": "network_s",
    "overhead": "overhead_s",
}
_STRIP, _LINE, _SIZE = 6, 18, 12
_HEIGHT, _POINTS = 120, 97
#: half the width of the bar of a single batch, as a ratio
_BAR = 2**0.25
#: a shorter span of what binds has no name if another has it [px]
_SHORT = 60
#: an area thinner than this cannot hold its name [px]
_THICK = 17


def _extent(result: Result, x: Row) -> tuple[float, float]:
    """What is drawn along the axis: all of it, or of a single batch one bar around it."""
    if len(result["batch"]) > 1:
        low, high = x["scale"]["domain"]
        return low, high
    batch = float(result["batch"][0])
    return batch / _BAR, batch * _BAR


def strip_panel(result: Result, x: Row, width: float, said: str) -> Row:
    """A thin band in the colour of what binds at the first context, with its names above it."""
    codes, batches = result["bound"][0], result["batch"]
    names = result.columns["bound"].choices
    starts = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(codes)))]
    first, last = _extent(result, x)
    edges = [first, *(math.sqrt(batches[s - 1] * batches[s]) for s in starts[1:]), last]
    spans = [
        {"from": float(a), "to": float(b), "part": names[codes[s]]}
        for (a, b), s in zip(itertools.pairwise(edges), starts, strict=True)
    ]
    ends: list[float] = []
    labels = []
    widest = {s["part"]: max(spans, key=lambda o, p=s["part"]: (o["part"] == p) * _ratio(o))
              for s in spans}  # fmt: skip
    for i, span in enumerate(spans):
        wide = share_of(span["to"], x["scale"]) - share_of(span["from"], x["scale"])
        if i and wide * width < _SHORT and widest[span["part"]] is not span:
            continue  # named elsewhere
        text = f"{said} {span['part']}" if i == 0 else span["part"]
        wide = text_width(text, _SIZE)
        left = min(share_of(span["from"], x["scale"]) * width, width - wide)
        row = next((r for r, end in enumerate(ends) if end + 8 < left), len(ends))
        ends[row : row + 1] = [left + wide]
        labels.append((row, left, text, span["part"]))
    height = _LINE * len(ends) + _STRIP + 2
    plane = Plane(width, height, x, plain_axis("y", None, (0, 1)))
    for row, left, text, part in labels:
        plane.label_at(left, height - _STRIP - 2 - _LINE * (row + 0.5), text, size=_SIZE,
                       color=f"${part}-line")  # fmt: skip
    colour = {**key("part", RESOURCES, {s["part"] for s in spans}), "legend": None}
    along = {**x, "axis": None}
    band = data_layer(
        spans, {"type": "rect"}, x={**along, "field": "from"}, x2={"field": "to"},
        y={"value": height - _STRIP}, y2={"value": height}, color=colour,
    )  # fmt: skip
    return {"width": width, "height": height, "layer": [band, *plane.layers()]}


def share_panel(result: Result, x: Row, width: float, title: str) -> Row:
    """Stacked shares of a decode step at the first context."""
    low, high = _extent(result, x)
    # As many points as make edges smooth and names find their room, of few batches, too.
    batches = np.geomspace(low, high, _POINTS)
    own = np.log(np.asarray(result["batch"], dtype=float))
    at = np.zeros(_POINTS)
    rows, areas = [], []
    for name, column in reversed(PART_COLUMNS.items()):
        part = "attention" if name == "KV" else name  # its arithmetic, too, in this reading
        share = np.interp(np.log(batches), own,
                          np.nan_to_num(result[column][0] / result["time_s"][0]))  # fmt: skip
        rows += [
            {"batch": float(b), "part": part, "from": float(a), "to": float(a + s),
             "share": float(s)}
            for b, a, s in zip(batches, at, share, strict=True)
        ]  # fmt: skip
        areas.append((part, at.copy(), share))
        at = at + share
    y = plain_axis("from", title, (0, 1), form=".0%", ticks=3)
    y["axis"]["values"] = [0, 0.5, 1]
    plane = Plane(width, _HEIGHT, {**x, "field": "batch"}, y)
    unnamed = [
        part for part, low, share in areas
        if share.max() > 0 and not _named(plane, batches, part, low, share)
    ]  # fmt: skip
    drawn = [part for part, _, share in areas if share.max() > 0]
    colour = key("part", RESOURCES, drawn)
    if unnamed:
        colour["legend"] |= {"values": unnamed, "offset": 4, "symbolSize": 90}
    else:
        colour["legend"] = None
    tip = [
        {"field": "part"},
        {"field": "batch", "format": ",.0f"},
        {"field": "share", "format": ".1%", "title": "share of a step"},
    ]
    if len(result["batch"]) == 1:
        tip = [t for t in tip if t["field"] != "batch"]  # the width of a bar says nothing
    area = {"type": "area", "stroke": "$paper", "strokeWidth": 1}
    stacked = data_layer(
        [r for r in rows if r["part"] in drawn], area, x={**x, "field": "batch"}, y=y,
        y2={"field": "to"}, color=colour, tooltip=tip,
    )  # fmt: skip
    # Letters on a fill need no halo.
    names = [la for la in plane.layers() if la["mark"].get("style") != "halo"]
    return {"width": width, "height": _HEIGHT, "layer": [stacked, *names]}


def _named(plane: Plane, batches: Any, part: str, low: Any, share: Any) -> bool:
    """Put a name where its area is thickest, if that is thick enough."""
    wide = text_width(part, _SIZE) / 2 + 6
    best, place = 0.0, (0.0, 0.0)
    xs = np.asarray([plane.at({"batch": float(b), "from": 0.0})[0] for b in batches])
    inside = np.flatnonzero((xs > xs[0] + wide) & (xs < xs[-1] - wide))
    for i in sorted(inside, key=lambda i: abs(i - len(xs) // 2)):
        under = (xs >= xs[i] - wide) & (xs <= xs[i] + wide)
        floor, ceiling = low[under].max(), (low + share)[under].min()
        if ceiling - floor > best:
            best = float(ceiling - floor)
            place = (float(xs[i]), (1 - float(floor + ceiling) / 2) * plane.height)
    if best * plane.height < _THICK:
        return False
    plane.label_at(*place, part, align="center", size=_SIZE, color=f"$on-{part}")
    return True


def _ratio(span: Row) -> float:
    return span["to"] / span["from"]
