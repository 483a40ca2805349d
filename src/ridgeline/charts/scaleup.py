"""Weight-fetch time against the size of the scale-up domain, chip by chip."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, log_axis, rounded_out, words

__all__ = ["scaleup_chart"]

_WIDTH, _HEIGHT = 700, 400


def scaleup_chart(
    generations: list[dict[str, Any]],
    sizes: list[dict[str, Any]],
    model: str,
    chip: str,
    tpot_s: float,
) -> Chart:
    """Draw the time to read all weights once against the chips that read together.

    Parameters
    ----------
    generations : list   Domains as built: ``machine``, ``chip``, ``n_chips``, ``weight_fetch_s``,
                         ``memory_bytes``, ``limit``.
    sizes : list         One chip in domains of any size.
    model, chip : str    Names.
    tpot_s : float       Time a token may take: ruled. [s]

    Returns
    -------
    Chart
    """
    line = [_point(r) for r in sizes]
    dots = [_point(r) for r in generations]
    both = [*line, *dots]
    x = log_axis("n_chips", "chips in one scale-up domain", (0.8, 800.0), form=",d")
    y = log_axis(
        "ms", "time to read all weights once (ms)",
        rounded_out([r["ms"] for r in both] + [tpot_s * 1e3], 1.4),
    )  # fmt: skip
    allowed = [
        {"ms": tpot_s * 1e3, "n_chips": 800.0, "label": f"a token may take {tpot_s * 1e3:.3g} ms"}
    ]
    colour = {
        "field": "holds",
        "type": "nominal",
        "scale": {"domain": ["weights fit", "weights do not fit"], "range": ["#0072B2", "#8C8C8C"]},
        "legend": {"title": None, "symbolType": "circle", "symbolSize": 120},
    }
    tip = [
        {"field": "machine"},
        {"field": "n_chips", "title": "chips"},
        {"field": "ms", "format": ".3g", "title": "weight fetch (ms)"},
        {"field": "holds", "title": "memory"},
    ]
    near = {"align": "left", "baseline": "middle", "dx": 10, "fontSize": 11, "strokeJoin": "round"}
    under = {"align": "right", "baseline": "top", "dy": 5, "dx": -4, "fontSize": 12}
    layers = [
        data_layer(line, {"type": "line", "strokeWidth": 2, "strokeDash": [6, 4]}, x=x, y=y,
                   color={"value": "#E69F00"}),
        data_layer(allowed, {"type": "rule", "strokeWidth": 1.5, "strokeDash": [2, 3]}, y=y),
        *words(allowed, under, x=x, y=y, text={"field": "label"}),
        data_layer(dots, {"type": "point", "filled": True, "size": 120, "opacity": 1}, x=x, y=y,
                   color=colour, tooltip=tip),
        *words(_apart(dots), near, x=x, y=y, text={"field": "label"}),
    ]  # fmt: skip
    heading = {
        "text": f"{model}: reading the weights by generation",
        "subtitle": f"points: domains as built; dashed: {chip} in domains of any size",
    }
    return Chart({"title": heading, "width": _WIDTH, "height": _HEIGHT, "layer": layers})


def _point(row: dict[str, Any]) -> dict[str, Any]:
    name = row["machine"].split(",")[0].split(" (")[0].removesuffix(" rack")
    return {
        "n_chips": row["n_chips"],
        "ms": row["weight_fetch_s"] * 1e3,
        "machine": row["machine"],
        "label": name,
        "holds": "weights do not fit" if row["limit"] == "weights do not fit" else "weights fit",
    }


def _apart(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join labels of domains of one size that read nearly as fast."""
    kept: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: (r["n_chips"], -r["ms"])):
        last = kept[-1] if kept else None
        if last and last["n_chips"] == row["n_chips"] and row["ms"] > last["ms"] / 1.15:
            last["label"] = f"{last['label']}, {row['label']}"
            continue
        kept.append(dict(row))
    return kept
