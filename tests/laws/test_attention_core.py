"""Attention: hand numbers, limits, never faster than the ideal, any array library."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.attention_core import decode_attention_time_s, prefill_attention_time_s

DECODE = {"start_s": 1e-5, "merge_s": 1.5e-6, "item_s": 1.5e-8, "memory_efficiency": 0.93}
PREFILL = {
    "start_s": 1.2e-5,
    "key_step_s": 7e-9,
    "compute_efficiency": 0.63,
    "half_keys": 400.0,
    "memory_efficiency": 0.93,
}
W, P = 3.35e12, 989e12

counts = st.floats(1, 1e9)
shares = st.floats(0.01, 1)


def test_decode_on_paper() -> None:
    t = decode_attention_time_s(3.35e6, 100, 1024, W, **(DECODE | {"memory_efficiency": 1.0}))
    assert float(t) == pytest.approx(1e-5 + 1.5e-6 + 1.5e-6 + 1e-6)


def test_decode_efficiency_rises_with_bytes() -> None:
    read = np.asarray([16e6, 128e6, 1e9, 16e9])
    share = read / W / decode_attention_time_s(read, 8, 16384, W, **DECODE)
    assert np.all(np.diff(share) > 0)
    assert share[0] < 0.3
    assert share[-1] == pytest.approx(0.93, rel=0.01)


def test_decode_with_much_to_multiply_is_bound_by_it() -> None:
    t = decode_attention_time_s(1e6, 1, 128, W, **DECODE, compute_s=1e-2)
    assert float(t) == pytest.approx(1e-2, rel=0.01)


@given(counts, counts, st.floats(0, 1e7), shares, st.floats(0, 1e-2))
def test_decode_never_faster_than_reading_or_multiplying(read, items, context, eb, compute) -> None:
    constants = DECODE | {"memory_efficiency": eb}
    t = decode_attention_time_s(read, items, context, W, **constants, compute_s=compute)
    assert float(t) >= max(read / W, compute)


@given(counts, counts, counts, st.floats(1, 10))
def test_decode_is_monotonic(read, items, context, f) -> None:
    base = float(decode_attention_time_s(read, items, context, W, **DECODE)) * (1 - 1e-12)
    for more in (
        (read * f, items, context),
        (read, items * f, context),
        (read, items, context * f),
    ):
        assert float(decode_attention_time_s(*more, W, **DECODE)) >= base


def test_prefill_on_paper() -> None:
    constants = PREFILL | {"start_s": 0.0, "key_step_s": 0.0}
    t = prefill_attention_time_s(0.63 * P, 0.0, 400.0, P, W, **constants)
    assert float(t) == pytest.approx(2.0)


def test_prefill_efficiency_rises_with_tokens() -> None:
    s = np.asarray([512.0, 2048.0, 16384.0, 131072.0])
    flops = 2 * s**2 * 32 * 128
    t = prefill_attention_time_s(flops, 4 * s * 32 * 128, s / 2, P, W, **PREFILL)
    share = flops / P / t
    assert np.all(np.diff(share) > 0)
    assert share[-1] == pytest.approx(0.63, rel=0.03)


@given(st.floats(1, 1e16), counts, st.floats(1, 1e6), shares, shares)
def test_prefill_never_faster_than_the_ideal(flops, moved, keys, ef, eb) -> None:
    constants = PREFILL | {"compute_efficiency": ef, "memory_efficiency": eb}
    t = float(prefill_attention_time_s(flops, moved, keys, P, W, **constants))
    assert t >= max(flops / P, moved / W)


def test_prefill_of_one_token_on_a_long_prefix_is_bound_by_memory() -> None:
    keys = 1e6
    read = keys * 2 * 8 * 128 * 2
    t = prefill_attention_time_s(4 * keys * 64 * 128, read, keys, P, W, **PREFILL)
    assert float(t) >= read / W


def test_arrays_of_any_library_agree_with_scalars() -> None:
    read = [1e6, 1e8]
    one = [float(decode_attention_time_s(x, 8.0, 4096.0, W, **DECODE)) for x in read]
    context = strict.asarray([4096.0, 4096.0])
    for array in (np.asarray(read), strict.asarray(read)):
        t = decode_attention_time_s(array, 8.0, 4096.0, W, **DECODE)
        assert [float(x) for x in t] == pytest.approx(one)
    t = decode_attention_time_s(strict.asarray(read), 8.0, context, W, **DECODE)
    assert [float(x) for x in t] == pytest.approx(one)
    flops = strict.asarray([1e9, 1e12])
    t = prefill_attention_time_s(flops, 1e6, 512.0, P, W, **PREFILL)
    expected = [prefill_attention_time_s(x, 1e6, 512.0, P, W, **PREFILL) for x in (1e9, 1e12)]
    assert [float(x) for x in t] == pytest.approx(expected)
