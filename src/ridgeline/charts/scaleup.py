"""Weight-fetch time against the size of the scale-up domain, chip by chip."""

from __future__ import annotations

from typing import Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.labels import Plane
from ridgeline.charts.marks import data_layer, heading, log_axis, rounded_out

__all__ = ["scaleup_chart"]

_WIDTH, _HEIGHT = 700, 400
_BESIDE = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


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
    x = log_axis("n_chips", "chips in one scale-up domain", (0.8, 800.0), form=",d")
    y = log_axis(
        "ms", "time to read all weights once (ms)",
        rounded_out([r["ms"] for r in [*line, *dots]] + [tpot_s * 1e3], 1.4),
    )  # fmt: skip
    plane = Plane(_WIDTH, _HEIGHT, x, y)
    allowed = [{"ms": tpot_s * 1e3}]
    plane.keep_off_line(line)
    plane.keep_off_rule(y=tpot_s * 1e3)
    plane.keep_off_points(dots, 7)
    _, ruled = plane.at({"n_chips": 1.0, "ms": tpot_s * 1e3})
    said = f"a token may take {tpot_s * 1e3:.3g} ms"
    edge = _WIDTH - 4
    plane.label_first([(edge, ruled - 11, "right"), (edge, ruled + 13, "right")], said)
    for row in _apart(dots):
        plane.label(row, row["label"], off=10, directions=_BESIDE)
    tip = [
        {"field": "machine"},
        {"field": "n_chips", "title": "chips"},
        {"field": "ms", "format": ".3g", "title": "weight fetch (ms)"},
        {"field": "holds", "title": "memory"},
    ]
    fill = {"condition": {"test": "datum.holds == 'weights fit'", "value": "$weights"},
            "value": "$paper"}  # fmt: skip
    dot = {"type": "point", "size": 110, "opacity": 1, "stroke": "$weights", "strokeWidth": 2}
    layers = [
        data_layer(line, {"type": "line", "strokeWidth": 2, "strokeDash": [7, 5],
                          "color": "$weights-line"}, x=x, y=y),
        data_layer(allowed, {"type": "rule", "strokeWidth": 1.5, "strokeDash": [1, 4]}, y=y),
        data_layer(dots, dot, x=x, y=y, fill=fill, tooltip=tip),
    ]  # fmt: skip
    subtitle = f"points: domains as built; dashed: {chip} in domains of any size"
    if any(d["holds"] != "weights fit" for d in dots):
        subtitle += "; hollow: the weights do not fit"
    head = heading(f"{model}: reading the weights by generation", subtitle, _WIDTH)
    size = {"width": _WIDTH, "height": _HEIGHT}
    return Chart({"title": head, **size, "layer": [*layers, *plane.layers()]})


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
