"""Long contexts: cost against context with its kink, and what binds over batch and context."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words
from ridgeline.charts.theme import PARTS

__all__ = ["bounds_chart", "cost_context_chart"]

_WIDTH, _HEIGHT = 700, 405
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_CELL = 2**0.25


def cost_context_chart(
    rows: list[dict[str, Any]], kinds: list[dict[str, Any]], title: str, tpot_s: float
) -> Chart:
    """Draw the cost of a token against context, a line a kind of attention.

    Parameters
    ----------
    rows : list      ``attention``, ``context``, ``usd``.
    kinds : list     ``attention`` and ``kink_context``, marked for the first where there is one.
    title : str
    tpot_s : float   Time a token may take. [s]

    Returns
    -------
    Chart
    """
    contexts = [r["context"] for r in rows]
    x = _context_axis(min(contexts), max(contexts))
    y = log_axis(
        "usd", "cost of output, at least ($ per million tokens)",
        rounded_out([r["usd"] for r in rows], 1.3), form="$~r",
    )  # fmt: skip
    names = [k["attention"] for k in kinds]
    colour = {
        "field": "attention",
        "type": "nominal",
        "sort": names,
        "scale": {"domain": names, "range": list(_COLOURS[: len(names)])},
        "legend": {"title": None, "columns": 2},
    }
    tip = [
        {"field": "attention"},
        {"field": "context", "format": ",.0f", "title": "context (tokens)"},
        {"field": "usd", "format": "$.3g", "title": "$/Mtok"},
    ]
    own = kinds[0]
    layers = [data_layer(rows, {"type": "line", "strokeWidth": 3}, x=x, y=y, color=colour,
                         tooltip=tip)]  # fmt: skip
    kink = own["kink_context"]
    if kink and min(contexts) <= kink <= max(contexts):
        mark = [{"context": kink, "label": f"kink: multiplying binds until {kink:,.0f} tokens"}]
        style = {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5}
        layers.append(data_layer(mark, style, x=x))
        place = {"align": "left", "baseline": "top", "dx": 6, "fontSize": 12}
        layers += words(mark, place, x=x, y={"value": 8}, text={"field": "label"})
    heading = {
        "text": title,
        "subtitle": f"the most sequences that fit and get a token in {tpot_s * 1e3:.3g} ms; "
        "blackboard lower bound",
    }
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def bounds_chart(
    cells: list[dict[str, Any]], edge: list[dict[str, float]], title: str, reading: str
) -> Chart:
    """Colour what binds a step at each batch and context.

    Parameters
    ----------
    cells : list     ``batch``, ``context`` (centres), ``part`` that binds, ``fits``.
    edge : list      ``context`` and the most sequences that fit, ``batch``.
    title : str
    reading : str

    Returns
    -------
    Chart
    """
    boxes = _boxes(cells)
    batches, contexts = [c["batch"] for c in cells], [c["context"] for c in cells]
    x = _power_axis("left", "batch (sequences in flight)", min(batches), max(batches))
    y = _power_axis("low", "context (tokens)", min(contexts), max(contexts))
    present = [p for p in PARTS if p in {b["part"] for b in boxes}]
    colour = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": PARTS, "range": "category"},
        "legend": {"title": "bottleneck", "values": present, "symbolType": "square",
                   "symbolSize": 160},
    }  # fmt: skip
    faint = {"condition": {"test": "datum.fits", "value": 0.95}, "value": 0.25}
    tip = [
        {"field": "part", "title": "bottleneck"},
        {"field": "batches", "title": "batch"},
        {"field": "context", "format": ",.0f"},
        {"field": "memory"},
    ]
    inside = [e for e in edge if min(batches) <= e["batch"] <= max(batches)]
    layers = [
        data_layer(
            boxes, {"type": "rect", "strokeWidth": 0}, x=x, x2={"field": "right"}, y=y,
            y2={"field": "high"}, color=colour, opacity=faint, tooltip=tip,
        ),
    ]  # fmt: skip
    if inside:
        at_x, at_y = {**x, "field": "batch"}, {**y, "field": "context"}
        layers.append(
            data_layer(
                inside,
                {"type": "line", "strokeWidth": 2.5, "strokeDash": [6, 3]},
                x=at_x,
                y=at_y,
                color={"datum": "total", "type": "nominal"},
            )
        )  # fmt: skip
        middle = {**inside[len(inside) // 2], "label": "memory full"}
        place = {
            "align": "left",
            "baseline": "bottom",
            "dx": 10,
            "dy": -8,
            "fontSize": 13,
            "strokeJoin": "round",
        }
        layers += words([middle], place, x=at_x, y=at_y, text={"field": "label"})
    subtitle = f"what binds a decode step, {reading} reading; faint: does not fit in memory"
    heading = {"text": title, "subtitle": subtitle}
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def _boxes(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join neighbours in a row that are alike."""
    boxes: list[dict[str, Any]] = []
    for cell in sorted(cells, key=lambda c: (c["context"], c["batch"])):
        last = boxes[-1] if boxes else {}
        if all(last.get(k) == cell[k] for k in ("context", "part", "fits")):
            last["right"], last["last"] = cell["batch"] * _CELL, cell["batch"]
        else:
            boxes.append(
                {
                    "context": cell["context"],
                    "part": cell["part"],
                    "fits": cell["fits"],
                    "memory": "fits" if cell["fits"] else "does not fit",
                    "left": cell["batch"] / _CELL,
                    "right": cell["batch"] * _CELL,
                    "low": cell["context"] / _CELL,
                    "high": cell["context"] * _CELL,
                    "first": cell["batch"],
                    "last": cell["batch"],
                }
            )
    return [{**b, "batches": f"{b['first']:,.0f} to {b['last']:,.0f}"} for b in boxes]


def _context_axis(low: float, high: float) -> dict[str, Any]:
    return _power_axis("context", "context (tokens)", low, high)


def _power_axis(field: str, title: str, low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with ticks at powers of two, every second or third of many."""
    powers = [2.0**i for i in range(40) if low <= 2.0**i <= high]
    step = -(-len(powers) // 11)
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "domain": [low / _CELL, high * _CELL], "nice": False},
        "axis": {"title": title, "format": ",d", "values": powers[::step], "grid": False},
    }
