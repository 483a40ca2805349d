"""What traced arrays can do, what they refuse, and that graphs hold nothing twice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.compiled import TracedKernel
from ridgeline.compiled.graph import NotTraceable
from ridgeline.compiled.operations import OPERATIONS
from ridgeline.compiled.trace import trace
from ridgeline.errors import SpecError
from ridgeline.laws._namespace import ceil, divide, log, log10, maximum, minimum, where

AXES = [{"x": np.asarray([0.5, 1.0, 2.0, 7.0]), "z": np.asarray([1.0, 0.0, 3.0, 4.0])},
        {"y": np.asarray([-3.0, 0.25, 2.0])}]  # fmt: skip
WHOLE = [slice(0, 4), slice(0, 3)]
ERF: Any = np.frompyfunc(math.erf, 1, 1)


def plain(kernel, axes=AXES, cut=WHOLE):
    """Columns of the kernel run as it is."""
    n = len(axes)
    values = {
        name: v[c].reshape([-1 if i == j else 1 for j in range(n)])
        for i, (fields, c) in enumerate(zip(axes, cut, strict=True))
        for name, v in fields.items()
    }
    with np.errstate(all="ignore"):
        return kernel(values)


def on_grid(kernel, way="numpy", axes=AXES, **options):
    found = TracedKernel(kernel, 10**6, way=way, **options).on(axes)
    assert found is not None
    return found


def same(one, other, within=0.0) -> None:
    assert one.keys() == other.keys()
    for name in one:
        a, b = np.broadcast_arrays(one[name], other[name])
        assert a.dtype == b.dtype, name
        if within:
            np.testing.assert_allclose(a, b, rtol=within, err_msg=name)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


def everything(v):
    """Each operation at least once, in the ways kernels spell it."""
    x, y, z = v["x"], v["y"], v["z"]
    some = (x > 1) & ~(y < 0)
    return {
        "sum": x + y - 2 * z / 3 + np.float64(0.5),
        "whole": (x // 0.3) + y % 2 + np.rint(y) + np.trunc(y) + ceil(y) + np.floor(y),
        "powers": x**2 + x**0.5 + x**1 + x**-1 + x**3 + 2.0**x + x**y,
        "logs": log(x) + log10(x) + np.log2(x) + np.log1p(x) + np.exp(y) + np.expm1(y),
        "normal": ERF(y).astype(float),
        "bounds": -maximum(x, y) + minimum(z, 2) + np.clip(y, -1, 1) + abs(y) + np.hypot(x, y),
        "choice": where(some, x, y) + np.select([x > 5, y > 1], [1.0, z], 7),
        "no number": maximum(divide(z - z, z), x) + minimum(x, divide(z - z, z)),
        "truth": some | (z == 0) ^ (x != 2),
        "finite": np.isfinite(divide(x, z)) & ~np.isnan(divide(z - z, z)),
        "counted": some * x + (x >= 2) * 1.0 + (y <= 0).astype(float) + (some & True),
        "truths chosen": np.where(x > 1, some, y > 1),
        "fixed": 4.0,
    }


@pytest.mark.parametrize("way", ["numpy", "numba"])
def test_every_operation_is_what_numpy_does(way) -> None:
    if way == "numba":
        pytest.importorskip("numba", reason="extra [fast]")
    found = on_grid(everything, way)(WHOLE)
    same(plain(everything), found, within=0.0 if way == "numpy" else 1e-15)
    names = {n.operation for n in trace(everything, AXES).graph.nodes}
    assert set(OPERATIONS) - names == set()


def test_blocks_are_parts_of_the_whole() -> None:
    kernel = on_grid(everything)
    for cut in ([slice(1, 3), slice(0, 3)], [slice(3, 4), slice(1, 2)]):
        same(plain(everything, cut=cut), kernel(cut))


def test_equal_operations_are_one() -> None:
    def kernel(v):
        x, y = v["x"], v["y"]
        return {"a": (x + y) * (y + x), "b": np.sqrt(x + y), "c": (x * 1 + 0) / 1 + y}

    nodes = trace(kernel, AXES).graph.nodes
    assert [n.operation for n in nodes] == ["input", "input", "input", "add", "multiply", "sqrt"]


def test_what_varies_over_few_axes_is_computed_once() -> None:
    def kernel(v):
        return {"a": np.exp(v["x"]) * 3 + np.log(v["x"]) + v["y"]}

    program = on_grid(kernel)._program
    assert {s.axes: len(s.nodes) for s in program.stages} == {(0,): 4, (0, 1): 1}
    assert program.operations({0: 4, 1: 3}) == 4 * 4 + 12


def test_columns_that_nobody_wants_are_left_out() -> None:
    kernel = on_grid(everything, columns=["sum"])
    assert list(kernel(WHOLE)) == ["sum"]
    whole = on_grid(everything, columns=["sum", "missing"])
    assert kernel.n_operations < whole.n_operations / 3
    assert whole(WHOLE).keys() == plain(everything).keys()


def summed_over_the_grid(x):
    return x.sum(axis=0)


def masked(x):
    return x[x > 1]


def any_of_an_axis(x):
    return np.any(x > 1, axis=0)


def repeated(x):
    return np.broadcast_to(x[..., None], (*x.shape, 5)).sum(-1)


def bits(x):
    return np.where(x > 1, 1, 0) | np.where(x > 2, 2, 0)


def bits_of_whole_numbers(x):
    return x.astype(int) & 2


def over_own_axis(x):
    return x * np.arange(3.0)[:, None, None]


def axes_that_meet(x):
    return x + np.arange(4.0)[:, None] * np.arange(5.0)


@pytest.mark.parametrize(
    "asks",
    [
        float, bool, list, np.unique, np.asarray, np.sinc, np.maximum.reduce, "{}".__add__,
        summed_over_the_grid, masked, any_of_an_axis, axes_that_meet, repeated, bits,
        bits_of_whole_numbers, over_own_axis,
    ],
)  # fmt: skip
def test_a_kernel_that_asks_for_values_is_run_as_it_is(asks) -> None:
    def kernel(v):
        return {"a": asks(v["x"])}

    with pytest.raises((NotTraceable, TypeError)):
        trace(kernel, AXES)


def test_a_kernel_run_as_it_is_says_so() -> None:
    assert TracedKernel(lambda v: {"a": np.unique(v["x"])}, 10**6, way="numpy").on(AXES) is None
    assert TracedKernel(everything, 10**6, way="untraced").on(AXES) is None
    with pytest.raises(SpecError, match="untraced, numpy, numba is expected, not 'fast'"):
        TracedKernel(everything, 1, way="fast")


def test_conditions_are_of_the_whole_grid_and_are_checked_on_another() -> None:
    calls = []

    def kernel(v):
        calls.append(1)
        x = v["x"]
        found = x * 2
        if np.any(x > 10):
            found = where(x > 10, -1.0, found)
        if np.all(x > 0):
            return {"a": found}
        return {"a": where(x > 0, found, 0.0)}

    traced = TracedKernel(kernel, 10**6, way="numpy")
    low, high, negative = ([{"x": np.asarray(v)}] for v in ([1.0, 2.0], [1.0, 20.0], [-1.0, 30.0]))
    for axes, wanted in ((low, [2, 4]), (high, [2, -1]), (low, [2, 4]), (negative, [0, -1])):
        found = traced.on(axes)
        assert found is not None
        assert found([slice(0, 2)])["a"].tolist() == wanted
    # of low values; of high ones; low ones again need nothing new; all(x > 0) held so far
    assert len(calls) == 3


def test_axes_of_the_kernels_own_are_added_up() -> None:
    widths = np.asarray([1.0, 2.0, 5.0, 9.0])[:, None, None]
    times = np.asarray([3.0, 1.0, 1.0, 2.0])[:, None, None]

    def kernel(v):
        each = np.sqrt(widths * v["x"] + v["y"] ** 2) * times + 1
        return {"total": np.sum(each, axis=0) * v["x"], "few": (widths * v["x"]).sum(0)}

    wanted = plain(kernel)
    same(wanted, on_grid(kernel)(WHOLE))
    pytest.importorskip("numba", reason="extra [fast]")
    same(wanted, on_grid(kernel, "numba")(WHOLE), within=1e-15)


ROWS = [{"x": np.asarray([0.5, 1.0, 2.0, 7.0, 3.0]), "n": np.asarray([1.0, 4.0, 2.0, 3.0, 2.0])}]


def staged(v):
    """Rows beside an axis of the kernel's own, as stages of a pipeline are."""
    x, n = v["x"], v["n"]
    known = np.sort(np.unique_values(n))
    places = np.arange(known[-1])
    whole = np.stack([[(places < k) * k, (places < k) * (places + 1)] for k in known])
    held = np.take_along_axis(whole, np.searchsorted(known, n)[:, None, None], axis=0)
    there = places < n[:, None]
    each = np.where(there, np.sqrt(held[:, 0] * x[:, None]) + held[:, 1, ...] ** 2, 0.0)
    way = np.cumsum(each, axis=-1)
    longest = np.argmax(each * (7 - way), axis=-1)
    return {
        "largest": np.max(way + each, axis=-1) + each.max(axis=-1, keepdims=True)[..., 0],
        "smallest": np.min(np.where(there, each, np.inf), axis=-1) + each.min(-1),
        "total": np.sum(each, axis=-1) + held.sum(axis=1).sum(axis=-1),
        "at": np.take_along_axis(way, longest[:, None], axis=-1)[:, 0] + longest,
        "fixed": held[:, :, :1].sum(axis=2).sum(axis=1) + held[:, 1, 0],
        "part": held[:, :, 1:].sum(axis=2).sum(axis=1),
    }


