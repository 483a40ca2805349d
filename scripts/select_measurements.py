"""Choose the measurements that the package ships, from a full table of published ones.

The rule looks at what was run, never at what was measured: of every source, chip, model, weight
format and regime, runs evenly spaced over size are taken, whole (all metrics of a run)::

    python scripts/select_measurements.py inference.csv disagg.csv --architectures architectures.csv

Sources whose licence was not checked are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

from selection import Row, read_table, unknown_shapes, written

from ridgeline.files import write_whole

TARGET = Path(__file__).parents[1] / "src" / "ridgeline" / "catalog" / "measurements"
#: sources that may be passed on, with their licences (README.md of the target says who they are)
ALLOWED = re.compile(
    r"ft|splitwise|trtllm[\d.]+|trtonline|mlperfv[\d.]+|tokpos|aic|rocm|exl2|gptfast|apple"
)
#: runs of one source, chip, model, weight format and regime; more where few sources have many
RUNS_EACH = 3
RUNS_EACH_CLOSED = 8
SIZES = ("n_chips", "batch", "concurrency", "request_rate_per_s", "isl", "osl")
STRATUM = ("source", "chip", "model", "weight_dtype", "regime")


def _runs(rows: list[Row]) -> dict[tuple[str, ...], list[list[Row]]]:
    """Whole runs by stratum, each stratum in order of size."""
    runs: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if ALLOWED.fullmatch(row["source"]) and row["cite"]:
            runs[row["run"], row["regime"]].append(row)
    strata: dict[tuple[str, ...], list[list[Row]]] = defaultdict(list)
    for run in runs.values():
        strata[tuple(run[0][c] for c in STRATUM)].append(run)
    for group in strata.values():
        group.sort(key=lambda run: ([float(run[0][c] or 0) for c in SIZES], run[0]["id"]))
    return dict(sorted(strata.items()))


def _spaced(group: list[list[Row]]) -> list[list[Row]]:
    """Runs at even distances, the smallest and the largest among them."""
    wanted = RUNS_EACH_CLOSED if group[0][0]["regime"] == "closed" else RUNS_EACH
    n = min(wanted, len(group))
    if n == 1:
        return [group[len(group) // 2]]
    return [group[round(i * (len(group) - 1) / (n - 1))] for i in range(n)]


def main() -> int:
    """Write the selection, and the shapes of models that the catalogue lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--architectures", type=Path, required=True)
    given = parser.parse_args()
    tables = [read_table(path) for path in given.tables]
    chosen = [
        row
        for table in tables
        for group in _runs(table).values()
        for run in _spaced(group)
        for row in run
    ]
    every = list(dict.fromkeys(c for table in tables for c in (table[0] if table else {})))
    used = [c for c in every if c != "quality" and any(row.get(c) for row in chosen)]
    # Remarks can be long and come last.
    used = [*(c for c in used if c != "notes"), "notes"]
    write_whole(TARGET / "engines.csv", written(chosen, used))
    wanted = {row["model"] for row in chosen}
    shapes = unknown_shapes(given.architectures, wanted)
    write_whole(TARGET / "architectures.csv", written(shapes, list(shapes[0])))
    print(f"{len(chosen)} rows, {len(shapes)} models", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
