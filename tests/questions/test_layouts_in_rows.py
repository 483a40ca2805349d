"""What a search does at once equals the same done apart: rows, halvings, pairs, groups of rows."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.grid import Axis, Column, LateColumns, Result
from ridgeline.questions.layouts.grid import COLUMNS, Candidates
from ridgeline.service import surface as surface_module
from ridgeline.service.pools import Pools, closed_pools

V3 = "deepseek-ai/DeepSeek-V3"
LIMITS: dict[str, Any] = {"isl": 3000, "osl": 300, "tpot_s": 0.03, "ttft_s": 1.0}
SAME = 1e-11


@pytest.fixture(scope="module")
def found() -> rl.Layouts:
    return rl.layouts(V3, "2xgb200-nvl72", batch=[1, 24, 700, 9000], **LIMITS)


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        if isinstance(value, float):
            assert value == pytest.approx(other[name], rel=SAME), name
        else:
            assert value == other[name], name


# ---- rows


def test_details_of_one_row_are_those_of_the_whole_grid(found: rl.Layouts) -> None:
    search = found.searches[0]
    points = [(i, j) for i in range(0, search.result.shape[0], 37) for j in (0, 2)]
    apart = [search.row(i, j) for i, j in points]
    together = search.rows_at(*zip(*points, strict=True))
    every = search.all_rows()
    assert len(every) == search.result.infeasible.size
    n = search.result.shape[1]
    whole = pickle.loads(pickle.dumps(search))
    assert whole.result["mfu"].shape == whole.result.shape  # now all columns are there
    for (i, j), one, other in zip(points, apart, together, strict=True):
        assert (one["candidate"], one["point"]) == (i, j)
        same(one, other)
        same(one, every[i * n + j])
        same(one, whole.row(i, j))


def test_rows_of_a_ranking_are_read_late(found: rl.Layouts) -> None:
    answer = rl.layouts(V3, "gb200-nvl72", batch=[64, 1024], **LIMITS)
    result = answer.searches[0].result
    looked_at: list[Any] = []
    late = result.columns._late  # type: ignore[attr-defined]
    result.columns._late = lambda at: looked_at.append(at) or late(at)  # type: ignore[attr-defined]
    assert answer.best is answer.ranking[0]
    assert answer.best["layout"]
    assert [len(at[0]) for at in looked_at] == [1]
    rows = list(answer.ranking)
    assert len(rows) == len(answer.ranking) > 50
    assert rows[0] is answer.best
    assert answer.ranking[-1] is rows[-1]
    assert answer.ranking[2:5] == rows[2:5]
    assert answer.ranking == rows
    assert answer.ranking != rows[1:]
    assert answer.ranking[len(rows) :] == []
    assert len(looked_at) == 2
    with pytest.raises(IndexError):
        answer.ranking[len(rows)]


def test_rows_of_an_answer_are_a_list_of_the_callers_own() -> None:
    answer = rl.layouts(V3, "gb200-nvl72", batch=[64, 1024], **LIMITS)
    before = [dict(row) for row in answer.ranking]
    rows = answer.rows
    assert type(rows) is list
    assert rows == before
    assert json.loads(json.dumps(rows))[0]["layout"] == before[0]["layout"]
    assert len(rows + rows) == 2 * len(before) > 100
    rows.sort(key=lambda row: row["tpot_s"], reverse=True)
    assert rows != before
    rows[0]["layout"] = answer.rows[1].pop("layout")
    assert list(answer.ranking) == before
    assert answer.best == before[0]


def test_late_columns_are_evaluated_once_and_named_before() -> None:
    asked: list[Any] = []

    def late(at: Any) -> dict[str, Column]:
        asked.append(at)
        values = np.arange(6.0).reshape(2, 3) * 10
        return {"b": Column(values if at is None else values[at], "s", "late")}

    known = {"a": Column(np.arange(6.0).reshape(2, 3), "", "known")}
    columns = LateColumns(("b", "a"), known, late)
    axes = (Axis("x", np.arange(2), "", "x"), Axis("y", np.asarray([1.0, np.inf, 3.0]), "", "y"))
    result = Result(axes, columns, np.asarray([[0, 1, 0], [0, 0, 0]]), ("no",))
    assert list(columns) == ["b", "a"]
    assert "b" in columns
    assert "c" not in columns
    assert len(columns) == 2
    row = result.row((0, 1))
    assert row == {"x": 0, "y": np.inf, "b": 10.0, "a": 1.0, "infeasible": "no"}
    assert len(asked) == 1
    assert result["b"][1, 2] == 50
    assert result["b"][0, 1] == 10
    assert asked[1:] == [None]
    assert [r["b"] for r in result.rows()] == [0, 10, 20, 30, 40, 50]
    assert len(asked) == 2
    with pytest.raises(KeyError):
        columns["c"]


# ---- the largest batch within limits


@pytest.mark.parametrize(
    "limits", [{"tpot_s": "p99<40ms"}, {"tpot_s": 0.02, "ttft_s": 0.4}, {"e2e_s": 4.0}]
)
def test_the_largest_batch_within_limits_is_found_as_by_one_halving_after_another(
    limits: dict[str, Any],
) -> None:
    answer = rl.layouts(V3, "gb200-nvl72", batch=[1], isl=1000, osl=100, **limits)
    candidates: Candidates = answer.searches[0].candidates
    rows = np.arange(len(candidates.layouts))
    low, high = np.zeros(len(rows)), candidates.fits
    edge = high
    for _ in range(30):
        kept = candidates.performance(np.maximum(edge, 1.0), rows).keeps(candidates.limits)
        good = (edge >= 1) & kept
        low, high = np.where(good, edge, low), np.where(good, high, edge)
        edge = np.floor(np.sqrt(np.maximum(low, 1.0) * np.maximum(high, 1.0)))
        edge = np.minimum(np.maximum(edge, low + 1), high)
    assert len(set(low)) > 10
    assert candidates.within_limits.tolist() == low.tolist()


# ---- rows that may run in two micro-batches


@pytest.mark.parametrize("engine", ["sglang", "current"])
def test_rows_told_apart_are_timed_as_together(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer() -> Candidates:
        asked = rl.layouts(V3, "2xgb200-nvl72", batch=[64, 20_000], engine=engine, **LIMITS)
        return asked.searches[0].candidates

    apart = answer()
    assert len(apart.server.surface._apart) == 2
    monkeypatch.setattr(surface_module, "_MANY_ROWS", 10**9)
    together = answer()
    assert not together.server.surface._apart
    index, batch = np.arange(len(apart.layouts))[:, None], np.asarray([[64.0, 20_000.0]])
    one, other = apart.columns(index, batch), together.columns(index, batch)
    assert set(COLUMNS) < set(one)
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=SAME, err_msg=name)


# ---- pools


def test_pairs_of_pools_at_once_are_those_of_each_by_itself(found: rl.Layouts) -> None:
    candidates = found.searches[0].candidates
    layouts = [x for x in candidates.layouts if x.replicas > 3][::11]
    prefill, decode = layouts[:4], layouts[-4:]
    n = np.asarray([1, 2, 3, 1])
    concurrency = np.asarray([3.0, 40.0, 500.0, 8.0])
    requests = candidates.requests
    rows = candidates.rows_of
    pools = Pools(rows(prefill), n, rows(decode), n[::-1], 144)
    together = closed_pools(pools, requests, concurrency)
    for i in range(4):
        alone = Pools(
            candidates.replica_of(prefill[i]), n[i],
            candidates.replica_of(decode[i]), n[::-1][i], 144,
        )  # fmt: skip
        one = closed_pools(alone, requests, concurrency[i])
        for name in ("ttft_s", "tpot_s", "e2e_s", "requests_per_s", "capacity_per_s", "n_live"):
            assert getattr(together, name)[i] == pytest.approx(float(getattr(one, name)), rel=SAME)
