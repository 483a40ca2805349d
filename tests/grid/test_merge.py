"""Reductions of parts, put together in any way, are the reduction of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spread_kernels import Seen, bumpy, reductions

from ridgeline.errors import SpecError
from ridgeline.grid import Best, Histogram, Pareto, Spread, reduce_grid
from ridgeline.grid.reduce import Mergeable

VALUES = st.lists(
    st.tuples(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, np.nan, np.inf]), st.integers(-2, 2)),
    min_size=1,
    max_size=60,
)


def each() -> list[Mergeable]:
    return [
        Best("x", 3),
        Best("x", 2, largest=True, where="ok"),
        Pareto("x", "y"),
        Pareto("x", "y", smaller_x=True, where="ok"),
        Pareto("x", "y", smaller_y=True),
        Histogram("x", np.asarray([-1.0, 0.0, 0.5, 1.0])),
        Histogram("y", np.asarray([-2.0, 0.0, 2.0]), where="ok"),
    ]


@given(VALUES, st.integers(1, 8), st.randoms(use_true_random=False))
def test_parts_in_any_order_and_any_tree_are_the_whole(values, n_parts, random) -> None:
    x, y = np.asarray([v[0] for v in values]), np.asarray([v[1] for v in values], dtype=float)
    columns = {"x": x, "y": y, "ok": y != 1}
    where = np.asarray([random.randrange(n_parts) for _ in values])
    for whole, making in zip(each(), each(), strict=True):
        whole.update(columns, np.arange(len(x)))
        parts = []
        for i in range(n_parts):
            own = np.flatnonzero(where == i)
            part = making.empty()
            # A part sees its points in blocks, in an order of its own.
            for block in np.array_split(own[::-1], 2):
                part.update({n: c[block] for n, c in columns.items()}, block)
            parts.append(part)
        while len(parts) > 1:
            random.shuffle(parts)
            other = parts.pop()
            parts[0].merge(other.kept())
        merged = parts[0]
        assert merged.result().tolist() == whole.result().tolist(), type(whole)
        assert {n: a.tolist() for n, a in merged.kept().items()} == {
            n: a.tolist() for n, a in whole.kept().items()
        }


def test_empty_ones_have_seen_nothing_and_change_nothing() -> None:
    for making in each():
        columns = {"x": np.asarray([0.5, 1.0]), "y": np.zeros(2), "ok": np.ones(2, dtype=bool)}
        making.update(columns, np.arange(2))
        before = making.result().tolist()
        making.merge(making.empty().kept())
        assert making.result().tolist() == before
        assert not np.any(making.empty().result())


def test_a_reduction_without_merge_is_for_one_process() -> None:
    axes = [{"a": np.arange(6.0)}]
    asked = {"n": Seen()}
    assert reduce_grid(lambda a: {"x": a["a"]}, axes, asked, block_points=2) == {"n": 6}
    with pytest.raises(SpecError, match=r"'n' is a Seen without empty\(\)"):
        reduce_grid(lambda a: {"x": a["a"]}, axes, asked, spread=Spread(workers=2))


def test_reductions_that_have_seen_points_keep_them(tmp_path) -> None:
    axes = [{"a": np.arange(50.0)}]
    asked = reductions()
    for spread in (None, Spread(resume=tmp_path)):
        found = reduce_grid(bumpy, axes, asked, block_points=8, spread=spread)
    assert found["spread"].sum() == 100, "each point once for each call"


@pytest.mark.parametrize("kind", ["random", "ties", "all on the front", "all in a line"])
@pytest.mark.parametrize("where", [None, "ok"])
def test_large_blocks_are_looked_at_in_part_and_kept_as_the_whole(kind: str, where) -> None:
    source = np.random.default_rng(3)
    x = source.normal(size=4000)
    y = {"all on the front": -x, "all in a line": x}.get(kind, source.normal(size=4000))
    if kind == "ties":
        x, y = np.round(x, 1), np.round(y, 1)
    x[::19], x[::101] = np.nan, np.inf
    columns = {"x": x, "y": y, "ok": source.random(4000) > 0.2}
    index = source.permutation(4000)
    ok = np.isfinite(x) & (columns["ok"] if where else True)
    for sign, largest in ((1, False), (-1, True)):
        best = Best("x", 5, largest=largest, where=where)
        for block in (slice(0, 1700), slice(1700, 4000)):
            best.update({n: c[block] for n, c in columns.items()}, index[block])
        wanted = np.lexsort((index[ok], sign * x[ok]))[:5]
        assert best.result().tolist() == index[ok][wanted].tolist()
    front = Pareto("x", "y", where=where)
    for block in (slice(0, 1700), slice(1700, 4000)):
        front.update({n: c[block] for n, c in columns.items()}, index[block])
    points = sorted(zip(-x[ok], -y[ok], index[ok], strict=True))
    standing, top = [], np.inf
    for _, down, place in points:
        if down < top:
            standing.append(place)
            top = down
    assert front.result().tolist() == standing
