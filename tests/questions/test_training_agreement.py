"""What is scored is what answers: a job of a table, asked through the face, has the same digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.errors import InfeasibleError
from ridgeline.fidelity.training.reading import read_training
from ridgeline.fidelity.training.shipped import SHIPPED_TRAINING
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob

#: runs of one source that are tried
_EACH = 6


def _jobs() -> list[TrainingJob]:
    found: dict[str, dict[str, TrainingJob]] = {}
    for row in read_training([SHIPPED_TRAINING]):
        run = row.run
        if run is not None and len(found.setdefault(run.source, {})) < _EACH:
            found[run.source].setdefault(run.key, run.job)
    return [job for jobs in found.values() for job in jobs.values()]


JOBS = _jobs()


def _version(job: TrainingJob) -> str | None:
    """A release that means the same era; None where only a date says it."""
    era = job.framework.era(job.version, job.date)
    names = [job.version, "", *(v.replace("*", "") for e in job.framework.eras for v in e.versions)]
    for name in dict.fromkeys(names):
        known = not name or job.framework.knows(name)
        if known and job.framework.era(name) == era and "[" not in name:
            return name
    return None


def _asked(job: TrainingJob, version: str) -> rl.Training:
    recipe, load = job.recipe, job.load
    options: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("micro_batch", "schedule", "recompute", "offload", "precision", "optimizer",
                     "task")
    }  # fmt: skip
    if recipe.recompute == "layers":
        options["recompute_layers"] = recipe.recompute_layers
    if not recipe.trains_all:
        options["lora_rank"] = recipe.lora_rank
    return rl.training(
        job.model, job.cluster, layout=job.layout, seq=load.seq_len,
        global_batch=load.global_batch, document=load.document, chips=job.n_chips,
        framework=job.framework.id, framework_version=version,
        expert_load_cv=float(job.expert_load_cv), **options,
    )  # fmt: skip


def test_the_face_and_the_table_agree() -> None:
    agreed, refused = 0, []
    for job in JOBS:
        version = _version(job)
        # Of some runs notes say more of the framework than its name does.
        if version is None or job.framework != catalog.framework(job.framework.id):
            continue
        try:
            answer = _asked(job, version)
        except InfeasibleError as error:
            refused.append(str(error))
            continue
        assert answer.step_s == pytest.approx(float(job_step(job).time_s[0]), rel=1e-9)
        held = job_memory(job)
        assert answer.memory is not None
        assert np.ravel(answer.memory.needed_bytes) == pytest.approx(np.ravel(held.needed_bytes))
        assert answer.fits_probability == pytest.approx(float(held.fits_probability[0]))
        agreed += 1
    assert agreed > 30
    assert len(refused) < agreed / 10, refused
