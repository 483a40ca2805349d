"""Models whose layers all differ: seconds of a block of rows, and of one row, beside two baselines.

The model is like those of Nemotron-NAS: 256 layers, no two alike, of 8 kinds of attention and 32
widths. It is timed with equal parts counted once and like ones stacked, as a sweep does it; layer
by layer; and with one kind of layer, which is the least. Exits 1 below the project's floors.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import ridgeline as rl
from ridgeline.grid import BLOCK_POINTS
from ridgeline.replica import Replica
from ridgeline.specs import Layout, Model
from ridgeline.steps.bind import bound
from ridgeline.steps.tokens import Group, decode

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL, CLUSTER = "nvidia/Llama-3_3-Nemotron-Super-49B-v1", "hgx-h200"
KV_HEADS, HEADS, WIDTHS = (4, 8), (32, 64, 96, 128), range(1024, 33 * 1024, 1024)
#: how many times as fast as layer by layer, of a block of rows and of one row
ROWS_RATIO, ONE_RATIO = 10.0, 25.0


def unlike() -> Model:
    """Every layer with attention and width of its own."""
    base = rl.model(MODEL)
    block: Any = base.blocks[1]
    layers = [
        block.model_copy(
            update={
                "repeat": 1,
                "mixer": block.mixer.model_copy(update={"n_heads": n, "n_kv_heads": kv}),
                "ffn": block.ffn.model_copy(update={"d_ff": width}),
            }
        )
        for n in HEADS
        for kv in KV_HEADS
        for width in WIDTHS
    ]
    return base.model_copy(update={"blocks": tuple(layers), "order": ()})


def alike(model: Model) -> Model:
    """As many layers, all as the first."""
    block = model.blocks[0].model_copy(update={"repeat": len(model.blocks)})
    return model.model_copy(update={"blocks": (block,), "order": ()})


def best_s(once: Callable[[], object], repeats: int) -> float:
    """CPU time of the fastest of some runs."""

    def timed() -> float:
        start = time.process_time()
        once()
        return time.process_time() - start

    once()
    return min(timed() for _ in range(repeats))


def rows(n: int) -> tuple[Layout, Group]:
    """Degrees, batches and contexts that differ from row to row."""
    source = np.random.default_rng(0)
    layout = bound({"x": Layout()}, {"x.tp": source.choice([1.0, 2.0, 4.0, 8.0], n)})["x"]
    return layout, decode(source.uniform(1, 512, n), source.uniform(100, 1e5, n))


def by_layer(replica: Replica, group: Group) -> Any:
    """The same step with each layer's ops counted and timed by themselves."""
    return replica.how.seconds(replica, replica.step_ops(group), (group,))


def machine() -> str:
    """Of the processor, what the system calls it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, numpy {np.__version__}"


def main() -> int:
    model = unlike()
    print(f"{len(model.blocks)} layers, no two alike, on {machine()}")
    ratios = []
    for n in (BLOCK_POINTS, 1):
        layout, group = rows(n)
        replica, one = (Replica(m, rl.cluster(CLUSTER), layout) for m in (model, alike(model)))
        expected = by_layer(replica, group)
        np.testing.assert_allclose(replica.seconds(group), expected, rtol=1e-12)
        own = best_s(lambda r=replica, g=group: r.seconds(g), 5)
        apart = best_s(lambda r=replica, g=group: by_layer(r, g), 2)
        single = best_s(lambda r=one, g=group: r.seconds(g), 5)
        ratios.append(apart / own)
        print(
            f"{n:6,} rows: {own * 1e3:7.2f} ms, {apart / own:5.1f} times as fast as layer by layer "
            f"({apart * 1e3:.0f} ms), {own / single:4.1f} times one kind of layer"
        )
    held = ratios[0] >= ROWS_RATIO and ratios[1] >= ONE_RATIO
    print("floors held" if held else "floors MISSED")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
