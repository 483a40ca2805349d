"""Limits, monotonicity, scaling; scalars equal arrays; any array library gives the same."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws import economics, memory, roofline, scaling, tiers

positive = st.floats(1e-3, 1e15)
seconds = st.floats(1e-9, 1e3)


@given(seconds, seconds, seconds)
def test_rival_forms_of_the_step_bracket_each_other(c: float, w: float, kv: float) -> None:
    lecture = roofline.step_time_s(c, w, kv)
    added = roofline.step_time_added_s(c, w, kv)
    assert lecture <= added * (1 + 1e-12)
    assert added <= 2 * lecture * (1 + 1e-12)
    assert roofline.step_time_s(c, w, 0.0) == roofline.step_time_added_s(c, w, 0.0)


@given(seconds, seconds, seconds, st.floats(1, 1e3))
def test_step_never_shrinks_with_more_work(c: float, w: float, kv: float, f: float) -> None:
    base = roofline.step_time_s(c, w, kv)
    for more in ((c * f, w, kv), (c, w * f, kv), (c, w, kv * f)):
        assert roofline.step_time_s(*more) >= base


@given(seconds, seconds, st.floats(0, 0.999))
def test_balance_batch_balances(w: float, c: float, share: float) -> None:
    k = share * c
    b = float(roofline.balance_batch_with_kv(w, c, k))
    assert b * c == pytest.approx(w + b * k, rel=1e-6)
    assert b >= w / c * (1 - 1e-12)


@given(seconds, seconds, st.floats(1, 10))
def test_no_balance_where_kv_outruns_compute(w: float, c: float, ratio: float) -> None:
    assert roofline.balance_batch_with_kv(w, c, c * ratio) == np.inf


def test_balance_batch_takes_arrays_that_mix_both() -> None:
    b = roofline.balance_batch_with_kv(1.0, np.asarray([1.0, 1.0]), np.asarray([0.5, 2.0]))
    assert b.tolist() == [2.0, np.inf]


@given(positive, positive)
def test_balance_context_balances(n: float, kv: float) -> None:
    c, m = 1e15, 1e12
    tokens = float(roofline.balance_context(n, c, kv, m))
    assert tokens * kv / m == pytest.approx(n / c, rel=1e-9)
    assert roofline.balance_context(n, c, 0.0, m) == np.inf


@given(st.floats(1, 1e12), st.floats(1, 1e12), st.floats(1, 1e9) | st.just(0.0))
def test_largest_batch_fills_memory(capacity: float, weights: float, cache: float) -> None:
    b = float(memory.largest_batch(capacity, weights, cache))
    if capacity <= weights:
        assert b == 0
    elif cache == 0:
        assert b == np.inf
    else:
        assert memory.memory_needed_bytes(weights, b, cache) == pytest.approx(capacity)


@given(st.floats(1, 1e6), seconds)
def test_cost_parts_add_up(batch: float, t: float) -> None:
    whole = economics.cost_usd_per_mtok(t, batch, 2.0, 8)
    halves = 2 * economics.cost_usd_per_mtok(t / 2, batch, 2.0, 8)
    assert whole == pytest.approx(halves)
    spent = economics.cost_per_step_usd(t, 2.0, 8)
    assert whole == pytest.approx(spent / batch * 1e6)


@given(st.floats(1, 100), st.floats(1, 100))
def test_tiers_agree_with_their_ratio(price: float, speed: float) -> None:
    normal, fast = tiers.tier_batches(price, speed, 2400.0)
    assert normal / fast == pytest.approx(tiers.batch_ratio(price, speed))


@given(st.floats(15e6, 1.3e9), st.floats(1, 512), st.floats(1, 512))
def test_more_experts_are_never_worth_less(n: float, e: float, f: float) -> None:
    low, high = sorted((e, f))
    assert scaling.effective_params_routed(n, high) >= scaling.effective_params_routed(n, low) * (
        1 - 1e-12
    )


def test_one_expert_is_the_dense_model() -> None:
    assert float(scaling.effective_params_routed(370e6, 1)) == pytest.approx(370e6)


LAWS = [
    (roofline.compute_time_s, (2000.0, 37e9, 1e18)),
    (roofline.kv_fetch_time_s, (2000.0, 2e8, 1e15)),
    (roofline.step_time_s, (1e-4, 5e-4, 3e-4)),
    (roofline.step_time_added_s, (1e-4, 5e-4, 3e-4)),
    (roofline.balance_batch_with_kv, (1.0, 1e-3, 5e-4)),
    (roofline.balance_context, (1e11, 1e15, 2048.0, 1e12)),
    (memory.largest_batch, (8e10, 1.6e10, 1e9)),
    (economics.cost_usd_per_mtok, (0.02, 2000.0, 2.0, 64.0)),
    (scaling.effective_params_routed, (370e6, 64.0)),
]


@pytest.mark.parametrize(("law", "inputs"), LAWS, ids=[x[0].__name__ for x in LAWS])
def test_scalars_arrays_and_strict_arrays_agree(law, inputs) -> None:
    scalar = float(law(*inputs))
    assert law(*(np.full(3, x) for x in inputs)).tolist() == [scalar] * 3
    for varied in range(len(inputs)):
        mixed = [strict.asarray([x, x]) if i == varied else x for i, x in enumerate(inputs)]
        assert [float(v) for v in law(*mixed)] == pytest.approx([scalar] * 2, rel=1e-12)
