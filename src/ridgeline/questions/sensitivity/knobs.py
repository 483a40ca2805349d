"""Constants that can be changed one at a time, and what a change of each does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.answers.words import factor, percent, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price

__all__ = [
    "Knob",
    "best_buy",
    "buy_words",
    "hardware_knobs",
    "idle_words",
    "model_knobs",
    "more_words",
    "price_knobs",
    "ratio",
    "row_of",
]

Row = dict[str, Any]

_NUDGE = 0.01
_PRICE = "price per chip-hour"
_HARDWARE = {
    "memory bandwidth": ("cluster.chip.memory.bandwidth", "B/s"),
    "memory capacity": ("cluster.chip.memory.capacity", "B"),
    "scale-up link": ("cluster.link", "B/s"),
    "scale-out link": ("cluster.scale_out", "B/s"),
}
_COUNTS = {
    "parameters": "model.counts.n_params",
    "active parameters": "model.counts.n_params_active",
    "KV bytes per token": "model.counts.kv_bytes_per_token",
    "bits per weight": "model.counts.weight_bits",
}
#: fields of layers that say which tokens are seen, not how much there is
_NOT_SIZES = frozenset({"n_groups", "chunk", "topk_group", "n_group", "n_params_other"})


@dataclass(frozen=True, slots=True)
class Knob:
    """One constant.

    Attributes
    ----------
    what : str        Its name.
    kind : str        What it is of: ``machine``, ``model``, ``load``, ``framework``.
    paths : mapping   Where it is (several fields that vary together), and its values.
    unit : str
    counted : bool    Whether it comes in whole numbers (layers, heads, experts, chips), so that
                      there is no 1% more.
    """

    what: str
    kind: str
    paths: dict[str, float]
    unit: str
    counted: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is counted."""
        return self.counted or self.what == "layers" or self.what.startswith("n_")

    @property
    def now(self) -> float:
        """Its value; of layers all of them."""
        return sum(self.paths.values()) if self.what == "layers" else max(self.paths.values())


def hardware_knobs(cluster: Cluster, arithmetics: Iterable[str]) -> list[Knob]:
    """Constants of a machine.

    Parameters
    ----------
    cluster : Cluster
    arithmetics : iterable of str   Whose peaks are used.
    """
    records = {"cluster": cluster}
    knobs = []
    for what, (path, unit) in _HARDWARE.items():
        value = _at(records, path)
        if value is not None:
            paths = {path: value}
            if path == "cluster.link" and cluster.link_per_peer:
                paths["cluster.link_per_peer"] = cluster.link_per_peer
            if what == "memory capacity" and cluster.chip.memory.usable:
                paths = {"cluster.chip.memory.usable": cluster.chip.memory.usable, **paths}
            knobs.append(Knob(what, "machine", paths, unit))
    peaks: Mapping[str, float] = cluster.chip.peak  # pyright: ignore[reportAssignmentType]
    for arithmetic in dict.fromkeys(arithmetics):
        path = f"cluster.chip.peak.{arithmetic}"
        knobs.append(Knob(f"{arithmetic} peak", "machine", {path: peaks[arithmetic]}, "FLOP/s"))
    return knobs


def _at(records: dict[str, Any], path: str) -> Any:
    first, *rest = path.split(".")
    node = records[first]
    for part in rest:
        node = node[int(part)] if isinstance(node, tuple) else getattr(node, part)
    return node


def model_knobs(model: Model) -> list[Knob]:
    """Sizes of a model: of its layers, or its counts where those are all that is known.

    Parameters
    ----------
    model : Model
    """
    if model.counts is not None:
        records = {"model": model}
        return [Knob(w, "model", {p: _at(records, p)}, "1") for w, p in _COUNTS.items()]
    assert model.d_model
    assert model.vocab_size
    layers = {f"model.blocks.{i}.repeat": float(b.repeat) for i, b in enumerate(model.blocks)}
    knobs = [
        Knob("layers", "model", layers, "1"),
        Knob("d_model", "model", {"model.d_model": float(model.d_model)}, "1"),
        Knob("vocab_size", "model", {"model.vocab_size": float(model.vocab_size)}, "1"),
    ]
    grouped: dict[str, dict[str, float]] = {}
    for i, block in enumerate(model.blocks):
        for where, part in (("mixer", block.mixer), ("ffn", block.ffn)):
            for name, value in _sizes(part).items():
                grouped.setdefault(name, {})[f"model.blocks.{i}.{where}.{name}"] = value
    return [*knobs, *(Knob(name, "model", paths, "1") for name, paths in grouped.items())]


