"""Every operator of a step on one roofline."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, key, log_axis

__all__ = ["roofline_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 700, 420
_GROUPS = {
    "attention": "$series3",
    "experts": "$series1",
    "dense GEMMs": "$series2",
    "head": "$series4",
}
#: of bubbles [px^2]
_AREAS = (40.0, 900.0)
#: smaller shares of the step are named only where there is room beside them
_LABELLED = 0.02
_X, _Y = "intensity_flops_per_byte", "flops_per_s"


def roofline_chart(
    operators: list[Row],
    peaks_flops_per_s: dict[str, float],
    bandwidth_bytes_per_s: float,
    *,
    title: str,
    subtitle: str,
) -> Chart:
    """Draw operators by intensity and rate under the roofs of a chip.

    Parameters
    ----------
    operators : list   Rows of ``name``, ``group``, ``share`` of the step, intensity [FLOP/byte] and
                       rate [FLOP/s].
    peaks_flops_per_s : mapping   Name of an arithmetic to its peak: a roof each. [FLOP/s]
    bandwidth_bytes_per_s : float   The slope they share. [bytes/s]
    title, subtitle : str

    Returns
    -------
    Chart
    """
    top = max(peaks_flops_per_s.values())
    ridges = [
        {
            _X: peak / bandwidth_bytes_per_s,
            _Y: peak,
            "label": _roof_words(name, peak, bandwidth_bytes_per_s),
        }
        for name, peak in peaks_flops_per_s.items()
    ]
    right = max(8 * max(r[_X] for r in ridges), 2 * max(o[_X] for o in operators))
    left = min(0.5, min(o[_X] for o in operators) / 2)
    bottom = min(0.5 * min(o[_Y] for o in operators), left * bandwidth_bytes_per_s)
    x = log_axis(_X, "intensity (FLOP per byte of memory)", (left, right), form="~s")
    y = log_axis(_Y, "rate of one chip (FLOP/s)", (bottom, top * 2.5), form="~s")
    colour = key("group", _GROUPS, {o["group"] for o in operators}, symbolType="circle",
                 symbolSize=130)  # fmt: skip
    size = {
        "field": "share",
        "type": "quantitative",
        "scale": {"type": "linear", "domain": [0, max(o["share"] for o in operators)],
                  "range": list(_AREAS)},
        "legend": None,
    }  # fmt: skip
    point = {"type": "circle", "opacity": 0.85, "stroke": "$paper", "strokeWidth": 1}
    tooltip = [
        {"field": "name", "title": "operator"},
        {"field": "share", "title": "share of the step", "format": ".1%"},
        {"field": _X, "title": "FLOP per byte", "format": ",.3r"},
        {"field": _Y, "title": "FLOP/s", "format": ".3s"},
    ]
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    # The small ones last, so that the large do not hide them.
    drawn = sorted(operators, key=lambda o: -o["share"])
    for o in drawn:
        plane.keep_off_points([o], 0.85 * _radius(o, drawn[0]["share"]))
    layers = [
        *_roofs(ridges, left, bandwidth_bytes_per_s, plane),
        data_layer(drawn, point, x=x, y=y, color=colour, size=size, order={"value": 0},
                   tooltip=tooltip),
    ]  # fmt: skip
    _name(drawn, plane)
    head = heading(title, subtitle, _WIDTH)
    size_px = {"width": _WIDTH, "height": _HEIGHT}
    return Chart({"title": head, **size_px, "layer": [*layers, *plane.layers()]})


def _roof_words(name: str, peak: float, bandwidth: float) -> str:
    tera = f"{peak / 1e12:,.0f}" if peak >= 1e14 else f"{peak / 1e12:.3g}"
    return f"{name} {tera} TFLOP/s, ridge {peak / bandwidth:,.0f}"


def _roofs(ridges: list[Row], left: float, bandwidth: float, plane: Plane) -> list[Row]:
    """The slope of memory, a roof for each arithmetic, and the ridge where they meet."""
    x, y = plane.x, plane.y
    bottom, right = y["scale"]["domain"][0], x["scale"]["domain"][1]
    last = max(ridges, key=lambda r: r[_X])
    slope = [{_X: left, _Y: left * bandwidth}, {_X: last[_X], _Y: last[_Y]}]
    line = {"type": "line", "strokeWidth": 2.5, "color": "$edge", "clip": True}
    roofs = [[r, {**r, _X: right}] for r in ridges]
    layers = [data_layer(rows, line, x=x, y=y) for rows in (slope, *roofs)]
    for rows in (slope, *roofs):
        plane.keep_off_line(rows)
    foot = [{**r, "bottom": bottom} for r in ridges]
    dash = {"type": "rule", "strokeDash": [1, 4], "color": "$ink2"}
    layers.append(data_layer(foot, dash, x=x, y=y, y2={"field": "bottom"}))
    for ridge in foot:
        plane.keep_off_line([ridge, {**ridge, _Y: bottom}])
    edge = _WIDTH - 4
    for ridge in sorted(ridges, key=lambda r: -r[_Y]):
        px, py = plane.at(ridge)
        places = [(edge, py - 11, "right"), (edge, py + 13, "right"), (px + 8, py + 13, "left")]
        plane.label_first([*places, (px - 8, py - 11, "right")], ridge["label"])
    start = {_X: 3 * left, _Y: 3 * left * bandwidth}
    for where in ((1, 1), (-1, -1)):
        if plane.label(start, f"memory {bandwidth / 1e12:.3g} TB/s", directions=(where,)):
            break
    return layers


def _name(operators: list[Row], plane: Plane) -> None:
    """Names beside the bubbles, what takes longest first; small ones where there is room."""
    most = operators[0]["share"]
    for o in operators:
        rings = 10 if o["share"] >= _LABELLED else 6
        plane.label(o, f"{o['name']} {_percent(o['share'])}", off=_radius(o, most) + 4, rings=rings,
                    directions=_BELOW)  # fmt: skip


#: operators lie below the slope of memory: room is on the right and below
_BELOW = (
    *((1, 0), (1, 0.6), (1, -0.6), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, 0.6)),
    *((1, 2), (1, -2), (-1, 2), (1, 3), (-1, 3), (0, 1), (0, -1)),
)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _radius(o: Row, most: float) -> float:
    """Of a bubble whose area goes with its share. [px]"""
    low, high = _AREAS
    return math.sqrt((low + (high - low) * o["share"] / most) / math.pi)
