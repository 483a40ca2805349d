"""Whole training jobs a second on one core: time and memory of rows with everything different.

Beside single jobs asked one by one, in the same run, which is what a search without rows would do;
and the rates of two calculators that people use, as published figures. The kernel of such rows is
run as it is, traced with numpy, and compiled by numba (extra ``[fast]``). Exits 1 below the floors.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ridgeline import catalog
from ridgeline.compiled.library import has_numba
from ridgeline.grid import evaluate
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.rows import BLOCK_ROWS, TrainingRows
from ridgeline.trainer.step import job_step

N_ROWS, N_SINGLE, REPEATS, N_TRACED = 20_000, 40, 3, 1 << 19
MODELS = {
    "meta-llama/Meta-Llama-3-70B": 1,
    "openai-community/gpt2": 1,
    "deepseek-ai/DeepSeek-V3": 8,
}
#: rows over single jobs; rows a second is a goal, since machines differ
LEAST_RATIO, GOAL_ROWS_PER_S = 300.0, 100_000.0
#: rows of a traced kernel over those of the kernel as it is
LEAST_TRACED = {"numpy": 2.0, "numba": 5.0}
#: jobs a second of one core as measured on a machine of two cores in 2026
PEERS = {"Calculon": 101.0, "llm-analysis": 6_070.0}


def fields(n: int) -> dict[str, np.ndarray]:
    """Zipped degrees, batches and stages of sharding."""
    source = np.random.default_rng(0)
    return {
        "layout.tp": source.choice([1.0, 2, 4, 8], n),
        "layout.pp": source.choice([1.0, 2, 4, 8, 16], n),
        "layout.vp": source.choice([1.0, 2, 4], n),
        "layout.dp": source.choice([8.0, 16, 32], n),
        "layout.zero": source.choice([0.0, 1, 3], n),
        "recipe.micro_batch": source.choice([1.0, 2, 4], n),
        "load.global_batch": source.choice([1024.0, 2048, 4096], n),
    }


def kernel(model: str, ep: int = 1) -> TrainingRows:
    """Of rows that differ in those fields."""
    job = TrainingJob(
        catalog.model(model),
        catalog.machine_named("512xhgx-h100").cluster,
        TrainingLayout(dp=8, ep=ep),
        TrainingRecipe(),
        TrainingLoad(),
        catalog.framework("megatron-lm"),
    )
    return TrainingRows(job)


def rows(model: str, n: int, ep: int = 1) -> TrainingJob:
    """Jobs that differ in those fields."""
    return kernel(model, ep).of_rows(fields(n))


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


def traced_per_s(model: str, ep: int) -> dict[str, float]:
    """Rows a second of the kernel by the way it is run."""
    ways = {"untraced": N_ROWS, "numpy": BLOCK_ROWS} | (
        {"numba": BLOCK_ROWS} if has_numba() else {}
    )
    found = dict.fromkeys(ways, 0.0)
    for _ in range(REPEATS + 1):
        for way, block in ways.items():
            own = [fields(2 * N_ROWS if way == "untraced" else N_TRACED)]
            n = len(own[0]["layout.tp"])
            start = time.process_time()
            evaluate(kernel(model, ep), own, run_as=way, block_points=block)
            found[way] = max(found[way], n / (time.process_time() - start))
    return found


def main() -> int:
    worst = float("inf")
    slow = []
    for model, ep in MODELS.items():
        many, one = rows_per_s(model, ep), single_per_s(model, ep)
        worst = min(worst, many / one)
        beside = ", ".join(f"{many / rate:,.0f} x {name}" for name, rate in PEERS.items())
        print(
            f"{model:32} {many:9,.0f} jobs/s in rows, {one:5,.0f} one by one "
            f"({many / one:,.0f} x); {beside}"
        )
        found = traced_per_s(model, ep)
        ratios = {way: found[way] / found["untraced"] for way in found if way in LEAST_TRACED}
        slow += [f"{model} {w}" for w, ratio in ratios.items() if ratio < LEAST_TRACED[w]]
        each = ", ".join(f"{w} {found[w]:,.0f} ({r:.1f} x)" for w, r in ratios.items())
        print(f"{'':32} {found['untraced']:9,.0f} rows/s of the kernel as it is; traced {each}")
    held = worst >= LEAST_RATIO and not slow
    least = ", ".join(f"{way} {ratio:.0f} x" for way, ratio in LEAST_TRACED.items())
    print(
        f"goal {GOAL_ROWS_PER_S:,.0f} jobs/s; "
        f"floors {LEAST_RATIO:.0f} x one by one, traced {least}: "
        f"{'held' if held else 'MISSED ' + ', '.join(slow)}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
