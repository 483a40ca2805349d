"""Schedules: laws equal timelines, limits, numbers of the papers, and what is refused."""

from __future__ import annotations

from typing import Any

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.bubbles import bubble_s, bubble_share
from ridgeline.laws.schedule_times import gpipe_time_s, interleaved_time_s, one_f_one_b_time_s
from ridgeline.laws.schedules import (
    SCHEDULES,
    fewest_micro_batches,
    in_flight_chunks,
    schedule_problem,
    wait_for_all_s,
)
from ridgeline.trainer.timeline import schedule_time_s, timeline

STAGES = (1, 2, 3, 4, 5, 6, 8, 9, 12)


def _cases() -> list[tuple[str, int, int]]:
    found = []
    for name, one in SCHEDULES.items():
        for p in STAGES:
            if one.even_stages and p % 2:
                continue
            chunks = (2, 3) if name == "interleaved" else (one.n_chunks,)
            found += [(name, p, v) for v in chunks]
    return found


@pytest.mark.parametrize(("name", "p", "v"), _cases())
def test_law_is_timeline(name: str, p: int, v: int) -> None:
    """Bubble, memory and the wait for other stages, where all three passes take as long."""
    least = int(fewest_micro_batches(name, p))
    step = p if name == "interleaved" else 2
    for m in (least, least + step, 3 * p + step if name != "interleaved" else 4 * p):
        if m < least or schedule_problem(name, p, m, v):
            continue
        found = timeline(name, p, m, 0.5, 0.5, 0.5, n_chunks=v)
        bubble = bubble_s(name, p, v, 0.5, 0.5, 0.5)
        assert found.bubble_s.max() == pytest.approx(bubble, abs=1e-9)
        waiting = wait_for_all_s(name, p, v, 0.5)
        assert found.time_s == pytest.approx(m * 1.5 + bubble + waiting)
        assert found.span_s.max() == pytest.approx(m * 1.5 + bubble)
        assert found.peak_in_flight.max() == in_flight_chunks(name, p, m, v)
        if name not in ("v-half", "v-min"):  # there the most of any stage
            law = [in_flight_chunks(name, p, m, v, s) for s in range(p)]
            assert found.peak_in_flight.tolist() == law
        assert np.all(found.peak_in_flight <= in_flight_chunks(name, p, m, v))


@pytest.mark.parametrize("name", ["zb-h1", "zb-h2", "zb-v"])
@pytest.mark.parametrize("p", [4, 6, 9])
def test_fewer_micro_batches_leave_more_idle(name: str, p: int) -> None:
    """With fewer than the law asks for the bubble is larger."""
    for m in range(1, int(fewest_micro_batches(name, p))):
        found = timeline(name, p, m, 1.0, 1.0, 1.0)
        assert found.bubble_s.max() >= bubble_s(name, p, 2, 1.0, 1.0, 1.0) + 0.5
        assert found.peak_in_flight.max() == in_flight_chunks(name, p, m)


@given(
    st.sampled_from(["zb-h1", "zb-h2"]),
    st.integers(2, 8),
    st.floats(1.0, 3.0),
    st.floats(1.0, 3.0),
    st.floats(0.2, 1.0),
)
def test_zero_bubble_laws_take_unequal_times(
    name: str, p: int, f: float, b: float, w: float
) -> None:
    found = timeline(name, p, 2 * p, f, b, w)
    assert found.bubble_s.max() == pytest.approx(bubble_s(name, p, 1, f, b, w), abs=1e-9)


@given(st.integers(2, 8), st.floats(1.0, 3.0), st.floats(1.0, 3.0), st.floats(0.2, 1.0))
def test_zb_v_is_never_above_its_law(p: int, f: float, b: float, w: float) -> None:
    found = timeline("zb-v", p, 2 * p, f, b, w).bubble_s.max()
    assert found <= bubble_s("zb-v", p, 2, f, b, w) + 1e-9


