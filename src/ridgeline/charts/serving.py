"""Latency and cost against batch, with the parts, the landmarks and what binds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.chart import Chart
from ridgeline.charts.theme import PARTS
from ridgeline.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from ridgeline.grid import Result

__all__ = ["serving_chart"]

_WIDTH, _HEIGHT, _STRIP = 760, 400, 20

_FITS, _FITS_NOT = "fits", "does not fit"

#: picture -> (axis title, total column, factor to the axis's unit, column of each part)
_PICTURES: dict[str, tuple[str, str, float, dict[str, str]]] = {
    "latency": (
        "time of a decode step{least} (ms)",
        "time_s",
        1e3,
        {
            "compute": "compute_s",
            "weights": "weight_fetch_s",
            "KV": "attention_s",
            "network": "network_s",
            "overhead": "overhead_s",
        },
    ),
    "cost": (
        "cost of output{least} ($ per million tokens)",
        "usd_per_mtok_output",
        1.0,
        {
            "compute": "usd_per_mtok_compute",
            "weights": "usd_per_mtok_weights",
            "KV": "usd_per_mtok_attention",
            "network": "usd_per_mtok_network",
        },
    ),
}


def serving_chart(result: Result, landmarks: dict[str, float], title: str, name: str) -> Chart:
    """Draw latency, cost, or both against batch.

    Parameters
    ----------
    result : Result        Of a serving question; the first context shows its parts, several are
                           drawn by their totals.
    landmarks : mapping    Words to batches that get a vertical rule. [sequences]
    title : str            Model and machine.
    name : str             ``latency``, ``cost`` or ``both``.

    Returns
    -------
    Chart

    Raises
    ------
    SpecError   There is no such picture, or no price to draw a cost from.
    """
    if name == "both":
        panels = [n for n in _PICTURES if _has_numbers(result, n)]
        rows = [_panel(result, landmarks, n) for n in panels]
        return Chart({"title": _title(result, title), "vconcat": rows, "spacing": 36})
    if name not in _PICTURES:
        raise SpecError(
            f"There is no picture {name!r}.{did_you_mean(name, _PICTURES)} "
            "There are latency, cost and both."
        )
    if not _has_numbers(result, name):
        raise SpecError("A cost picture needs a price: give one in USD per chip-hour (--price).")
    return Chart({"title": _title(result, title), **_panel(result, landmarks, name)})


def _is_calibrated(result: Result) -> bool:
    return result.about["reading"] == "calibrated"


def _axis_title(result: Result, name: str) -> str:
    least = "" if _is_calibrated(result) else ", at least"
    return _PICTURES[name][0].format(least=least)


def _has_numbers(result: Result, name: str) -> bool:
    return bool(np.isfinite(result[_PICTURES[name][1]]).any())


def _title(result: Result, title: str) -> dict[str, Any]:
    contexts = [f"{c:,.0f}" for c in result["context"]]
    price = result.about.get("price")
    rent = f", {price['words']}" if price else ""
    reading = result.about["reading"]
    kind = "calibrated, 80% interval" if _is_calibrated(result) else f"{reading} lower bound"
    subtitle = f"{kind}, context {' / '.join(contexts)} tokens{rent}"
    return {"text": title, "subtitle": subtitle}


def _panel(result: Result, landmarks: dict[str, float], name: str) -> dict[str, Any]:
    lines, title = _lines(result, name), _axis_title(result, name)
    limits = _limits(lines)
    if len(result["context"]) > 1:
        layers = _context_layers(result, title, lines, limits)
        return {"width": _WIDTH, "height": _HEIGHT, "layer": layers}
    last = float(result["batch"][-1])
    layers = [
        *_beyond_memory(result),
        *_band(result, name, title, limits),
        *_part_layers(title, lines, limits),
        *_landmark_layers({k: v for k, v in landmarks.items() if v <= last}),
        *_strip(result, _HEIGHT),
    ]
    return {"width": _WIDTH, "height": _HEIGHT, "layer": layers}


def _limits(lines: list[dict[str, Any]]) -> tuple[float, float]:
    """The total's range with a decade below it for the parts that do not matter yet."""
    totals = [r["value"] for r in lines if r["part"] == "total"]
    return min(totals) / 10, max(totals) * 1.3


