"""Sensitivity: what each constant of machine, model and load does to time and cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count, factor, percent, quantity
from ridgeline.questions.prices import price_notes
from ridgeline.questions.variants import (
    MOST_SEQUENCES,
    Point,
    fits,
    point,
    reading_with,
    require_a_time,
)
from ridgeline.specs.arguments import ANSWER, Amount, reads
from ridgeline.specs.ranges import SEQUENCES
from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving

__all__ = ["sensitivity"]

_NUDGE = 0.01
#: how far a change that leaves nothing to fit pulls: a factor of e
_NOTHING_FITS = 1.0
_COLUMNS = {
    "what": ("what", ""),
    "kind": ("of", ""),
    "now": ("now", ""),
    "time_elasticity": ("d ln t", "+"),
    "cost_elasticity": ("d ln $", "+"),
    "time_doubled": ("doubled: time", "x"),
    "cost_doubled": ("doubled: cost", "x"),
    "cost_refilled": ("and batch refilled", "x"),
}
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
#: what comes in whole numbers, beside fields of layers that are named n_…
_COUNTED = frozenset({"layers", "chips of the replica"})
#: fields of layers that say which tokens are seen, not how much there is
_NOT_SIZES = frozenset({"n_groups", "chunk", "topk_group", "n_group", "n_params_other"})


@dataclass(frozen=True, slots=True)
class _Knob:
    """One constant: where it is (several fields that vary together), its value and its unit."""

    what: str
    kind: str
    paths: dict[str, float]
    unit: str

    @property
    def whole(self) -> bool:
        """Whether it is counted (layers, heads, experts, chips), so that there is no 1% more."""
        return self.what in _COUNTED or self.what.startswith("n_")

    @property
    def now(self) -> float:
        return sum(self.paths.values()) if self.what == "layers" else max(self.paths.values())


@reads(
    answer=ANSWER,
    batch=SEQUENCES,
)
def sensitivity(answer: Serving, *, batch: Amount | None = None) -> Answer:
    """What a change of each constant does to a token's time and cost, and what to buy next.

    Parameters
    ----------
    answer : Serving        A model on a machine, in any reading; its first context counts.
    batch : float or None   Sequences in flight; None for the most that fit. [1]

    Returns
    -------
    Answer
        Table ``constants``, most telling first. Elasticities are logarithmic derivatives by a
        nudge of 1%: -0.5 means that 1% more gives 0.5% less. What comes in whole numbers (layers,
        heads, experts, chips) has no 1%: its elasticities are means over doubling it. The factors
        are what doubling gives: past a change of regime they differ. The last column lets the
        batch grow or shrink to what then fits. Values: ``best_buy``, the constant of the machine
        that saves most when doubled (at the batch given; with the batch that then fits where none
        is), and its ``cost_doubled`` and ``cost_refilled``. Chart ``tornado``.

    Raises
    ------
    SpecError   Less than one sequence.

    Notes
    -----
    One constant at a time, all others as they are. Engines cut layers, heads and experts over chips
    in whole ones, so that a fraction of one would take the time of one more.

    Examples
    --------
    >>> import ridgeline as rl
    >>> found = sensitivity(rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="blackboard"), batch=1)
    >>> found.values["best_buy"]
    'memory bandwidth'
    """
    base_batch = batch if batch is not None else _most(answer)
    knobs = [k for k in [*_hardware(answer), *_model(answer), *_load(answer, base_batch)] if k.now]
    base = _evaluate(answer, {}, base_batch)
    require_a_time(answer, base.time_s)
    rows = [_row(answer, knob, base, base_batch) for knob in knobs]
    rows = [r for r in rows if r is not None]
    rows.sort(key=lambda r: -_swing(r))
    buys = [r for r in rows if r["kind"] == "machine" and r["what"] != "price per chip-hour"]
    saving = "cost_refilled" if batch is None else "cost_doubled"
    best = min(buys, key=lambda row: _worth(row, saving))

    def picture() -> Chart:
        from ridgeline.charts.tornado import tornado_chart  # noqa: PLC0415  (only when drawn)

        return tornado_chart(rows, answer.name, answer.reading, base_batch, answer.context)

    return Answer(
        question="sensitivity",
        title=f"Sensitivity: {answer.name}",
        sentences=_words(answer, rows, buys, best, base_batch, saving),
        tables=(Table("constants", _title(answer, base_batch), _COLUMNS, rows),),
        values={
            "best_buy": best["what"],
            "cost_doubled": best["cost_doubled"],
            "cost_refilled": best["cost_refilled"],
        },
        notes=(*answer.notes, *price_notes(answer.machine_name, answer.price)),
        provenance={**answer.result.about, "batch": base_batch},
        charts={"tornado": picture},
    )


def _most(answer: Serving) -> float:
    return max(1.0, min(fits(answer.replica, answer.context), MOST_SEQUENCES))


def _hardware(answer: Serving) -> list[_Knob]:
    cluster = answer.machine.cluster
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
            knobs.append(_Knob(what, "machine", paths, unit))
    used = dict.fromkeys(answer.machine.compute.values())
    for arithmetic in used:
        path = f"cluster.chip.peak.{arithmetic}"
        value = cluster.chip.peak[arithmetic]
        knobs.append(_Knob(f"{arithmetic} peak", "machine", {path: value}, "FLOP/s"))
    return knobs


def _at(records: dict[str, Any], path: str) -> Any:
    first, *rest = path.split(".")
    node = records[first]
    for part in rest:
        node = node[int(part)] if isinstance(node, tuple) else getattr(node, part)
    return node


def _model(answer: Serving) -> list[_Knob]:
    model = answer.model
    if model.counts is not None:
        records = {"model": model}
        return [_Knob(w, "model", {p: _at(records, p)}, "1") for w, p in _COUNTS.items()]
    assert model.d_model
    assert model.vocab_size
    layers = {f"model.blocks.{i}.repeat": float(b.repeat) for i, b in enumerate(model.blocks)}
    knobs = [
        _Knob("layers", "model", layers, "1"),
        _Knob("d_model", "model", {"model.d_model": float(model.d_model)}, "1"),
        _Knob("vocab_size", "model", {"model.vocab_size": float(model.vocab_size)}, "1"),
    ]
    grouped: dict[str, dict[str, float]] = {}
    for i, block in enumerate(model.blocks):
        for where, part in (("mixer", block.mixer), ("ffn", block.ffn)):
            for name, value in _sizes(part).items():
                grouped.setdefault(name, {})[f"model.blocks.{i}.{where}.{name}"] = value
    return [*knobs, *(_Knob(name, "model", paths, "1") for name, paths in grouped.items())]


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


def _load(answer: Serving, batch: float) -> list[_Knob]:
    return [
        _Knob("batch", "load", {"load.batch": batch}, "#"),
        _Knob("context", "load", {"load.context": answer.context}, "tokens"),
        _Knob("chips of the replica", "machine", {"chips": float(answer.machine.n_chips)}, "#"),
    ][: 3 if answer.layout is None else 2] + _price(answer)


def _price(answer: Serving) -> list[_Knob]:
    if answer.price is None:
        return []
    paths = {"price.usd_per_chip_hour": answer.price.usd_per_chip_hour}
    return [_Knob("price per chip-hour", "machine", paths, "USD/h")]


def _evaluate(answer: Serving, changes: dict[str, float], batch: float) -> Point:
    own = {p: v for p, v in changes.items() if p.startswith(("model.", "cluster."))}
    rent = changes.get("price.usd_per_chip_hour")
    if rent is not None and answer.price is not None:
        price = answer.price.model_copy(update={"usd_per_chip_hour": rent})
        answer = replace(answer, price=price)
    records: dict[str, Any] = {"model": answer.model, "cluster": answer.machine.cluster}
    changed: dict[str, Any] = bound(records, own)
    n_chips = int(changes["chips"]) if "chips" in changes else None
    asked = reading_with(answer, n_chips=n_chips, **changed)
    context = changes.get("load.context", answer.context)
    return point(answer, asked, changes.get("load.batch", batch), context)


def _row(answer: Serving, knob: _Knob, base: Point, batch: float) -> dict[str, Any] | None:
    def at(scale: float) -> Point:
        return _evaluate(answer, {p: v * scale for p, v in knob.paths.items()}, batch)

    if knob.what == "chips of the replica" and knob.now < 2:
        return None
    up, down = at(2.0), at(0.5)
    high, low = (up, base) if knob.whole else (at(1 + _NUDGE), at(1 - _NUDGE))
    step = math.log(2.0 if knob.whole else (1 + _NUDGE) / (1 - _NUDGE))
    return {
        "what": knob.what,
        "kind": knob.kind,
        "whole": knob.whole,
        "now": quantity(knob.now, knob.unit),
        "time_elasticity": math.log(high.time_s / low.time_s) / step,
        "cost_elasticity": math.log(high.usd_per_mtok / low.usd_per_mtok) / step,
        "time_doubled": up.time_s / base.time_s,
        "time_halved": down.time_s / base.time_s,
        "cost_doubled": up.usd_per_mtok / base.usd_per_mtok,
        "cost_halved": down.usd_per_mtok / base.usd_per_mtok,
        "cost_refilled": _ratio(up.usd_per_mtok_full, base.usd_per_mtok_full),
        "cost_refilled_halved": _ratio(down.usd_per_mtok_full, base.usd_per_mtok_full),
    }


def _ratio(changed: float, base: float) -> float | None:
    """What is left of a cost; None where nothing fits any more."""
    return changed / base if changed < math.inf and base < math.inf else None


def _worth(row: dict[str, Any], saving: str) -> tuple[float, float]:
    """What twice of it leaves of the cost (a column), then of the time: least is best."""
    left = row[saving]
    return (round(left, 3) if left else math.inf, row["time_doubled"])


def _swing(row: dict[str, Any]) -> float:
    """How far halving and doubling pull the cost apart, batch refilled or not."""
    keys = ("cost_doubled", "cost_halved", "cost_refilled", "cost_refilled_halved")
    return sum(abs(math.log(row[k])) if row[k] else _NOTHING_FITS for k in keys)


def _title(answer: Serving, batch: float) -> str:
    return f"{answer.reading}, batch {count(batch)}, {count(answer.context)} tokens"


def _words(
    answer: Serving,
    rows: list[dict[str, Any]],
    buys: list[dict[str, Any]],
    best: dict[str, Any],
    batch: float,
    saving: str,
) -> tuple[str, ...]:
    own = [r for r in rows if r["kind"] == "model"]
    lead = max(own, key=lambda r: abs(r["time_elasticity"]))
    idle = [r["what"] for r in buys if abs((r["cost_refilled"] or 0) - 1) < 0.005
            and abs(r["time_doubled"] - 1) < 0.005]  # fmt: skip
    said = [
        f"{answer.name}, {_title(answer, batch)}: of the model's constants, time depends most on "
        f"{lead['what']}; {_more(lead)}."
    ]
    saves = 1 - (best[saving] or 1.0)
    if saves < 0.005:
        said.append(
            "What to buy next: nothing; doubling no constant of the machine saves anything."
        )
    else:
        faster = 1 - best["time_doubled"]
        where = " and batch" if saving == "cost_doubled" else ", with the batch that then fits"
        quick = f", and a step {percent(faster)} shorter" if faster > 0.005 else ""
        said.append(
            f"What to buy next: {best['what']}. Twice of it makes a token {percent(saves)} cheaper "
            f"at the same price{where}{quick}; it is worth up to {factor(1 / best[saving])} the "
            "price of a chip."
        )
    if idle:
        said.append(f"Doubling these changes nothing: {', '.join(idle)}.")
    return tuple(said)


def _more(row: dict[str, Any]) -> str:
    """What more of a constant does to time and cost."""
    if row["whole"]:
        time, cost = factor(row["time_doubled"]), factor(row["cost_doubled"])
        return f"twice as many take {time} the time and {cost} the cost"
    time, cost = row["time_elasticity"], row["cost_elasticity"]
    return f"1% more is {time:+.2f}% of time and {cost:+.2f}% of cost"
