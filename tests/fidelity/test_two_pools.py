"""Disaggregated pools: what must hold whatever the constants."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ridgeline as rl
from ridgeline.catalog import engine_constants
from ridgeline.fidelity.engines.pools import pools_predictions
from ridgeline.fidelity.runs import Prediction, Run

POOLS = {
    "prefill_workers": "2", "prefill_tp": "1", "decode_workers": "2", "decode_tp": "1",
}  # fmt: skip


def run(**changes) -> Run:
    base = Run(
        key="x", source="test", regime="closed", model=rl.model("Qwen/Qwen3-8B"),
        cluster=rl.cluster("hgx-h100"), n_chips=4, layout=None, batch=None, concurrency=32,
        request_rate_per_s=None, isl=2048, osl=256, engine="vllm", engine_version="",
        date="2025-10", notes=POOLS, stated=frozenset(),
    )  # fmt: skip
    return replace(base, **changes)


def predicted(metric: str, *runs: Run) -> Prediction:
    """Of the first of the runs, which are predicted together."""
    return pools_predictions([(one, metric) for one in runs], engine_constants())[0]


def value(metric: str, **changes) -> float:
    found = predicted(metric, run(**changes))
    assert found.status == "ok"
    assert found.low < found.value < found.high
    return found.value


def test_littles_law_closes_the_loop() -> None:
    first, step = value("ttft_s"), value("tpot_s")
    assert value("output_tokens_per_s") == pytest.approx(32 * 256 / (first + 255 * step), rel=1e-3)


def test_more_prefill_workers_shorten_the_wait_of_a_full_pool() -> None:
    many = {**POOLS, "prefill_workers": "8"}
    assert value("ttft_s", concurrency=2000, notes=many) < value("ttft_s", concurrency=2000)


def test_a_prompts_cache_is_sent_before_its_first_token_by_the_narrower_side() -> None:
    model, hgx = rl.model("Qwen/Qwen3-8B"), rl.cluster("hgx-h100")
    assert hgx.link is not None
    slow = hgx.model_copy(update={"link": hgx.link / 1000})
    sent = float(rl.counts(model).cache_bytes(2048))
    gained = value("ttft_s", concurrency=1, cluster=slow) - value("ttft_s", concurrency=1)
    assert gained == pytest.approx(999 * sent / hgx.link, rel=1e-6)


def test_more_in_flight_never_decode_faster() -> None:
    steps = [value("tpot_s", concurrency=c) for c in (4, 32, 128)]
    assert steps == sorted(steps)


def test_what_pools_cannot_say_is_said() -> None:
    found = predicted("tpot_s", run(concurrency=None))
    assert found.status == "disaggregated"
    for cell, what in (("two", "tp"), ("inf", "tp"), ("0", "workers"), ("nan", "workers")):
        bad = predicted("tpot_s", run(notes={**POOLS, f"decode_{what}": cell}))
        assert bad.status == "no-pools"


def test_runs_together_are_predicted_as_each_alone() -> None:
    wide = {**POOLS, "decode_tp": "2", "prefill_workers": "4"}
    runs = [run(isl=1000 + 500 * i, concurrency=8 * 3**i) for i in range(5)]
    runs += [run(osl=900, notes=wide), run(osl=900, notes=wide, concurrency=4000)]
    for metric in ("ttft_s", "tpot_s", "output_tokens_per_s_per_chip"):
        together = pools_predictions([(one, metric) for one in runs], engine_constants())
        for one, found in zip(runs, together, strict=True):
            alone = predicted(metric, one)
            assert (alone.status, alone.reason) == (found.status, found.reason)
            assert [found.value, found.low, found.high] == pytest.approx(
                [alone.value, alone.low, alone.high], rel=1e-12
            )
