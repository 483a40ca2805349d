"""Latency and cost against batch, with what the time goes to, the landmarks and what binds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, hatch, heading, log2_axis, log_axis
from ridgeline.charts.shares import PART_COLUMNS, share_panel, strip_panel
from ridgeline.charts.theme import dashes, series
from ridgeline.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from ridgeline.grid import Result

__all__ = ["serving_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 640, 280
_FITS, _FITS_NOT = "fits", "does not fit"
_NAMES = ("latency", "cost", "both")
_MS = 1e3

#: picture -> axis title, lines of a step: (name, column, factor, columns of the interval)
_OF_STEPS = {
    "latency": ("time of a decode step (ms)", [("", "time_s", _MS)]),
    "cost": (
        "cost of output ($ per million tokens)",
        [("", "usd_per_mtok_output", 1.0)],
    ),
}
#: the same where requests have lengths, so that prompts are in the times and the costs
_OF_REQUESTS = {
    "latency": (
        "latency (ms)",
        [("time per output token", "tpot_s", _MS), ("time to first token", "ttft_s", _MS)],
    ),
    "cost": (
        "cost ($ per million tokens)",
        [
            ("all tokens of a request", "usd_per_mtok", 1.0),
            ("output", "usd_per_mtok_output", 1.0),
            ("fresh input", "usd_per_mtok_input", 1.0),
        ],
    ),
}
_COST_PARTS = {
    "compute": "usd_per_mtok_compute",
    "weights": "usd_per_mtok_weights",
    "KV": "usd_per_mtok_attention",
    "network": "usd_per_mtok_network",
}


def serving_chart(result: Result, landmarks: dict[str, float], title: str, name: str) -> Chart:
    """Draw latency, cost, or both against batch.

    Where requests have lengths, latency is that to the first token and from token to token, and
    costs hold the prompts; else both are of decode steps.

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
    if name not in _NAMES:
        raise SpecError(
            f"There is no picture {name!r}.{did_you_mean(name, _NAMES)} "
            "There are latency, cost and both."
        )
    if name == "cost" and not _has_numbers(result, name):
        raise SpecError("A cost picture needs a price: give one in USD per chip-hour (--price).")
    wanted = [n for n in ("latency", "cost") if name in (n, "both") and _has_numbers(result, n)]
    batches = [float(b) for b in result["batch"]]
    limits = (min(batches), max(batches)) if len(batches) > 1 else (batches[0] / 2, 2 * batches[0])
    x = log2_axis("batch", "batch (sequences in flight)", limits)
    alone = len(result["context"]) == 1
    rows = [strip_panel(result, x, _WIDTH, _bound_words(result))] if alone else []
    for panel in wanted:
        last = panel == wanted[-1]
        shared = panel == "latency" and alone and _is_calibrated(result)
        own = x if last and not shared else _untitled(x)
        rows.append(_panel(result, landmarks, panel, own))
        if shared:
            rows.append(share_panel(result, x if last else _untitled(x), _WIDTH, "a step goes to"))
    spec = {
        "title": heading(title, _subtitle(result), _WIDTH),
        "vconcat": rows,
        "spacing": 12,
        "resolve": {"scale": {"color": "independent"}},
    }
    return Chart(spec)


def _untitled(x: Row) -> Row:
    return {**x, "axis": {**x["axis"], "title": None}}


def _is_calibrated(result: Result) -> bool:
    return result.about["reading"] == "calibrated"


def _has_requests(result: Result) -> bool:
    return "ttft_s" in result.columns


def _lines_of(result: Result, name: str) -> tuple[str, list[tuple[str, str, float]]]:
    return (_OF_REQUESTS if _has_requests(result) else _OF_STEPS)[name]


def _has_numbers(result: Result, name: str) -> bool:
    return bool(np.isfinite(result[_lines_of(result, name)[1][0][1]]).any())


def _bound_words(result: Result) -> str:
    return "decoding bound by" if _has_requests(result) else "bound by"


def _subtitle(result: Result) -> list[str]:
    price = result.about.get("price")
    rent = f", {price['words']}" if price else ""
    reading = result.about["reading"]
    alone = len(result["context"]) == 1
    kind = f"{reading} lower bound"
    if _is_calibrated(result):
        kind = "calibrated, 80% interval" if alone else "calibrated"
    contexts = " / ".join(f"{c:,.0f}" for c in result["context"])
    about = f"context {contexts} tokens"
    request = result.about.get("request")
    if _has_requests(result) and request:
        lengths = f"{request['isl']:,.0f} tokens in, {request['osl']:,.0f} out"
        about = f"{lengths}, the prompts' time and cost included"
    full = ", does not fit in memory" if (result.infeasible != 0).all() else ""
    said = f"{kind}, {about}{full}{rent}"
    return [said] if alone else [said, "; ".join(_signs(result))]