@pytest.mark.parametrize("p", [4, 8])
def test_pairs_of_dualpipe_that_overlap(p: int) -> None:
    """A pair in less than the sum of its passes: the published term F&B."""
    for name, half in (("dualpipe", p / 2 - 1), ("dualpipev", (p - 1) / 2)):
        pair = 2.5
        law = bubble_s(name, p, 2, 1.0, 1.0, 1.0, pair)
        assert law == pytest.approx(half * (pair + 2 - 3))  # F&B + B - 3W, B whole
        fast = timeline(name, p, 4 * p, 1.0, 1.0, 1.0, pair_s=pair)
        slow = timeline(name, p, 4 * p, 1.0, 1.0, 1.0)
        more = 8 * p if name == "dualpipev" else 6 * p
        longer = timeline(name, p, more, 1.0, 1.0, 1.0, pair_s=pair)
        each = (longer.time_s - fast.time_s) / (more - 4 * p)
        assert each == pytest.approx(pair)
        assert fast.time_s < slow.time_s


def test_numbers_of_the_papers() -> None:
    """Shares that are printed: the lecture's, and the zero-bubble papers' for equal times."""
    share = bubble_share(bubble_s("1f1b", 4, 1, 1.0, 1.0, 1.0), 8 * 3.0)
    assert share == pytest.approx(3 / 11)  # (P - 1) / (M + P - 1)
    one = bubble_s("1f1b", 16, 1, 1.0, 1.0, 1.0)
    assert bubble_s("zb-h1", 16, 1, 1.0, 1.0, 1.0) == one / 3
    assert bubble_s("zb-h2", 16, 1, 1.0, 1.0, 1.0) == bubble_s("zb-v", 16, 2, 1.0, 1.0, 1.0) == 0
    assert bubble_s("v-half", 16, 2, 1.0, 1.0, 1.0) == one / 2
    assert bubble_s("v-min", 16, 2, 1.0, 1.0, 1.0) == pytest.approx(2 / 3 * one, rel=0.02)
    # activations in micro-batches, as the authors of V-Half and V-Min count: (p+2)//2, (p+4)//3
    assert [in_flight_chunks(n, 16, 64, 2) / 2 for n in ("zb-v", "v-half", "v-min")] == [16, 9, 6]
    # DeepSeek-V3's 16 stages: PP + 1, and two copies
    assert in_flight_chunks("dualpipe", 16, 64) == 17
    assert SCHEDULES["dualpipe"].n_copies == 2
    # Narayanan et al.: the interleaved bubble is 1/v of the other
    assert bubble_s("interleaved", 8, 4, 1.0, 1.0, 1.0) == bubble_s("1f1b", 8, 1, 1.0, 1.0, 1.0) / 4


@pytest.mark.parametrize("name", SCHEDULES)
def test_limits(name: str) -> None:
    """One stage, or two of DualPipe, idles not; nor does any under many micro-batches."""
    p = 2 if name == "dualpipe" else 1
    assert bubble_s(name, p, 2, 1.0, 2.0, 1.0) == 0
    for m in (16, 1600):
        share = bubble_share(bubble_s(name, 8, 2, 1.0, 1.0, 1.0), m * 3.0)
        assert share <= 21 / (3 * m + 21)
    assert bubble_s("interleaved", 8, 10**9, 1.0, 1.0, 1.0) < 1e-6


@given(
    st.integers(1, 10),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.3),
)
def test_gpipe_time_is_exact(p: int, m: int, seed: int, spread: float, hop: float) -> None:
    f, b, w, h = _uneven(p, seed, spread, hop)
    found = schedule_time_s("gpipe", p, m, f, b, w, hop_s=h)
    assert gpipe_time_s(f, b + w, m, h) == pytest.approx(float(found), rel=1e-9)


@given(
    st.integers(1, 10),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.1),
)
def test_1f1b_time_is_near_and_never_above(
    p: int, m: int, seed: int, spread: float, hop: float
) -> None:
    f, b, w, h = _uneven(p, seed, spread, hop)
    found = float(schedule_time_s("1f1b", p, m, f, b, w, hop_s=h))
    law = float(one_f_one_b_time_s(f, b + w, m, h))
    assert 0.97 * found <= law <= found * (1 + 1e-9)


@given(
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(2, 5),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.05),
)
def test_interleaved_time_is_near(
    p: int, groups: int, v: int, seed: int, spread: float, hop: float
) -> None:
    m = groups * p
    f, b, w, h = _uneven(p, seed, spread, hop)
    found = float(schedule_time_s("interleaved", p, m, f, b, w, n_chunks=v, hop_s=h))
    assert float(interleaved_time_s(f, b + w, m, v, h)) == pytest.approx(found, rel=0.05)


