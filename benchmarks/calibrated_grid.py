"""Points a second on one core of the calibrated reading, operator by operator, for DeepSeek-V3.

Rows with everything different in each; a grid of five axes that is never expanded; and a hundred
million points reduced in bounded memory. Exits 1 below the project's floors.
"""

from __future__ import annotations

import os
import resource
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import ridgeline as rl
from ridgeline.grid import Best, Histogram

MODEL, CLUSTER, N_CHIPS = "deepseek-ai/DeepSeek-V3", "gb200-nvl72", 72
ROWS_PER_S, GRID_POINTS_PER_S, MEMORY_BYTES = 1e6, 20e6, 1e9
#: 32 x 32 x 24 x 16 x 12 points
AXES = {
    "load.batch": np.geomspace(72, 2e4, 32),
    "load.context": np.geomspace(100, 1e5, 32),
    "cluster.chip.memory.bandwidth": np.geomspace(4e12, 2e13, 24),
    "cluster.link": np.geomspace(4e11, 2e12, 16),
    "cluster.chip.peak.fp8": np.geomspace(2e15, 1e16, 12),
}


def rows(n: int) -> dict[str, dict[str, np.ndarray]]:
    """Layouts, batches and contexts zipped."""
    source = np.random.default_rng(0)
    attn_dp = source.choice([18.0, 36.0, 72.0], n)
    return {
        "row": {
            "layout.attn_dp": attn_dp,
            "layout.tp": N_CHIPS / attn_dp,
            "layout.ep": np.full(n, float(N_CHIPS)),
            "load.batch": source.uniform(72, 2e4, n),
            "load.context": source.uniform(100, 1e5, n),
        }
    }


def seconds(axes: dict, reading: str, repeats: int = 3) -> float:
    def once() -> float:
        start = time.process_time()
        rl.sweep(
            MODEL,
            CLUSTER,
            axes,
            layout=rl.Layout(attn_dp=N_CHIPS, ep=N_CHIPS),
            reading=reading,
            reductions=lambda: {"best": Best("usd_per_mtok_output", where="fits")},
        )
        return time.process_time() - start

    once()
    return min(once() for _ in range(repeats))


def hundred_million() -> tuple[float, float]:
    """Points a second, and peak memory of the process in bytes."""
    axes = AXES | {"load.batch": np.geomspace(72, 2e4, 700)}
    n = np.prod([len(v) for v in axes.values()])
    start = time.perf_counter()
    rl.sweep(
        MODEL,
        CLUSTER,
        axes,
        layout=rl.Layout(attn_dp=N_CHIPS, ep=N_CHIPS),
        reductions=lambda: {
            "best": Best("usd_per_mtok_output", k=10, where="fits"),
            "times": Histogram("time_s", np.geomspace(1e-3, 10, 41)),
        },
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return n / (time.perf_counter() - start), peak


def main() -> int:
    rates = {}
    for reading in ("ideal", "calibrated"):
        n = 1 << 17
        rates[reading] = n / seconds(rows(n), reading), 4_718_592 / seconds(AXES, reading)
        zipped, grid = (r / 1e6 for r in rates[reading])
        print(f"{reading:10} {zipped:6.2f} M rows/s zipped, {grid:6.1f} M points/s over five axes")
    rate, peak = hundred_million()
    print(f"10^8 points reduced at {rate / 1e6:.1f} M points/s in {peak / 1e6:.0f} MB")
    zipped, grid = rates["calibrated"]
    held = zipped >= ROWS_PER_S and grid >= GRID_POINTS_PER_S and peak <= MEMORY_BYTES
    print("floors held" if held else "floors MISSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
