"""Points a second on one core of a decode step, operator by operator, for DeepSeek-V3.

    python benchmarks/calibrated_grid.py [--rows-only]

Rows with everything different in each; a grid of five axes that is never expanded; a hundred
million points reduced in bounded memory; and how long compiling takes. Each is a ratio against the
same kernel run as it is, in this run on this machine (a search of whole columns with numpy's own
functions, where the library's reductions are what is new), and exits 1 below its floor. Absolute
figures are goals: they say as much about the machine.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import ridgeline as rl
from ridgeline.compiled.library import has_numba
from ridgeline.grid import Best, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL, CLUSTER, N_CHIPS = "deepseek-ai/DeepSeek-V3", "gb200-nvl72", 72
N_ROWS = 1 << 22
#: least ratios to the untraced kernel: rows with numpy, rows compiled, five axes, 10^8 points
FLOORS = {"numpy": 2.0, "numba": 5.0, "grid": 2.5, "reduced": 3.0}
MEMORY_BYTES = 110e6
#: what people use, in points a second on one core, measured on a machine of two cores in 2026:
#: Epoch's grid of whole arrays, and Calculon
PEERS = {"Epoch's grid": 943_000.0, "Calculon": 101.0}
#: 32 x 128 x 24 x 16 x 12 points
AXES = {
    "load.batch": np.geomspace(72, 2e4, 32),
    "load.context": np.geomspace(100, 1e5, 128),
    "cluster.chip.memory.bandwidth": np.geomspace(4e12, 2e13, 24),
    "cluster.link": np.geomspace(4e11, 2e12, 16),
    "cluster.chip.peak.fp8": np.geomspace(2e15, 1e16, 12),
}


class Plain:
    """The search and the counts as one writes them in numpy, over the columns of each block."""

    def __init__(self, edges: np.ndarray | None = None) -> None:
        self.edges, self.counts = edges, 0
        self.best = (np.inf, -1)

    def update(self, columns: Any, index: np.ndarray) -> None:
        cost = np.where(columns["fits"], columns["usd_per_mtok_output"], np.inf)
        least = int(np.argmin(cost))
        self.best = min(self.best, (float(cost[least]), int(index[least])))
        if self.edges is not None:
            self.counts = self.counts + np.histogram(columns["time_s"], self.edges)[0]

    def result(self) -> np.ndarray:
        return np.empty(0, dtype=int)


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


def sweep(axes: dict, run_as: str, reading: str = "calibrated", reductions: Any = None) -> None:
    rl.sweep(
        MODEL,
        CLUSTER,
        axes,
        layout=rl.Layout(attn_dp=N_CHIPS, ep=N_CHIPS),
        reading=reading,
        reductions=reductions or (lambda: {"best": Best("usd_per_mtok_output", where="fits")}),
        run_as=run_as,
    )


def seconds(calls: dict[str, Callable[[], None]], repeats: int = 5) -> dict[str, float]:
    """Least time of each on the processor, taken by turns after one call that does not count."""
    least = dict.fromkeys(calls, np.inf)
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                least[name] = min(least[name], time.process_time() - start)
    return least


def zipped(ratios: dict[str, float]) -> None:
    ways = ["untraced", "numpy", *(["numba"] if has_numba() else [])]
    sizes = {"untraced": N_ROWS // 16, "numpy": N_ROWS // 2, "numba": N_ROWS}
    axes = {way: rows(sizes[way]) for way in ways}
    for reading in ("ideal", "calibrated"):
        calls = {way: partial(sweep, axes[way], way, reading) for way in ways}
        rates = {way: sizes[way] / s for way, s in seconds(calls).items()}
        for way in ways[1:]:
            ratio = rates[way] / rates["untraced"]
            print(
                f"{reading:10} rows, {way:6} {rates[way] / 1e6:7.2f} M/s, {ratio:6.1f} x untraced"
            )
            if reading == "calibrated":
                ratios[way] = ratio
                beside = (f"{rates[way] / rate:,.1f} x {name}" for name, rate in PEERS.items())
                print(f"{'':24}{', '.join(beside)}")
    if not has_numba():
        print("rows, numba: not installed (extra [fast])")


def five_axes(ratios: dict[str, float]) -> None:
    n = np.prod([len(v) for v in AXES.values()])
    for reading in ("ideal", "calibrated"):
        calls = {
            "plain": partial(sweep, AXES, "untraced", reading, lambda: {"best": Plain()}),
            "auto": partial(sweep, AXES, "auto", reading),
        }
        found = seconds(calls, 3)
        ratios["grid"] = found["plain"] / found["auto"]
        print(
            f"{reading:10} five axes    {n / found['auto'] / 1e6:7.2f} M/s, "
            f"{ratios['grid']:6.1f} x untraced and searched by hand"
        )


def peak_bytes() -> float:
    """Of this process alone: what its parent held when it started it does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line.split() for line in status.read_text().splitlines())
        return next(1024.0 * float(words[1]) for words in lines if words[0] == "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def hundred_million() -> None:
    """Print points a second of 10^8 reduced, of a tenth of them by hand, and peak memory."""
    edges = np.geomspace(1e-3, 10, 41)
    axes = AXES | {"load.batch": np.geomspace(72, 2e4, 170)}
    n = np.prod([len(v) for v in axes.values()])
    start = time.process_time()
    sweep(
        axes,
        "auto",
        reductions=lambda: {
            "best": Best("usd_per_mtok_output", k=10, where="fits"),
            "times": Histogram("time_s", edges),
        },
    )
    rate = n / (time.process_time() - start)
    peak = peak_bytes()
    few = AXES | {"load.batch": np.geomspace(72, 2e4, 17)}
    start = time.process_time()
    sweep(few, "untraced", reductions=lambda: {"both": Plain(edges)})
    print(rate, n / 10 / (time.process_time() - start), peak)


def reduced(ratios: dict[str, float]) -> float:
    """Peak memory in bytes of a process that does nothing else."""
    words = run_python("from calibrated_grid import hundred_million; hundred_million()")
    rate, by_hand, peak = words
    ratios["reduced"] = rate / by_hand
    print(
        f"10^8 points reduced    {rate / 1e6:7.2f} M/s, {rate / by_hand:6.1f} x untraced and "
        f"reduced by hand, in {peak / 1e6:.0f} MB"
    )
    return peak


def run_python(code: str, **environment: str) -> list[float]:
    """What another process prints, as numbers."""
    here = f"import sys; sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", here + code],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


