"""Blackboard points a second on one core: context x batch, every column, reduced in the block.

The floor of the project is 20 million points a second. Exits 1 below it.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import ridgeline as rl
from ridgeline.grid import blocks
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.memory import memory_needed_bytes
from ridgeline.steps import decode_step, machine

FLOOR_POINTS_PER_S = 20e6
CONTEXTS, BATCHES = 2000, 5000
MODELS = ("deepseek-ai/DeepSeek-V3", "openai/gpt-oss-120b", "Qwen/Qwen3.5-397B-A17B")


def cheapest(name: str, points: int) -> tuple[float, float]:
    """Search 10 million points for the cheapest token that fits; seconds, and the cost found."""
    model = rl.model(name)
    tally = rl.counts(model)
    rack = machine(rl.cluster("gb200-nvl72"), 72, tally)
    context = np.geomspace(256, 1e6, CONTEXTS)
    batch = np.geomspace(1, 1e5, BATCHES)
    start = time.perf_counter()
    best = np.inf
    for rows, columns in blocks((CONTEXTS, BATCHES), points):
        B, L = batch[None, columns], context[rows, None]
        step = decode_step(tally, rack, B, L)
        cost = cost_usd_per_mtok(step.time_s, B, 3.0, 72)
        needed = memory_needed_bytes(tally.weight_bytes, B, tally.cache_bytes(L))
        best = min(best, np.where(needed <= rack.capacity_bytes, cost, np.inf).min())
    return time.perf_counter() - start, float(best)


def main() -> int:
    n = CONTEXTS * BATCHES
    rates = []
    for name in MODELS:
        in_blocks, best = min(cheapest(name, 1 << 14) for _ in range(3))
        whole, _ = cheapest(name, n)
        rates.append(n / in_blocks)
        print(
            f"{name:28} {n / in_blocks / 1e6:6.1f} M points/s in blocks, "
            f"{whole / in_blocks:4.1f} x the speed of whole arrays, best ${best:.4f}/Mtok"
        )
    enough = min(rates) >= FLOOR_POINTS_PER_S
    print(f"floor {FLOOR_POINTS_PER_S / 1e6:.0f} M points/s: {'held' if enough else 'MISSED'}")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
