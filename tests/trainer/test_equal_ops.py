"""What is timed or counted once for all that is equal is what each would be by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.kernels.calibration import op_seconds
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.bind import bound
from ridgeline.steps.training_ops import channel_of
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.passes import on_stages
from ridgeline.trainer.step import TimedJob, job_seconds

NAS, V3 = "nvidia/Llama-3_3-Nemotron-Super-49B-v1", "deepseek-ai/DeepSeek-V3"


def job_of(model: str, micro_batch: object = 1) -> TrainingJob:
    recipe = TrainingRecipe().model_copy(update={"micro_batch": micro_batch})
    layout = TrainingLayout(tp=4, dp=8, ep=8 if model == V3 else 1)
    load = TrainingLoad(global_batch=256, seq_len=4096)
    return TrainingJob(rl.model(model), rl.cluster("4xhgx-h100"), layout, recipe, load)


@pytest.mark.parametrize("model", [NAS, V3])
@pytest.mark.parametrize("micro_batch", [1, np.asarray([1.0, 2.0, 4.0])])
def test_equal_ops_are_timed_once(model: str, micro_batch: object) -> None:
    """Channels that nothing hides, of each kind of layer, are sums of ops timed one by one."""
    timed = TimedJob(job_of(model, micro_batch))
    cal = timed.job.calibration
    found = on_stages(timed.count, timed.pieces, timed.layers, cal).timed
    for piece, passes in zip(timed.pieces, found, strict=True):
        for row, channel in enumerate(("products", "experts", "attention", "elementwise")):
            ops = [op for op in piece.forward if channel_of(op) == channel]
            each = sum(np.asarray(op_seconds(op, cal)) for op in ops)
            np.testing.assert_allclose(passes[0][row], each, rtol=1e-13)


@pytest.mark.parametrize("model", [NAS, V3])
def test_under_other_constants_nothing_is_counted_again(model: str) -> None:
    job = job_of(model)
    timed = TimedJob(job)
    faster = bound({"c": job.cluster}, {"c.chip.memory.bandwidth": 9e12, "c.link": 9e11})["c"]
    for cal in (job.calibration.with_effect("memory", 0.7), job.calibration.on(faster)):
        anew = replace(job, fitted=cal, cluster=cal.cluster)
        other = TimedJob(job.under(cal), timed)
        assert other.pieces is timed.pieces
        np.testing.assert_array_equal(other.time_s, job_seconds(anew))
        assert np.all(other.time_s != timed.time_s)
