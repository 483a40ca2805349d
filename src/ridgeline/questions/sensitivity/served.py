"""Sensitivity of serving: what each constant does to a token's time and cost."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Answer, Table
from ridgeline.answers.words import count
from ridgeline.questions.prices import price_notes
from ridgeline.questions.sensitivity.knobs import (
    Knob,
    best_buy,
    buy_words,
    hardware_knobs,
    idle_words,
    model_knobs,
    more_words,
    price_knobs,
    ratio,
    row_of,
)
from ridgeline.questions.variants import (
    MOST_SEQUENCES,
    Point,
    fits,
    point,
    reading_with,
    require_a_time,
)
from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from ridgeline.charts import Chart
    from ridgeline.questions.serving import Serving

__all__ = ["served_sensitivity"]

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


def served_sensitivity(answer: Serving, batch: float | None = None) -> Answer:
    """What each constant does to a token's time and cost: see `sensitivity`.

    Parameters
    ----------
    answer : Serving
    batch : float or None   Sequences in flight; None for the most that fit. [1]
    """
    base_batch = batch if batch is not None else _most(answer)
    used = answer.machine.compute.values()
    knobs = [
        *hardware_knobs(answer.machine.cluster, used), *model_knobs(answer.model),
        *_load(answer, base_batch),
    ]  # fmt: skip
    base = _evaluate(answer, {}, base_batch)
    require_a_time(answer, base.time_s)
    rows = [_row(answer, knob, base, base_batch) for knob in knobs if knob.now]
    rows = [r for r in rows if r is not None]
    rows.sort(key=lambda r: -_swing(r))
    saving = "cost_refilled" if batch is None else "cost_doubled"
    best = best_buy(rows, saving)

    def picture() -> Chart:
        from ridgeline.charts.tornado import tornado_chart  # noqa: PLC0415  (only when drawn)

        return tornado_chart(
            rows,
            title=answer.name,
            conditions=f"{answer.reading}, {answer.context:,.0f} tokens of context; batch now "
            f"{base_batch:,.0f}",
        )

    return Answer(
        question="sensitivity",
        title=f"Sensitivity: {answer.name}",
        sentences=_words(answer, rows, best, base_batch, saving),
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


def _load(answer: Serving, batch: float) -> list[Knob]:
    chips = {"chips": float(answer.machine.n_chips)}
    found = [
        Knob("batch", "load", {"load.batch": batch}, "#"),
        Knob("context", "load", {"load.context": answer.context}, "tokens"),
    ]
    if answer.layout is None:
        found.append(Knob("chips of the replica", "machine", chips, "#", counted=True))
    return found + price_knobs(answer.price)


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


def _row(answer: Serving, knob: Knob, base: Point, batch: float) -> dict[str, Any] | None:
    def at(scale: float) -> dict[str, float]:
        point = _evaluate(answer, {p: v * scale for p, v in knob.paths.items()}, batch)
        return _metrics(point)

    if knob.what == "chips of the replica" and knob.now < 2:
        return None
    row, up, down = row_of(knob, at, _metrics(base), ("time", "cost"))
    assert up is not None
    assert down is not None
    return row | {
        "cost_refilled": ratio(up["refilled"], base.usd_per_mtok_full),
        "cost_refilled_halved": ratio(down["refilled"], base.usd_per_mtok_full),
    }


def _metrics(point: Point) -> dict[str, float]:
    return {
        "time": point.time_s, "cost": point.usd_per_mtok, "refilled": point.usd_per_mtok_full,
    }  # fmt: skip


def _swing(row: dict[str, Any]) -> float:
    """How far halving and doubling pull the cost apart, batch refilled or not."""
    keys = ("cost_doubled", "cost_halved", "cost_refilled", "cost_refilled_halved")
    return sum(abs(math.log(row[k])) if row[k] else _NOTHING_FITS for k in keys)


def _title(answer: Serving, batch: float) -> str:
    return f"{answer.reading}, batch {count(batch)}, {count(answer.context)} tokens"


def _words(
    answer: Serving,
    rows: list[dict[str, Any]],
    best: dict[str, Any],
    batch: float,
    saving: str,
) -> tuple[str, ...]:
    own = [r for r in rows if r["kind"] == "model"]
    lead = max(own, key=lambda r: abs(r["time_elasticity"]))
    where = " and batch" if saving == "cost_doubled" else ", with the batch that then fits"
    return (
        f"{answer.name}, {_title(answer, batch)}: of the model's constants, time depends most on "
        f"{lead['what']}; {more_words(lead)}.",
        buy_words(best, saving, where),
        *idle_words(rows, "cost_refilled"),
    )
