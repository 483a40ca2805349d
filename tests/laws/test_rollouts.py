"""Samples generated together: who still runs, when the last ends, what packing takes."""

from __future__ import annotations

import array_api_strict as xp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.rollouts import (
    any_running,
    expected_longest_tokens,
    live_sequences,
    off_policy_step_s,
    packed_sequences,
    queued_steps,
    rl_factor_at,
    rl_flops_per_param_and_token,
)

shares = st.floats(0.0, 1.0)
counts = st.integers(1, 4096)
seconds = st.floats(0.0, 1e4)


@given(shares, counts)
def test_whoever_runs_is_one_at_least_and_all_at_most(share: float, n: int) -> None:
    live = live_sequences(share, n)
    assert 1 <= live <= n * (1 + 1e-9)
    # The mean over replicas that run and those that do not is n times the share.
    if share > 1e-6:
        assert any_running(share, n) * live == pytest.approx(n * share, rel=1e-6)
    assert 0 <= any_running(share, n) <= 1


def test_the_longest_is_that_of_drawn_samples() -> None:
    lengths = np.sort(np.random.default_rng(3).gamma(2.0, 500.0, 20_000))
    drawn = np.random.default_rng(4).choice(lengths, (4000, 64)).max(axis=1)
    assert expected_longest_tokens(lengths, 64) == pytest.approx(drawn.mean(), rel=0.01)
    assert expected_longest_tokens(lengths, 1) == pytest.approx(lengths.mean(), rel=1e-9)
    # The same as the integral of the probability that any is longer.
    x = np.linspace(0.0, lengths[-1], 200_001)
    longer = 1 - np.searchsorted(lengths, x, side="right") / lengths.size
    integral = np.trapezoid(any_running(longer, 64), x)
    assert integral == pytest.approx(expected_longest_tokens(lengths, 64), rel=1e-3)


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(1, 1e5))
def test_a_queue_gives_all_tokens(n: float, slots: float, mean: float) -> None:
    live = min(n, slots)
    assert live * (queued_steps(n, slots, mean) + mean) == pytest.approx(n * mean)


def test_packing_is_near_first_fit_decreasing() -> None:
    lengths = np.random.default_rng(5).uniform(100, 4000, 512)
    bins: list[float] = []
    for one in sorted(lengths, reverse=True):
        for i, used in enumerate(bins):
            if used + one <= 4096:
                bins[i] += one
                break
        else:
            bins.append(one)
    found = packed_sequences(512, lengths.mean(), (lengths > 2048).mean(), 4096)
    assert found <= len(bins) <= 1.1 * found


@given(seconds, seconds, seconds, st.integers(0, 8))
def test_two_sides_are_never_slower_than_turns(g: float, t: float, u: float, k: int) -> None:
    step = off_policy_step_s(g, t, u, k)
    assert max(g, t) + u <= step <= off_policy_step_s(g, t, u, 0)
    assert off_policy_step_s(g, t, u, 0) == pytest.approx(g + t + u)


def test_laws_take_arrays_of_any_library() -> None:
    share, n = np.array([0.1, 0.5, 1.0, 0.01]), np.array([1.0, 2.0, 8.0, 64.0])
    for law, values in (
        (any_running, (share, n)),
        (live_sequences, (share, n)),
        (queued_steps, (n, 4 * share, 1000 * n)),
        (packed_sequences, (n, 100 * n, share, 1000 * n)),
        (off_policy_step_s, (n, 2 * n, share, np.array([0.0, 1.0, 0.0, 2.0]))),
        (rl_factor_at, (n, share, share / 2)),
    ):
        strict = law(*(xp.asarray(v) for v in values))
        np.testing.assert_allclose(np.asarray(strict), law(*values), rtol=1e-12)
    lengths = np.array([100.0, 200.0, 400.0])
    assert float(expected_longest_tokens(xp.asarray(lengths), 3)) == pytest.approx(
        float(expected_longest_tokens(lengths, 3))
    )


def test_flops_of_each_pass() -> None:
    assert rl_flops_per_param_and_token(0, 0) == 2
    assert rl_flops_per_param_and_token(1, 1) == 2 + 2 + 6
    assert rl_flops_per_param_and_token(3, 2) == 2 + 6 + 12
    assert rl_flops_per_param_and_token(2, 1, 4) == 2 + 4 + 4
