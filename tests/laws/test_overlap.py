"""Two micro-batches: never faster than either of what overlaps, never slower than in turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.overlap import two_batch_time_s

seconds = st.floats(0.0, 10.0)


@given(seconds, seconds, seconds, seconds)
def test_between_the_busier_of_both_and_all_in_turn(a: float, e: float, d: float, c: float) -> None:
    time = two_batch_time_s(a, e, d, c)
    assert max(2 * (a + e), 2 * (d + c)) <= time + 1e-12
    assert time <= 2 * (a + e + d + c) + 1e-12
    # Nothing sent, nothing gained.
    assert two_batch_time_s(a, e, 0.0, 0.0) == pytest.approx(2 * (a + e), rel=1e-12)


@given(seconds, seconds, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_exchanges_shorter_than_what_runs_beside_them_cost_nothing(
    a: float, e: float, d: float, c: float
) -> None:
    least = min(a, e)
    assert two_batch_time_s(a, e, d * least, c * least) == pytest.approx(2 * (a + e))


@given(seconds, seconds, seconds, seconds, st.floats(0.0, 5.0))
def test_more_of_anything_is_not_faster(
    a: float, e: float, d: float, c: float, more: float
) -> None:
    time = two_batch_time_s(a, e, d, c)
    for longer in ((a + more, e, d, c), (a, e + more, d, c), (a, e, d + more, c)):
        assert two_batch_time_s(*longer) >= time