@pytest.mark.parametrize("way", ["numpy", "numba"])
def test_an_axis_of_stages_is_reduced_and_looked_up(way, monkeypatch) -> None:
    if way == "numba":
        pytest.importorskip("numba", reason="extra [fast]")
        # Stages as small as these are left to numpy otherwise.
        monkeypatch.setattr("ridgeline.compiled.kernel._FEW_OPERATIONS", 0)
        monkeypatch.setattr("ridgeline.compiled.kernel._HEAVY_SHARE", 0.0)
    kernel = on_grid(staged, way, ROWS)
    assert kernel.is_compiled == (way == "numba")
    for cut in ([slice(0, 5)], [slice(1, 3)], [slice(4, 5)]):
        same(plain(staged, ROWS, [slice(0, 5)]), kernel([slice(0, 5)]), within=1e-15)
        wanted = {n: c[cut[0]] for n, c in plain(staged, ROWS, [slice(0, 5)]).items()}
        same(wanted, kernel(cut), within=1e-15)


@pytest.mark.parametrize(("kernel", "axes"), [(everything, AXES), (staged, ROWS)])
def test_columns_of_a_block_outlast_the_next(kernel, axes) -> None:
    """Arrays are used again from block to block, but for those that were given away."""
    traced = on_grid(kernel, "numpy", axes)
    first, other = ([slice(i, i + 2)] + [slice(0, 3)] * (len(axes) - 1) for i in (0, 2))
    found = traced(first)
    kept = {name: np.copy(value) for name, value in found.items()}
    assert any((traced(other)[name] != value).any() for name, value in kept.items())
    same(kept, found)


