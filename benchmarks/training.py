"""Whole training jobs a second on one core: time and memory of rows with everything different.

Beside single jobs asked one by one, in the same run, which is what a search without rows would do;
and the rates of two calculators that people use, as published figures. Exits 1 below the floors.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ridgeline import catalog
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_step

N_ROWS, N_SINGLE, REPEATS = 20_000, 40, 3
MODELS = {
    "meta-llama/Meta-Llama-3-70B": 1,
    "openai-community/gpt2": 1,
    "deepseek-ai/DeepSeek-V3": 8,
}
#: rows over single jobs; rows a second is a goal, since machines differ
LEAST_RATIO, GOAL_ROWS_PER_S = 300.0, 100_000.0
#: jobs a second of one core as measured on a machine of two cores in 2026
PEERS = {"Calculon": 101.0, "llm-analysis": 6_070.0}


def rows(model: str, n: int, ep: int = 1) -> TrainingJob:
    """Zipped degrees, batches and stages of sharding."""
    source = np.random.default_rng(0)
    layout = TrainingLayout(dp=8, ep=ep).model_copy(
        update={
            "tp": source.choice([1.0, 2, 4, 8], n),
            "pp": source.choice([1.0, 2, 4, 8, 16], n),
            "vp": source.choice([1.0, 2, 4], n),
            "dp": source.choice([8.0, 16, 32], n),
            "zero": source.choice([0.0, 1, 3], n),
        }
    )
    micro_batch = source.choice([1.0, 2, 4], n)
    batch = source.choice([1024.0, 2048, 4096], n)
    return TrainingJob(
        catalog.model(model),
        catalog.machine_named("512xhgx-h100").cluster,
        layout,
        TrainingRecipe().model_copy(update={"micro_batch": micro_batch}),
        TrainingLoad().model_copy(update={"global_batch": batch}),
        catalog.framework("megatron-lm"),
    )


def whole(job: TrainingJob) -> None:
    """Time with its parts, and memory."""
    job_step(job)
    job_memory(job)


def rows_per_s(model: str, ep: int) -> float:
    best = 0.0
    for _ in range(REPEATS + 1):
        job = rows(model, N_ROWS, ep)
        start = time.process_time()
        whole(job)
        best = max(best, N_ROWS / (time.process_time() - start))
    return best


def single_per_s(model: str, ep: int) -> float:
    jobs = [rows(model, 1, ep) for _ in range(N_SINGLE)]
    whole(jobs[0])
    start = time.process_time()
    for job in jobs:
        whole(job)
    return N_SINGLE / (time.process_time() - start)


def main() -> int:
    worst = float("inf")
    for model, ep in MODELS.items():
        many, one = rows_per_s(model, ep), single_per_s(model, ep)
        worst = min(worst, many / one)
        beside = ", ".join(f"{many / rate:,.0f} x {name}" for name, rate in PEERS.items())
        print(
            f"{model:32} {many:9,.0f} jobs/s in rows, {one:5,.0f} one by one "
            f"({many / one:,.0f} x); {beside}"
        )
    held = worst >= LEAST_RATIO
    print(
        f"goal {GOAL_ROWS_PER_S:,.0f} jobs/s; floor {LEAST_RATIO:.0f} x one by one: "
        f"{'held' if held else 'MISSED'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
