"""The models a machine can serve: size against cache, an edge per sparsity, known models on it."""

from __future__ import annotations

import math
from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, log_axis
from ridgeline.charts.theme import series

__all__ = ["design_chart"]

Row = dict[str, Any]

_WIDTH, _HEIGHT = 700, 440
_FLOOR_KV = 64.0
_MEETS = "meets the limits"
_VERDICTS = {
    _MEETS: "circle",
    "stopped by memory": "square",
    "stopped by latency": "triangle-up",
    "stopped by price": "cross",
}
#: edges nearer than this everywhere are one line [share of the panel]
_SAME = 0.006


def design_chart(
    edges: list[dict[str, float]], models: list[Row], machine: str, limits: str
) -> Chart:
    """Draw the largest cache a token for each size and sparsity, and models as points.

    Parameters
    ----------
    edges : list     ``sparsity``, ``n_params``, ``kv``: the upper edge of a region.
    models : list    ``model``, ``n_params``, ``kv_bytes_per_token``, ``sparsity``, ``verdict``.
    machine : str
    limits : str     What has to be met, in words.

    Returns
    -------
    Chart
    """
    x = log_axis("n_params", "total parameters", (0.8e9, 100e12), form=".0s")
    x["axis"]["labelExpr"] = "replace(datum.label, 'G', 'B')"
    y = log_axis("kv", "KV bytes read for each token of context", (_FLOOR_KV, 2.0**20), form="~s")
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    points = [
        {
            "n_params": m["n_params"],
            "kv": max(m["kv_bytes_per_token"], _FLOOR_KV * 1.05),
            "label": _short(m["model"]),
            "sparse": f"{m['sparsity']:.3g}x",
            "verdict": "meets the limits"
            if m["verdict"] == "feasible"
            else f"stopped by {m['verdict']}",
        }
        for m in models
    ]
    layers = [*_regions(edges, plane), *_points(points, plane)]
    said = f"{limits}; lines: the limit of models by total over active parameters"
    head = heading(f"Models that one {machine} can serve", said, _WIDTH)
    size = {"width": _WIDTH, "height": _HEIGHT}
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


def _regions(edges: list[dict[str, float]], plane: Plane) -> list[Row]:
    """What any sparsity can reach, tinted, and the edge of each; edges that coincide are one."""
    x, y = plane.x, plane.y
    widest: dict[float, float] = {}
    for e in edges:
        widest[e["n_params"]] = max(widest.get(e["n_params"], 0.0), e["kv"])
    union = [{"n_params": n, "kv": kv, "base": _FLOOR_KV} for n, kv in sorted(widest.items())]
    fill = {"type": "area", "color": "$tint", "opacity": 0.6, "clip": True}
    layers = [data_layer(union, fill, x=x, y=y, y2={"field": "base"})]
    lines = []
    merged = _merged(edges, plane)
    for (names, own), colour in zip(merged, series(range(len(merged))).values(), strict=True):
        closed = [*own, {**own[-1], "kv": _FLOOR_KV}]
        mark = {"type": "line", "strokeWidth": 2.5, "color": colour, "clip": True,
                "strokeJoin": "round"}  # fmt: skip
        layers.append(data_layer(closed, mark, x=x, y=y))
        plane.keep_off_line(closed)
        lines.append((names, closed, colour))
    for names, closed, colour in lines:
        # Near the foot of the edge, where there are no models.
        foot = {"n_params": closed[-1]["n_params"], "kv": _FLOOR_KV * 1.6}
        places = ((-1, 0), (1, 0))
        text = ", ".join(names)
        plane.label(
            foot, text, color=f"{colour}-line", directions=places, size=13, rings=4, needed=True
        )
    return layers


def _merged(
    edges: list[dict[str, float]], plane: Plane
) -> list[tuple[list[str], list[dict[str, float]]]]:
    """Edges by rising sparsity; one that lies on the one before shares its line."""
    found: list[tuple[list[str], list[dict[str, float]]]] = []
    for sparsity in sorted({e["sparsity"] for e in edges}):
        own = sorted((e for e in edges if e["sparsity"] == sparsity), key=lambda e: e["n_params"])
        name = "dense" if sparsity == 1 else f"{sparsity:g}x"
        if found and _alike(found[-1][1], own, plane):
            found[-1] = ([*found[-1][0], name], found[-1][1])
        else:
            found.append(([name], own))
    return found


def _alike(a: list[dict[str, float]], b: list[dict[str, float]], plane: Plane) -> bool:
    """Whether two edges end within a few pixels and lie on each other until then."""
    ends = [plane.at(rows[-1])[0] for rows in (a, b)]
    if abs(ends[0] - ends[1]) > _SAME * plane.width:
        return False
    return all(
        abs(math.log(p["kv"] / q["kv"])) < 0.1 for p, q in zip(a, b, strict=False)
    )  # fmt: skip


def _points(points: list[Row], plane: Plane) -> list[Row]:
    x, y = plane.x, plane.y
    tip = [
        {"field": "label", "title": "model"},
        {"field": "n_params", "format": ".3s", "title": "parameters"},
        {"field": "sparse", "title": "total/active"},
        {"field": "kv", "format": ",.0f", "title": "KV bytes per token"},
        {"field": "verdict", "title": "limits"},
    ]
    used = {k: v for k, v in _VERDICTS.items() if any(p["verdict"] == k for p in points)}
    legend = {"title": "models", "titleOrient": "left", "symbolSize": 110, "symbolStrokeWidth": 1.5}

    def by(shown: list[str]) -> Row:
        """One legend of shape, fill and rim."""
        scale = {"domain": list(used), "range": shown}
        return {"field": "verdict", "type": "nominal", "scale": scale, "legend": legend}

    fill = ["$ink" if k == _MEETS else "$paper" for k in used]
    looks = {"shape": by(list(used.values())), "fill": by(fill), "stroke": by(["$ink"] * len(used))}
    plane.keep_off_points(points, 6)
    for p in sorted(points, key=lambda p: -p["kv"]):
        plane.label(p, p["label"], size=12)
    mark = {"type": "point", "size": 80, "opacity": 1, "strokeWidth": 1.5}
    return [data_layer(points, mark, x=x, y=y, **looks, tooltip=tip)]


def _short(name: str) -> str:
    for ending in ("-Instruct", "-17B-128E-Instruct", "-A3B-Instruct"):
        name = name.removesuffix(ending)
    return name.removeprefix("Meta-").split("-17B")[0]
