"""Waiting and stalling: what scheduling can change, and what it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.queueing import overload_wait_s, random_wait_s
from ridgeline.laws.scheduling import (
    backlog_wait_s,
    decode_gap_s,
    fill_share,
    first_token_s,
    live_sequences,
    open_decode_gap_s,
    requests_per_s,
    rounds,
)

TIME, COUNT, SHARE = st.floats(1e-4, 10), st.floats(1, 1e4), st.floats(0, 1)


@given(TIME, TIME, COUNT, COUNT, SHARE)
def test_a_request_takes_as_long_whatever_is_waited_for(step, prompt, n, out, q) -> None:
    def total(share: float) -> float:
        first = first_token_s(0.0, 0.0, prompt, n, share)
        return first + out * decode_gap_s(step, prompt, n, out, share)

    assert total(q) == pytest.approx(total(0.0))
    assert total(0.0) == pytest.approx(out * step + (n - 1) * prompt)


@given(TIME, TIME, COUNT, COUNT)
def test_throughput_is_littles_law_of_latency(step, prompt, n, out) -> None:
    latency = out * decode_gap_s(step, prompt, n + 1, out, 0.0)
    assert n / latency == pytest.approx(requests_per_s(step, prompt, n, out))


@given(TIME, TIME, st.floats(0, 100), TIME)
def test_an_open_loop_slows_with_its_rate_up_to_saturation(step, prompt, rate, full) -> None:
    gap = open_decode_gap_s(step, prompt, rate, full)
    assert gap >= min(step, full)
    assert gap <= open_decode_gap_s(step, prompt, rate * 2, full)
    if rate * prompt > 1:
        assert gap == full


def test_numbers_on_paper() -> None:
    assert live_sequences(64, 16, 1.0, 0.0) == 16
    assert rounds(10, 64) == 1
    assert backlog_wait_s(64, 64, 2.0) == 0
    assert fill_share(1, 4) == 1
    assert fill_share(1000, 4) == pytest.approx(0.25, rel=0.01)
    # M/D/1 at one half waits half as long as M/M/1.
    assert random_wait_s(5.0, 0.1, 0.0) == pytest.approx(random_wait_s(5.0, 0.1) / 2)
    assert overload_wait_s(9.0, 10.0, 500) == 0


@given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.floats(1, 1e4))
def test_overload_is_never_negative_and_grows_with_the_run(rate, capacity, n) -> None:
    wait = overload_wait_s(rate, capacity, n)
    assert 0 <= wait <= overload_wait_s(rate, capacity, n * 2)
    assert (wait > 0) == (rate > capacity)
