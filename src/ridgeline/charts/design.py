"""The models a machine can serve: size against cache, a region a sparsity, known models on it."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, words

__all__ = ["design_chart"]

_WIDTH, _HEIGHT = 720, 440
_COLOURS = ("#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9")
_FLOOR_KV = 64.0


def design_chart(
    edges: list[dict[str, float]], models: list[dict[str, Any]], machine: str, limits: str
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
    x = log_axis("n_params", "total parameters", (0.8e9, 40e12), form=".0s")
    x["axis"]["labelExpr"] = "replace(datum.label, 'G', 'B')"
    y = log_axis("kv", "KV bytes read for each token of context", (_FLOOR_KV, 2.0**20), form="~s")
    names = sorted({e["sparsity"] for e in edges})
    said = {s: "dense" if s == 1 else f"{s:g}x" for s in names}
    areas = [{**e, "name": said[e["sparsity"]]} for e in edges]
    colour = {
        "field": "name",
        "type": "nominal",
        "sort": list(said.values()),
        "scale": {"domain": list(said.values()), "range": list(_COLOURS[: len(said)])},
        "legend": {"title": "total over active parameters", "symbolType": "stroke",
                   "symbolSize": 400},
    }  # fmt: skip
    points = [
        {
            "n_params": m["n_params"],
            "kv": max(m["kv_bytes_per_token"], _FLOOR_KV * 1.05),
            "label": _short(m["model"]),
            "sparse": f"{m['sparsity']:.3g}x",
            "verdict": "meets the limits" if m["verdict"] == "feasible" else f"{m['verdict']}",
        }
        for m in models
    ]
    tip = [
        {"field": "label", "title": "model"},
        {"field": "n_params", "format": ".3s", "title": "parameters"},
        {"field": "sparse", "title": "total/active"},
        {"field": "kv", "format": ",.0f", "title": "KV bytes a token"},
        {"field": "verdict", "title": "limits"},
    ]
    shape = {
        "field": "verdict",
        "type": "nominal",
        "scale": {
            "domain": ["meets the limits", "memory", "latency", "price"],
            "range": ["circle", "square", "triangle-up", "cross"],
        },
        "legend": {"title": "models: what stops them", "symbolSize": 110},
    }
    widest: dict[float, float] = {}
    for e in edges:
        widest[e["n_params"]] = max(widest.get(e["n_params"], 0.0), e["kv"])
    union = [{"n_params": n, "kv": kv, "base": _FLOOR_KV} for n, kv in sorted(widest.items())]
    fill = {"type": "area", "color": "#888888", "opacity": 0.12, "clip": True}
    layers = [data_layer(union, fill, x=x, y=y, y2={"field": "base"})]
    # Regions of sparser models hold those of denser ones: the densest is drawn last, on top.
    # Thinner lines over thicker ones let edges that coincide be seen.
    for rank, name in reversed(list(enumerate(said.values()))):
        own = [a for a in areas if a["name"] == name]
        if not own:
            continue
        closed = [*own, {**own[-1], "kv": _FLOOR_KV}]
        mark = {
            "type": "line",
            "strokeWidth": 2.5 + 1.8 * rank,
            "clip": True,
            "strokeJoin": "round",
        }
        layers.append(data_layer(closed, mark, x=x, y=y, color=colour))
    small = {"baseline": "middle", "fontSize": 11, "strokeJoin": "round"}
    for side, (rows, place) in _labels(points).items():
        layers += words(
            rows, {"align": side, "dx": place, **small}, x=x, y=y, text={"field": "label"}
        )
    met = {"condition": {"test": "datum.verdict == 'meets the limits'", "value": "#009E73"},
           "value": "#8C8C8C"}  # fmt: skip
    layers.append(
        data_layer(points, {"type": "point", "filled": True, "size": 85, "opacity": 1}, x=x, y=y,
                   shape=shape, color=met, tooltip=tip)
    )  # fmt: skip
    heading = {"text": f"Models that one {machine} can serve", "subtitle": limits}
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def _short(name: str) -> str:
    for ending in ("-Instruct", "-17B-128E-Instruct", "-A3B-Instruct"):
        name = name.removesuffix(ending)
    return name.removeprefix("Meta-").split("-17B")[0]


def _labels(
    points: list[dict[str, Any]],
) -> dict[str, tuple[list[dict[str, Any]], int]]:
    """Names to the right of their points; to the left where another lies close on the right."""
    right: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    for p in sorted(points, key=lambda p: p["n_params"]):
        crowded = any(
            1 < q["n_params"] / p["n_params"] < 6 and 0.75 < q["kv"] / p["kv"] < 1.33
            for q in points
        )
        (left if crowded else right).append(p)
    return {"left": (right, 8), "right": (left, -8)}