def _lines(result: Result, name: str) -> list[dict[str, Any]]:
    _, total, factor, parts = _PICTURES[name]
    batches, contexts = result["batch"], result["context"]
    wanted = {"total": total} | (parts if len(contexts) == 1 else {})
    if _is_calibrated(result):
        wanted = {"total": total} if name == "cost" else wanted
        wanted = {"attention" if part == "KV" else part: c for part, c in wanted.items()}
    return [
        {
            "batch": float(b),
            "context": f"{contexts[i]:,.0f}",
            "part": part,
            "value": float(result[column][i, j]) * factor,
            "fits": _FITS if result.infeasible[i, j] == 0 else _FITS_NOT,
        }
        for part, column in wanted.items()
        for i in range(len(contexts))
        for j, b in enumerate(batches)
        if result[column][i, j] > 0
    ]


def _x() -> dict[str, Any]:
    return {
        "field": "batch",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False},
        "axis": {
            "title": "batch (sequences in flight)",
            "format": ",",
            "tickCount": 12,
            "labelOverlap": "greedy",
            "labelSeparation": 10,
        },
    }


def _y(title: str, limits: tuple[float, float]) -> dict[str, Any]:
    return {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(limits), "nice": False},
        "axis": {"title": title, "format": "~r", "values": _ticks(*limits)},
    }


def _tooltip(title: str) -> list[dict[str, Any]]:
    return [
        {"field": "part", "title": "part"},
        {"field": "context", "title": "context (tokens)"},
        {"field": "batch", "format": ",", "type": "quantitative"},
        {"field": "value", "format": ".3g", "type": "quantitative", "title": title},
        {"field": "fits", "title": "memory"},
    ]


def _band(
    result: Result, name: str, title: str, limits: tuple[float, float]
) -> list[dict[str, Any]]:
    """The 80% interval around the total, where the reading has one."""
    if "time_low_s" not in result.columns:
        return []
    _, total, factor, _ = _PICTURES[name]
    scale = result[total][0] / result["time_s"][0] * factor
    low, high = result["time_low_s"][0] * scale, result["time_high_s"][0] * scale
    values = [
        {"batch": float(b), "low": float(lo), "high": float(hi)}
        for b, lo, hi in zip(result["batch"], low, high, strict=True)
    ]
    return [
        {
            "data": {"values": values},
            "mark": {"type": "area", "color": "#888888", "opacity": 0.3, "clip": True},
            "encoding": {
                "x": _x(),
                "y": {**_y(title, limits), "field": "low"},
                "y2": {"field": "high"},
            },
        }
    ]


def _part_layers(
    title: str, lines: list[dict[str, Any]], limits: tuple[float, float]
) -> list[dict[str, Any]]:
    """One context: the parts dashed, the whole bold."""
    colour = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": PARTS, "range": "category"},
        "legend": {"title": None, "values": [p for p in PARTS if p in {r["part"] for r in lines}]},
    }
    encoding = {"x": _x(), "y": _y(title, limits), "color": colour, "tooltip": _tooltip(title)}
    styles = ({"strokeWidth": 2, "strokeDash": [7, 4]}, {"strokeWidth": 4})
    groups = (
        [r for r in lines if r["part"] != "total"],
        [r for r in lines if r["part"] == "total"],
    )
    return [
        {
            "data": {"values": values},
            "mark": {"type": "line", "clip": True, **style},
            "encoding": encoding,
        }
        for values, style in zip(groups, styles, strict=True)
    ]


def _context_layers(
    result: Result, title: str, lines: list[dict[str, Any]], limits: tuple[float, float]
) -> list[dict[str, Any]]:
    """Several contexts: a line each, dotted where it no longer fits, a dot where compute binds."""
    colour = {
        "field": "context",
        "type": "nominal",
        "sort": None,
        "scale": {"scheme": "viridis"},
        "legend": {"title": "context (tokens)"},
    }
    dash = {
        "field": "fits",
        "type": "nominal",
        "scale": {"domain": [_FITS, _FITS_NOT], "range": [[1, 0], [2, 5]]},
        "legend": {"title": "memory"},
    }
    encoding = {"x": _x(), "y": _y(title, limits), "color": colour, "tooltip": _tooltip(title)}
    line = {
        "data": {"values": lines},
        "mark": {"type": "line", "strokeWidth": 3},
        "encoding": encoding | {"strokeDash": dash},
    }
    dots = {
        "data": {"values": _first_compute_bound(result, lines)},
        "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
        "encoding": encoding,
    }
    return [line, dots]


