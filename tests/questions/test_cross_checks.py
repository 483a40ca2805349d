"""What independently fitted tools agree on, within 15 % of the middle of their range."""

from __future__ import annotations

import pytest

import ridgeline as rl

LLAMA_8B = {"model": "meta-llama/Llama-3.1-8B-Instruct", "on": "h100-sxm", "isl": 512, "osl": 512}


@pytest.mark.parametrize(
    ("question", "batch", "column", "low_s", "high_s"),
    [
        (LLAMA_8B, 7, "tpot_s", 6.8e-3, 7.4e-3),
        (LLAMA_8B, 50, "tpot_s", 9.8e-3, 10.2e-3),
        (
            {
                "model": "meta-llama/Llama-3.1-70B-Instruct", "on": "h200-sxm",
                "weight_dtype": "fp8", "layout": rl.Layout(tp=8), "isl": 1024, "osl": 1024,
            },
            64, "time_s", 12.4e-3, 13.5e-3,
        ),
    ],
    ids=["8B, 7 live", "8B, 50 live", "70B fp8 on 8 H200, 64 live"],
)  # fmt: skip
def test_inter_token_latency(
    question: dict, batch: int, column: str, low_s: float, high_s: float
) -> None:
    """One H100 with prefill between steps, as the tools count it; the larger machine without."""
    row = rl.serving(**question, batch=[batch]).at(batch)
    assert row[column] == pytest.approx((low_s + high_s) / 2, rel=0.15)


def test_one_h100_saturates_before_thirty_requests_a_second() -> None:
    """With as many sequences as fit."""
    answer = rl.serving(**LLAMA_8B)
    row = answer.at(answer.balance.largest_batch)
    assert row["requests_per_s"] < 30
    assert row["tokens_per_s_per_chip"] == pytest.approx(10_500, rel=0.15)