def test_values_told_apart_are_checked_on_another_grid() -> None:
    calls = []

    def kernel(v):
        calls.append(1)
        return staged(v)

    traced = TracedKernel(kernel, 10**6, way="numpy")
    few = [{"x": np.asarray([1.0, 2.0]), "n": np.asarray([4.0, 1.0])}]
    other = [{"x": np.asarray([1.0, 2.0]), "n": np.asarray([5.0, 1.0])}]
    for axes in (ROWS, few, other):
        found = traced.on(axes)
        assert found is not None
        cut = [slice(0, len(axes[0]["x"]))]
        same(plain(staged, axes, cut), found(cut), within=1e-15)
    assert len(calls) == 2
    many = [{"x": np.arange(300.0), "n": np.arange(300.0) + 1}]
    assert TracedKernel(staged, 10**6, way="numpy").on(many) is None


OWN = np.asarray([1.0, 2.0, 5.0])[:, None, None]


@pytest.mark.parametrize("way", ["numpy", "numba"])
def test_what_drops_an_axis_of_the_kernels_own_is_still_counted_along_it(way) -> None:
    """Each is simple but for its shape: three times what stands there is added up."""

    def kernel(v):
        x, fixed = v["x"], np.bool_(True)
        layers = OWN > 0
        return {
            "power": np.sum(1.0**OWN * x * np.power(1.0, OWN * x), axis=0),
            "same": np.sum(np.where(OWN * x > 2, x, x), axis=0),
            "chosen": np.sum(np.where(fixed, x, OWN * x), axis=0),
            "either": np.sum(((OWN * x > 2) | fixed) * x, axis=0),
            "both": np.sum(((OWN * x > 2) & layers) * x, axis=0),
        }

    if way == "numba":
        pytest.importorskip("numba", reason="extra [fast]")
    same(plain(kernel), on_grid(kernel, way)(WHOLE), within=0.0 if way == "numpy" else 1e-15)


