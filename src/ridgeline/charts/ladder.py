"""Two ladders over generations of chips: time to drain the memory, multiplies for each weight."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, key, log_axis, plain_axis, rounded_out

__all__ = ["ladder_chart"]

_WIDTH, _HEIGHT = 700, 320
_VENDORS = {
    "NVIDIA": "$series3",
    "AMD": "$series2",
    "Google": "$series1",
    "AWS": "$series4",
    "others": "$ink3",
}
_SHAPES = {
    "NVIDIA": "circle",
    "AMD": "square",
    "Google": "triangle-up",
    "AWS": "diamond",
    "others": "cross",
}
_TICKS = (
    *(2, 5, 10, 15, 20, 30, 40, 50, 100, 150, 200, 300, 400, 600, 800),
    *(1000, 1500, 2000, 3000, 5000),
)
#: chips without a date stand in a column that far behind the last date [years]
_GAP = 1.6
_UNDATED = "no date"
#: points of one month that would hide each other are moved apart, by this [px] within this [px]
_APART, _HIDDEN = 6.0, 9.0
_SHORT = ("NVIDIA ", "AMD Instinct ", "Google ", "AWS ", "Intel ")


def ladder_chart(rows: list[dict[str, Any]], lecture_ratio: float, lecture_drain_s: float) -> Chart:
    """Draw drain period and hardware ratio against the date of launch.

    Chips without a date stand in a column of their own at the right.

    Parameters
    ----------
    rows : list              ``chip``, ``vendor``, ``launched``, ``drain_s``, ``ratio``, ``format``,
                             ``announced_only``.
    lecture_ratio : float    Ruled. [1]
    lecture_drain_s : float  Ruled. [s]

    Returns
    -------
    Chart
    """
    points = [_point(r) for r in rows]
    drain = _panel(
        points, "drain_ms", "time to read all memory once (ms)", lecture_drain_s * 1e3,
        f"the lecture: {lecture_drain_s * 1e3:.0f} ms", "",
    )  # fmt: skip
    ratio = _panel(
        points, "ratio", "multiplies per weight read, R", lecture_ratio,
        f"the lecture: {lecture_ratio:.0f}", "launched",
    )  # fmt: skip
    said = (
        "R in the widest of the formats a chip multiplies fastest; hollow: announced or estimated "
        "figures"
    )
    head = heading("Memory drain and hardware ratio by generation", said, _WIDTH)
    return Chart({"title": head, "vconcat": [drain, ratio], "spacing": 14})


def _year(launched: str) -> float:
    """A date as a number of years; a half-year is put in its middle."""
    date = launched.replace("-H1", "-04").replace("-H2", "-10")
    year, _, month = date.partition("-")
    return int(year) + (int((month or "7")[:2]) - 0.5) / 12


def _point(row: dict[str, Any]) -> dict[str, Any]:
    name = row["chip"]
    for prefix in _SHORT:
        name = name.removeprefix(prefix)
    short = name.split(" (")[0].split(" SXM")[0].split(" Vera")[0]
    vendor = row["vendor"] if row["vendor"] in _VENDORS else "others"
    return {
        "year": _year(row["launched"]) if row["launched"] else None,
        "drain_ms": row["drain_s"] * 1e3,
        "ratio": row["ratio"],
        "vendor": vendor,
        "chip": row["chip"],
        "drain_label": short,
        "ratio_label": f"{short} {row['format']}",
        "figures": "estimated" if row["announced_only"] else "published",
    }


def _x_axis(years: list[float | None], title: str) -> tuple[dict[str, Any], float | None]:
    """Years, and behind them the place of chips without a date, None if all have one."""
    dated = [y for y in years if y is not None]
    room = (0.6, 1.3)
    if not dated:
        low = high = undated = 0.0
        ticks = []
    else:
        low, high = min(dated), max(dated)
        ticks = [*range(math.ceil(low - room[0]), math.floor(high + room[1]) + 1)]
        ticks = ticks[:: -(-len(ticks) // 12)]
        undated = None if len(dated) == len(years) else high + _GAP
    if undated is not None:
        high = undated
        ticks = [t for t in ticks if t < undated - 0.6] + [undated]
    x = plain_axis("year", title or None, (low - room[0], high + room[1]), form="d")
    x["axis"]["values"] = ticks
    if undated is not None:
        x["axis"]["labelExpr"] = f"datum.value == {undated!r} ? '{_UNDATED}' : datum.label"
    return x, undated


def _moved_apart(rows: list[dict[str, Any]], plane: Plane) -> list[dict[str, Any]]:
    """Points of one month that would hide each other, side by side."""
    per_px = (plane.x["scale"]["domain"][1] - plane.x["scale"]["domain"][0]) / plane.width
    places = [plane.at(r) for r in rows]
    found = []
    for i, (row, (px, py)) in enumerate(zip(rows, places, strict=True)):
        near = [j for j, (qx, qy) in enumerate(places) if math.hypot(px - qx, py - qy) < _HIDDEN]
        step = (near.index(i) - (len(near) - 1) / 2) * 2 * _APART
        found.append({**row, "year": row["year"] + step * per_px})
    return found


def _panel(
    rows: list[dict[str, Any]], field: str, title: str, ruled: float, said: str, below: str
) -> dict[str, Any]:
    values = [r[field] for r in rows]
    x, undated = _x_axis([r["year"] for r in rows], below)
    rows = [{**r, "year": undated if r["year"] is None else r["year"]} for r in rows]
    y = log_axis(field, title, rounded_out([*values, ruled], 1.25))
    low, high = y["scale"]["domain"]
    y["axis"]["values"] = [v for v in _TICKS if low <= v <= high]
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    is_split = undated is not None and any(r["year"] < undated for r in rows)
    edges = [undated - _GAP / 2] if undated is not None and is_split else []
    for at in edges:
        plane.keep_off_rule(x=at)
    rows = _moved_apart(rows, plane)
    _, py = plane.at({**rows[0], field: ruled})
    plane.keep_off_rule(y=ruled)
    plane.keep_off_points(rows, 7)
    edge = _WIDTH - 4
    places = [(4.0, py - 11, "left"), (4.0, py + 13, "left"), (edge, py - 11, "right")]
    plane.label_first(places, said, size=13)
    label = "ratio_label" if field == "ratio" else "drain_label"
    for row in sorted(rows, key=lambda r: (r["figures"], r["year"])):
        plane.label(row, row[label], off=9)
    legend = {"symbolType": "circle", "symbolSize": 120}
    colour = key("vendor", _VENDORS, {r["vendor"] for r in rows}, **legend)
    if below:
        colour["legend"] = None
    names = colour["scale"]["domain"]
    shape = {
        "field": "vendor",
        "type": "nominal",
        "scale": {"domain": names, "range": [_SHAPES[n] for n in names]},
        "legend": colour["legend"],
    }
    fill = {
        "condition": {"test": "datum.figures == 'published'", **colour},
        "value": "$paper",
    }
    tip = [
        {"field": "chip"},
        {"field": field, "format": ".3g", "title": title, "type": "quantitative"},
        {"field": "figures"},
    ]
    dashed = {"type": "rule", "strokeDash": [7, 5], "strokeWidth": 1.5}
    dot = {"type": "point", "size": 90, "strokeWidth": 2, "opacity": 1}
    layers = [
        *(data_layer([{"year": at}], {"type": "rule", "color": "$grid"}, x=x) for at in edges),
        data_layer([{field: ruled}], dashed, y=y),
        data_layer(rows, dot, x=x, y=y, color=colour, fill=fill, shape=shape, tooltip=tip),
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "layer": [*layers, *plane.layers()]}