def _sizes(part: Any) -> dict[str, float]:
    """Numeric fields of a layer's part, flags and choices left out."""
    if part is None:
        return {}
    found = {n: getattr(part, n) for n in type(part).model_fields}
    return {
        n: float(v)
        for n, v in found.items()
        if isinstance(v, int | float) and not isinstance(v, bool) and v and n not in _NOT_SIZES
    }


def price_knobs(price: Price | None) -> list[Knob]:
    """The price, where there is one.

    Parameters
    ----------
    price : Price or None
    """
    if price is None:
        return []
    paths = {"price.usd_per_chip_hour": price.usd_per_chip_hour}
    return [Knob(_PRICE, "machine", paths, "USD/h")]


def row_of(
    knob: Knob,
    at: Callable[[float], Mapping[str, float] | None],
    base: Mapping[str, float],
    elastic: Sequence[str],
) -> tuple[Row, Mapping[str, float] | None, Mapping[str, float] | None]:
    """What a change of one constant does.

    Parameters
    ----------
    knob : Knob
    at : callable          Metrics with the constant times a factor; None where that cannot be.
    base : mapping         Metrics as it is.
    elastic : sequence     Metrics whose elasticity, and factors of halving and doubling, are told.

    Returns
    -------
    dict        Elasticities are logarithmic derivatives by a nudge of 1%, of what is counted means
                over doubling it, or halving it where it cannot be doubled.
    mapping or None   Metrics where it is doubled.
    mapping or None   Metrics where it is halved.
    """
    up, down = at(2.0), at(0.5)
    if knob.whole:
        (high, low), step = ((up, base) if up is not None else (base, down)), math.log(2.0)
    else:
        high, low = at(1 + _NUDGE), at(1 - _NUDGE)
        step = math.log((1 + _NUDGE) / (1 - _NUDGE))
    row: Row = {
        "what": knob.what,
        "kind": knob.kind,
        "whole": knob.whole,
        "now": quantity(knob.now, knob.unit),
    }
    for name in elastic:
        row[f"{name}_elasticity"] = (
            None if high is None or low is None else math.log(high[name] / low[name]) / step
        )
    for name in elastic:
        row[f"{name}_doubled"] = None if up is None else up[name] / base[name]
        row[f"{name}_halved"] = None if down is None else down[name] / base[name]
    return row, up, down


def ratio(changed: float, base: float) -> float | None:
    """What is left of a cost; None where nothing fits any more."""
    return changed / base if changed < math.inf and base < math.inf else None


def best_buy(rows: Sequence[Row], saving: str) -> Row:
    """The constant of the machine of which twice as much saves most, its price left out.

    Parameters
    ----------
    rows : sequence of dict
    saving : str   Column of what is left of the cost.
    """
    return min(_buys(rows), key=lambda row: _worth(row, saving))


def _buys(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r["kind"] == "machine" and r["what"] != _PRICE]


def _worth(row: Row, saving: str) -> tuple[float, float]:
    """What twice of it leaves of the cost (a column), then of the time: least is best."""
    left = row[saving]
    return (round(left, 3) if left else math.inf, row["time_doubled"])


def buy_words(best: Row, saving: str, where: str) -> str:
    """What to buy next, in a sentence.

    Parameters
    ----------
    best : dict   The row of `best_buy`.
    saving : str
    where : str   Under which conditions, after "at the same price".
    """
    saves = 1 - (best[saving] or 1.0)
    if saves < 0.005:
        return "What to buy next: nothing; doubling no constant of the machine saves anything."
    faster = 1 - best["time_doubled"]
    quick = f", and a step {percent(faster)} shorter" if faster > 0.005 else ""
    return (
        f"What to buy next: {best['what']}. Twice of it makes a token {percent(saves)} cheaper "
        f"at the same price{where}{quick}; it is worth up to {factor(1 / best[saving])} the "
        "price of a chip."
    )


def idle_words(rows: Sequence[Row], saving: str) -> list[str]:
    """What of the machine changes nothing, in a sentence, if anything.

    Parameters
    ----------
    rows : sequence of dict
    saving : str
    """
    idle = [r["what"] for r in _buys(rows) if abs((r[saving] or 0) - 1) < 0.005
            and abs(r["time_doubled"] - 1) < 0.005]  # fmt: skip
    return [f"Doubling these changes nothing: {', '.join(idle)}."] if idle else []


def more_words(row: Row) -> str:
    """What more of a constant does to time and cost."""
    if row["whole"]:
        time, cost = factor(row["time_doubled"]), factor(row["cost_doubled"])
        return f"twice as many take {time} the time and {cost} the cost"
    time, cost = row["time_elasticity"], row["cost_elasticity"]
    return f"1% more is {time:+.2f}% of time and {cost:+.2f}% of cost"
