"""Reductions in blocks give what the whole table gives, however it is cut and in whatever order."""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.grid import Best, Histogram, Pareto, ProgressLine, Spread, evaluate, reduce_grid

SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=3)


def kernel_of(seed: int):
    """A bumpy function of the axes, with ties and holes."""

    def kernel(axes):
        phase = sum((int(i) + 1 + seed) * a for i, a in axes.items())
        x = np.round(np.sin(phase), 2)
        return {"x": x, "y": np.where(x < -0.9, np.nan, np.round(np.cos(1.7 * phase), 2))}

    return kernel


@pytest.mark.parametrize(
    "edges",
    [
        [0, 2, 1], [0, 0, 1], [3, 2], [1.0], [], [0, np.nan, 1], [np.nan, 1], [np.inf, np.inf],
        [[0, 1], [2, 3]], "ab", 3,
    ],
)  # fmt: skip
def test_edges_that_do_not_increase_are_refused(edges) -> None:
    with pytest.raises(SpecError, match="two or more increasing numbers"):
        Histogram("x", edges)


def test_first_and_last_edges_may_be_infinite() -> None:
    asked = {"n": Histogram("x", np.asarray([-np.inf, 0, np.inf]))}
    assert reduce_grid(lambda a: a, [{"x": np.arange(-2.0, 5.0)}], asked)["n"].tolist() == [2, 5]


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "2", None])
def test_best_of_no_points_is_refused(k) -> None:
    with pytest.raises(SpecError, match="a whole number from 1"):
        Best("x", k)


@given(SIZES, st.integers(0, 9), st.integers(1, 40), st.integers(1, 5))
def test_best_is_the_best_of_the_whole(sizes, seed, points, k) -> None:
    values = [{str(i): np.arange(n, dtype=float)} for i, n in enumerate(sizes)]
    whole = evaluate(kernel_of(seed), values)["y"].reshape(-1)
    found = reduce_grid(
        kernel_of(seed), values, {"low": Best("y", k), "high": Best("y", k, largest=True)},
        block_points=points,
    )  # fmt: skip
    finite = np.flatnonzero(np.isfinite(whole))
    for name, sign in (("low", 1), ("high", -1)):
        wanted = finite[np.argsort(sign * whole[finite], kind="stable")][:k]
        assert found[name].tolist() == wanted.tolist()


@given(SIZES, st.integers(0, 9), st.integers(1, 40))
def test_no_point_beats_the_front_and_the_front_beats_the_rest(sizes, seed, points) -> None:
    values = [{str(i): np.arange(n, dtype=float)} for i, n in enumerate(sizes)]
    whole = evaluate(kernel_of(seed), values)
    x, y = whole["x"].reshape(-1), whole["y"].reshape(-1)
    front = reduce_grid(kernel_of(seed), values, {"f": Pareto("x", "y")}, block_points=points)["f"]
    usable = np.flatnonzero(np.isfinite(y))
    for i in usable:
        better = (
            (x[usable] >= x[i]) & (y[usable] >= y[i]) & ((x[usable] > x[i]) | (y[usable] > y[i]))
        )
        covered = ((x[front] >= x[i]) & (y[front] >= y[i])).any()
        assert covered
        if i in front:
            assert not better.any()


@given(SIZES, st.integers(1, 40))
def test_histogram_counts_every_point_once(sizes, points) -> None:
    values = [{str(i): np.arange(n, dtype=float)} for i, n in enumerate(sizes)]
    edges = np.asarray([-1.0, 0.0, 1.0])
    counts = reduce_grid(kernel_of(1), values, {"h": Histogram("x", edges)}, block_points=points)[
        "h"
    ]
    assert counts.sum() == np.prod(sizes)


@given(
    st.lists(st.floats(-4, 4) | st.sampled_from([math.nan, math.inf, -math.inf, -3.0, 2.0])),
    st.integers(2, 200),
)
def test_histogram_is_numpys_of_what_is_finite(values, n_edges) -> None:
    edges = np.linspace(-3, 2, n_edges)
    asked = Histogram("x", edges)
    asked.update({"x": np.asarray(values, dtype=float)}, np.arange(len(values)))
    finite = [v for v in values if math.isfinite(v)]
    assert asked.result().tolist() == np.histogram(finite, edges)[0].tolist()


@given(SIZES, st.randoms())
def test_the_order_of_axes_does_not_matter(sizes, random) -> None:
    values = [{str(i): np.arange(n, dtype=float)} for i, n in enumerate(sizes)]
    order = list(range(len(sizes)))
    random.shuffle(order)

    straight = evaluate(kernel_of(0), values)["x"]
    other = evaluate(kernel_of(0), [values[i] for i in order])["x"]
    assert np.array_equal(straight.transpose(order), other)


def test_progress_reaches_the_end_and_wrong_columns_are_named() -> None:
    seen: list[tuple[int, int]] = []
    values = [{"0": np.arange(7.0)}, {"1": np.arange(5.0)}]
    reduce_grid(
        kernel_of(0), values, {}, block_points=10, progress=lambda done, of: seen.append((done, of))
    )
    assert seen[-1] == (35, 35)
    assert [s[0] for s in seen] == sorted(s[0] for s in seen)
    with pytest.raises(SpecError, match="no column 'z'"):
        reduce_grid(kernel_of(0), values, {"b": Best("z")})


@given(SIZES, st.integers(0, 9), st.integers(1, 40))
def test_a_mask_leaves_points_out_and_threads_change_nothing(sizes, seed, points) -> None:
    def masked(axes):
        columns = kernel_of(seed)(axes)
        return {**columns, "ok": columns["x"] > 0}

    def asked():
        return {
            "best": Best("x", 3, where="ok"),
            "n": Histogram("x", np.asarray([-1.0, 1.0]), where="ok"),
        }

    values = [{str(i): np.arange(n, dtype=float)} for i, n in enumerate(sizes)]
    whole = evaluate(masked, values)["x"].reshape(-1)
    one = reduce_grid(masked, values, asked(), block_points=points)
    with ThreadPoolExecutor(2) as pool:
        two = reduce_grid(masked, values, asked(), block_points=points, spread=Spread(pool))
    assert one["n"] == two["n"] == (whole > 0).sum()
    assert one["best"].tolist() == two["best"].tolist()
    assert (whole[one["best"]] > 0).all()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_progress_line_comes_late_and_leaves_nothing(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("ridgeline.grid.progress.time.monotonic", lambda: now[0])
    quick, slow, piped = Terminal(), Terminal(), io.StringIO()
    ProgressLine(quick)(100, 100)
    lines = [ProgressLine(slow), ProgressLine(piped)]
    for second in (0.5, 2.0, 4.0):
        now[0] = second
        for line in lines:
            line(int(second * 25), 100)
    assert quick.getvalue() == piped.getvalue() == ""
    assert "50% of 100 points, 2 s left" in slow.getvalue()
    assert slow.getvalue().endswith("\r\033[K")


def test_an_interrupted_grid_stops_at_once() -> None:
    calls = []

    def kernel(axes):
        calls.append(1)
        raise KeyboardInterrupt

    for spread in (None, Spread(workers=2)):
        with pytest.raises(KeyboardInterrupt):
            evaluate(kernel, [{"0": np.arange(100)}], block_points=1, spread=spread)
    assert len(calls) < 50
