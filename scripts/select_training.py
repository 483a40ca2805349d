"""Choose the measured training runs that the package ships, from a full table of published ones.

The rule looks at what was run, never at what was measured: of every source, model, chip, precision,
recompute and task, runs evenly spaced over size are taken, each with its most direct metric of
time, its peak memory and whether it ran out of it::

    python scripts/select_training.py training.csv --architectures architectures_training.csv

Runs that are set aside, and sources whose licence was not checked, are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from selection import Row, read_table, unknown_shapes, written

from ridgeline.fidelity.training.aside import SHIPPED_ASIDE, read_training_aside
from ridgeline.fidelity.training.families import family_name, source_family
from ridgeline.fidelity.training.reading import read_training
from ridgeline.files import write_whole

TARGET = Path(__file__).parents[1] / "src" / "ridgeline" / "catalog" / "measurements"
#: sources that may be passed on (README.md of the target says who they are, and their licences)
ALLOWED = (
    "nanotron-h100", "vtrain-single", "llm-foundry", "dgxc-benchmarking", "nemo", "torchtitan",
    "mlperf", "korthikanti", "bigscience-tr11", "megatron-lm-llama-example",
)  # fmt: skip
RUNS_EACH = 4
#: sweeps of few models
RUNS_EACH_OF_SWEEPS = {"nanotron-h100": 28, "vtrain-single": 5, "bigscience-tr11": 10}
TIMES = ("step_time_s", "tokens_per_s_per_chip", "mfu")
OTHERS = ("peak_memory_bytes", "oom", "activation_memory_bytes", "param_optimizer_memory_bytes")
SIZES = ("n_chips", "seq_len", "tp", "pp", "micro_batch", "global_batch")


def _stratum(row: Row) -> tuple[str, ...]:
    own = (row["chip"], row["precision"], row["recompute"], row["task"])
    model = row["model"] if row["source"] == "vtrain-single" else family_name(row["model"])
    return (source_family(row["source"]), model, *own)


def _metrics(run: list[Row]) -> list[Row]:
    """Of a run, its most direct time, and what tells of memory."""
    by_metric = {row["metric"]: row for row in run}
    time = next((by_metric[m] for m in TIMES if m in by_metric), None)
    return [*([time] if time else []), *(by_metric[m] for m in OTHERS if m in by_metric)]


def _chosen(rows: list[Row]) -> list[Row]:
    runs: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if source_family(row["source"]) in ALLOWED and row["cite"] and row["quality"] == "high":
            runs[row["run"]].append(row)
    strata: dict[tuple[str, ...], list[list[Row]]] = defaultdict(list)
    for run in runs.values():
        if metrics := _metrics(run):
            strata[_stratum(run[0])].append(metrics)
    found = []
    for stratum, group in sorted(strata.items()):
        group.sort(key=lambda run: ([float(run[0][c] or 0) for c in SIZES], run[0]["id"]))
        n = min(RUNS_EACH_OF_SWEEPS.get(stratum[0], RUNS_EACH), len(group))
        at = [round(i * (len(group) - 1) / (n - 1)) for i in range(n)] if n > 1 else [0]
        found += [row for i in at for row in group[i]]
    return found


def main() -> int:
    """Write the selection, and the shapes of models that the catalogue lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("table", type=Path)
    parser.add_argument("--architectures", type=Path, required=True)
    given = parser.parse_args()
    kept, _ = read_training_aside(SHIPPED_ASIDE).split(read_training([given.table]))
    good = {row.id for row in kept if row.status == "ok"}
    every = read_table(given.table)
    chosen = _chosen([row for row in every if row["id"] in good])
    used = [c for c in every[0] if any(row.get(c) for row in chosen) and c != "notes"]
    write_whole(TARGET / "training.csv", written(chosen, [*used, "notes"]))
    wanted = {row["model"] for row in chosen}
    shapes = unknown_shapes(given.architectures, wanted)
    write_whole(TARGET / "architectures_training.csv", written(shapes, list(shapes[0])))
    print(f"{len(chosen)} rows, {len(shapes)} models", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
