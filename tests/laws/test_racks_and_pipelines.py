"""Racks, pipelines, long contexts, traffic, cuts: units, limits and monotony of their laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import array_api_strict as strict
import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws import context, cuts, pipeline, rack, traffic
from ridgeline.laws.parallel import share_across
from ridgeline.laws.roofline import weight_fetch_time_s

if TYPE_CHECKING:
    from collections.abc import Callable

u = pint.UnitRegistry()
u.define("token = [token]")

RATE, GB = 1e12 * u.byte / u.second, 1e9 * u.byte
KV = 2048 * u.byte / u.token

DIMENSIONS: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (rack.egress_time_s, (GB, 8, RATE, 0.5), "second"),
    (rack.spread_slowdown, (2.0, 8.0), ""),
    (rack.scale_up_over_scale_out, (8, 1, 8), ""),
    (rack.chips_within, (132e3 * u.watt, 4e3 * u.watt, 1.6e3 * u.watt), ""),
    (pipeline.weights_per_chip_bytes, (GB, 64, 4), "byte"),
    (pipeline.kv_per_chip_bytes, (2400, 1e5 * u.token * KV, 64, 1), "byte"),
    (context.windowed_context_tokens, (1e5 * u.token, 1e3 * u.token, 0.25), "token"),
    (context.shared_context_tokens, (1e5 * u.token, 4), "token"),
    (context.largest_context_tokens, (GB, 64, KV), "token"),
    (traffic.fill_time_s, (2400, 100 / u.second), "second"),
    (traffic.mean_wait_s, (2400, 100 / u.second), "second"),
    (traffic.sequences_in_flight, (100 / u.second / u.token, 1000 * u.token, 20 * u.ms), ""),
    (cuts.weight_stationary_1d_bytes, (512, 18432, 2 * u.byte), "byte"),
    (cuts.weight_stationary_2d_bytes, (512, 18432, 64, 2 * u.byte), "byte"),
    (cuts.weight_gathered_bytes, (512, 18432, 73728, 64, 2 * u.byte), "byte"),
    (cuts.useful_tensor_parallel, (16384, 32, 8), ""),
]


@pytest.mark.parametrize(
    ("law", "inputs", "unit"), DIMENSIONS, ids=[t[0].__name__ for t in DIMENSIONS]
)
def test_unit(law: Callable[..., Any], inputs: tuple[Any, ...], unit: str) -> None:
    value = u.Quantity(law(*inputs))
    assert value.dimensionality == u.parse_units(unit).dimensionality


def test_laws_broadcast() -> None:
    n = np.asarray([1, 2, 4])
    assert rack.spread_slowdown(n, 8.0).tolist() == [1, 4, 6]
    assert pipeline.stage_idle_share(n, 4).tolist() == [0.75, 0.5, 0.0]
    assert pipeline.token_latency_s(1.0, n, 0.5).tolist() == [1.0, 2.0, 3.0]
    assert pipeline.fewest_stages(20.0, np.asarray([0.0, 8.0, 30.0]), 13.8).tolist() == [
        2.0,
        4.0,
        np.inf,
    ]
    assert rack.chips_used(256, np.asarray([8, 64, 72, 100, 512])).tolist() == [8, 64, 64, 86, 256]


@given(st.integers(1, 1024), st.integers(1, 4096))
def test_whole_experts_fill_what_they_can(n_experts: int, n_chips: int) -> None:
    used, each = rack.chips_used(n_experts, n_chips), -(-n_experts // n_chips)
    assert 1 <= used <= min(n_chips, n_experts)
    assert (used - 1) * each < n_experts <= used * each


@given(st.integers(1, 64), st.floats(1, 50))
def test_spreading_never_pays_and_never_costs_more_than_the_ratio(n: int, ratio: float) -> None:
    slower = float(rack.spread_slowdown(n, ratio))
    assert slower <= max(ratio, 1)
    assert slower >= share_across(n)
    assert float(rack.spread_slowdown(n + 1, ratio)) >= slower or slower == pytest.approx(
        1 - share_across(n)
    )


@given(st.floats(1, 1e4), st.integers(1, 64))
def test_stages_divide_weights_not_caches(micro_batch: float, p: int) -> None:
    in_flight = pipeline.batch_in_flight(micro_batch, p)
    assert pipeline.kv_per_chip_bytes(in_flight, 1e9, 72, p) == pytest.approx(
        pipeline.kv_per_chip_bytes(micro_batch, 1e9, 72, 1)
    )
    assert pipeline.weights_per_chip_bytes(1e12, 72, p) * p == pytest.approx(1e12 / 72)


@given(st.floats(1e9, 1e14), st.floats(0, 1e13), st.floats(1e11, 2e13))
def test_the_fewest_stages_hold_the_model_and_fewer_do_not(
    weights: float, caches: float, stage: float
) -> None:
    p = float(pipeline.fewest_stages(weights, caches, stage))
    if caches >= stage:
        assert p == np.inf
        return
    assert weights / p <= (stage - caches) * (1 + 1e-9)
    assert p == 1 or weights / (p - 1) > (stage - caches) * (1 - 1e-9)


@given(st.floats(1, 1e8), st.floats(1, 1e6), st.floats(0, 1))
def test_windows_never_read_more(tokens: float, window: float, full: float) -> None:
    read = float(context.windowed_context_tokens(tokens, window, full))
    assert read <= tokens * (1 + 1e-12)
    assert read >= full * tokens * (1 - 1e-12)


@given(st.floats(1e-4, 1), st.integers(1, 4096))
def test_the_budget_spends_the_whole_time(time_s: float, batch: int) -> None:
    """What it leaves each sequence, read with the weights, takes the time again."""
    weights, bandwidth = 7e11, 5e14
    left = float(context.kv_budget_bytes(time_s, weights, batch, bandwidth))
    if left > 0:
        again = weight_fetch_time_s(weights + batch * left, bandwidth)
        assert again == pytest.approx(time_s)
    else:
        assert weight_fetch_time_s(weights, bandwidth) >= time_s * (1 - 1e-12)


def test_traffic_is_littles_law_both_ways() -> None:
    n = traffic.sequences_in_flight(37.0, 800, 0.03)
    assert traffic.requests_per_s_in_flight(n, 800, 0.03) == pytest.approx(37.0)
    assert traffic.mean_wait_s(1, 5.0) == 0
    assert traffic.mean_wait_s(1001, 100) == pytest.approx(traffic.fill_time_s(1000, 100) / 2)


def test_evictions_keep_the_cache_full() -> None:
    """Each of B sequences frees isl + osl tokens once in osl steps."""
    assert traffic.tokens_evicted_per_step(32, 0, 512) == 32
    assert traffic.tokens_evicted_per_step(32, 512, 512) == 64


@given(st.integers(2, 4096))
def test_where_two_dimensions_pay(n: int) -> None:
    """At F = 4 E both cuts send the same on 16 chips."""
    one = cuts.weight_stationary_1d_bytes(64, 1024, 2)
    two = cuts.weight_stationary_2d_bytes(64, 1024, n, 2)
    assert bool(cuts.cut_2d_pays(n, 1024, 4096)) == (two < one)


def test_a_rack_of_ocp_sizing_cools_its_kilowatts() -> None:
    per_kw = 1.5e-3 / 60
    assert rack.coolant_power_w(per_kw, 10) == pytest.approx(1045)
    assert rack.chips_within(100.0, 120.0, 1.0) == 0


STRICT: list[tuple[Callable[..., Any], tuple[float, ...]]] = [
    (rack.chips_used, (256.0, 72.0)),
    (rack.egress_time_s, (1e9, 8.0, 450e9, 0.5)),
    (rack.spread_slowdown, (2.0, 8.0)),
    (rack.scale_up_over_scale_out, (8.0, 1.0, 8.0)),
    (rack.fewest_layers_per_stage, (2.0, 8.0)),
    (rack.chips_within, (132e3, 4400.0, 1625.0)),
    (rack.coolant_power_w, (3e-3, 10.0)),
    (rack.n_cables, (72.0, 18.0, 4.0)),
    (pipeline.batch_in_flight, (2400.0, 4.0)),
    (pipeline.stage_idle_share, (2.0, 4.0)),
    (pipeline.token_latency_s, (0.02, 4.0, 0.0025)),
    (pipeline.weights_per_chip_bytes, (1e12, 64.0, 4.0)),
    (pipeline.kv_per_chip_bytes, (9600.0, 2e8, 64.0, 4.0)),
    (pipeline.fewest_stages, (20e12, 1e12, 13.8e12)),
    (context.windowed_context_tokens, (1e5, 1024.0, 0.25)),
    (context.shared_context_tokens, (1e5, 4.0)),
    (context.kv_budget_bytes, (0.02, 7e11, 2400.0, 576e12)),
    (context.largest_context_tokens, (1e12, 128.0, 120832.0)),
    (context.overtaking_context_tokens, (1e11, 32768.0)),
    (traffic.fill_time_s, (2400.0, 100.0)),
    (traffic.mean_wait_s, (2400.0, 100.0)),
    (traffic.sequences_in_flight, (100.0, 1000.0, 0.02)),
    (traffic.requests_per_s_in_flight, (2000.0, 1000.0, 0.02)),
    (traffic.tokens_evicted_per_step, (32.0, 8192.0, 4096.0)),
    (cuts.weight_stationary_1d_bytes, (512.0, 18432.0, 2.0)),
    (cuts.weight_stationary_2d_bytes, (512.0, 18432.0, 64.0, 2.0)),
    (cuts.weight_gathered_bytes, (512.0, 18432.0, 73728.0, 64.0, 2.0)),
    (cuts.useful_tensor_parallel, (16384.0, 32.0, 8.0)),
]


@pytest.mark.parametrize(("law", "inputs"), STRICT, ids=[t[0].__name__ for t in STRICT])
def test_scalars_arrays_and_strict_arrays_agree(
    law: Callable[..., Any], inputs: tuple[float, ...]
) -> None:
    scalar = float(law(*inputs))
    assert law(*(np.full(3, x) for x in inputs)).tolist() == [scalar] * 3
    for varied in range(len(inputs)):
        mixed = [strict.asarray([x, x]) if i == varied else x for i, x in enumerate(inputs)]
        assert [float(v) for v in law(*mixed)] == pytest.approx([scalar] * 2, rel=1e-12)