@pytest.mark.parametrize("v", [2, 3])
def test_times_of_equal_stages_are_exact(v: int) -> None:
    f = np.full(6, 0.7)
    assert float(one_f_one_b_time_s(f, 2 * f, 20)) == pytest.approx(25 * 2.1)
    law = float(interleaved_time_s(f, 2 * f, 24, v, 0.02))
    found = schedule_time_s("interleaved", 6, 24, f, f, f, n_chunks=v, hop_s=0.02)
    assert law == pytest.approx(float(found), rel=1e-9)
    assert float(interleaved_time_s(f, 2 * f, 24, v)) == pytest.approx((24 + 5 / v) * 2.1)


def _uneven(p: int, seed: int, spread: float, hop: float) -> list[np.ndarray]:
    """Stages of up to twice the time, and hops of up to a share of the shortest forward pass."""
    rng = np.random.default_rng(seed)
    one = [1 + spread * rng.uniform(0, 1, p) for _ in range(3)]
    return [*one, hop * rng.uniform(0, 1, p)]


def test_hops_of_1f1b_are_not_hidden() -> None:
    """In steady state a stage waits for the answer of the next: 2 h (p - 1) / p per micro-batch."""
    f = np.ones(4)
    longer = [float(one_f_one_b_time_s(f, 2 * f, m, 0.1)) for m in (400, 800)]
    assert (longer[1] - longer[0]) / 400 == pytest.approx(3 + 2 * 0.1 * 3 / 4, rel=1e-3)


def test_rows_and_array_libraries() -> None:
    rng = np.random.default_rng(5)
    f, m = rng.uniform(1, 2, (7, 5)), np.array([5, 10, 15, 20, 25, 30, 35])
    laws: list[Any] = [
        lambda f, m: gpipe_time_s(f, 2 * f, m, 0.01),
        lambda f, m: one_f_one_b_time_s(f, 2 * f, m, 0.01),
        lambda f, m: interleaved_time_s(f, 2 * f, m, 2, 0.01),
    ]
    for law in laws:
        whole = law(f, m)
        assert whole.shape == (7,)
        assert whole == pytest.approx([float(law(f[i], m[i])) for i in range(7)])
        other = law(strict.asarray(f), strict.asarray(m, dtype=strict.float64))
        assert np.asarray(other) == pytest.approx(whole)
    stages = np.array([1, 2, 3, 4, 6, 8])
    for name in SCHEDULES:
        at = stages[1:] if name == "dualpipe" else stages
        whole = bubble_s(name, at, 2, 1.0, 1.0, 1.0)
        assert whole == pytest.approx([bubble_s(name, int(p), 2, 1.0, 1.0, 1.0) for p in at])
        held = in_flight_chunks(name, at, 12, 2)
        assert held.tolist() == [in_flight_chunks(name, int(p), 12, 2) for p in at]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (("1f1d", 4, 8), "There is no schedule '1f1d'. Did you mean '1f1b'"),
        (("1f1b", 0, 8), "at least one stage"),
        (("1f1b", 4, 8, 2), "1F1B takes 1 chunk per stage, not 2: use 'interleaved'"),
        (("interleaved", 4, 8, 1), "at least 2 chunks per stage, not 1: use '1f1b'"),
        (("interleaved", 4, 10, 2), "10 do not divide: use 8 or 12."),
        (("interleaved", 4, 3, 2), "3 do not divide: use 4."),
        (("zb-v", 4, 8, 3), "ZB-V takes 2 chunks per stage, not 3."),
        (("dualpipe", 5, 10), "an even number of stages, not 5: use 4 or 6."),
        (("dualpipe", 4, 6), "at least 8 micro-batches on 4 stages, not 6."),
        (("dualpipe", 4, 9), "an even number of micro-batches, half each way, not 9: use 8 or 10."),
        (("dualpipev", 4, 7), "at least 8 micro-batches"),
    ],
)
def test_what_is_refused(case: tuple[Any, ...], words: str) -> None:
    assert words in (schedule_problem(*case) or "")


def test_what_is_taken() -> None:
    for name in SCHEDULES:
        assert schedule_problem(name, 4, 8) is None
