"""Where layouts that people published stand among all that a search finds.

`list_published_training.py` writes what is found here into docs/training.md.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import ridgeline as rl
from ridgeline.catalog import cluster, machine_named
from ridgeline.questions.training.legal import problems
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training_layouts.search import search
from ridgeline.questions.training_layouts.space import AXES, Space
from ridgeline.specs.model import Model
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.memory import SURE, job_memory
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.trainer.job import TrainingJob

FILE = Path(__file__).parents[1] / "tests" / "oracles" / "published_layouts.toml"
#: those whose times need no timeline
_SCHEDULES = (None, "1f1b", "interleaved")
_SHOWN = ("tp", "cp", "pp", "vp", "dp", "ep", "zero", "micro_batch", "recompute", "schedule")


class Placed(NamedTuple):
    """A published layout among those of a search.

    Attributes
    ----------
    name, source, assumed : str
    chosen, best : dict     Axis to value, of the published layout and of the fastest.
    n_legal, n_fit, n_faster : int   Layouts that can be, that fit, and fit and are faster.
    time_s, best_s : float
    fits_probability : float
    """

    name: str
    source: str
    assumed: str
    chosen: dict[str, Any]
    best: dict[str, Any]
    n_legal: int
    n_fit: int
    n_faster: int
    time_s: float
    best_s: float
    fits_probability: float
    changes: dict[str, float]


def placed(only: str = "") -> list[Placed]:
    """All layouts of the file, or those of one name."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    shapes = data["models"]
    return [_placed(row, shapes) for row in data["layout"] if only in row["name"]]


def model_of(name: str, shapes: dict[str, Any]) -> Model:
    """A model by its id, or by the shape that the file has of it."""
    if name in shapes:
        return Model.parse({"id": name, "name": name} | shapes[name], where=FILE.name)
    return rl.model(name)


def machine_of(row: dict[str, Any]) -> Cluster:
    """The machine that was trained on."""
    named = machine_named(row["on"]).cluster if "x" in row["on"] else cluster(row["on"])
    return named.replaced(row["machine"], where=FILE.name) if "machine" in row else named


def published_job(row: dict[str, Any], shapes: dict[str, Any]) -> TrainingJob:
    """The job as it was published."""
    scenario = TrainingScenario.of(
        model_of(row["model"], shapes), machine_of(row), **row["question"], **row["layout"]
    )
    setup = TrainingSetup(scenario)
    return setup.job(setup.layout(scenario.layout.degrees), setup.recipe())


def _placed(row: dict[str, Any], shapes: dict[str, Any]) -> Placed:
    job = published_job(row, shapes)
    time_s = float(job_step(job).time_s[0])
    fits = float(np.ravel(job_memory(job).fits_probability)[0])
    chosen = {axis: _value(job, axis) for axis in AXES}
    space = space_of(row, shapes, job)
    found = search(space.setup, space)
    # Timelines are run of rows that could be the fastest alone: none of the others is counted.
    n_timed = int(found.kept.times.sum())
    first = found.best(1)[0]
    best = {axis: first[axis] for axis in AXES}
    return Placed(
        row["name"], row["source"], row["assumed"], chosen, best, found.n_legal, found.n_fit,
        round(found.share_faster(time_s) * n_timed), time_s, first["time_s"], fits,
        _changes(space, chosen, best, time_s),
    )  # fmt: skip


def space_of(row: dict[str, Any], shapes: dict[str, Any], job: TrainingJob) -> Space:
    """What a published job is placed among: the usual space, with its own values."""
    scenario = TrainingScenario.of(
        model_of(row["model"], shapes), machine_of(row), **row["question"]
    )
    return _with(Space.of(TrainingSetup(scenario)), {a: _value(job, a) for a in AXES})


def _value(job: TrainingJob, axis: str) -> Any:
    """What a job has on an axis of a search."""
    if axis == "schedule":
        return job.schedule if job.layout.pp > 1 else None
    if axis == "recompute":
        layers = job.recipe.recompute_layers
        return f"layers {layers}" if job.recipe.recompute == "layers" else job.recipe.recompute
    record = job.recipe if hasattr(job.recipe, axis) else job.layout
    return getattr(record, axis)


def _with(space: Space, chosen: dict[str, Any]) -> Space:
    """A space with the published values among its own, of schedules that need no timeline."""
    values = dict(space.values)
    for axis, value in chosen.items():
        if axis != "schedule":
            values[axis] = tuple(dict.fromkeys((*values[axis], value)))
    if chosen["schedule"] in _SCHEDULES:
        values["schedule"] = tuple(v for v in values["schedule"] if v in _SCHEDULES)
    return Space(space.setup, values)


def _changes(
    space: Space, chosen: dict[str, Any], best: dict[str, Any], time_s: float
) -> dict[str, float]:
    """Of each thing that the best does otherwise, the time with that alone over the published."""
    found: dict[str, float] = {}
    degrees = ("tp", "cp", "pp", "dp", "ep", "expert_tp", "vp", "schedule")
    together = {"degrees": degrees}
    single = ("micro_batch", "zero", "shard", "recompute", "order", "sequence_parallel")
    for name, axes in (together | {axis: (axis,) for axis in single}).items():
        if all(chosen[axis] == best[axis] for axis in axes):
            continue
        job = space.job(chosen | {axis: best[axis] for axis in axes})
        if next(problems(job, space.setup.n_chips), None) is not None:
            continue
        if float(np.ravel(job_memory(job).fits_probability)[0]) >= SURE:
            found[name] = float(job_step(job).time_s[0]) / time_s
    return found


def in_words(values: dict[str, Any]) -> str:
    """A layout in a few letters."""
    titles = {
        "micro_batch": "micro-batch",
        "recompute": "recompute",
        "schedule": "",
        "zero": "ZeRO",
    }
    parts = []
    for axis in _SHOWN:
        value = values[axis]
        if value is None or (value == 1 and axis != "zero"):
            continue
        parts.append(f"{titles.get(axis, axis.upper())} {value}".strip())
    return ", ".join(parts)


def table(found: list[Placed]) -> str:
    """As Markdown."""
    lines = [
        "| run | published layout | fits | step | place | fastest that fits | of its time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {p.name} | {in_words(p.chosen)} | {p.fits_probability:.0%} | {p.time_s:.1f} s | "
        f"{_place(p)} | {in_words(p.best)} | {p.best_s / p.time_s:.2f} |"
        for p in found
    ]
    return "\n".join(["", *lines, "", ""])


def _place(one: Placed) -> str:
    """Where it stands among those that fit."""
    among = f"of {one.n_fit:,} that fit, {one.n_legal:,} legal"
    if one.fits_probability >= SURE:
        return f"{one.n_faster + 1:,} {among}"
    return f"behind {one.n_faster:,} {among}"
