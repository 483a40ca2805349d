"""Points a second on one core: context x batch, searched for the cheapest token without a table.

The floor of the project is 20 million blackboard points a second; exits 1 below it. The ideal
reading, operator by operator, runs beside it.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import ridgeline as rl
from ridgeline.grid import Best, reduce_grid
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.replica import Replica
from ridgeline.specs import Layout
from ridgeline.steps.layouts import default_layout
from ridgeline.steps.tokens import decode

FLOOR_POINTS_PER_S = 20e6
N_CHIPS = 72
MODELS = ("deepseek-ai/DeepSeek-V3", "openai/gpt-oss-120b", "Qwen/Qwen3.5-397B-A17B")


def replicas(name: str) -> list[Replica]:
    model, cluster = rl.model(name), rl.cluster("gb200-nvl72")
    layout = default_layout(model, cluster, N_CHIPS)
    return [
        Replica(model, cluster, Layout(tp=N_CHIPS), reading="blackboard"),
        Replica(model, cluster, layout, reading="ideal"),
    ]


def seconds(replica: Replica, n: int, points: int) -> float:
    """Time a search of n x n points for the cheapest that fits."""
    capacity = replica.capacity_bytes

    def kernel(values):
        context, batch = values["context"], values["batch"]
        step_s = replica.seconds(decode(batch, context))
        cost = cost_usd_per_mtok(step_s, batch, 3.0, N_CHIPS)
        fits = replica.memory(context).total_bytes(batch) <= capacity
        return {"cost": np.where(fits, cost, np.inf)}

    axes = [{"context": np.geomspace(256, 1e6, n)}, {"batch": np.geomspace(1, 1e5, n)}]
    start = time.process_time()
    reduce_grid(kernel, axes, {"best": Best("cost")}, block_points=points)
    return time.process_time() - start


def main() -> int:
    slowest = np.inf
    for name in MODELS:
        for replica in replicas(name):
            n = 3000
            in_blocks = min(seconds(replica, n, 1 << 14) for _ in range(3))
            whole = seconds(replica, n, n * n)
            rate = n * n / in_blocks
            print(
                f"{name:26} {replica.reading:10} {rate / 1e6:6.1f} M points/s in blocks, "
                f"{whole / in_blocks:4.1f} x the speed of whole arrays"
            )
            if replica.reading == "blackboard":
                slowest = min(slowest, rate)
    held = slowest >= FLOOR_POINTS_PER_S
    verdict = "held" if held else "MISSED"
    print(f"blackboard floor {FLOOR_POINTS_PER_S / 1e6:.0f} M points/s: {verdict}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
