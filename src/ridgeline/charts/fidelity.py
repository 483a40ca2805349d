"""Predicted against measured, on log axes, with intervals and a band of 20%."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.charts.chart import Chart
from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["fidelity_chart"]

_WIDTH, _HEIGHT = 330, 270
_BAND = 1.2
_COLUMNS = 2

#: regime -> colour (Okabe and Ito's; yellow left out, which is pale on white)
_COLOURS = {
    "static": "#0072B2",
    "decode": "#009E73",
    "prefill": "#D55E00",
    "closed": "#CC79A7",
    "open": "#56B4E9",
    "offline": "#E69F00",
    "slo": "#8C8C8C",
}
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
    head = {"text": title, "subtitle": subtitle} if subtitle else {"text": title}
    return Chart({"title": head, "concat": panels, "columns": _COLUMNS, "spacing": 30})


def _panel(points: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    metrics, factor, unit = _PANELS[name]
    rows = [_scaled(p, factor) for p in points if p["metric"] in metrics]
    if not rows:
        return None
    low = min(min(r["measured"], r["low"]) for r in rows) / 1.3
    high = max(max(r["measured"], r["high"]) for r in rows) * 1.3
    present = [r for r in _COLOURS if any(p["regime"] == r for p in points)]
    colour = {
        "field": "regime",
        "type": "nominal",
        "scale": {"domain": present, "range": [_COLOURS[r] for r in present]},
        "legend": {"title": None, "symbolType": "circle", "symbolSize": 90, "symbolOpacity": 1},
    }
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
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    decades = [10.0**i for i in range(first, last + 1)]
    many = [m * 10.0**i for i in range(first - 1, last + 1) for m in (1, 2, 5)]
    ticks = decades if len(decades) > 2 else [t for t in many if low <= t <= high]
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {
            "values": ticks,
            "format": "~g" if min(ticks) < 1 and max(ticks) < 1e4 else "~s",
            "labelOverlap": "greedy",
        },
    }


def _guides(low: float, high: float, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """The diagonal, and the band of 20% around it."""
    ends = [{"at": v, "over": v * _BAND, "under": v / _BAND} for v in (low, high)]
    along = {**x, "field": "at"}
    band = {
        "data": {"values": ends},
        "mark": {"type": "area", "clip": True, "opacity": 0.18, "color": "#8C8C8C"},
        "encoding": {"x": along, "y": {**y, "field": "under"}, "y2": {"field": "over"}},
    }
    diagonal = {
        "data": {"values": ends},
        "mark": {"type": "line", "clip": True, "color": "#8C8C8C", "strokeWidth": 1},
        "encoding": {"x": along, "y": {**y, "field": "at"}},
    }
    return [band, diagonal]
