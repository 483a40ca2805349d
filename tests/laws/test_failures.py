"""Interruptions, checkpoints and what they cost: limits, and the best interval found by search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.failures import (
    daly_interval_s,
    expected_run_s,
    mean_time_between_s,
    young_interval_s,
)

DAY = 86_400.0


def test_llama_3_was_interrupted_every_three_hours() -> None:
    """419 unexpected interruptions of 16,384 H100 in 54 days (arXiv:2407.21783, table 5)."""
    per_thousand = 419 / 54 / 16.384
    assert mean_time_between_s(per_thousand, 16_384) == pytest.approx(54 * DAY / 419)
    assert mean_time_between_s(per_thousand, 8) / DAY / 365 == pytest.approx(0.723, rel=2e-3)
    assert np.isinf(mean_time_between_s(0.0, 1000))


@given(st.floats(1, 600), st.floats(3600, 1e6))
def test_no_interval_is_better_than_dalys(write_s: float, between_s: float) -> None:
    best = float(daly_interval_s(write_s, between_s))
    tried = best * np.geomspace(0.2, 5, 2001)
    runs = expected_run_s(1e7, tried, write_s, 300.0, between_s)
    least = float(tried[np.argmin(runs)])
    assert least == pytest.approx(best, rel=0.01 + 2 * write_s / between_s)
    assert float(young_interval_s(write_s, between_s)) == pytest.approx(
        best, rel=0.02 + 2 * (write_s / between_s) ** 0.5
    )


def test_against_chance() -> None:
    """The expectation is the mean of runs that are interrupted at random."""
    rng = np.random.default_rng(0)
    work, interval, write, restart, between = 2e5, 1000.0, 50.0, 200.0, 5000.0
    totals = []
    for _ in range(200):
        total, done = 0.0, 0.0
        while done < work:
            until = rng.exponential(between)
            if until >= interval + write:
                total, done = total + interval + write, done + interval
                continue
            total += until
            while (until := rng.exponential(between)) < restart:  # restarts are interrupted, too
                total += until
            total += restart
        totals.append(total)
    expected = float(expected_run_s(work, interval, write, restart, between))
    assert np.mean(totals) == pytest.approx(expected, rel=0.01)


def test_writes_longer_than_the_time_between_are_no_crash() -> None:
    assert float(daly_interval_s(1e5, 1e4)) == 1e4
