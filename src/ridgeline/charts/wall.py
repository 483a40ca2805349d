"""Long contexts: cost against context with its kink, and what binds over batch and context."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import (
    data_layer,
    heading,
    key,
    log2_axis,
    log_axis,
    rounded_out,
    text_width,
)
from ridgeline.charts.theme import RESOURCES, dashes, series

__all__ = ["bounds_chart", "cost_context_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 640, 405
#: of cost against context: the panel with the names of its lines, and the panel at least [px]
_BESIDE, _NARROWEST = 740.0, 420.0
#: half a cell of the map, as a ratio
_CELL = 2 ** (1 / 32)
#: half the height that a name takes in a region [px]
_TALL = 11.0


def cost_context_chart(
    rows: list[dict[str, Any]], kinds: list[dict[str, Any]], title: str, tpot_s: float
) -> Chart:
    """Draw the cost of a token against context, one line per kind of attention.

    Parameters
    ----------
    rows : list      ``attention``, ``context``, ``usd``.
    kinds : list     ``attention``, ``balance_context`` and ``kink_context``, marked for the first
                     where there is one.
    title : str
    tpot_s : float   Time a token may take. [s]

    Returns
    -------
    Chart
    """
    contexts = [r["context"] for r in rows]
    x = log2_axis("context", "context (tokens)", (min(contexts), max(contexts)), most=7)
    y = log_axis(
        "usd", "cost of output ($ per million tokens)",
        rounded_out([r["usd"] for r in rows], 1.3), form="$,~r",
    )  # fmt: skip
    names = [k["attention"] for k in kinds]
    colours, drawn = series(names), dashes(names)
    colour = {**key("attention", colours, names), "legend": None}
    tip = [
        {"field": "attention"},
        {"field": "context", "format": ",.0f", "title": "context (tokens)"},
        {"field": "usd", "format": "$.3g", "title": "$/Mtok"},
    ]
    # Names stand beside the panel: with them it is as wide as other pictures.
    width = max(_NARROWEST, _BESIDE - max(text_width(name, 13) for name in names))
    plane = Plane(width, _HEIGHT, x, y)
    lines = [[r for r in rows if r["attention"] == name] for name in names]
    dash = {"field": "attention", "type": "nominal", "legend": None,
            "scale": {"domain": names, "range": list(drawn.values())}}  # fmt: skip
    layers = [data_layer(rows, {"type": "line", "strokeWidth": 2.5}, x=x, y=y, color=colour,
                         strokeDash=dash, tooltip=tip)]  # fmt: skip
    for own in lines:
        plane.keep_off_line(own)
    kink, balance = kinds[0]["kink_context"], kinds[0]["balance_context"]
    also = ""
    if kink and min(contexts) <= kink <= max(contexts):
        style = {"type": "rule", "strokeDash": [1, 4], "strokeWidth": 1.5}
        layers.append(data_layer([{"context": kink}], style, x=x))
        plane.keep_off_rule(x=kink)
        plane.label_rule(kink, f"kink: multiplying binds until {kink:,.0f} tokens")
        if kink < balance:
            also = (
                f"the kink comes before {balance:,.0f} tokens, where reading a sequence takes as "
                "long as multiplying, as weights are read, too"
            )
    plane.label_ends(
        [(own, name, f"{colours[name]}-line") for own, name in zip(lines, names, strict=True)]
    )
    said = (
        f"the most sequences that fit and get a token within {tpot_s * 1e3:.3g} ms; blackboard "
        "lower bound"
    )
    size = {"width": width, "height": _HEIGHT}
    head = heading(title, [said, also], _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


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
    batches = sorted({c["batch"] for c in cells})
    contexts = sorted({c["context"] for c in cells})
    x = _map_axis("left", "batch (sequences in flight)", batches)
    y = _map_axis("low", "context (tokens)", contexts)
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    shades = {f"{part}{fits}": f"{c}{'' if fits else '-pale'}"
              for part, c in RESOURCES.items() for fits in (True, False)}  # fmt: skip
    colour = {**key("shade", shades, {b["shade"] for b in boxes}), "legend": None}
    tip = [
        {"field": "part", "title": "bottleneck"},
        {"field": "batches", "title": "batch"},
        {"field": "context", "format": ",.0f"},
        {"field": "memory"},
    ]
    # The rim closes the seams between rows.
    rect = {"type": "rect", "strokeWidth": 0.7}
    layers = [
        data_layer(boxes, rect, x=x, x2={"field": "right"}, y=y, y2={"field": "high"},
                   color=colour, stroke=colour, tooltip=tip)
    ]  # fmt: skip
    inside = [
        {"left": e["batch"], "low": e["context"]}
        for e in edge
        if batches[0] <= e["batch"] <= batches[-1]
    ]
    if inside:
        line = {"type": "line", "strokeWidth": 2.5, "strokeDash": [7, 5], "color": "$ink"}
        layers.append(data_layer(inside, line, x=x, y=y))
        plane.keep_off_line(inside)
    fills = _name_regions(boxes, plane)
    if inside:
        plane.label(inside[len(inside) // 2], "memory full", size=14, needed=True,
                    directions=((1, -1), (1, 0), (-1, 1)))  # fmt: skip
    # Names on a fill need no halo; the one on the line has it.
    names = [
        la for la in plane.layers()
        if la["mark"].get("style") != "halo" or la["data"]["values"][0]["text"] == "memory full"
    ]  # fmt: skip
    subtitle = f"what binds a decode step, {reading} reading; pale: does not fit in memory"
    unnamed = sorted({b["part"] for b in boxes} - fills)
    if unnamed:
        subtitle += f"; small: {', '.join(unnamed)}"
    size = {"width": _WIDTH, "height": _HEIGHT}
    head = heading(title, subtitle, _WIDTH)
    return Chart({"title": head, **size, "layer": [*layers, *names]})


def _name_regions(boxes: list[Row], plane: Plane) -> set[str]:
    """Names where their regions are widest, if they have room; which were placed."""
    placed = set()
    kinds = dict.fromkeys((b["part"], b["fits"]) for b in boxes)
    for part, fits in sorted(kinds, key=lambda k: not k[1]):
        if part in placed:
            continue
        spans = [
            (*plane.at({"left": b["left"], "low": b["context"]}), plane.at({**b, "left": b["right"],
             "low": b["context"]})[0])
            for b in boxes
            if (b["part"], b["fits"]) == (part, fits)
        ]  # fmt: skip
        widest = max((_room_at(py, spans, plane) for _, py, _ in spans), default=(0.0, 0.0, 0.0))
        room, middle, py = widest
        text = part if fits else f"{part}, does not fit"
        if room > text_width(text, 14) + 8:
            ink = f"$on-{part}" if fits else "$ink"
            plane.label_at(middle, py, text, align="center", size=14, color=ink)
            placed.add(part)
    return placed


def _room_at(
    at: float, spans: list[tuple[float, float, float]], plane: Plane
) -> tuple[float, float, float]:
    """Width and middle of what lies in a region over the height of a line of text."""
    near = [(left, right) for left, py, right in spans if abs(py - at) < _TALL]
    if not _TALL < at < plane.height - _TALL:
        return 0.0, 0.0, at
    left, right = max(a for a, _ in near), min(b for _, b in near)
    return right - left, (left + right) / 2, at


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
                    "shade": f"{cell['part']}{cell['fits']}",
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


def _map_axis(field: str, title: str, centres: list[float]) -> Row:
    return log2_axis(field, title, (min(centres) / _CELL, max(centres) * _CELL))
