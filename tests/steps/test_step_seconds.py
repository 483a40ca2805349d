"""A step timed without its parts is the step timed with them."""

from __future__ import annotations

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.specs import Layout
from ridgeline.steps.calibrated import calibration, step_seconds, time_step
from ridgeline.steps.tokens import decode, prefill
from ridgeline.steps.work import work


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("deepseek-ai/DeepSeek-V3", Layout(attn_dp=8, ep=8)),
        ("Qwen/Qwen3-8B", Layout(tp=4, pp=2)),
        ("tiiuae/falcon-mamba-7b", Layout(tp=2)),
    ],
)
def test_the_sum_is_the_sum_of_the_parts(name: str, layout: Layout) -> None:
    cal = calibration(rl.cluster("hgx-h200"))
    batch, context = np.asarray([[1.0], [64.0]]), np.asarray([[128.0, 8192.0, 65_536.0]])
    for groups in ([decode(batch, context)], [decode(batch, context), prefill(batch / 100, 512)]):
        pieces = work(rl.model(name), layout, groups, domain_size=8)
        whole, parts = step_seconds(pieces, cal), time_step(pieces, cal).time_s
        np.testing.assert_allclose(whole + 0 * parts, parts + 0 * whole, rtol=1e-12)
