"""Prompts of latent attention: expanded, as kernels for them are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.catalog import engine
from ridgeline.laws.shapes import Stream, pair_macs
from ridgeline.replica import Replica
from ridgeline.specs import Layout
from ridgeline.steps.tokens import decode, prefill

V3 = "deepseek-ai/DeepSeek-V3"
LATENT = Stream("latent", 576, 128 * 1088, expanded_macs=128 * 320, expansion_macs=512 * 128 * 256)


@given(st.integers(0, 10**6), st.integers(1, 10**5))
def test_the_form_with_fewer_multiply_adds(prefix: int, new: int) -> None:
    visible = prefix + (new + 1) / 2
    found = float(pair_macs(LATENT, prefix, new, visible))
    pairs = new * visible
    expanded = LATENT.expanded_macs * pairs + LATENT.expansion_macs * prefix
    assert found * pairs == pytest.approx(min(LATENT.macs * pairs, expanded), rel=1e-9)
    assert LATENT.expanded_macs <= found <= LATENT.macs


def test_other_streams_have_one_form() -> None:
    assert pair_macs(Stream("kv", 256, 4096), 100.0, 4096.0, 2000.0) == 4096


#: microseconds of one layer: prompts of 4,096 tokens, 128 heads, bf16; TensorRT-LLM 1.3.0rc20.
#: NVIDIA AIConfigurator 0.12.0 (Apache-2.0)
MEASURED = {1: 1263e-6, 8: 11_000e-6}


@pytest.mark.parametrize("n", MEASURED)
def test_measured_kernels_of_prompts_are_met(n: int) -> None:
    """Absorbed, the same arithmetic would take 3.4 times as long, and a bound would be none."""
    layout = Layout(attn_dp=8, ep=8)
    replica = Replica(rl.model(V3), rl.cluster("hgx-h100"), layout, engine=engine("tensorrt-llm"))
    timed = {
        reading: sum(
            s / 61
            for op, s in Replica(
                replica.model, replica.cluster, layout, replica.engine, reading=reading
            ).op_seconds(prefill(8.0 * n, 4096.0))
            if op.kind == "attention"
        )
        for reading in ("ideal", "calibrated")
    }
    assert timed["ideal"] < MEASURED[n]
    # Engines' prompts attend at a third of the rate of today's kernels alone.
    assert MEASURED[n] < timed["calibrated"] < 3 * MEASURED[n]


def test_decoding_stays_absorbed() -> None:
    group = decode(np.asarray([1.0, 256.0]), 4096.0)
    ops = Replica(rl.model(V3), rl.cluster("hgx-h200"), Layout(tp=8)).ops(group)
    for op in ops:
        if op.kind == "attention":
            pairs = np.asarray([1.0, 256.0]) * 4096
            np.testing.assert_allclose(op.flops, 2 * 128 * 1088 / 8 * pairs)
