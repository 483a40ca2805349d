"""Chapter 5 of the lecture through public functions: the claim's id, a call, and what comes out."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.budget import (
    BACKWARD_FLOPS,
    FORWARD_FLOPS,
    TRAINING_FLOPS,
    chinchilla_tokens,
    cost_tokens,
    demand_exponent,
    expected_tokens,
    inference_weight,
    overtraining_factor,
    rl_weight,
    token_flops,
    tokens_at_share,
    total_of_share,
    traffic_tokens,
)
from ridgeline.laws.equal_cost import (
    equal_cost_excess,
    equal_cost_x,
    optimum_cost_ratio,
    optimum_x,
)
from ridgeline.laws.loss import cheapest_at_loss, loss_nats, loss_slope_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

PRINTED = (406.4, 410.7, 0.34, 0.28)
DAY_S = 86_400
THIRD, QUARTER = 1 / 3, 1 / 4


def thirds(inference_tokens: float) -> tuple[float, float]:
    """Tokens of pre-training and of RL beside so many of inference, each at the same cost."""
    total = total_of_share(inference_tokens, THIRD, inference_weight(THIRD))
    return tokens_at_share(total, THIRD, 1), tokens_at_share(total, THIRD, rl_weight(3, THIRD))


def halves() -> tuple[float, float]:
    """Tokens of RL and inference beside 200T: training costs what inference does."""
    total = total_of_share(200e12, QUARTER, 1)
    return (
        tokens_at_share(total, QUARTER, rl_weight(3, THIRD)),
        tokens_at_share(total, 2 * QUARTER, inference_weight(THIRD)),
    )


def cheapest() -> tuple[float, float, float]:
    """N, D and inference over training of the loss of (100B, 2T) that serves 200T."""
    demand = inference_weight(1) * 200e12
    n, d = cheapest_at_loss(loss_nats(100e9, 2e12, 0, *PRINTED), demand, *PRINTED)
    return n, d, demand / d


def training_to_demand() -> tuple[float, float]:
    """Right side of the condition at (100B, 200T), and inference over training that it implies."""
    rho = loss_slope_ratio(1e11, 2e14, *PRINTED)
    return rho, demand_exponent(rho)


CLAIMS: list[tuple[str, Callable[[], Any], Any, float]] = [
    ("C5-01", lambda: token_flops(TRAINING_FLOPS, 100e9, 200e12), 1.2e26, 1e-12),
    ("C5-02", lambda: [token_flops(k, 100e9, 200e12) for k in (FORWARD_FLOPS, 2, 6)],
     [4.0e25, 4.0e25, 1.2e26], 1e-12),
    ("C5-03", lambda: (FORWARD_FLOPS, BACKWARD_FLOPS, TRAINING_FLOPS), (2, 4, 6), 1e-12),
    ("C5-04", lambda: (optimum_x(1, 1, 1, 1), equal_cost_x(1, 1, 1, 1)), (1, 1), 1e-6),
    # e^x + e^-x is u + 1/u
    ("C5-05", lambda: 1 + math.log(optimum_x(1, 1, 1, 1)), 1 + 0, 1e-6),
    ("C5-06", lambda: optimum_cost_ratio(2, 1), 0.5, 1e-6),
    ("C5-07", lambda: (rl_weight(3, THIRD), inference_weight(THIRD)), (1.5, 1.0), 1e-12),
    ("C5-08", lambda: (rl_weight(2, 0.30), rl_weight(6, 0.30), inference_weight(0.30)),
     (1.11, 3.33, 1.11), 0.01),
    # to multiply by the efficiency is to divide by its inverse
    ("C5-09", lambda: inference_weight(1 / 0.3), 0.1, 1e-12),
    ("C5-10", lambda: [token_flops(2, n, 3e14) / token_flops(6, n, 1e14) for n in (1e11, 1e12)],
     [1, 1], 1e-12),
    ("C5-11", lambda: thirds(200e12), (200e12, 133.3e12), 1e-3),
    ("C5-12", halves, (133.3e12, 400e12), 1e-3),
    ("C5-13", lambda: traffic_tokens(500e6, 60 * DAY_S), 2.592e15, 0.01),
    ("C5-14", lambda: traffic_tokens(50e6, 60 * DAY_S), 2.592e14, 1e-12),
    ("C5-15", lambda: chinchilla_tokens(100e9), 2e12, 1e-12),
    ("C5-16", lambda: overtraining_factor(200e12, 100e9), 100, 1e-12),
    ("C5-17", lambda: [overtraining_factor(d, 100e9) for d in (259.2e12, 150e12)],
     [129.6, 75], 1e-12),
    ("C5-18", lambda: thirds(expected_tokens(200e12, 0.5))[0], 100e12, 1e-12),
    ("C5-19", training_to_demand, (2.208, 1.21), 0.02),
    ("C5-20", cheapest, (1.12e10, 3.5e13, 1.9), 0.10),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "call", "expected", "rel"), CLAIMS, ids=[c[0] for c in CLAIMS])
def test_claim(claim: str, call: Callable[[], Any], expected: Any, rel: float) -> None:
    assert call() == pytest.approx(expected, rel=rel), claim


def test_every_row_of_the_chapter_is_there() -> None:
    path = Path(__file__).parents[3] / "shared" / "lecture_claims.csv"
    if not path.exists():
        pytest.skip("the lecture's claims are not beside this checkout")
    with path.open(newline="") as lines:
        rows = [row["id"] for row in csv.DictReader(lines) if row["chapter"] == "5"]
    assert rows == [c[0] for c in CLAIMS]


exponents = st.floats(0.05, 5)


@given(p=exponents, q=exponents, a=st.floats(0.01, 100), b=st.floats(0.01, 100))
def test_equal_cost_is_the_optimum_exactly_where_exponents_agree(
    p: float, q: float, a: float, b: float
) -> None:
    at = optimum_x(a, p, b, q)
    assert a * at**-p / (b * at**q) == pytest.approx(optimum_cost_ratio(p, q), rel=1e-9)
    equal = equal_cost_x(a, p, b, q)
    least, here = (a * x**-p + b * x**q for x in (at, equal))
    assert here / least - 1 == pytest.approx(equal_cost_excess(p, q), abs=1e-9)
    if abs(math.log(p / q)) > 0.01:
        assert equal_cost_excess(p, q) > 0
        assert at != equal
    assert equal_cost_x(a, p, b, p) == pytest.approx(optimum_x(a, p, b, p))
    assert equal_cost_excess(p, p) == pytest.approx(0, abs=1e-12)


@given(n=st.floats(9, 13).map(lambda x: 10**x), d=st.floats(11, 15).map(lambda x: 10**x))
def test_on_a_loss_law_equal_cost_is_the_optimum_where_exponents_agree(n: float, d: float) -> None:
    """All that is done besides costs as much as training: the cheapest where the exponent is 1."""
    loss = loss_nats(n, d, 0, *PRINTED)
    p = demand_exponent(loss_slope_ratio(n, d, *PRINTED))
    if p <= 1e-3:
        return
    # with the demand that makes this model the cheapest, its cost is p times the training's
    best = cheapest_at_loss(loss, p * d, *PRINTED)
    assert best == pytest.approx((n, d), rel=1e-5)


@given(
    e=st.floats(0.05, 1.5), k=st.floats(2, 6), d=st.floats(1e10, 1e16), n=st.floats(1e8, 1e13),
    flops_per_s=st.floats(1e12, 1e16),
)  # fmt: skip
def test_equal_thirds_cost_the_same_in_chip_time(
    e: float, k: float, d: float, n: float, flops_per_s: float
) -> None:
    """Against chip time by hand: FLOPs over the rate of each."""
    total = total_of_share(d, THIRD, 1)
    rl = tokens_at_share(total, THIRD, rl_weight(k, e))
    inference = tokens_at_share(total, THIRD, inference_weight(e))
    seconds = [
        6 * n * d / flops_per_s,
        k * n * rl / (e * flops_per_s),
        2 * n * inference / (e * flops_per_s),
    ]
    assert seconds == pytest.approx([seconds[0]] * 3, rel=1e-9)
    assert cost_tokens(d, rl, inference, rl_weight(k, e), inference_weight(e)) == pytest.approx(
        total, rel=1e-9
    )