def _first_compute_bound(result: Result, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    code = result.columns["bound"].choices.index("compute")
    starts = {}
    for context, codes in zip(result["context"], result["bound"], strict=True):
        hits = np.flatnonzero(codes == code)
        if hits.size:
            starts[f"{context:,.0f}"] = float(result["batch"][hits[0]])
    return [
        {**r, "part": "compute binds from here"}
        for r in lines
        if starts.get(r["context"]) == r["batch"]
    ]


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 of each decade within the limits; decades alone where there are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    digits = (1, 2, 5) if len(decades) <= 5 else (1,)
    values = [float(f"{d}e{e}") for e in decades for d in digits]
    return [v for v in values if low <= v <= high]


def _beyond_memory(result: Result) -> list[dict[str, Any]]:
    """Shade the batches that do not fit at the first context."""
    out = np.flatnonzero(result.infeasible[0])
    if not out.size:
        return []
    batches = result["batch"]
    start = float(batches[max(out[0] - 1, 0)])
    box = {"from": start, "to": float(batches[-1])}
    shade = {
        "data": {"values": [box]},
        "mark": {"type": "rect", "color": "#888888", "opacity": 0.15},
        "encoding": {"x": {**_x(), "field": "from"}, "x2": {"field": "to"}},
    }
    return [shade]


def _landmark_layers(landmarks: dict[str, float]) -> list[dict[str, Any]]:
    if not landmarks:
        return []
    ordered = sorted(landmarks.items(), key=lambda item: item[1])
    values = [
        {"batch": v, "label": f"{k}: {int(v):,}", "row": i} for i, (k, v) in enumerate(ordered)
    ]
    rule = {
        "data": {"values": values},
        "mark": {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5},
        "encoding": {"x": _x()},
    }
    # Each label once as a halo, once as letters.
    texts = [
        {
            "data": {"values": [value]},
            "mark": {"type": "text", "align": "right", "dx": -6, "baseline": "top", **style},
            "encoding": {
                "x": _x(),
                "y": {"value": 8 + 20 * value["row"]},
                "text": {"field": "label"},
            },
        }
        for value in values
        for style in ({"style": "halo"}, {})
    ]
    return [rule, *texts]


def _strip(result: Result, height: int) -> list[dict[str, Any]]:
    """A labelled band along the axis, coloured by what binds at the first context."""
    codes, batches = result["bound"][0], result["batch"]
    names = result.columns["bound"].choices
    starts = [0, *(np.flatnonzero(np.diff(codes)) + 1)]
    ends = [*starts[1:], len(codes) - 1]
    values = [
        {
            "from": float(batches[a]),
            "to": float(batches[b]),
            "middle": float(np.sqrt(batches[a] * batches[b])),
            "part": names[codes[a]],
            "label": f"bound by {names[codes[a]]}",
        }
        for a, b in zip(starts, ends, strict=True)
    ]
    # A label needs room: about a seventh of the axis.
    whole = math.log(batches[-1] / batches[0]) if len(batches) > 1 else 1.0
    labelled = [v for v in values if math.log(v["to"] / v["from"]) > whole / 7]
    colour = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": PARTS, "range": "category"},
        "legend": None,
    }
    band = {
        "data": {"values": values},
        "mark": {"type": "rect", "tooltip": True},
        "encoding": {
            "x": {**_x(), "field": "from"},
            "x2": {"field": "to"},
            "y": {"value": height - _STRIP},
            "y2": {"value": height},
            "color": colour,
        },
    }
    text = {
        "data": {"values": labelled},
        "mark": {"type": "text", "color": "white", "fontSize": 12, "baseline": "middle"},
        "encoding": {
            "x": {**_x(), "field": "middle"},
            "y": {"value": height - _STRIP / 2},
            "text": {"field": "label"},
        },
    }
    return [band, text]
