"""Layouts against measurements of layouts: who is faster, and by how much, on the same load.

A ranking needs the ratio of two layouts, not the time of one: what an engine adds to both cancels.
The measured table is not part of the project.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.errors import InfeasibleError
from ridgeline.fidelity.measurements import read_rows
from ridgeline.fidelity.scores.aside import read_set_aside
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.specs import Model

#: what no choice may look at
SET_ASIDE = SHIPPED.with_name("set_aside.toml")
TABLE = Path(__file__).parents[3] / "shared" / "truth" / "inference.csv"

Times = dict[tuple[int, int], float]


class Cell(NamedTuple):
    """One load on one machine: everything that two layouts must share to be compared."""

    model_id: str
    weight_dtype: str
    kv_dtype: str
    cluster_id: str
    engine: str
    engine_version: str
    isl: float
    osl: float
    concurrency: float


def measured() -> dict[Cell, tuple[Model, Times]]:
    """The model in the row's own formats, and TPOT by (TP, EP), for each cell."""
    times: dict[Cell, Times] = defaultdict(dict)
    models: dict[Cell, Model] = {}
    rows, _ = read_set_aside(SET_ASIDE).split(read_rows([TABLE]))
    for row in rows:
        run = row.run
        if row.source != "aic" or row.metric != "tpot_s" or row.regime != "closed" or run is None:
            continue
        layout = run.layout
        if layout is None or not layout.pp == layout.attn_dp == layout.replicas == 1:
            continue
        assert run.isl is not None
        assert run.osl is not None
        assert run.concurrency is not None
        assert row.value is not None
        m = run.model
        cell = Cell(
            m.id, m.weight_dtype, m.kv_dtype, run.cluster.id, run.engine, run.engine_version,
            run.isl, run.osl, run.concurrency,
        )  # fmt: skip
        models[cell] = m
        times[cell][layout.tp, layout.ep] = row.value
    return {cell: (models[cell], found) for cell, found in times.items() if len(found) > 1}


def predicted(cell: Cell, model: Model, sizes: set[int]) -> Times:
    """The same, with everything in flight at once in one replica."""
    found = {}
    for n in sizes:
        load = {"isl": cell.isl, "osl": cell.osl, "batch": [cell.concurrency]}
        try:
            answer = rl.layouts(model, cell.cluster_id, chips=n, engine=cell.engine, **load)
        except InfeasibleError:
            continue
        for row in answer.rows:
            if row["replicas"] == row["pp"] == row["attn_dp"] == 1:
                found[row["tp"], row["ep"]] = row["tpot_s"]
    return found


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    """Measured and predicted ratio of TPOT for every pair of layouts on one load."""
    if not TABLE.exists():
        pytest.skip("the measured table is not part of the project")
    found = []
    for cell, (model, times) in measured().items():
        ours = predicted(cell, model, {tp for tp, _ in times})
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
