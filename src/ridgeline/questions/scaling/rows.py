"""What a step takes on each number of chips: all sizes timed together, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.questions.training.run import run_of
from ridgeline.questions.training.token_costs import token_costs
from ridgeline.questions.training.words import KINDS_OF_TIME, layout_words
from ridgeline.trainer.groups import grouped
from ridgeline.trainer.memory import LIKELY, job_memory
from ridgeline.trainer.step import job_step
from ridgeline.trainer.utilization import (
    flops_by_convention,
    peak_flops_per_s,
    telling_convention,
)
from ridgeline.units import DAY_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.price import Price
    from ridgeline.specs.training_scenario import TrainingScenario
    from ridgeline.trainer.job import TrainingJob

__all__ = ["Row", "from_smallest_that_fits", "rows_of", "timed"]

Row = dict[str, Any]
_ROUNDING = 1e-9


def timed(jobs: Sequence[TrainingJob], *, interval: bool = False) -> list[Row]:
    """Time and memory of jobs, evaluated together.

    Parameters
    ----------
    jobs : sequence of TrainingJob   Of one model, machine and framework.
    interval : bool                  Whether 80% intervals are wanted.
    """
    found: list[Row] = [{} for _ in jobs]
    for group in grouped(jobs):
        job, members = group.job, group.places.tolist()
        step = job_step(job, interval=interval)
        memory = job_memory(job) if job.model.blocks else None
        name = telling_convention(job)
        flops = flops_by_convention(job)[name]
        columns: dict[str, Any] = {
            "time_s": step.time_s,
            "time_low_s": step.low_s,
            "time_high_s": step.high_s,
            "bubble_share": np.where(step.bubble_share > _ROUNDING, step.bubble_share, 0.0),
            "dp_share": step.parts_s["dp"] / step.time_s,
            "mfu": flops / (step.time_s * job.n_chips * peak_flops_per_s(job)),
            "fits_probability": None if memory is None else memory.fits_probability,
            "memory_bytes_per_chip": None if memory is None else memory.needed_bytes,
        }
        for kind, parts in KINDS_OF_TIME.items():
            columns[f"{kind}_s"] = sum(step.parts_s[part] for part in parts)
        for key, values in columns.items():
            shown = None if values is None else np.broadcast_to(values, (len(members),))
            for k, i in enumerate(members):
                found[i][key] = None if shown is None else float(shown[k])
                found[i]["convention"] = name
    return found


def rows_of(
    jobs: Sequence[TrainingJob], scenario: TrainingScenario, price: Price | None
) -> list[Row]:
    """A row for each number of chips.

    Parameters
    ----------
    jobs : sequence of TrainingJob   Rising in chips.
    scenario : TrainingScenario      Its tokens and what a run meets.
    price : Price or None
    """
    rows = []
    for job, measured in zip(jobs, timed(jobs, interval=True), strict=True):
        load, n, time_s = job.load, int(job.n_chips), measured["time_s"]
        row: Row = {
            "n_chips": n,
            "layout": layout_words(job.layout),
            **{name: getattr(job.layout, name) for name in ("tp", "pp", "vp", "cp", "dp", "ep")},
            "recompute": job.recipe.recompute,
            "global_batch": load.global_batch,
            "micro_batches": float(job.micro_batches),
            **measured,
            "tokens_per_s": load.tokens / time_s,
            "tokens_per_s_per_chip": load.tokens / time_s / n,
            **token_costs(job.cluster, price, time_s, load.tokens, n)._asdict(),
        }
        if scenario.load.tokens is not None:
            run = run_of(job, scenario.load.tokens, (time_s, None, None), scenario.run, price)
            row |= {
                "days": run.total_s / DAY_S,
                "chip_hours": run.chip_hours(run.total_s),
                "usd": run.usd(run.total_s),
            }
        rows.append(row)
    best = max(row["tokens_per_s_per_chip"] for row in rows)
    for row in rows:
        row["efficiency"] = row["tokens_per_s_per_chip"] / best
    return rows


def from_smallest_that_fits(jobs: Sequence[TrainingJob]) -> list[TrainingJob]:
    """The jobs from the smallest number of chips that holds the model; all where none does.

    Parameters
    ----------
    jobs : sequence of TrainingJob   Rising in chips.
    """
    if not jobs[0].model.blocks:
        return list(jobs)
    chances = [0.0] * len(jobs)
    for group in grouped(jobs):
        members = group.places.tolist()
        found = np.broadcast_to(job_memory(group.job).fits_probability, (len(members),))
        for i, chance in zip(members, found, strict=True):
            chances[i] = float(chance)
    first = next((i for i, p in enumerate(chances) if p >= LIKELY), 0)
    return list(jobs[first:])
