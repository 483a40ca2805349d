"""Predicted against measured, on log axes, with intervals and a band of 20%."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key, log_axis, plain_axis
from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["fidelity_chart"]

_WIDTH, _HEIGHT = 330, 270
_BAND = 1.2
_COLUMNS = 2

#: regime -> colour
_COLOURS = {
    "static": "$series1",
    "decode": "$series3",
    "prefill": "$series4",
    "closed": "$series2",
    "open": "$ink",
    "offline": "$ink3",
    "slo": "$series5",
}
#: edges of the errors of the histogram, predicted over measured
_RATIOS = tuple(2 ** (i / 4) for i in range(-8, 9))
#: panel -> its metrics, factor from SI, unit
_PANELS: dict[str, tuple[tuple[str, ...], float, str]] = {
    "time to first token": (("ttft_s", "ttft_p99_s"), 1e3, "ms"),
    "time per output token": (("tpot_s", "tpot_p99_s", "itl_s"), 1e3, "ms"),
    "time of a request or batch": (("e2e_s",), 1.0, "s"),
    "throughput": (
        (
            "output_tokens_per_s",
            "output_tokens_per_s_per_chip",
            "total_tokens_per_s",
            "prefill_tokens_per_s",
        ),
        1.0,
        "tokens/s",
    ),
    "memory": (("memory_bytes",), 1e-9, "GB"),
}


def fidelity_chart(points: Sequence[Mapping[str, Any]], title: str, subtitle: str = "") -> Chart:
    """Draw predicted against measured numbers, a panel for each kind of metric.

    Parameters
    ----------
    points : sequence of mapping
        ``regime``, ``metric``, ``measured``, ``predicted``, ``low``, ``high`` in SI units, and
        what tells the point: ``source``, ``chip``, ``model``.
    title, subtitle : str

    Returns
    -------
    Chart

    Raises
    ------
    SpecError   There is nothing to draw.
    """
    panels = [p for p in (_panel(points, name) for name in _PANELS) if p is not None]
    if not panels:
        raise SpecError("There is nothing to draw: no row has both a measurement and an answer.")
    if len(panels) % _COLUMNS:
        panels.append(_errors(points))
    head = heading(title, subtitle, _COLUMNS * _WIDTH + 50)
    return Chart({"title": head, "concat": panels, "columns": _COLUMNS, "spacing": 30})


def _errors(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How far off the answers are: one bar per quarter of an octave of predicted over measured."""
    known = {m for metrics, _, _ in _PANELS.values() for m in metrics}
    logs = [math.log2(p["predicted"] / p["measured"]) for p in points if p["metric"] in known]
    kept = [min(max(v, math.log2(_RATIOS[0])), math.log2(_RATIOS[-1]) - 1e-9) for v in logs]
    bars = [
        {"from": low, "to": high,
         "n": sum(math.log2(low) <= v < math.log2(high) for v in kept) / len(kept)}
        for low, high in itertools.pairwise(_RATIOS)
    ]  # fmt: skip
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [_RATIOS[0], _RATIOS[-1]], "nice": False},
        "axis": {"title": "predicted over measured", "values": [0.25, 0.5, 1, 2, 4],
                 "format": "~g", "labelExpr": "datum.label + 'x'"},
    }  # fmt: skip
    most = max(b["n"] for b in bars)
    y = plain_axis("n", "share of numbers", (0, 1.1 * most), form=".0%", ticks=4)
    near = sum(abs(v) <= math.log2(_BAND) for v in logs) / len(logs)
    bar = {"type": "bar", "color": "$edge", "stroke": "$paper", "strokeWidth": 1, "binSpacing": 0}
    return {
        "title": {"text": f"all ({len(logs)}): {near:.0%} within 20%", "fontSize": 14,
                  "offset": 6},
        "width": _WIDTH,
        "height": _HEIGHT,
        "layer": [
            data_layer(bars, bar, x=x, x2={"field": "to"}, y=y, y2={"datum": 0}),
            data_layer([{"from": 1.0}], {"type": "rule", "strokeWidth": 1.5}, x=x),
        ],
    }  # fmt: skip


def _panel(points: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    metrics, factor, unit = _PANELS[name]
    rows = [_scaled(p, factor) for p in points if p["metric"] in metrics]
    if not rows:
        return None
    low = min(min(r["measured"], r["low"]) for r in rows) / 1.3
    high = max(max(r["measured"], r["high"]) for r in rows) * 1.3
    present = [r for r in _COLOURS if any(p["regime"] == r for p in points)]
    colour = key("regime", _COLOURS, present, symbolType="circle", symbolSize=90)
    x = _axis("measured", f"measured ({unit})", low, high)
    y = _axis("predicted", f"predicted ({unit})", low, high)
    tooltip = [
        *({"field": f, "type": "nominal"} for f in ("source", "chip", "model", "metric")),
        *(
            {"field": f, "type": "quantitative", "format": ".3s"}
            for f in ("measured", "predicted", "low", "high")
        ),
    ]
    size = max(6, min(40, 6000 // len(rows)))
    opacity = max(0.25, min(0.9, 60 / len(rows) ** 0.5 / 4))
    return {
        "title": {"text": f"{name} ({len(rows)})", "fontSize": 14, "offset": 6},
        "width": _WIDTH,
        "height": _HEIGHT,
        "layer": [
            *_guides(low, high, x, y),
            {
                "data": {"values": rows},
                "mark": {"type": "rule", "clip": True, "opacity": opacity / 3},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"},
                             "color": colour},
            },
            {
                "data": {"values": rows},
                "mark": {"type": "circle", "clip": True, "size": size, "opacity": opacity},
                "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip},
            },
        ],
    }  # fmt: skip


def _scaled(point: Mapping[str, Any], factor: float) -> dict[str, Any]:
    numbers = {k: _digits(point[k] * factor) for k in ("measured", "predicted", "low", "high")}
    words = {k: point.get(k, "") for k in ("source", "chip", "model", "metric", "regime")}
    return {**words, **numbers}


def _digits(value: float) -> float:
    """Four digits: a pixel is coarser, and files with thousands of points stay small."""
    return float(f"{value:.4g}")


def _axis(field: str, title: str, low: float, high: float) -> dict[str, Any]:
    axis = log_axis(field, title, (low, high))
    ticks = axis["axis"]["values"]
    form = "~g" if min(ticks) < 1 and max(ticks) < 1e4 else "~s"
    axis["axis"] |= {"format": form, "labelOverlap": "greedy"}
    return axis


def _guides(low: float, high: float, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """The diagonal, and the band of 20% around it."""
    ends = [{"at": v, "over": v * _BAND, "under": v / _BAND} for v in (low, high)]
    along = {**x, "field": "at"}
    band = {
        "data": {"values": ends},
        "mark": {"type": "area", "clip": True, "color": "$tint"},
        "encoding": {"x": along, "y": {**y, "field": "under"}, "y2": {"field": "over"}},
    }
    diagonal = {
        "data": {"values": ends},
        "mark": {"type": "line", "clip": True, "color": "$edge", "strokeWidth": 1},
        "encoding": {"x": along, "y": {**y, "field": "at"}},
    }
    return [band, diagonal]
