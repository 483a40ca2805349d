"""A step timed without its parts is the step timed with them."""

from __future__ import annotations

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.replica import READINGS, Replica
from ridgeline.specs import Layout
from ridgeline.steps.tokens import decode, prefill

CASES = [
    ("deepseek-ai/DeepSeek-V3", Layout(attn_dp=8, ep=8)),
    ("Qwen/Qwen3-8B", Layout(tp=4, pp=2)),
    ("Qwen/Qwen3-8B", Layout(tp=1, pp=8)),
    ("tiiuae/falcon-mamba-7b", Layout(tp=2)),
]


@pytest.mark.parametrize(("name", "layout"), CASES)
@pytest.mark.parametrize("reading", READINGS)
def test_the_sum_is_the_sum_of_the_parts(name: str, layout: Layout, reading: str) -> None:
    replica = Replica(rl.model(name), rl.cluster("hgx-h200"), layout, reading=reading)
    batch, context = np.asarray([[1.0], [64.0]]), np.asarray([[128.0, 8192.0, 65_536.0]])
    for groups in ([decode(batch, context)], [decode(batch, context), prefill(batch / 100, 512)]):
        whole, step = replica.seconds(*groups), replica.step(*groups)
        np.testing.assert_allclose(whole + 0 * step.time_s, step.time_s + 0 * whole, rtol=1e-12)


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_ops_and_the_host_are_the_step(name: str, layout: Layout) -> None:
    """With prompts too, where all kernels lie further apart."""
    replica = Replica(rl.model(name), rl.cluster("hgx-h200"), layout)
    for groups in ([decode(64.0, 4096.0)], [decode(64.0, 4096.0), prefill(2.0, 512.0)]):
        timed = replica.op_seconds(*groups)
        whole = sum(seconds for _, seconds in timed) + replica.host_s(*groups)
        assert whole == pytest.approx(replica.seconds(*groups), rel=1e-12)
        assert [op for op, _ in timed] == list(replica.ops(*groups))
