"""Chapter 1 of the lecture, and the scaling book's rows beside it, through public functions.

One table: the claim's id, a call, what comes out, and how near.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ridgeline as rl
from ridgeline.laws.economics import cost_per_step_usd, cost_usd_per_mtok, throughput_tokens_per_s
from ridgeline.laws.memory import drain_time_s, is_drain_possible, worst_case_latency_s
from ridgeline.laws.roofline import (
    balance_batch,
    balance_batch_with_kv,
    balance_context,
    compute_time_s,
    hardware_ratio,
    kv_fetch_time_s,
    latency_floor_s,
    mfu,
    sparsity,
    sqrt_sparse_context_tokens,
    step_time_s,
    weight_fetch_time_s,
)
from ridgeline.laws.scaling import effective_params_routed
from ridgeline.laws.tiers import batch_ratio, tier_batches
from ridgeline.specs import Model

if TYPE_CHECKING:
    from collections.abc import Callable

BW = 64 * 20e12
#: a KV-free model on a unit machine with R s = 2400: W/M = 1, N_a/C = 1/2400
FLOOR, PER_SEQUENCE = 1.0, 1 / 2400


def step(batch: float, kv: float = 0.0) -> float:
    return float(step_time_s(batch * PER_SEQUENCE, FLOOR, batch * kv))


def per_token(batch: float) -> float:
    return step(batch) / batch


def kv_free(n_params: float, n_params_active: float) -> Any:
    """The balance of a model on 64 Rubin-like chips, through the public question."""
    model = Model.from_counts(n_params_active, n_params, 0.0, 8)
    chip = rl.Chip.parse(
        {
            "id": "board",
            "name": "board",
            "vendor": "-",
            "memory": {"capacity": "288 GB", "bandwidth": "20 TB/s"},
            "peak": {"fp8": "12 PFLOP/s"},
        },
        "test",
    )
    return rl.serving(model, chip, chips=64, context=0).balance


def worked_model() -> Model:
    """SB question 1: 64 layers, D 4096, F 16384, 32 heads and 8 KV heads of 256, V 32128."""
    block = {
        "repeat": 64,
        "mixer": {"kind": "attention", "n_heads": 32, "n_kv_heads": 8, "d_head": 256},
        "ffn": {"kind": "dense", "d_ff": 16384},
    }
    fields = {"id": "sb-q1", "d_model": 4096, "vocab_size": 32128, "tied": True, "blocks": [block]}
    return Model.parse(fields, "test")


def llama_2_13b() -> Model:
    block = {
        "repeat": 40,
        "mixer": {"kind": "attention", "n_heads": 40, "n_kv_heads": 40, "d_head": 128},
        "ffn": {"kind": "dense", "d_ff": 13824},
    }
    return Model.parse(
        {"id": "llama-2-13b", "d_model": 5120, "vocab_size": 32000, "blocks": [block]}, "test"
    )


W, KV = weight_fetch_time_s(700e9, BW), kv_fetch_time_s(2000, 100_000 * 2048, BW)

CLAIMS: list[tuple[str, Callable[[], Any], float, float]] = [
    ("C1-01", lambda: compute_time_s(2000, 37e9, 1e18), 7.4e-5, 1e-6),
    ("C1-02", lambda: W, 5.469e-4, 1e-3),
    ("C1-02", lambda: KV, 3.200e-4, 1e-3),
    ("C1-02", lambda: W + KV, 8.669e-4, 1e-3),
    ("C1-03", lambda: step_time_s(7.4e-5, W, KV), 8.669e-4, 1e-3),
    ("C1-04", lambda: latency_floor_s(700e9, BW), 5.469e-4, 1e-3),
    ("C1-04", lambda: step_time_s(compute_time_s(1, 37e9, 1e18), W, 0.0), 5.469e-4, 1e-3),
    ("C1-05", lambda: _cost_ratio(weight_fetch_time_s(700e9, BW), 1.0), 0.5, 1e-9),
    ("C1-05", lambda: _cost_ratio(None, 1.0), 1.0, 1e-9),
    ("C1-06", lambda: per_token(1) / per_token(1e9), 2400, 1e-6),
    ("C1-07", lambda: balance_batch(300, 8), 2400, 0),
    ("C1-08", lambda: sparsity(256, 32), 8, 0),
    ("C1-09", lambda: 2 * balance_batch(300, 8), 4800, 0),
    ("C1-09", lambda: 3 * balance_batch(300, 8), 7200, 0),
    ("C1-10", lambda: throughput_tokens_per_s(2000, 1.0), 2000, 0),
    ("C1-11", lambda: balance_batch_with_kv(2400.0, 1.0, 0.5), 4800, 1e-6),
    ("C1-12", lambda: balance_batch_with_kv(2400.0, 1.0, 1.0), math.inf, 0),
    ("C1-12", lambda: balance_batch_with_kv(2400.0, 1.0, 2.0), math.inf, 0),
    ("C1-13", lambda: _scaled_balance(10), 1.0, 1e-9),
    ("C1-14", lambda: hardware_ratio(989e12, 2, 3.35e12), 295, 0.02),
    ("C1-15", lambda: hardware_ratio(9e15, 0.5, 8e12), 281, 0.02),
    ("C1-16", lambda: hardware_ratio(312e12, 2, 2.0e12), 156, 0.03),
    ("C1-17", lambda: hardware_ratio(989e12, 2, 4.8e12), 206, 0.02),
    ("C1-18", lambda: hardware_ratio(50e15, 0.5, 20e12), 625, 0.02),
    ("C1-18", lambda: hardware_ratio(35e15, 0.5, 22e12), 398, 0.02),
    ("C1-19", lambda: worst_case_latency_s(0.020), 0.040, 0),
    ("C1-20", lambda: drain_time_s(288e9, 20e12), 0.015, 0.05),
    ("C1-21", lambda: 2 * drain_time_s(288e9, 20e12), 0.030, 0.05),
    ("C1-22", lambda: drain_time_s(80e9, 3.35e12), 23.9e-3, 0.02),
    ("C1-22", lambda: drain_time_s(141e9, 4.8e12), 29.4e-3, 0.02),
    ("C1-22", lambda: drain_time_s(192e9, 8e12), 24.0e-3, 0.02),
    ("C1-22", lambda: drain_time_s(80e9, 2.0e12), 40.0e-3, 0.02),
    ("C1-22", lambda: drain_time_s(16e9, 0.82e12), 19.5e-3, 0.02),
    ("C1-23", lambda: is_drain_possible(0.010, 288e9, 20e12), False, 0),
    ("C1-23", lambda: is_drain_possible(0.015, 288e9, 20e12), True, 0),
    ("C1-24", lambda: throughput_tokens_per_s(2000, 1 / 64), 128_000, 0),
    ("C1-25", lambda: throughput_tokens_per_s(2000, 1 / 64) / 1e8, 1.28e-3, 1e-6),
    ("C1-25", lambda: throughput_tokens_per_s(2000, 1 / 64) / 5e8, 2.56e-4, 1e-6),
    ("C1-26", lambda: _mfu_at_context(2.0), 0.5, 1e-6),
    ("C1-27", lambda: _kv_time(100.0) / _kv_time(1.0), 10.0, 1e-9),
    ("C1-28", lambda: batch_ratio(6, 2.5), 15, 0),
    ("C1-29", lambda: tier_batches(6, 2.5, 2400)[0], 2.5 * 2400, 0),
    ("C1-29", lambda: tier_batches(6, 2.5, 2400)[1], 2400 / 6, 0),
    ("C1-29", lambda: step(6000) / step(400), 2.5, 1e-6),
    ("C1-29", lambda: per_token(400) / per_token(6000), 6.0, 1e-6),
    ("C1-30", lambda: step(1) / step(2400), 1.0, 1e-6),
    ("C1-31", lambda: per_token(60_000) / per_token(6000), 1.0, 1e-6),
    ("C1-32", lambda: _doubled("latency_floor_s"), 2, 1e-9),
    ("C1-32", lambda: _doubled("batch"), 2, 1e-9),
    ("C1-33", lambda: cost_per_step_usd(0.020, 2.0, 1), 1.111e-5, 1e-3),
    ("C1-33", lambda: cost_usd_per_mtok(0.020, 2000, 2.0, 64), 0.3556, 1e-3),
    ("C1-34", lambda: sparsity(671e9, 37e9), 18.14, 0.01),
    ("C1-34", lambda: balance_batch(300, sparsity(671e9, 37e9)), 5441, 0.01),
    ("C1-35", lambda: 1.3e9 / 370e6, 4, 0.15),
    ("C1-36", lambda: effective_params_routed(370e6, 64), 1.37e9, 0.02),
    ("SB-01", lambda: hardware_ratio(1.97e14, 2, 8.2e11), 240, 0.01),
    ("SB-01", lambda: hardware_ratio(1.97e14, 1, 8.2e11), 120, 0.01),
    ("SB-04", lambda: rl.counts(llama_2_13b()).cache_bytes(8192), 6.71e9, 0.005),
    ("SB-08", lambda: drain_time_s(16e9, 8.2e11), 19.5e-3, 0.03),
    ("SB-13", lambda: rl.counts(worked_model()).n_params, 18.4e9, 0.01),
    ("SB-14", lambda: balance_batch(240, sparsity(16, 2)), 1920, 0),
]


def _kv_time(times_context: float) -> float:
    read = sqrt_sparse_context_tokens(1e4 * times_context)
    return kv_fetch_time_s(2000, read * 2048, BW)


def _cost_ratio(fixed_s: float | None, per_sequence_s: float) -> float:
    """Cost per token at twice the batch over that at the batch, of one part of the step."""

    def cost(batch: float) -> float:
        time_s = fixed_s if fixed_s is not None else batch * per_sequence_s
        return cost_usd_per_mtok(time_s, batch, 2.0, 64)

    return cost(2000) / cost(1000)


def _scaled_balance(scale: float) -> float:
    return kv_free(671e9 * scale / 100, 37e9 * scale / 100).batch / kv_free(6.71e9, 0.37e9).batch


def _doubled(name: str) -> float:
    return getattr(kv_free(1342e9, 37e9), name) / getattr(kv_free(671e9, 37e9), name)


def _mfu_at_context(times_balance: float) -> float:
    """Weights amortised, so only KV is read: at twice the balance context MFU halves."""
    context = times_balance * float(balance_context(100e9, 1e18, 2000.0, 1e15))
    compute = compute_time_s(1, 100e9, 1e18)
    return mfu(compute, step_time_s(compute, 0.0, kv_fetch_time_s(1, context * 2000.0, 1e15)))


@pytest.mark.parametrize(
    ("claim", "call", "expected", "rel"), CLAIMS, ids=[f"{c[0]}-{i}" for i, c in enumerate(CLAIMS)]
)
def test_claim(claim: str, call: Callable[[], Any], expected: float, rel: float) -> None:
    assert float(call()) == pytest.approx(float(expected), rel=rel or 1e-12)


def test_large_batch_cost_floor_does_not_depend_on_total_parameters() -> None:
    """C1-32: doubling total parameters leaves the compute part, the floor, where it was."""

    def compute_part(n_params: float) -> float:
        model = Model.from_counts(37e9, n_params, 0.0, 8)
        row = rl.serving(model, "gb200-nvl72", context=0, batch=1e6, price=3).at(1e6)
        assert row["bound"] == "compute"
        return row["usd_per_mtok_output"]

    assert compute_part(1342e9) == pytest.approx(compute_part(671e9))


def test_every_row_of_the_chapter_is_covered() -> None:
    table = Path(__file__).parents[3] / "shared" / "lecture_claims.csv"
    if not table.exists():
        pytest.skip("the table of claims is not part of the project; the ids above are its copy")
    with table.open(encoding="utf-8") as file:
        ids = {row["id"] for row in csv.DictReader(file)}
    asked = {i for i in ids if i.startswith("C1-")} | {"SB-01", "SB-04", "SB-08", "SB-13", "SB-14"}
    assert asked == {c[0] for c in CLAIMS}
