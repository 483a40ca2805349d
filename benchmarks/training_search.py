"""Every layout of GPT-3 175B on 1,024 A100 over wide axes, searched on one core; of DeepSeek-V3.

The axes of the first are stated and printed, with how many combinations of them can be: at least
`LEAST`, each once. Memory of every one is weighed, and those that fit are timed. The winner and
`N_SINGLE` rows drawn at random are computed as the search computes them and asked again one by one,
which gives the same time and memory, and the rate of single calls that the search is compared with.
The goal is 15 s in compiled loops (extra ``[fast]``) that an earlier search has stored, 60 s with
numpy alone, and 1 GB of memory. The first search of two compiles what is not stored. DeepSeek-V3 on
2,048 H800 over the axes of a plain question: the goal is 2 s.

Exits 1 below the floors, which are ratios in one run, where rows differ from single calls, and
where memory is above its limit. ``--run-as=numpy`` leaves numba out, ``--cold`` what was compiled
before.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
from dataclasses import replace
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.library import has_numba
from ridgeline.questions.training.legal import problems
from ridgeline.questions.training.setup import TrainingSetup
from ridgeline.questions.training_layouts.search import TrainingSearch, search
from ridgeline.questions.training_layouts.space import AXES, Space
from ridgeline.readers import read_config
from ridgeline.specs.training_scenario import TrainingScenario
from ridgeline.trainer.memory import job_memory
from ridgeline.trainer.step import job_step

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob

#: Brown et al. 2020 (arXiv:2005.14165), table 2.1, vocabulary as Megatron-LM pads it
GPT3 = {
    "model_type": "gpt2", "n_layer": 96, "n_embd": 12_288, "n_head": 96, "n_positions": 2048,
    "vocab_size": 51_200, "tie_word_embeddings": True, "activation_function": "gelu",
}  # fmt: skip
LEAST, N_SINGLE = 10_000_000, 1000
GOALS_S = {"numba": 15.0, "numpy": 60.0}
MOST_BYTES, GOAL_DEEPSEEK_S = 1e9, 2.0
#: rows a second over single calls a second: floors
FLOORS = {"numba": 2000.0, "numpy": 1200.0}
#: jobs a second of one core as measured on a machine of two cores in 2026
CALCULON_PER_S = 101.0
ORDERS = (
    ("tp", "cp", "dp", "pp"), ("tp", "cp", "pp", "dp"), ("dp", "tp", "cp", "pp"),
    ("pp", "tp", "cp", "dp"), ("dp", "pp", "tp", "cp"), ("pp", "dp", "tp", "cp"),
)  # fmt: skip
OVERLAPS = (
    None, (), ("dp",), ("tp_backward",), ("dp", "tp_backward"), ("dp", "pp"),
    ("dp", "tp", "tp_backward"),
)  # fmt: skip


def gpt3() -> tuple[TrainingSetup, Space]:
    """The question, and the axes."""
    setup = TrainingSetup(
        TrainingScenario.of(
            read_config({**GPT3, "_name_or_path": "gpt3-175b"}), "128xhgx-a100-80gb", seq=2048,
            global_batch=1536, framework="megatron-lm",
        )
    )  # fmt: skip
    space = Space.of(
        setup,
        tp=(1, 2, 4, 8, 16),
        pp=(1, 2, 4, 8, 16, 32, 64),
        cp=(1,),
        vp=(1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48),
        micro_batch=(1, 2, 3, 4, 6, 8, 12, 16),
        zero=(0, 1, 2, 3),
        shard=(None, 4, 8, 16, 32, 64, 128, 256),
        recompute=("none", "products", *(f"layers {n}" for n in range(1, 48)), "full"),
        overlap=OVERLAPS,
        order=ORDERS,
    )
    return setup, space


def single(job: TrainingJob) -> dict[str, float]:
    """One job by itself: whether it can be, its time and memory."""
    assert next(problems(job, job.n_chips), None) is None
    held = job_memory(job)
    return {
        "time_s": float(job_step(job).time_s[0]),
        "peak_bytes": float(held.peak_bytes()[0]),
    }


def timed(setup: TrainingSetup, space: Space | None, way: str) -> tuple[float, TrainingSearch]:
    start = time.process_time()
    found = search(setup, space, run_as=way)
    return time.process_time() - start, found


def compared(found: TrainingSearch, way: str) -> tuple[float, float]:
    """Worst ratio of rows and single calls less 1, and single calls a second."""
    ids = found.sample(N_SINGLE, np.random.default_rng(0))
    as_it_does = replace(found, searcher=replace(found.searcher, run_as=way), _known={})
    rows = [*as_it_does.best(1), *as_it_does.rows_at(ids)]
    rows[0]["time_s"] = float(found.kept.best.values[0])
    jobs = [found.job(row) for row in rows]
    single(jobs[0])
    start = time.process_time()
    alone = [single(job) for job in jobs]
    per_s = len(jobs) / (time.process_time() - start)
    worst = max(
        abs(row[name] / one[name] - 1)
        for row, one in zip(rows, alone, strict=True)
        for name in ("time_s", "peak_bytes")
    )
    return worst, per_s


def peak_bytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def main() -> int:
    way = "numpy" if "--run-as=numpy" in sys.argv or not has_numba() else "numba"
    run_as: Any = "auto" if way == "numba" else "numpy"
    if "--cold" in sys.argv:
        os.environ["RIDGELINE_CACHE"] = mkdtemp()
    setup, space = gpt3()
    for axis in AXES:
        print(f"  {axis:18} {len(space.values[axis]):3}  {space.listed(axis)[:110]}")
    seconds, found = timed(setup, space, run_as)
    held = peak_bytes()
    print(f"{found.n_legal:,} combinations can be, {found.n_fit:,} of them fit")
    again, found = timed(setup, space, run_as)
    print(f"{way}: {seconds:.1f} s of processor, then {again:.1f} s; {held / 1e6:,.0f} MB at most")
    worst, per_s = compared(found, way)
    ratio = found.n_legal / again / per_s
    best = found.best(1)[0]
    print({n: best[n] for n in (*AXES, "time_s", "mfu", "fits_probability")})
    print(
        f"{found.n_legal / again / 1e6:.2f} M combinations/s, {ratio:,.0f} x single calls "
        f"({per_s:.0f}/s), {found.n_legal / CALCULON_PER_S / 3600:.1f} core-hours at Calculon's "
        f"{CALCULON_PER_S:.0f}/s; {N_SINGLE:,} rows and the winner differ from single calls by "
        f"{worst:.1e} at most"
    )
    scenario = TrainingScenario.of("deepseek-ai/DeepSeek-V3", "256xhgx-h800", global_batch=15_360)
    first, plain = timed(TrainingSetup(scenario), None, run_as)
    then = min(timed(TrainingSetup(scenario), None, run_as)[0] for _ in range(3))
    print(f"DeepSeek-V3 on 2,048 H800: {plain.n_legal:,} in {first:.2f} s, then {then:.2f} s")
    failed = [
        words
        for words, bad in (
            (f"{found.n_legal:,} combinations", found.n_legal < LEAST),
            (f"{held / 1e6:,.0f} MB", held > MOST_BYTES),
            (f"{ratio:,.0f} x single calls", ratio < FLOORS[way]),
            (f"rows differ by {worst:.1e}", worst > 1e-9),
        )
        if bad
    ]
    print(
        f"goals {GOALS_S[way]:.0f} s, DeepSeek-V3 {GOAL_DEEPSEEK_S:.0f} s; floors {LEAST:,} "
        f"combinations, {FLOORS[way]:,.0f} x single calls, {MOST_BYTES / 1e6:,.0f} MB: "
        f"{'MISSED ' + ', '.join(failed) if failed else 'held'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
