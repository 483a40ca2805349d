"""Two ladders over generations of chips: time to drain the memory, multiplies for each weight."""

from __future__ import annotations

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
_TICKS = (10, 15, 20, 30, 40, 50, 100, 150, 200, 300, 400, 600, 800)
_SHORT = ("NVIDIA ", "AMD Instinct ", "Google ", "AWS ", "Intel ")


def ladder_chart(rows: list[dict[str, Any]], lecture_ratio: float, lecture_drain_s: float) -> Chart:
    """Draw drain period and hardware ratio against the date of launch.

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
    dated = [_point(r) for r in rows if r["launched"]]
    drain = _panel(
        dated, "drain_ms", "time to read all memory once (ms)", lecture_drain_s * 1e3,
        f"the lecture: {lecture_drain_s * 1e3:.0f} ms", "",
    )  # fmt: skip
    ratio = _panel(
        dated, "ratio", "multiplies per weight read, R", lecture_ratio,
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
        "year": _year(row["launched"]),
        "drain_ms": row["drain_s"] * 1e3,
        "ratio": row["ratio"],
        "vendor": vendor,
        "chip": row["chip"],
        "drain_label": short,
        "ratio_label": f"{short} {row['format']}",
        "figures": "estimated" if row["announced_only"] else "published",
    }


def _panel(
    rows: list[dict[str, Any]], field: str, title: str, ruled: float, said: str, below: str
) -> dict[str, Any]:
    values = [r[field] for r in rows]
    years = [r["year"] for r in rows]
    x = plain_axis("year", below or None, (min(years) - 0.6, max(years) + 1.3), form="d", ticks=9)
    x["axis"]["tickMinStep"] = 1
    y = log_axis(field, title, rounded_out([*values, ruled], 1.25))
    low, high = y["scale"]["domain"]
    y["axis"]["values"] = [v for v in _TICKS if low <= v <= high]
    plane = Plane(_WIDTH, _HEIGHT, x, y)
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
        data_layer([{field: ruled}], dashed, y=y),
        data_layer(rows, dot, x=x, y=y, color=colour, fill=fill, shape=shape, tooltip=tip),
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "layer": [*layers, *plane.layers()]}
