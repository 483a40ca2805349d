"""Layouts against measurements of layouts: who is faster, and by how much, on the same load.

A ranking needs the ratio of two layouts, not the time of one: what an engine adds to both cancels.
The measured table is not part of the project.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import ridgeline as rl

TABLE = Path(__file__).parents[3] / "shared" / "truth" / "inference.csv"

Cell = tuple[str, str, float, float, float]


def measured() -> dict[Cell, dict[tuple[int, int], float]]:
    """TPOT by (TP, EP) on one load: (model, engine, isl, osl, requests in flight)."""
    cells: dict[Cell, dict[tuple[int, int], float]] = defaultdict(dict)
    with TABLE.open(newline="") as lines:
        for row in csv.DictReader(lines):
            usable = row["source"] == "aic" and row["metric"] == "tpot_s" and row["chip"]
            if usable and row["regime"] == "closed" and row["attn_dp"] == row["pp"] == "1":
                isl, osl, batch = (float(row[n]) for n in ("isl", "osl", "concurrency"))
                key = (row["model"], row["engine"], isl, osl, batch)
                cells[key][int(row["tp"]), int(row["ep"])] = float(row["value"])
    return {key: found for key, found in cells.items() if len(found) > 1}


def predicted(cell: Cell, sizes: set[int]) -> dict[tuple[int, int], float]:
    """The same, with everything in flight at once in one replica."""
    model, _, isl, osl, batch = cell
    found = {}
    for n in sizes:
        answer = rl.layouts(model, "hgx-h100", chips=n, isl=isl, osl=osl, batch=[batch])
        for row in answer.searches[0].best_rows(answer.rank):
            if row["replicas"] == row["pp"] == row["attn_dp"] == 1:
                found[row["tp"], row["ep"]] = row["tpot_s"]
    return found


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    """Measured and predicted ratio of TPOT for every pair of layouts on one load."""
    if not TABLE.exists():
        pytest.skip("the measured table is not part of the project")
    found = []
    for cell, times in measured().items():
        ours = predicted(cell, {tp for tp, _ in times})
        both = [layout for layout in times if layout in ours]
        found += [(times[a] / times[b], ours[a] / ours[b]) for a, b in combinations(both, 2)]
    return np.asarray(found)


def test_the_faster_of_two_layouts_is_the_faster_one(pairs: np.ndarray) -> None:
    assert len(pairs) > 500
    clear = np.abs(np.log(pairs[:, 0])) > 0.05
    same = (np.log(pairs[:, 0]) * np.log(pairs[:, 1]) > 0)[clear]
    assert same.mean() > 0.95


def test_and_by_about_as_much(pairs: np.ndarray) -> None:
    error = np.abs(np.log(pairs[:, 1] / pairs[:, 0]))
    assert np.exp(np.median(error)) - 1 < 0.2