def test_a_branch_over_an_axis_of_the_kernels_own_is_watched_for() -> None:
    def kernel(v):
        each = OWN * v["x"]
        if np.any(each > 100):
            each = np.where(each > 100, 0.0, each)
        return {"a": np.sum(each, axis=0)}

    traced = TracedKernel(kernel, 1e6, way="numpy")
    for factor in (1.0, 10.0, 1.0, 30.0):
        axes = [{n: v * factor for n, v in AXES[0].items()}, AXES[1]]
        found = traced.on(axes)
        assert found is not None
        same(plain(kernel, axes), found(WHOLE))


@pytest.mark.parametrize("most", [1, 5, 13, 40])
def test_what_is_computed_once_never_waits_for_a_block(monkeypatch, most) -> None:
    """A sum over many values is few, and is still of the block."""
    monkeypatch.setattr("ridgeline.compiled.kernel._WHOLE_VALUES", most)

    def kernel(v):
        total = np.sum(np.sqrt(OWN * v["x"]) + 1, axis=0)
        return {"a": np.log(total) * v["y"] + np.exp(v["y"])}

    on = on_grid(kernel)
    for cut in (WHOLE, [slice(1, 3), slice(0, 2)]):
        same(plain(kernel, cut=cut), on(cut))


def test_columns_of_a_block_cannot_be_written() -> None:
    found = on_grid(lambda v: {"a": v["x"] + 1, "b": v["x"] + 1, "c": v["x"]})(WHOLE)
    for values in found.values():
        with pytest.raises(ValueError, match="read-only"):
            values[...] = 1


NUMBERS = st.floats(1e-3, 1e3)


@st.composite
def expressions(draw):
    """A kernel of random operations over three fields of two axes."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["+", "-", "*", "/", "max", "min", "where", "sqrt", "log", "**"]),
                st.integers(0, 30),
                st.integers(0, 30),
                st.one_of(st.none(), NUMBERS),
            ),
            min_size=1,
            max_size=25,
        )
    )

    def kernel(v):
        known = [v["x"], v["y"], v["z"]]
        for name, i, j, number in steps:
            a = known[i % len(known)]
            b = known[j % len(known)] if number is None else number
            known.append(
                {
                    "+": lambda a, b: a + b,
                    "-": lambda a, b: a - b,
                    "*": lambda a, b: a * b,
                    "/": divide,
                    "max": maximum,
                    "min": minimum,
                    "where": lambda a, b: where(a > b, b, a * 2),
                    "sqrt": lambda a, b: np.sqrt(abs(a)) + b,
                    "log": lambda a, b: np.log(abs(a) + 1) * b,
                    "**": lambda a, b: maximum(abs(a), 1e-3) ** 0.7 - b,
                }[name](a, b)
            )
        return {f"c{i}": value for i, value in enumerate(known[-3:])}

    return kernel


@given(expressions(), st.integers(0, 3), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_random_kernels_are_the_same_digits(kernel, start, length) -> None:
    cut = [slice(start, min(start + length, 4)), slice(0, 3)]
    same(plain(kernel, cut=cut), on_grid(kernel)(cut))
