"""A rollout against samples drawn and decoded step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ridgeline.service.rollout import Rollout
from ridgeline.specs.lengths import Lengths

STEP_S, PER_SEQUENCE_S, PER_TOKEN_S = 5e-3, 1e-4, 2e-9
PROMPT_S = 1e-6
LENGTHS = Lengths.between(50, 2000, 600)


@dataclass
class Linear:
    """A replica whose steps are straight in sequences and in what they read."""

    room: float = 1e9
    engine: Any = field(default_factory=lambda: SimpleNamespace(token_budget=8192))
    how: Any = field(default_factory=lambda: SimpleNamespace(calibrated=False))
    layout: Any = field(default_factory=lambda: SimpleNamespace(attn_dp=1))

    def seconds(self, group: Any) -> Any:
        if group.name == "prefill":
            return PROMPT_S * group.n * group.new
        return STEP_S + group.n * (PER_SEQUENCE_S + PER_TOKEN_S * (group.prefix + 1))

    def max_sequences(self, context: float) -> float:
        return self.room


def drawn(n: int, replicas: int, slots: int, rounds: int = 40) -> float:
    """Mean time of batches decoded token by token, all replicas waited for."""
    rng = np.random.default_rng(11)
    times = []
    for _ in range(rounds):
        share = rng.uniform(0, 100, (replicas, n))
        times.append(max(_one(np.round(LENGTHS.percentile(x)), slots) for x in share))
    return float(np.mean(times))


def _one(lengths: Any, slots: int) -> float:
    waiting = list(lengths)
    left, done, now = [], [], 0.0
    while waiting or left:
        while waiting and len(left) < slots:
            left.append(waiting.pop())
            done.append(0.0)
        # Until the next one ends, steps change in what they read alone.
        k = min(left)
        reads = sum(100 + d + k / 2 for d in done)
        now += k * (STEP_S + len(left) * PER_SEQUENCE_S + PER_TOKEN_S * reads)
        kept = [i for i, one in enumerate(left) if one > k]
        left, done = [left[i] - k for i in kept], [done[i] + k for i in kept]
    return now


@pytest.mark.parametrize(("n", "replicas", "slots", "close"), [
    (64, 1, 64, 0.02), (16, 8, 16, 0.03), (4, 32, 4, 0.04), (128, 2, 32, 0.05),
    (48, 1, 32, 0.12),
])  # fmt: skip
def test_as_if_drawn_and_decoded(n: int, replicas: int, slots: int, close: float) -> None:
    found = Rollout(Linear(slots), 100.0, LENGTHS, n, n * replicas, 1.0)  # type: ignore[arg-type]
    decoding = found.time_s - found.prompts_s
    assert decoding == pytest.approx(drawn(n, replicas, slots), rel=close)
    assert found.prompts_s == pytest.approx(n * 100 * PROMPT_S)


def test_equal_lengths_have_no_tail_and_queue_in_whole_rounds() -> None:
    same = Lengths.of(500)
    once = Rollout(Linear(), 100.0, same, 32, 32, 8.0)  # type: ignore[arg-type]
    step = STEP_S + 32 * (PER_SEQUENCE_S + PER_TOKEN_S * (100 + 250))
    assert once.time_s - once.prompts_s == pytest.approx(500 * step, rel=1e-3)
    assert once.tail_s == pytest.approx(0.0, abs=1e-6 * once.time_s)
    assert once.longest == 500
    # A group's prompt is computed once.
    assert once.prompts_s == pytest.approx(4 * 100 * PROMPT_S)
    thrice = Rollout(Linear(32), 100.0, same, 96, 96, 96.0)  # type: ignore[arg-type]
    assert thrice.time_s - thrice.prompts_s == pytest.approx(3 * 500 * step, rel=1e-3)
    # Eight of a second round take as many steps as the 32 of the first.
    twice = Rollout(Linear(32), 100.0, same, 40, 40, 40.0)  # type: ignore[arg-type]
    both = sum(STEP_S + n * (PER_SEQUENCE_S + PER_TOKEN_S * (100 + 250)) for n in (32, 8))
    assert twice.time_s - twice.prompts_s == pytest.approx(500 * both, rel=1e-3)
    assert twice.tail_s == 0


def test_more_replicas_wait_longer_for_the_longest() -> None:
    one, many = (Rollout(Linear(), 100.0, LENGTHS, 8, n, 8.0) for n in (8, 1024))  # type: ignore[arg-type]
    assert one.longest < many.longest <= LENGTHS.high
    assert one.time_s < many.time_s
    assert 1 <= many.mean_live <= 8
