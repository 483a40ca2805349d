"""How fast tables of measurements are read, predicted and scored, on one core.

    python benchmarks/fidelity.py [TABLE ...]

Without a table, the shipped rows, repeated to 10,000. Asked for: 10,000 rows in at most 5 s after
import.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.predict import predict
from ridgeline.fidelity.scores import score_chunks
from ridgeline.fidelity.shipped import SHIPPED

N_ROWS = 10_000


def repeated(table: Path, target: Path) -> None:
    """Write the rows of a table over and over, each with an id and a run of its own."""
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for i in range(N_ROWS):
            row, turn = rows[i % len(rows)], i // len(rows)
            writer.writerow(row | {"id": f"{row['id']}-{turn}", "run": f"{row['run']}-{turn}"})


def timed(tables: list[Path]) -> None:
    begun = time.perf_counter()
    rows = read_rows(tables)
    read = time.perf_counter()
    scored = score_chunks([rows], predict)
    scored.scores.board()
    done = time.perf_counter()
    n = len(rows)
    print(f"{n:,} rows: read {read - begun:.2f} s, predicted and scored {done - read:.2f} s")
    print(f"10,000 rows: {(done - begun) * N_ROWS / n:.2f} s")


if __name__ == "__main__":
    given = [Path(a) for a in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        if not given:
            beside = SHIPPED.parent / "architectures.csv"
            (Path(folder) / beside.name).write_bytes(beside.read_bytes())
            given = [Path(folder) / "many.csv"]
            repeated(SHIPPED, given[0])
        timed(given)
