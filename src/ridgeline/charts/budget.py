"""A token budget: costs against tokens at equal quality, and models of equal loss."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, key, log_axis

__all__ = ["budget_chart", "iso_loss_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT, _TALL = 640, 400, 480
#: what tokens are for; all of it is drawn in ink
_COLOURS = {
    "pre-training": "$series1",
    "RL": "$series3",
    "inference": "$series4",
    "all": "$ink",
}
_GAPS = {"inference": [7, 6]}
#: of optima, by demand: none, that of the question, more
_DEMANDS = ("$series5", "$series4", "$series2")
#: published models that are named if there is room, those that stand alone first
_NAMED = 30


def budget_chart(
    rows: list[Row], rules: list[tuple[float, str]], *, title: str, subtitle: str, unit: str
) -> Chart:
    """Draw what each activity costs against tokens of pre-training, for models of one loss.

    Parameters
    ----------
    rows : list     ``of`` (pre-training, RL, inference, all), ``tokens``, ``cost``, ``params``.
    rules : list    Tokens to be ruled, and what they are.
    title, subtitle : str
    unit : str      Of the cost, for the axis: ``USD`` or ``FLOP``.

    Returns
    -------
    Chart
    """
    tokens = [r["tokens"] for r in rows]
    x = _axis("tokens", "tokens of pre-training", (min(tokens), max(tokens)))
    whole = [r["cost"] for r in rows if r["of"] == "all"]
    limits = (min(whole) / 60, min(max(whole), 12 * min(whole)))
    if unit == "USD":
        y = _axis("cost", "cost (USD)", limits, form="$.3~s")
    else:
        y = log_axis("cost", "cost (FLOPs at the MFU of training)", limits)
        y["axis"]["labelExpr"] = "replace(format(datum.value, '.0e'), '+', '')"
    rows = [r for r in rows if limits[0] <= r["cost"] <= limits[1]]
    names = [n for n in _COLOURS if any(r["of"] == n for r in rows)]
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    lines = {name: [r for r in rows if r["of"] == name] for name in names}
    colour = {**key("of", _COLOURS, names), "legend": None}
    tip = [
        {"field": "of", "title": "for"},
        {"field": "tokens", "format": ".3s", "title": "tokens of pre-training"},
        {"field": "params", "format": ".3s", "title": "active parameters"},
        {"field": "cost", "format": ".3s" if unit == "USD" else ".3e"},
    ]
    # RL and inference may lie on each other: the second is drawn with gaps.
    dash = {
        "field": "of",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": names, "range": [_GAPS.get(n, [1, 0]) for n in names]},
    }
    layers = [data_layer(rows, {"type": "line", "strokeWidth": 2.5}, x=x, y=y, color=colour,
                         strokeDash=dash, tooltip=tip)]  # fmt: skip
    for own in lines.values():
        plane.keep_off_line(own)
    style = {"type": "rule", "strokeDash": [1, 4], "strokeWidth": 1.5}
    inside = [(at, text) for at, text in rules if min(tokens) <= at <= max(tokens)]
    for at, _ in inside:
        layers.append(data_layer([{"tokens": at}], style, x=x))
        plane.keep_off_rule(x=at)
    for at, text in inside:
        plane.label_rule(at, text)
    plane.label_ends([(own, n, _ink(_COLOURS[n])) for n, own in lines.items()])
    size = {"width": _WIDTH, "height": _HEIGHT}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


def _axis(
    field: str, title: str, limits: tuple[float, float], *, form: str = ".3~s"
) -> dict[str, Any]:
    """A logarithmic channel of large numbers, in billions and trillions."""
    axis = log_axis(field, title, limits)
    text = f"replace(format(datum.value, '{form}'), 'G', 'B')"
    thousands = f"format(datum.value / 1e12, '{form.replace('.3~s', ',.0f')}') + 'T'"
    axis["axis"]["labelExpr"] = f"datum.value >= 1e15 ? {thousands} : {text}"
    return axis


def _ink(colour: str) -> str:
    return "$ink" if colour == "$ink" else f"{colour}-line"


def iso_loss_chart(
    curves: dict[str, list[Row]],
    optima: dict[str, list[Row]],
    models: list[Row],
    marks: list[Row],
    *,
    limits: tuple[tuple[float, float], tuple[float, float]],
    title: str,
    subtitle: str,
) -> Chart:
    """Draw models of equal loss over parameters and tokens.

    Parameters
    ----------
    curves : mapping    Name of a loss to rows of ``params`` and ``tokens``.
    optima : mapping    Name of a demand to the cheapest models of rising quality; empty where they
                        are not in the picture.
    models : list       Published models: ``params``, ``tokens``, ``name``, ``released``.
    marks : list        Models of the question: ``params``, ``tokens``, ``name``.
    limits : tuple      Of parameters and of tokens.
    title, subtitle : str

    Returns
    -------
    Chart
    """
    x = _axis("params", "active parameters", limits[0])
    y = _axis("tokens", "tokens of pre-training", limits[1])
    plane = Plane(_WIDTH, _TALL, x, y)
    layers = []
    for line in curves.values():
        layers.append(data_layer(line, {"type": "line", "color": "$edge", "strokeWidth": 1.2,
                                        "clip": True}, x=x, y=y))  # fmt: skip
        plane.keep_off_line(line)
    tip = [
        {"field": "name"},
        {"field": "params", "format": ".3s", "title": "active parameters"},
        {"field": "tokens", "format": ".3s"},
        {"field": "released"},
    ]
    dot = {"type": "point", "filled": True, "size": 40, "opacity": 1, "color": "$ink3"}
    layers.append(data_layer(models, dot, x=x, y=y, tooltip=tip))
    coloured = zip(optima.items(), _DEMANDS, strict=False)
    drawn = [(name, line, colour) for (name, line), colour in coloured if line]
    for name, line, colour in drawn:
        layers.append(
            data_layer([{**r, "of": name} for r in line],
                       {"type": "line", "color": colour, "strokeWidth": 2.5, "clip": True},
                       x=x, y=y, tooltip=[{"field": "of"}, *tip[1:3]])
        )  # fmt: skip
        plane.keep_off_line(line)
    disc = {"type": "point", "size": 150, "filled": True, "opacity": 1, "color": "$you",
            "stroke": "$ink", "strokeWidth": 2}  # fmt: skip
    layers.append(data_layer(marks, disc, x=x, y=y, tooltip=tip[:3]))
    plane.keep_off_points(marks, 8)
    plane.keep_off_points(models, 4, faint=True)
    for mark in marks:
        plane.label(mark, mark["name"], off=12, size=13, needed=True, rings=10)
    plane.keep_off_points(models, 4)
    ends = [(line, name, f"{colour}-line") for name, line, colour in drawn]
    plane.label_ends([*ends, *((line, name, "$ink3") for name, line in curves.items())])
    n = 0
    for row in _telling(models):
        if n < _NAMED and plane.label(row, row["name"], size=11, rings=5, color="$ink2"):
            n += 1
    size = {"width": _WIDTH, "height": _TALL}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


def _telling(models: list[Row]) -> list[Row]:
    """Models in the order in which they are named: by turns the largest run and the loneliest."""
    largest = sorted(models, key=lambda r: -r["params"] * r["tokens"])
    loneliest = sorted(models, key=lambda r: -_alone(r, models))
    by_turns = [row for pair in zip(largest, loneliest, strict=True) for row in pair]
    return list({row["name"]: row for row in by_turns}.values())


def _alone(row: Row, models: list[Row]) -> float:
    """How far the nearest other model is, by ratio."""
    others = (
        math.hypot(*(math.log(row[k] / other[k]) for k in ("params", "tokens")))
        for other in models
        if other is not row
    )
    return min(others, default=0.0)
