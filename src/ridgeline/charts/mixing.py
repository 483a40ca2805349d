"""Reversible networks measured, and ciphers and nets as mixing machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.charts.chart import Chart
from ridgeline.charts.marks import data_layer, heading, key, log_axis, rounded_out
from ridgeline.charts.theme import series
from ridgeline.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MIXING_PICTURES", "REVERSIBLE_PICTURES", "mixing_chart", "reversible_chart"]

_WIDTH, _HEIGHT = 700, 300

#: steps in the running mean of a loss
_WINDOW = 10

Rows = list[dict[str, Any]]

_KIND_COLOURS = {
    "standard": "$ink",
    "checkpointed": "$series2",
    "reversible": "$series1",
    "reversible-stored": "$series3",
}
_ARITHMETIC_COLOURS = {
    "bf16": "$series4",
    "fp32 stream, bf16 functions": "$series2",
    "fp32": "$series1",
    "fp64": "$series3",
}


def _limits(values: list[float]) -> tuple[float, float]:
    """Range of a logarithmic axis, with room for the dots."""
    return rounded_out(values, max((max(values) / min(values)) ** 0.04, 1.15))


def _x_depth(rows: Rows) -> dict[str, Any]:
    depths = sorted({r["x"] for r in rows})
    scale = {"type": "log", "base": 2, "domain": list(_limits(depths)), "nice": False}
    axis = {"title": "blocks", "format": ",", "values": depths, "labelOverlap": "greedy"}
    return {"field": "x", "type": "quantitative", "scale": scale, "axis": axis}


def _x_count(title: str) -> dict[str, Any]:
    axis = {"title": title, "format": ",d", "labelOverlap": "greedy", "tickMinStep": 1}
    return {"field": "x", "type": "quantitative", "scale": {"nice": False}, "axis": axis}


def _y_log(rows: Rows, title: str, fmt: str) -> dict[str, Any]:
    return log_axis("y", title, _limits([r["y"] for r in rows]), form=fmt)


def _y_plain(title: str, fmt: str, scale: dict[str, Any]) -> dict[str, Any]:
    axis = {"title": title, "format": fmt, "tickCount": 6}
    return {"field": "y", "type": "quantitative", "scale": scale, "axis": axis}


def _colour(colours: dict[str, str], present: Iterable[str]) -> dict[str, Any]:
    found = key("series", colours, present, symbolType="stroke")
    found["legend"]["columns"] = 3 if len(found["scale"]["domain"]) > 4 else 4
    return found


def _named(rows: Rows, y: str, series: str, *, x: str = "n_blocks", factor: float = 1.0) -> Rows:
    return [
        {"x": r[x], "y": r[y] * factor, "series": r[series]}
        for r in rows
        if r.get(y) is not None and r[y] > 0
    ]


def _encoding(x: dict[str, Any], y: dict[str, Any], colour: dict[str, Any]) -> dict[str, Any]:
    tips = [
        {"field": "series", "title": "what"},
        {"field": "x", "title": x["axis"]["title"], "type": "quantitative"},
        {"field": "y", "title": y["axis"]["title"], "type": "quantitative", "format": ".3g"},
    ]
    return {"x": x, "y": y, "color": colour, "tooltip": tips}


def _panel(layers: Rows, height: int = _HEIGHT, title: str | None = None) -> dict[str, Any]:
    panel: dict[str, Any] = {"width": _WIDTH, "height": height, "layer": layers}
    if title:
        panel["title"] = {"text": title, "fontSize": 14, "fontWeight": "normal", "offset": 8}
    return panel


_LINE = {"type": "line", "strokeWidth": 2.5}
_DASHED_LINE = {"type": "line", "strokeWidth": 2, "strokeDash": [6, 4]}
_DOTS = {"type": "point", "filled": True, "size": 90, "opacity": 1}


def _by_depth(
    dots: Rows, lines: Rows, y: dict[str, Any], colours: dict[str, str], line: dict[str, Any]
) -> Rows:
    """Dots over lines, against depth."""
    colour = _colour(colours, (r["series"] for r in dots))
    encoding = _encoding(_x_depth(dots), y, colour)
    return [data_layer(lines, line, **encoding), data_layer(dots, _DOTS, **encoding)]


def _memory_panel(rows: Rows, column: str, title: str) -> dict[str, Any]:
    law = _named(rows, f"predicted_{column}", "kind", factor=1e-6)
    seen = _named(rows, column, "kind", factor=1e-6)
    y = _y_log(law + seen, "megabytes", "~r")
    return _panel(_by_depth(seen, law, y, _KIND_COLOURS, _DASHED_LINE), 250, title)


def _memory(data: dict[str, Any]) -> dict[str, Any]:
    rows = data["stacks"]
    top = _memory_panel(rows, "alive_bytes", "Alive at the end of the forward pass")
    bottom = _memory_panel(rows, "peak_bytes", "Peak of the whole step")
    return {"vconcat": [top, bottom], "spacing": 24}


def _time(data: dict[str, Any]) -> dict[str, Any]:
    rows = data["stacks"]
    law = _named(rows, "predicted_step_over_standard", "kind")
    seen = _named(rows, "step_over_standard", "kind")
    scale = {"domain": [0, max(1.6, *(r["y"] * 1.05 for r in seen))]}
    y = _y_plain("step time over standard", ".1f", scale)
    return _panel(_by_depth(seen, law, y, _KIND_COLOURS, _DASHED_LINE))


def _smoothed(rows: Rows) -> Rows:
    """Running mean of each series."""
    out = []
    for name in dict.fromkeys(r["series"] for r in rows):
        own = [r for r in rows if r["series"] == name]
        for i, row in enumerate(own):
            window = own[max(0, i - _WINDOW + 1) : i + 1]
            out.append({**row, "y": sum(w["y"] for w in window) / len(window)})
    return out


def _losses(data: dict[str, Any]) -> dict[str, Any]:
    rows = _smoothed(_named(data["losses"], "loss", "kind", x="step"))
    y = _y_plain("loss (nats a character)", ".1f", {"zero": False})
    colour = _colour(_KIND_COLOURS, (r["series"] for r in rows))
    encoding = _encoding(_x_count("optimizer step"), y, colour)
    # The same function twice: the wide pale line is stored, the thin dark one recomputed.
    wide = [r for r in rows if r["series"] in ("standard", "reversible-stored")]
    thin = [r for r in rows if r["series"] in ("checkpointed", "reversible")]
    pale = {"type": "line", "strokeWidth": 7, "opacity": 0.45, "strokeJoin": "round"}
    return _panel(
        [
            data_layer(wide, pale, **encoding),
            data_layer(thin, {**_LINE, "strokeWidth": 1.6}, **encoding),
        ]
    )


def _with_arithmetic(rows: Rows) -> Rows:
    return [r for r in rows if r["arithmetic"] in _ARITHMETIC_COLOURS]


def _precision(data: dict[str, Any]) -> dict[str, Any]:
    rows = _with_arithmetic(data["precision"])
    law = _named(rows, "predicted_error", "arithmetic")
    seen = _named(rows, "error", "arithmetic")
    y = _y_log(law + seen, "relative error of the input", ".0e")
    return _panel(_by_depth(seen, law, y, _ARITHMETIC_COLOURS, _DASHED_LINE), 360)


def _gradients(data: dict[str, Any]) -> dict[str, Any]:
    rows = _with_arithmetic(data["gradients"])
    own = _named(rows, "from_precision", "arithmetic")
    back = _named(rows, "from_reconstruction", "arithmetic")
    y = _y_log(own + back, "relative difference of gradients", ".0e")
    return _panel(_by_depth(back, own, y, _ARITHMETIC_COLOURS, _DASHED_LINE), 360)


_DASHED = "dots: measured; dashed: what the law says"
_BOUND = "dots: measured; dashed: the law, for the peak a lower bound"

#: picture -> (title, subtitle, how to draw it)
REVERSIBLE_PICTURES: dict[str, tuple[str, str, Any]] = {
    "memory": ("Activation memory against depth", _BOUND, _memory),
    "time": (
        "The price of recomputing: time of a training step",
        f"{_DASHED}: one more forward pass, 8 N D over 6 N D",
        _time,
    ),
    "losses": (
        "Training the small GPT on Python's own help",
        f"mean of {_WINDOW} steps; wide: activations stored; thin: recomputed, the same function",
        _losses,
    ),
    "precision": (
        "How well the input comes back",
        "dots: measured; dashed: u √(2 blocks). Fixed point comes back to the bit: no dots",
        _precision,
    ),
    "gradients": (
        "What reconstruction does to gradients",
        "dots: against stored activations; dashed: the precision's own error, against fp64",
        _gradients,
    ),
}


def _found(name: str, pictures: dict[str, Any]) -> Any:
    if name not in pictures:
        raise SpecError(
            f"There is no picture {name!r}.{did_you_mean(name, pictures)} "
            f"There are {', '.join(pictures)}."
        )
    return pictures[name]


def reversible_chart(data: dict[str, Any], name: str, *, title: str | None = None) -> Chart:
    """Draw what a measurement of reversible networks found.

    Parameters
    ----------
    data : dict          Of `Measurement.to_dict`.
    name : str           One of `REVERSIBLE_PICTURES`.
    title : str or None  Instead of the picture's own.

    Raises
    ------
    SpecError   There is no such picture, or nothing was measured for it.
    """
    own, subtitle, draw = _found(name, REVERSIBLE_PICTURES)
    rows = data["stacks" if name in ("memory", "time") else name]
    if not rows:
        raise SpecError(
            f"Nothing was measured for the picture {name!r}. Leave its part switched on."
        )
    return Chart({"title": heading(title or own, subtitle, _WIDTH), **draw(data)})


def _curves(rows: Rows, x_title: str, y: dict[str, Any], rule: float | None = None) -> Rows:
    colours = series(r["series"] for r in rows)
    colour = _colour(colours, colours)
    encoding = _encoding(_x_count(x_title), y, colour)
    dot = {"type": "point", "filled": True, "size": 30, "opacity": 1}
    layers = [data_layer(rows, _LINE, **encoding), data_layer(rows, dot, **encoding)]
    if rule is None:
        return layers
    dotted = {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5}
    return [data_layer([{"y": rule}], dotted, y=y), *layers]


def _two(top: dict[str, Any], bottom: dict[str, Any]) -> dict[str, Any]:
    return {
        "vconcat": [top, bottom],
        "spacing": 28,
        "resolve": {"scale": {"color": "independent"}},
    }


def _avalanche(data: dict[str, Any]) -> dict[str, Any]:
    share = {"domain": [0, 0.6]}
    y = _y_plain("share of output bits that change", ".1f", share)
    seen = data["cipher_avalanche"]
    shown = max(r["x"] for r in seen)
    is_cut = any(r["n_rounds"] > shown for r in data["summary"])
    title = "Ciphers: one bit flipped" + (f"; the first {shown} rounds" if is_cut else "")
    top = _panel(_curves(seen, "round", y, 0.5), 240, title)
    y = _y_plain("share of output signs that change", ".1f", share)
    title = "Random transformers: one input number changes its sign"
    return _two(top, _panel(_curves(data["net_avalanche"], "layer", y, 0.5), 240, title))


def _derivatives(data: dict[str, Any]) -> dict[str, Any]:
    rows = data["differentials"]
    y = _y_log(rows, "probability of the likeliest difference", ".0e")
    top = _panel(_curves(rows, "round", y), 260, "Ciphers over GF(2): 16 bits, all 65,536 blocks")
    y = _y_plain("cosine of derivatives at two inputs", ".1f", {"domain": [-0.1, 1.0]})
    title = "Random transformers: does a derivative here hold there?"
    return _two(top, _panel(_curves(data["derivative_agreement"], "layer", y, 0.0), 240, title))


def _jacobians(data: dict[str, Any]) -> dict[str, Any]:
    rows = data["jacobians"]
    y = _y_log(rows, "gain of a small change (root mean square)", ".0e")
    return _panel(_curves(rows, "layer", y, 1.0), 340)


#: picture -> (title, lines below it, how to draw it)
MIXING_PICTURES: dict[str, tuple[str, str | list[str], Any]] = {
    "avalanche": (
        "How far one small change of the input spreads",
        [
            "dotted: one half, as of outputs that have nothing to do with each other",
            "a demonstration: nothing here is fit to protect anything",
        ],
        _avalanche,
    ),
    "derivatives": (
        "What differs is whether a derivative means anything",
        "a cipher wears it down to chance; residual connections with normalisation keep it; "
        "dotted: derivatives that have nothing to do with each other",
        _derivatives,
    ),
    "jacobians": (
        "Jacobian norms by depth",
        "random transformers; dotted, 1: a small change of the input is as large at the output",
        _jacobians,
    ),
}


def mixing_chart(data: dict[str, Any], name: str, *, title: str | None = None) -> Chart:
    """Draw what the study of ciphers and nets found.

    Parameters
    ----------
    data : dict          Of `Study.to_dict`: rows of x, y and series by picture.
    name : str           One of `MIXING_PICTURES`.
    title : str or None  Instead of the picture's own.

    Raises
    ------
    SpecError   There is no such picture.
    """
    own, subtitle, draw = _found(name, MIXING_PICTURES)
    return Chart({"title": heading(title or own, subtitle, _WIDTH), **draw(data)})