_START = """
import time
begin = time.perf_counter()
import numba
from numba.core.registry import cpu_target
cpu_target.target_context.refresh()
started = time.perf_counter()
from calibrated_grid import compiled_s
print(started - begin, compiled_s())
"""


def compiled_s() -> float:
    """Seconds until a traced step of this model runs in compiled loops, once numba is there."""
    from ridgeline.compiled import with_numba  # noqa: PLC0415  (only here)
    from ridgeline.compiled.kernel import TracedKernel  # noqa: PLC0415
    from ridgeline.questions.sweep import _Decoding, _engine, records_of  # noqa: PLC0415

    records = records_of(MODEL, CLUSTER, rl.Layout(attn_dp=N_CHIPS, ep=N_CHIPS), None)
    kernel = _Decoding(records, "calibrated", 3.0, None, _engine(records))
    on = TracedKernel(kernel, 1e9, way="numpy").on([rows(1000)["row"]])
    assert on is not None
    start = time.perf_counter()
    with_numba.functions_of(on.stages)
    return time.perf_counter() - start


def compiling() -> None:
    """First with an empty store, then from it; the second is what each later process pays."""
    with tempfile.TemporaryDirectory() as folder:
        for what in ("compiled", "from the store"):
            started, ready = run_python(_START, RIDGELINE_CACHE=folder)
            print(
                f"a whole step {what} in {ready * 1e3:,.0f} ms, beside {started * 1e3:,.0f} ms for "
                "numba's own start"
            )


def main() -> int:
    ratios: dict[str, float] = {}
    zipped(ratios)
    peak = 0.0
    if "--rows-only" not in sys.argv:
        five_axes(ratios)
        peak = reduced(ratios)
        if has_numba():
            compiling()
    low = [f"{name} {ratio:.1f}" for name, ratio in ratios.items() if ratio < FLOORS[name]]
    low += [f"{peak / 1e6:.0f} MB"] if peak > MEMORY_BYTES else []
    print(f"floors MISSED: {', '.join(low)}" if low else "floors held")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
