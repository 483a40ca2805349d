"""Each law once with units on its inputs: what comes out has the unit its docstring says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pint
import pytest

from ridgeline.laws import (
    bubbles,
    budget,
    economics,
    energy,
    failures,
    memory,
    network,
    roofline,
    schedule_times,
    schedules,
    tiers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

u = pint.UnitRegistry()
u.define("usd = [money]")
u.define("token = [token]")

PER_S, RATE = 1e15 / u.second, 1e12 * u.byte / u.second
KV = 2048 * u.byte / u.token
PASSES = (10 * u.ms, 12 * u.ms, 8 * u.ms)
STAGES = np.array([1.0, 1.0, 2.0]) * u.s

TABLE: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (roofline.multiplies_per_s, (1e15 / u.second,), "1/second"),
    (roofline.compute_time_s, (2000, 37e9, PER_S), "second"),
    (roofline.weight_fetch_time_s, (7e11 * u.byte, RATE), "second"),
    (roofline.kv_fetch_time_s, (2000, 2e8 * u.byte, RATE), "second"),
    (roofline.step_time_s, (1 * u.s, 2 * u.ms, 3 * u.us), "second"),
    (roofline.step_time_added_s, (1 * u.s, 2 * u.ms, 3 * u.us), "second"),
    (roofline.latency_floor_s, (7e11 * u.byte, RATE), "second"),
    (roofline.hardware_ratio, (1e15 / u.s, 2 * u.byte, RATE), ""),
    (roofline.sparsity, (256, 32), ""),
    (roofline.balance_batch, (300, 8), ""),
    (roofline.balance_batch_with_kv, (2.4 * u.s, 1 * u.ms, 500 * u.us), ""),
    (roofline.balance_context, (100e9, PER_S, KV, RATE), "token"),
    (roofline.sqrt_sparse_context_tokens, (1e6 * u.token, 1 * u.token), "token"),
    (roofline.mfu, (1 * u.s, 2 * u.s), ""),
    (memory.drain_time_s, (288e9 * u.byte, RATE), "second"),
    (memory.worst_case_latency_s, (20 * u.ms,), "second"),
    (memory.memory_needed_bytes, (7e11 * u.byte, 2000, 2e8 * u.byte), "byte"),
    (memory.largest_batch, (8e10 * u.byte, 1.6e10 * u.byte, 1e9 * u.byte), ""),
    (memory.mean_decode_context_tokens, (4096 * u.token, 1024 * u.token), "token"),
    (economics.throughput_tokens_per_s, (2000 * u.token, 1 * u.s), "token/second"),
    (budget.token_flops, (6 / u.token, 1e11, 2e14 * u.token), ""),
    (budget.cost_tokens, (2e14 * u.token, 1e14 * u.token, 2e14 * u.token, 1.5, 1.0), "token"),
    (budget.tokens_at_share, (6e14 * u.token, 0.5, 1.5), "token"),
    (budget.total_of_share, (2e14 * u.token, 0.5, 1.5), "token"),
    (budget.traffic_tokens, (5e7 * u.token / u.s, 60 * u.day), "token"),
    (budget.expected_tokens, (2e14 * u.token, 0.5), "token"),
    (budget.chinchilla_tokens, (1e11, 20 * u.token), "token"),
    (budget.overtraining_factor, (2e14 * u.token, 1e11, 20 * u.token), ""),
    (budget.chip_seconds, (1e25, PER_S, 0.4), "second"),
    (tiers.batch_ratio, (6, 2.5), ""),
    (energy.energy_j, (700 * u.watt, 1 * u.hour), "joule"),
    (
        energy.sustained_clock,
        (400 * u.watt, 312e12 / u.second, 0.7e-12 * u.joule, 0.5),
        "dimensionless",
    ),
    (failures.young_interval_s, (50 * u.s, 3 * u.hour), "second"),
    (failures.daly_interval_s, (50 * u.s, 3 * u.hour), "second"),
    (failures.expected_run_s, (30 * u.day, 1 * u.ks, 50 * u.s, 5 * u.minute, 3 * u.hour), "second"),
    (network.group_rate_bytes_per_s, (4, RATE, RATE / 7, 2), "byte/second"),
    (network.peer_rate_bytes_per_s, (RATE, RATE / 7, 2), "byte/second"),
    (network.transfer_rate_bytes_per_s, (4, 2, RATE, RATE / 7, 2), "byte/second"),
    (bubbles.one_f_one_b_bubble_s, (4, *PASSES), "second"),
    (bubbles.interleaved_bubble_s, (4, 2, *PASSES), "second"),
    (bubbles.zb_h1_bubble_s, (4, *PASSES), "second"),
    (bubbles.zb_h2_bubble_s, (4, *PASSES), "second"),
    (bubbles.zb_v_bubble_s, (4, *PASSES), "second"),
    (bubbles.v_half_bubble_s, (4, *PASSES), "second"),
    (bubbles.v_min_bubble_s, (4, *PASSES), "second"),
    (bubbles.dualpipe_bubble_s, (4, *PASSES), "second"),
    (bubbles.bubble_s, ("dualpipev", 4, 2, *PASSES, 25 * u.ms), "second"),
    (bubbles.bubble_share, (9 * u.s, 24 * u.s), ""),
    (schedules.wait_for_all_s, ("zb-h2", 4, 1, 10 * u.ms), "second"),
    (schedules.in_flight_chunks, ("1f1b", 4, 8), ""),
    (schedules.fewest_micro_batches, ("zb-v", 4), ""),
    (schedule_times.gpipe_time_s, (STAGES, 2 * STAGES, 4, 1 * u.ms), "second"),
    (schedule_times.one_f_one_b_time_s, (STAGES, 2 * STAGES, 4, 1 * u.ms), "second"),
    (schedule_times.interleaved_time_s, (STAGES, 2 * STAGES, 6, 2, 1 * u.ms), "second"),
]


@pytest.mark.parametrize(("law", "inputs", "unit"), TABLE, ids=[t[0].__name__ for t in TABLE])
def test_unit(law: Callable[..., Any], inputs: tuple[Any, ...], unit: str) -> None:
    value = u.Quantity(law(*inputs))
    assert value.dimensionality == u.parse_units(unit).dimensionality


def test_wrong_units_do_not_pass() -> None:
    """The test can fail: a capacity where a rate is due comes out as no time at all."""
    value = roofline.weight_fetch_time_s(7e11 * u.byte, 8e10 * u.byte)
    assert u.Quantity(value).dimensionality != u.second.dimensionality
    with pytest.raises(pint.DimensionalityError):
        roofline.step_time_s(1 * u.s, 2 * u.byte, 3 * u.byte)
