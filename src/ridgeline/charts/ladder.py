"""Two ladders over generations of chips: time to drain the memory, multiplies for each weight."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words

__all__ = ["ladder_chart"]

_WIDTH, _HEIGHT = 720, 300
_VENDORS = {
    "NVIDIA": "#009E73",
    "AMD": "#D55E00",
    "Google": "#0072B2",
    "AWS": "#CC79A7",
    "others": "#8C8C8C",
}
_TICKS = (10, 15, 20, 30, 40, 50, 100, 150, 200, 300, 400, 600, 800)
#: room a label takes: months a letter, pixels up and down; where the axis begins
_LETTER, _LINE, _FIRST = 0.95, 11, 12 * 2020 + 4
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
    heading = {
        "text": "Memory drain and hardware ratio by generation",
        "subtitle": "R in the widest of the formats a chip multiplies fastest; hollow: announced "
        "or estimated figures",
    }
    return Chart({"title": heading, "vconcat": [drain, ratio], "spacing": 14})


def _date(launched: str) -> str:
    """Put a half-year in its middle."""
    return launched.replace("-H1", "-04").replace("-H2", "-10")


def _point(row: dict[str, Any]) -> dict[str, Any]:
    name = row["chip"]
    for prefix in _SHORT:
        name = name.removeprefix(prefix)
    short = name.split(" (")[0].split(" SXM")[0].split(" Vera")[0]
    vendor = row["vendor"] if row["vendor"] in _VENDORS else "others"
    return {
        "date": _date(row["launched"]),
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
    x = {
        "field": "date",
        "type": "temporal",
        "scale": {"domain": ["2020-04-01", "2028-12-01"], "nice": False},
        "axis": {"title": below or None, "format": "%Y", "tickCount": "year", "grid": False},
    }
    y = log_axis(field, title, rounded_out([*values, ruled], 1.25))
    colour = {
        "field": "vendor",
        "type": "nominal",
        "scale": {"domain": list(_VENDORS), "range": list(_VENDORS.values())},
        "legend": None if below else {"title": None, "symbolType": "circle", "symbolSize": 120},
    }
    fill = {
        "condition": {"test": "datum.figures == 'published'", **colour},
        "value": "transparent",
    }
    tip = [
        {"field": "chip"},
        {"field": field, "format": ".3g", "title": title, "type": "quantitative"},
        {"field": "figures"},
    ]
    label = "ratio_label" if field == "ratio" else "drain_label"
    rule = {field: ruled, "said": said, "date": "2020-05-01"}
    y["axis"]["values"] = [v for v in _TICKS if min(values) / 1.25 <= v <= max(values) * 1.25]
    right, left = _placed(rows, field, label)
    small = {"baseline": "middle", "fontSize": 11, "strokeJoin": "round"}
    text = {"field": label}
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "layer": [
            data_layer([rule], {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.5}, y=y),
            *words(
                [rule],
                {"align": "left", "baseline": "bottom", "dy": -4, "fontSize": 12},
                x=x,
                y=y,
                text={"field": "said"},
            ),
            *words(right, {"align": "left", "dx": 9, **small}, x=x, y=y, text=text),
            *words(left, {"align": "right", "dx": -9, **small}, x=x, y=y, text=text),
            data_layer(
                rows,
                {"type": "point", "size": 110, "strokeWidth": 2, "opacity": 1},
                x=x,
                y=y,
                color=colour,
                fill=fill,
                tooltip=tip,
            ),
        ],
    }


def _placed(
    rows: list[dict[str, Any]], field: str, label: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Labels to the right of their points, to the left where that is taken, else none."""
    taken = [(_months(r["date"]) - 1.5, _months(r["date"]) + 1.5, r[field]) for r in rows]
    values = [r[field] for r in rows]
    line = (max(values) / min(values)) ** (_LINE / _HEIGHT) - 1
    sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for row in sorted(rows, key=lambda r: (r["figures"], r["date"])):
        at, value, width = _months(row["date"]), row[field], _LETTER * len(row[label])
        places = ((at + 1.6, at + 1.6 + width), (at - 1.6 - width, at - 1.6))
        for side, (start, end) in zip(sides, places, strict=True):
            free = all(end <= a or start >= b or abs(value / v - 1) > line for a, b, v in taken)
            if free and start > _FIRST:
                taken.append((start, end, value))
                side.append(row)
                break
    return sides


def _months(date: str) -> int:
    year, _, month = date.partition("-")
    return 12 * int(year) + int(month or 1)
