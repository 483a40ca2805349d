"""How fast tables of measurements are read, predicted and scored, on one core.

    python benchmarks/fidelity.py [TABLE ...]
    python benchmarks/fidelity.py --million

Without a table, distinct rows made from the shipped ones: no two have the same lengths and load.
Beside them, in the same run, what does not get faster with the way tables are worked on: some of
the rows one by one, a table each, by `ridgeline.predict`; and the table as the csv module reads it.
Exits 1 below the floors. ``--million`` scores a million rows, and says what memory that took.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import ridgeline as rl
from ridgeline.fidelity.shipped import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

N_ROWS, N_SINGLE, REPEATS, MILLION = 40_000, 20, 3, 1_000_000
#: rows over rows one by one, and over rows that the csv module reads: two thirds of what was found
LEAST_ALONE, LEAST_CSV = 60.0, 1 / 60
#: rows a second and seconds are goals, since machines differ; memory is not
GOAL_ROWS_PER_S, GOAL_S, MOST_MB = 25_000.0, 60.0, 500.0
#: what the peak is counted in
_MB = 1024 if sys.platform != "darwin" else 1024**2


def varied(row: dict[str, str], turn: int) -> dict[str, str]:
    """A shipped row with other lengths and another load; those of a run stay those of a run."""
    longer = 1 + 0.0007 * turn
    factors = {
        "isl": longer,
        "cached": longer,
        "osl": 1 + 0.0005 * (turn * 7 % 1999),
        "request_rate_per_s": 1 + 0.01 * (turn * 5 % 29),
    }
    counted = {"concurrency": 1 + (turn * 13 % 17) / 16, "batch": 1 + (turn * 11 % 13) / 12}
    changes = {c: f"{float(row[c]) * by:.7g}" for c, by in factors.items() if row.get(c)}
    changes |= {c: f"{float(row[c]) * by:.0f}" for c, by in counted.items() if row.get(c)}
    return row | changes | {"id": f"{row['id']}-{turn}", "run": f"{row['run']}-{turn}"}


def distinct(n: int) -> Iterator[dict[str, str]]:
    """Rows made from the shipped ones, no two of them equal."""
    with SHIPPED.open(newline="") as file:
        shipped = list(csv.DictReader(file))
    return (varied(shipped[i % len(shipped)], i // len(shipped)) for i in range(n))


def written(rows: Iterator[dict[str, str]], table: Path) -> Path:
    """Write rows as a table, with the models that the catalogue lacks beside it."""
    table.parent.mkdir(exist_ok=True)
    beside = SHIPPED.parent / "architectures.csv"
    (table.parent / beside.name).write_bytes(beside.read_bytes())
    first = next(rows)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)
    return table


def validated(tables: list[Path]) -> tuple[int, float]:
    """Rows of some tables, and seconds to read, predict and score them."""
    begun = time.process_time()
    board = rl.validate(*tables)
    return board.rows[0]["n_rows"], time.process_time() - begun


def csv_s(tables: list[Path]) -> float:
    """Seconds in which the csv module reads the cells of tables."""
    begun = time.process_time()
    for table in tables:
        with table.open(newline="") as file:
            for _ in csv.reader(file):
                pass
    return time.process_time() - begun


def alone_s(folder: Path, table: Path) -> float:
    """Seconds a row where each is a table of its own."""
    with table.open(newline="") as file:
        rows = list(islice(csv.DictReader(file), 0, 40 * N_SINGLE, 40))
    each = [written(iter([row]), folder / "alone" / f"{i}.csv") for i, row in enumerate(rows)]
    rl.predict(each[0])
    begun = time.process_time()
    for one in each:
        rl.predict(one)
    return (time.process_time() - begun) / len(each)


def timed(folder: Path, tables: list[Path]) -> int:
    validated(tables)  # what is loaded once
    n, best = 0, float("inf")
    for _ in range(REPEATS):
        n, took = validated(tables)
        best = min(best, took)
    plain, alone = csv_s(tables), alone_s(folder, tables[0])
    rate = n / best
    print(
        f"{n:,} rows: {rate:,.0f} rows/s read, predicted and scored (goal {GOAL_ROWS_PER_S:,.0f})"
    )
    ratios = {"one by one": (rate * alone, LEAST_ALONE), "csv alone": (plain / best, LEAST_CSV)}
    for name, (found, floor) in ratios.items():
        held = "held" if found >= floor else "MISSED"
        print(f"  {found:.3g} x {name} (floor {floor:.3g}: {held})")
    return 0 if all(found >= floor for found, floor in ratios.values()) else 1


def million(folder: Path) -> int:
    """Score a million rows in bounded memory."""
    table = written(distinct(MILLION), folder / "million.csv")
    n, took = validated([table])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB
    held = "held" if peak_mb <= MOST_MB else "MISSED"
    print(
        f"{n:,} rows in {took:.0f} s, {n / took:,.0f} rows/s (goal {GOAL_S:.0f} s); at most "
        f"{peak_mb:,.0f} MB (ceiling {MOST_MB:,.0f}: {held})"
    )
    return 0 if peak_mb <= MOST_MB else 1


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments == ["--million"]:
            return million(folder)
        given = [Path(a) for a in arguments]
        return timed(folder, given or [written(distinct(N_ROWS), folder / "many.csv")])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
