"""Routing laws against simulated routers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.experts import (
    balanced_rank_load,
    busiest_rank_experts,
    busiest_rank_load,
    experts_hit,
    hottest_slot,
    largest_of_normals,
    padded_tokens,
    slots_per_chip,
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


def balanced(n_slots: int, n_ranks: int, cv: float, times: int = 40) -> tuple[float, float]:
    """Hottest slot over the mean expert, busiest rank over the mean: of a greedy balancer."""
    source = np.random.default_rng(11)
    hottest, load = [], []
    for _ in range(times):
        popularity = source.gamma(1 / cv**2, cv**2, E)
        copies = np.ones(E)
        for _ in range(n_slots - E):
            copies[np.argmax(popularity / copies)] += 1
        slots = np.repeat(popularity / copies, copies.astype(int))
        ranks, room = np.zeros(n_ranks), np.full(n_ranks, n_slots // n_ranks)
        for slot in -np.sort(-slots):
            at = np.argmin(np.where(room > 0, ranks, np.inf))
            ranks[at], room[at] = ranks[at] + slot, room[at] - 1
        hottest.append(slots.max() / popularity.mean())
        load.append(ranks.max() / ranks.mean())
    return float(np.mean(hottest)), float(np.mean(load))


@pytest.mark.parametrize("cv", [0.6, 1.2])
@pytest.mark.parametrize(
    ("n_ranks", "n_slots"), [(16, 256), (128, 256), (32, 288), (72, 288), (144, 288)]
)
def test_the_law_of_copies_follows_a_greedy_balancer(n_ranks: int, n_slots: int, cv: float) -> None:
    hottest, load = balanced(n_slots, n_ranks, cv)
    assert hottest_slot(E, n_slots, cv) == pytest.approx(hottest, rel=0.1)
    many = 1e9  # tokens enough for no chance
    assert balanced_rank_load(many, E, K, n_ranks, n_slots, cv) == pytest.approx(load, rel=0.1)


#: tokens that the most loaded of n ranks got, of 16,384, with 8 experts a token of 256: hot experts
#: placed by a balancer with no copies, and with 32. Medians of H100, H200 and B200, two shapes,
#: power laws of exponent 1.01; NVIDIA AIConfigurator 0.12.0 (Apache-2.0), TensorRT-LLM wide EP
MEASURED = {
    (256, 8): 10749,
    (256, 16): 7257,
    (256, 32): 5009,
    (256, 64): 4293,
    (256, 128): 5568,
    (256, 256): 5320,
    (288, 8): 10693,
    (288, 16): 7167,
    (288, 32): 4026,
}


def test_measured_ranks_have_what_their_hottest_slot_or_the_mean_says() -> None:
    """On 256 ranks of one slot the busiest is the hottest expert: all others follow from it."""
    hottest = MEASURED[256, 256] / 16_384
    for (n_slots, n_ranks), got in MEASURED.items():
        # Tokens, not pairs of token and expert: a rank that has several of a token's gets it once.
        even = 1 - (1 - 1 / n_ranks) ** K
        share = even if n_slots > E else max(hottest, even)
        assert got / 16_384 == pytest.approx(share, rel=0.2), (n_slots, n_ranks)


@given(
    st.integers(1, 512), st.integers(2, 144), st.floats(0, 3), st.floats(0, 0.5), st.floats(1, 1e6)
)
def test_a_balancer_makes_ranks_no_less_even_than_the_mean(
    n_experts: int, n_ranks: int, cv: float, share: float, tokens: float
) -> None:
    slots = slots_per_chip(n_experts, n_ranks, share) * n_ranks
    assert slots >= n_experts
    load = balanced_rank_load(tokens, n_experts, min(K, n_experts), n_ranks, slots, cv)
    assert 1 <= load <= n_ranks
    more = hottest_slot(n_experts, slots + n_ranks, cv)
    assert more <= hottest_slot(n_experts, slots, cv) * (1 + 1e-9)
    if cv == 0 and n_experts % n_ranks == 0:
        assert hottest_slot(n_experts, slots, 0.0) == pytest.approx(1)