def _signs(result: Result) -> list[str]:
    """What the signs on lines of several contexts mean: those that are drawn."""
    computes = result["bound"] == result.columns["bound"].choices.index("compute")
    drawn = {
        "dot: compute binds from here": computes.any(),
        "dotted: does not fit in memory": (result.infeasible != 0).any(),
    }
    return [words for words, is_drawn in drawn.items() if is_drawn]


def _panel(result: Result, landmarks: dict[str, float], name: str, x: Row) -> Row:
    title, _ = _lines_of(result, name)
    lines = _lines(result, name)
    parts = _parts(result, name)
    bands = _bands(result, name)
    y = log_axis("value", title, _limits(lines, parts, bands))
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    if len(result["context"]) > 1:
        layers = _context_layers(result, lines, plane)
    else:
        marks = {k: v for k, v in landmarks.items() if _inside(v, x)}
        for batch in marks.values():
            plane.keep_off_rule(x=batch)
        layers = [
            *_beyond_memory(result, plane),
            *_band_layers(bands, plane),
            *_line_layers(lines, parts, plane),
            *_landmark_layers(marks, plane),
        ]
    return {"width": _WIDTH, "height": _HEIGHT, "layer": [*layers, *plane.layers()]}


def _inside(value: float, x: Row) -> bool:
    low, high = x["scale"]["domain"]
    return low <= value <= high


def _limits(lines: list[Row], parts: list[Row], bands: list[Row]) -> tuple[float, float]:
    """Room for the totals and their interval, and for each part's largest value."""
    totals = [r["value"] for r in lines]
    low = min([*totals, *(b["low"] for b in bands)])
    high = max([*totals, *(b["high"] for b in bands)])
    tops = [max(r["value"] for r in parts if r["part"] == p) for p in {r["part"] for r in parts}]
    if tops:
        low = max(min(low / 10, min(tops) / 2), low / 1e3)
    return low / 1.4, high * 1.4


def _points(result: Result, part: str, column: str, factor: float) -> list[Row]:
    values = result[column]
    return [
        {
            "batch": float(b),
            "context": f"{context:,.0f}",
            "part": part,
            "value": float(values[i, j]) * factor,
            "fits": _FITS if result.infeasible[i, j] == 0 else _FITS_NOT,
        }
        for i, context in enumerate(result["context"])
        for j, b in enumerate(result["batch"])
        if np.isfinite(values[i, j]) and values[i, j] > 0
    ]


def _lines(result: Result, name: str) -> list[Row]:
    return [r for line in _lines_of(result, name)[1] for r in _points(result, *line)]


def _parts(result: Result, name: str) -> list[Row]:
    """Of a lower bound: parts overlap, so that each has a line. Elsewhere they add up: shares."""
    if _is_calibrated(result) or len(result["context"]) > 1 or _has_requests(result):
        return []
    columns, factor = (PART_COLUMNS, _MS) if name == "latency" else (_COST_PARTS, 1.0)
    return [r for part, column in columns.items() for r in _points(result, part, column, factor)]


def _bands(result: Result, name: str) -> list[Row]:
    """80% intervals around the lines, where the reading has them."""
    if "time_low_s" not in result.columns or len(result["context"]) > 1:
        return []
    found = []
    for line, column, factor in _lines_of(result, name)[1][: 1 if name == "cost" else None]:
        middle, ends = result[column][0], _interval(result, column)
        for b, m, lo, hi in zip(result["batch"], middle, *ends, strict=True):
            if np.isfinite([m, lo, hi]).all() and lo > 0:
                found.append({"batch": float(b), "part": line, "low": float(lo) * factor,
                              "high": float(hi) * factor})  # fmt: skip
    return found


def _interval(result: Result, column: str) -> tuple[Any, Any]:
    """Ends of the interval of a column at the first context: its unit, if it has one, is last."""
    stem, s, _ = column.rpartition("_s")
    low, high = (f"{stem}_{end}_s" if s else f"{column}_{end}" for end in ("low", "high"))
    return result[low][0], result[high][0]


def _tooltip(title: str) -> list[Row]:
    return [
        {"field": "part", "title": "what"},
        {"field": "context", "title": "context (tokens)"},
        {"field": "batch", "format": ",", "type": "quantitative"},
        {"field": "value", "format": ".3g", "type": "quantitative", "title": title},
        {"field": "fits", "title": "memory"},
    ]


