"""Routing laws against simulated routers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.experts import (
    busiest_rank_experts,
    busiest_rank_load,
    experts_hit,
    largest_of_normals,
    padded_tokens,
)
from ridgeline.laws.speculation import tokens_per_step

E, K = 256, 8


def simulated(n_tokens: int, n_ranks: int, cv: float, times: int = 40) -> tuple[float, ...]:
    """Experts hit, busiest rank's tokens over the mean, most experts hit on a rank: averages."""
    source = np.random.default_rng(7)
    hit, load, most = [], [], []
    for _ in range(times):
        popularity = source.gamma(1 / cv**2, cv**2, E) if cv else np.ones(E)
        score = np.log(popularity + 1e-300) + source.gumbel(size=(n_tokens, E))
        chosen = np.argpartition(-score, K - 1, axis=1)[:, :K]
        counts = np.bincount(chosen.ravel(), minlength=E).reshape(n_ranks, -1)
        hit.append((counts > 0).sum())
        load.append(counts.sum(1).max() / (n_tokens * K / n_ranks))
        most.append((counts > 0).sum(1).max())
    return float(np.mean(hit)), float(np.mean(load)), float(np.mean(most))


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.2])
@pytest.mark.parametrize("n_ranks", [8, 64])
@pytest.mark.parametrize("n_tokens", [16, 128, 1024])
def test_laws_follow_a_simulated_router(n_tokens: int, n_ranks: int, cv: float) -> None:
    hit, load, most = simulated(n_tokens, n_ranks, cv)
    predicted = experts_hit(float(n_tokens), E, K, cv)
    assert predicted == pytest.approx(hit, rel=0.02)
    # Popularities far from alike have a longer tail than the normal the law takes them for.
    near = 0.15 if cv < 1 else 0.2
    assert busiest_rank_load(n_tokens, E, K, n_ranks, cv) == pytest.approx(load, rel=near)
    assert busiest_rank_experts(predicted, E, E / n_ranks, n_ranks) == pytest.approx(most, rel=0.05)


@given(st.floats(0, 1e6), st.floats(0, 1e3))
def test_padding_is_half_a_tile_of_about_what_an_expert_has(tokens: float, more: float) -> None:
    padded = padded_tokens(tokens)
    assert tokens + 8 <= padded <= tokens + 64
    assert padded <= padded_tokens(tokens + more)
    assert padded <= max(1.5 * tokens, tokens + 8) * (1 + 1e-12)


def test_the_largest_of_normals_is_that_of_a_sample() -> None:
    source = np.random.default_rng(3)
    for n in (1, 2, 8, 72):
        seen = source.normal(size=(20_000, n)).max(axis=1).mean()
        assert largest_of_normals(n) == pytest.approx(seen, abs=0.03)


@given(st.floats(1, 1e5), st.floats(0, 3), st.floats(0, 1))
def test_skew_hits_fewer_experts_and_more_tokens_more(t: float, cv: float, more: float) -> None:
    one = experts_hit(t, E, K, cv)
    assert one <= experts_hit(t, E, K, 0.0) * (1 + 1e-6)
    assert one <= experts_hit(t * (1 + more), E, K, cv) * (1 + 1e-9)
    assert experts_hit(np.asarray([t]), E, K, np.asarray([cv]))[0] == pytest.approx(one)


@given(st.integers(0, 16), st.floats(0, 1))
def test_drafts_yield_between_one_and_all(n: int, acceptance: float) -> None:
    tokens = tokens_per_step(n, acceptance)
    assert 1 - 1e-12 <= tokens <= n + 1 + 1e-9
    assert tokens == pytest.approx(sum(acceptance**i for i in range(n + 1)))
