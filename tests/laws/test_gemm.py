"""The product's law: hand numbers, limits, never faster than the ideal, any array library."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.gemm import product_bytes, product_flops, product_time_s, stream_time_s

H100 = {"peak_flops_per_s": 989.4e12, "bandwidth_bytes_per_s": 3.35e12}
TYPICAL = {
    "start_s": 2.7e-6,
    "step_s": 2.6e-10,
    "compute_efficiency": 0.8,
    "memory_efficiency": 0.9,
}
IDEAL = {"start_s": 0.0, "step_s": 0.0, "compute_efficiency": 1.0, "memory_efficiency": 1.0}

sizes = st.floats(1, 1e5)
shares = st.floats(0.01, 1)


def product(m: float, n: float, k: float, constants: dict = TYPICAL) -> float:
    flops, moved = product_flops(m, n, k), product_bytes(m, n, k, 2, 2)
    return float(product_time_s(flops, moved, k, **H100, **constants))


def test_counts_on_paper() -> None:
    assert product_flops(2, 3, 5) == 60
    assert product_bytes(2, 3, 5, 1, 2, 4) == 15 + 20 + 24


def test_one_token_is_bound_by_memory() -> None:
    read_s = 2 * 8192 * 8192 / (0.9 * 3.35e12)
    latency_s = 2.7e-6 + 8192 * 2.6e-10
    assert product(1, 8192, 8192) == pytest.approx(latency_s + read_s, rel=1e-3)


def test_many_tokens_are_bound_by_compute() -> None:
    m, n, k = 1e6, 16384, 16384
    assert product(m, n, k) == pytest.approx(2 * m * n * k / (0.8 * 989.4e12), rel=1e-2)


def test_at_the_ridge_the_two_add_in_quadrature() -> None:
    t = product_time_s(3.0, 4.0, 0, 1.0, 1.0, **IDEAL)
    assert float(t) == pytest.approx(5.0)


@given(sizes, sizes, sizes, st.floats(0, 1e-4), st.floats(0, 1e-8), shares, shares)
def test_never_faster_than_the_ideal(m, n, k, start, step, ef, eb) -> None:
    constants = {
        "start_s": start,
        "step_s": step,
        "compute_efficiency": ef,
        "memory_efficiency": eb,
    }
    ideal = max(2 * m * n * k / 989.4e12, product_bytes(m, n, k, 2, 2) / 3.35e12)
    assert product(m, n, k, constants) >= ideal * (1 - 1e-12)


@given(sizes, sizes, sizes, st.floats(1, 10))
def test_more_work_is_never_faster(m, n, k, f) -> None:
    base = product(m, n, k) * (1 - 1e-12)
    assert product(m * f, n, k) >= base
    assert product(m, n * f, k) >= base
    assert product(m, n, k * f) >= base


def test_preparing_inputs_adds_their_pass() -> None:
    with_pass = product_time_s(1e9, 1e6, 1, **H100, **IDEAL, prepare_bytes=3.35e6)
    without = product_time_s(1e9, 1e6, 1, **H100, **IDEAL)
    assert with_pass - without == pytest.approx(1e-6)


def test_arrays_of_any_library_agree_with_scalars() -> None:
    m = [1.0, 64.0, 4096.0]
    expected = [product(x, 4096.0, 4096.0) for x in m]
    for array in (np.asarray(m), strict.asarray(m)):
        flops, moved = (
            product_flops(array, 4096.0, 4096.0),
            product_bytes(array, 4096.0, 4096.0, 2, 2),
        )
        t = product_time_s(flops, moved, 4096.0, **H100, **TYPICAL)
        assert [float(x) for x in t] == pytest.approx(expected)
    streamed = stream_time_s(strict.asarray([3.35e6]), 3.35e12, start_s=0.0, memory_efficiency=0.5)
    assert float(streamed[0]) == pytest.approx(2e-6)