def _band_layers(bands: list[Row], plane: Plane) -> list[Row]:
    area = {"type": "area", "color": "$tint", "clip": True}
    if len({b["batch"] for b in bands}) == 1:
        area = {"type": "rule", "color": "$edge", "strokeWidth": 4}
    return [
        data_layer([b for b in bands if b["part"] == part], area, x=plane.x,
                   y={**plane.y, "field": "low"}, y2={"field": "high"})
        for part in dict.fromkeys(b["part"] for b in bands)
    ]  # fmt: skip


def _line_layers(lines: list[Row], parts: list[Row], plane: Plane) -> list[Row]:
    """Parts thin and in their colours; the whole bold in ink, further lines dashed."""
    layers, drawn = [], []
    xy = {"x": plane.x, "y": plane.y, "tooltip": _tooltip(plane.y["axis"]["title"])}
    for part in dict.fromkeys(r["part"] for r in parts):
        own = [r for r in parts if r["part"] == part]
        mark = {"type": "line", "clip": True, "strokeWidth": 2, "color": f"${part}-line"}
        layers.append(data_layer(own, mark, **xy))
        drawn.append((own, part, f"${part}-line"))
    for rank, (name, dash) in enumerate(dashes(r["part"] for r in lines).items()):
        own = [r for r in lines if r["part"] == name]
        mark = {"type": "line", "clip": True, "strokeWidth": 3.5 - rank,
                "strokeDash": dash, "color": "$ink"}  # fmt: skip
        layers.append(data_layer(own, mark, **xy))
        drawn.append((own, name or ("total" if parts else ""), "$ink"))
    for own, _, _ in drawn:
        plane.keep_off_line(own)
    if len({r["batch"] for r in lines}) == 1:
        dots = [*parts, *lines]
        layers.append(data_layer(dots, {"type": "point", "filled": True, "size": 60, "opacity": 1,
                                        "color": "$ink"}, **xy))  # fmt: skip
        plane.keep_off_points(dots)
    plane.label_ends([(own, name, colour) for own, name, colour in drawn if name])
    return layers


def _context_layers(result: Result, lines: list[Row], plane: Plane) -> list[Row]:
    """One line per context, dotted where it no longer fits, with a dot where compute binds."""
    names = list(dict.fromkeys(r["context"] for r in lines))
    colours = list(series(names).values())
    colour = {
        "field": "context",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": names, "range": colours},
        "legend": None,
    }
    dash = {
        "field": "fits",
        "type": "nominal",
        "scale": {"domain": [_FITS, _FITS_NOT], "range": [[1, 0], [2, 5]]},
        "legend": None,
    }
    tip = _tooltip(plane.y["axis"]["title"])
    encoding = {"x": plane.x, "y": plane.y, "color": colour, "tooltip": tip}
    line = data_layer(lines, {"type": "line", "strokeWidth": 2.5}, **encoding, strokeDash=dash)
    starts = _first_compute_bound(result, lines)
    dots = data_layer(
        starts, {"type": "point", "filled": True, "size": 110, "opacity": 1}, **encoding
    )
    own = [[r for r in lines if r["context"] == name] for name in names]
    said = [f"{name} tokens" if i == 0 else name for i, name in enumerate(names)]
    letters = [f"{c}-line" for c in colours]
    plane.label_ends(list(zip(own, said, letters, strict=True)))
    return [line, dots]


def _first_compute_bound(result: Result, lines: list[Row]) -> list[Row]:
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


def _beyond_memory(result: Result, plane: Plane) -> list[Row]:
    """Hatch the batches that do not fit at the first context."""
    out = np.flatnonzero(result.infeasible[0])
    if not out.size:
        return []
    batches = result["batch"]
    start = float(batches[out[0] - 1]) if out[0] else plane.x["scale"]["domain"][0]
    row = {"batch": start, "value": plane.y["scale"]["domain"][0]}
    left, _ = plane.at(row)
    return [hatch(left, plane.width, plane.height)]


def _landmark_layers(landmarks: dict[str, float], plane: Plane) -> list[Row]:
    if not landmarks:
        return []
    ordered = sorted(landmarks.items(), key=lambda item: item[1])
    rows = [{"batch": v} for _, v in ordered]
    for name, value in ordered:
        plane.label_rule(value, f"{name}: {int(value):,}")
    rule = {"type": "rule", "strokeDash": [1, 4], "strokeWidth": 1.5}
    return [data_layer(rows, rule, x=plane.x)]
