"""Sensitivity of training: what each constant does to a step, its cost and its memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Answer, Table
from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import training_effect_kinds
from ridgeline.errors import InfeasibleError
from ridgeline.laws.economics import cost_usd_per_mtok
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
    row_of,
)
from ridgeline.questions.training.legal import problems
from ridgeline.questions.training.words import job_words
from ridgeline.steps.bind import bound
from ridgeline.steps.machine import compute_dtype
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_seconds, job_step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.charts import Chart
    from ridgeline.questions.training import Training
    from ridgeline.trainer.job import TrainingJob

__all__ = ["trained_sensitivity"]

Row = dict[str, Any]

_COLUMNS = {
    "what": ("what", ""),
    "kind": ("of", ""),
    "now": ("now", ""),
    "time_elasticity": ("d ln t", "+"),
    "cost_elasticity": ("d ln $", "+"),
    "time_doubled": ("doubled: time", "x"),
    "cost_doubled": ("doubled: cost", "x"),
    "memory_doubled": ("doubled: memory", "x"),
}
#: what a change that cannot be is taken to pull: a factor of e
_CANNOT = 1.0
#: effects that move a step by less are left out: those of other formats, models and layouts
_NOTHING = 1e-9
#: before the names of what frameworks make of kernels: `catalog/training_effects.toml`
_EFFECT = "effect "
#: an effect that is as sure as this (standard deviation of its logarithm) is none on this machine
_CERTAIN = 0.02
#: a step's records whose numbers are knobs
_LOAD = {
    "global batch": ("load.global_batch", "sequences", True),
    "tokens per sequence": ("load.seq_len", "tokens", True),
    "micro-batch": ("recipe.micro_batch", "sequences", True),
}
#: what there is one of has no half
_NO_BAR = {"cost_halved": 1.0}
_UNITS = {"s": "s", "1": "1"}


def trained_sensitivity(answer: Training) -> Answer:
    """What each constant does to a training step: see `sensitivity`.

    Parameters
    ----------
    answer : Training
    """
    asked = _Asked(answer)
    rows = []
    for knob in asked.knobs():
        row, up, _ = row_of(knob, lambda f, k=knob: asked.at(k, f), asked.base, ("time", "cost"))
        held = None if up is None else up["memory"]
        row["single"] = knob.whole and knob.now == 1
        row["memory_doubled"] = held / asked.base["memory"] if held else None
        if knob.kind == "framework" and abs(math.log(row["time_doubled"] or 1.0)) < _NOTHING:
            continue
        rows.append(row)
    rows.sort(key=lambda row: -_swing(row))
    best = best_buy(rows, "cost_doubled")

    def picture() -> Chart:
        from ridgeline.charts.tornado import tornado_chart  # noqa: PLC0415  (only when drawn)

        return tornado_chart(
            [row | _NO_BAR if row["single"] else row for row in rows],
            title=answer.name,
            conditions=_conditions(answer),
            factors=("cost_halved", "cost_doubled"),
            what="cost of a token trained on, against now",
            cannot="cannot be",
        )

    return Answer(
        question="sensitivity",
        title=f"Sensitivity of training: {answer.name}",
        sentences=_words(answer, rows, best),
        tables=(Table("constants", _conditions(answer), _COLUMNS, rows),),
        values={
            "best_buy": best["what"],
            "time_doubled": best["time_doubled"],
            "cost_doubled": best["cost_doubled"],
        },
        notes=(*answer.notes, *price_notes(answer.job.cluster.name, answer.price)),
        provenance=answer.answer.provenance,
        charts={"tornado": picture},
    )


@dataclass(frozen=True)
class _Asked:
    """A job whose constants are changed one at a time."""

    answer: Training

    @property
    def job(self) -> TrainingJob:
        return self.answer.job

    @cached_property
    def base(self) -> dict[str, float]:
        return self._metrics(self.job, self._rent)

    @property
    def _rent(self) -> float:
        return 1.0 if self.answer.price is None else self.answer.price.usd_per_chip_hour

    def knobs(self) -> list[Knob]:
        """All constants that there are, of machine, model, load, layout and framework."""
        job, cluster = self.job, self.job.cluster
        own = compute_dtype(dtype_of(job.recipe.precision), cluster.chip)
        used = [own, *(["bf16"] if "bf16" in cluster.chip.peak else [])]
        found = hardware_knobs(cluster, used if job.reading != "blackboard" else used[:1])
        if cluster.chip.tdp is not None and self.answer.is_calibrated:
            paths = {"cluster.chip.tdp": float(cluster.chip.tdp)}
            found.append(Knob("power limit (TDP)", "machine", paths, "W"))
        if cluster.host_link and job.recipe.offload:
            found.append(
                Knob("link to the host", "machine", {"cluster.host_link": cluster.host_link}, "B/s")
            )
        found += [*price_knobs(self.answer.price), *model_knobs(job.model)]
        for what, (path, unit, counted) in _LOAD.items():
            value = float(self._number(path))
            found.append(Knob(what, "load", {path: value}, unit, counted))
        dp = float(job.layout.dp)
        found.append(Knob("data-parallel ranks", "load", {"layout.dp": dp}, "#", counted=True))
        if self.answer.is_calibrated:
            found += self._effects()
        return [knob for knob in found if knob.now]

    def _effects(self) -> list[Knob]:
        kinds, cal = training_effect_kinds(), self.job.calibration
        return [
            Knob(f"{_EFFECT}{name}", "framework", {f"effects.{name}": float(cal.effects[name])},
                 _UNITS.get(kind.unit, "1"))
            for name, kind in kinds.items()
            if name in cal.effects and cal.effect_sigmas.get(name, 1.0) > _CERTAIN
        ]  # fmt: skip

    def _number(self, path: str) -> Any:
        record, _, field = path.partition(".")
        return getattr(getattr(self.job, record), field)

    def at(self, knob: Knob, scale: float) -> dict[str, float] | None:
        """Metrics with a constant times a factor; None where the job cannot be."""
        changed = {path: value * scale for path, value in knob.paths.items()}
        if knob.whole and any(value != int(value) for value in changed.values()):
            return None
        if knob.whole:
            changed = {path: int(value) for path, value in changed.items()}
        job, rent = self._job_with(changed), changed.get("price.usd_per_chip_hour", self._rent)
        if knob.whole and next(problems(job, int(job.n_chips)), None) is not None:
            return None
        try:
            return self._metrics(job, rent)
        except InfeasibleError:
            return None

    def _job_with(self, changed: Mapping[str, float]) -> TrainingJob:
        effects = {p.partition(".")[2]: v for p, v in changed.items() if p.startswith("effects.")}
        own = {p: v for p, v in changed.items() if not p.startswith(("effects.", "price."))}
        if effects:
            return self.job.with_effects(effects)
        names = {path.partition(".")[0] for path in own}
        records = {name: getattr(self.job, name) for name in names}
        return replace(self.job, **bound(records, own)) if own else self.job

    def _metrics(self, job: TrainingJob, rent: float) -> dict[str, float]:
        """Of a step its time, what a million tokens cost, and the memory of the fullest chip."""
        whole = job.reading == "blackboard"
        time_s = float(np.ravel(job_step(job).time_s if whole else job_seconds(job))[0])
        tokens = float(job.load.seq_len * job.load.global_batch)
        held = job_memory(job).needed_bytes if job.model.blocks else math.nan
        return {
            "time": time_s,
            "cost": cost_usd_per_mtok(time_s, tokens, rent, float(job.n_chips)),
            "memory": float(np.ravel(held)[0]),
        }


def _swing(row: Row) -> float:
    """How far halving and doubling pull the cost apart."""
    keys = ("cost_doubled",) if row["single"] else ("cost_doubled", "cost_halved")
    return sum(abs(math.log(row[key])) if row[key] else _CANNOT for key in keys)


def _conditions(answer: Training) -> str:
    load = answer.job.load
    return (
        f"{answer.reading}, {job_words(answer.job)}, {load.global_batch:,} x {load.seq_len:,} "
        "tokens a step"
    )


def _words(answer: Training, rows: list[Row], best: Row) -> tuple[str, ...]:
    own = [r for r in rows if r["kind"] == "model" and r["time_elasticity"] is not None]
    lead = max(own, key=lambda r: abs(r["time_elasticity"]))
    said = [
        f"{answer.name}, {_conditions(answer)}: of the model's constants, time depends most on "
        f"{lead['what']}; {more_words(lead)}."
    ]
    of_framework = [r for r in rows if r["kind"] == "framework"]
    if of_framework:
        most = max(of_framework, key=lambda r: abs(r["time_elasticity"]))
        what = training_effect_kinds()[most["what"].removeprefix(_EFFECT)].what
        said.append(
            f"Of what the framework makes of them, it depends most on the {most['what']} ({what}): "
            f"1% more is {most['time_elasticity']:+.2f}% of time."
        )
    return (*said, buy_words(best, "cost_doubled", ""), *idle_words(rows, "cost_doubled"))
