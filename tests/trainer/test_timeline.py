"""Timelines: passes wait for each other, stages run one at a time, nothing is lost."""

from __future__ import annotations

import time
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.laws.schedules import SCHEDULES, schedule_problem
from ridgeline.trainer.orders import BACKWARD, FORWARD, INPUT, WEIGHT, position
from ridgeline.trainer.timeline import KINDS, Timeline, schedule_time_s, timeline

names = st.sampled_from(sorted(SCHEDULES))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Timeline, np.ndarray, np.ndarray]:
    """A timeline of uneven stages with hops; its durations and its hops."""
    name = draw(names)
    p = draw(st.integers(1, 6))
    p += p % 2 if SCHEDULES[name].even_stages else 0
    m = draw(st.integers(1, 14))
    if schedule_problem(name, p, m):
        m = 2 * p
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    each, hop = rng.uniform(0.5, 2, (3, p)), rng.uniform(0, 0.3, p)
    return timeline(name, p, m, *each, hop_s=hop), each, hop


@given(runs())
def test_a_stage_runs_one_pass_at_a_time(run: tuple[Timeline, np.ndarray, np.ndarray]) -> None:
    found, _, _ = run
    for s in range(found.n_stages):
        own = found.stage == s
        start, end = found.start_s[own], found.end_s[own]
        turn = np.argsort(start, kind="stable")
        assert np.all(start[turn][1:] >= end[turn][:-1] - 1e-9)


@given(runs())
def test_work_is_conserved(run: tuple[Timeline, np.ndarray, np.ndarray]) -> None:
    """Every pass of every micro-batch once; busy time is m times the sum of durations."""
    found, each, _ = run
    one = SCHEDULES[found.schedule]
    m, p = found.n_micro_batches, found.n_stages
    lanes = 2 if one.shape == "two ways" else found.n_chunks
    per_lane = m // 2 if one.shape == "two ways" else m
    passes = list(
        zip(
            found.stage.tolist(),
            found.chunk.tolist(),
            found.micro_batch.tolist(),
            found.kind.tolist(),
            strict=True,
        )
    )
    assert len(set(passes)) == len(passes)
    for kinds in ((FORWARD,), (INPUT, BACKWARD), (WEIGHT, BACKWARD)):
        assert sum(k in kinds for *_, k in passes) == p * lanes * per_lane
    work = m * each.sum(axis=0)
    if one.shape == "two ways":  # half of the micro-batches see the mirror image's layers
        work = (work + work[::-1]) / 2
    assert found.busy_s == pytest.approx(work)
    assert found.time_s >= work.max() - 1e-9
    assert np.all(found.bubble_s >= -1e-9)
    assert found.idle_s == pytest.approx(found.time_s - work)


@given(runs())
def test_passes_wait_for_what_they_need(run: tuple[Timeline, np.ndarray, np.ndarray]) -> None:
    """Forward after the stage before, backward after the stage behind, each with its hop."""
    found, _, hop = run
    name, p = found.schedule, found.n_stages
    two_ways = SCHEDULES[name].shape == "two ways"
    depth = p if two_ways else p * found.n_chunks
    made = {FORWARD: "F", INPUT: "B", WEIGHT: "W", BACKWARD: "B"}
    where, ends = {}, {}
    for n, one in enumerate(
        zip(found.stage, found.chunk, found.micro_batch, found.kind, strict=True)
    ):
        s, c, i, k = map(int, one)
        where[n] = (c if two_ways else 0, position(name, s, c, p), i)
        ends[(made[k], *where[n])] = n
    for n, (lane, at, i) in where.items():
        k = int(found.kind[n])
        needs = []
        if k == FORWARD and at:
            needs = [("F", lane, at - 1, i)]
        elif k in (INPUT, BACKWARD):
            needs = [("F", lane, at, i)] + [("B", lane, at + 1, i)] * (at + 1 < depth)
        elif k == WEIGHT:
            needs = [("B", lane, at, i)]
        for need in needs:
            other = ends[need]
            a, b = sorted((int(found.stage[n]), int(found.stage[other])))
            link = 0.0 if a == b else hop[a] if b == a + 1 else hop[b]
            assert found.start_s[n] >= found.end_s[other] + link - 1e-9


@given(names, st.integers(0, 2**32 - 1))
def test_rows_are_timed_as_if_alone(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, b, w, h = rng.uniform(0.5, 2, (4, 3, 4))
    whole = timeline(name, 4, 8, f, b, w, hop_s=h / 10)
    assert whole.time_s.shape == (3,)
    assert whole.bubble_s.shape == (3, 4)
    quick = schedule_time_s(name, 4, 8, f, b, w, hop_s=h / 10)
    span = schedule_time_s(name, 4, 8, f, b, w, hop_s=h / 10, wait_for_all=False)
    for i in range(3):
        alone = timeline(name, 4, 8, f[i], b[i], w[i], hop_s=h[i] / 10)
        assert whole.start_s[i] == pytest.approx(alone.start_s)
        assert quick[i] == pytest.approx(float(alone.time_s))
        assert span[i] == pytest.approx(float(alone.span_s.max()))


def test_many_rows_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    f = np.random.default_rng(1).uniform(1, 2, (50, 4))
    whole = schedule_time_s("zb-h1", 4, 8, f, f, f)
    monkeypatch.setattr(import_module("ridgeline.trainer.timeline"), "_MOST_CELLS", 500)
    assert schedule_time_s("zb-h1", 4, 8, f, f, f) == pytest.approx(whole)


@given(names, st.floats(0.1, 10.0))
def test_time_scales_with_durations(name: str, factor: float) -> None:
    f = np.array([1.0, 1.5, 1.2, 2.0])
    base = schedule_time_s(name, 4, 12, f, f, f / 2, hop_s=0.1)
    more = schedule_time_s(name, 4, 12, factor * f, factor * f, factor * f / 2, hop_s=factor * 0.1)
    assert float(more) == pytest.approx(factor * float(base))


@pytest.mark.parametrize("name", SCHEDULES)
def test_in_flight_follows_the_passes(name: str) -> None:
    """Counts start at one, never pass the peak, and end at nothing."""
    found = timeline(name, 4, 8, 1.0, 2.0, 1.0)
    for s, held in enumerate(found.in_flight):
        counts = [n for _, n in held]
        assert counts[-1] == 0
        assert counts[0] == 1
        assert 0.5 * found.peak_in_flight[s] < max(counts) <= found.peak_in_flight[s]
        assert [t for t, _ in held] == sorted({t for t, _ in held})


@given(runs())
def test_exposed_exchanges_are_idle_time(run: tuple[Timeline, np.ndarray, np.ndarray]) -> None:
    """Never longer than the gap before a pass, nor than the longest hop; none without hops."""
    found, each, hop = run
    for s in range(found.n_stages):
        own = np.flatnonzero(found.stage == s)
        own = own[np.argsort(found.start_s[own], kind="stable")]
        gaps = found.start_s[own] - np.concatenate([[0.0], found.end_s[own][:-1]])
        assert np.all(found.exchange_s[own] <= np.minimum(gaps, hop.max()) + 1e-9)
    assert np.all(found.exchange_s >= 0)
    still = timeline(
        found.schedule, found.n_stages, found.n_micro_batches, *each, n_chunks=found.n_chunks
    )
    assert not still.exchange_s.any()


def test_a_slow_exchange_is_what_stages_wait_for() -> None:
    """Two stages, one micro-batch: stage 1 waits for the answer, 2 hops, and the other's passes."""
    found = timeline("1f1b", 2, 1, 1.0, 1.0, 1.0, hop_s=5.0)
    assert found.time_s == pytest.approx(6 + 10)
    assert found.exposed_exchange_s.tolist() == [5.0, 5.0]  # each its own, on the way to it
    assert found.idle_s.tolist() == [13.0, 13.0]


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_pace_of_the_last_round_carries_on(name: str) -> None:
    """Exact for equal stages; within 1% where stages differ by a half."""
    even = schedule_time_s(name, 4, 80, 1.0, 1.0, 1.0)
    assert schedule_time_s(name, 4, 80, 1.0, 1.0, 1.0, rounds=6) == pytest.approx(float(even))
    rng = np.random.default_rng(8)
    f, b, w = rng.uniform(1, 1.5, (3, 40, 4))
    for wait in (True, False):
        more = {"hop_s": 0.05, "wait_for_all": wait}
        whole = schedule_time_s(name, 4, 80, f, b, w, **more)
        quick = schedule_time_s(name, 4, 80, f, b, w, rounds=6, **more)
        assert quick == pytest.approx(whole, rel=0.015)
        assert np.median(np.abs(quick / whole - 1)) < 1e-3
    few = schedule_time_s(name, 4, 12, f, b, w, rounds=6)
    assert few == pytest.approx(schedule_time_s(name, 4, 12, f, b, w))


def test_gpipe_on_paper() -> None:
    """Two stages, two micro-batches, f = 1 and a backward pass of 2: drawn by hand."""
    found = timeline("gpipe", 2, 2, 1.0, 1.0, 1.0)
    rows = sorted(
        (int(s), KINDS[k], int(i), float(a), float(b))
        for s, k, i, a, b in zip(
            found.stage, found.kind, found.micro_batch, found.start_s, found.end_s, strict=True
        )
    )
    assert rows == [
        (0, "backward", 0, 5.0, 7.0),
        (0, "backward", 1, 7.0, 9.0),
        (0, "forward", 0, 0.0, 1.0),
        (0, "forward", 1, 1.0, 2.0),
        (1, "backward", 0, 3.0, 5.0),
        (1, "backward", 1, 5.0, 7.0),
        (1, "forward", 0, 1.0, 2.0),
        (1, "forward", 1, 2.0, 3.0),
    ]
    assert found.in_flight[0] == [(0.0, 1), (1.0, 2), (7.0, 1), (9.0, 0)]


def test_pairs_end_together_and_share_their_time() -> None:
    found = timeline("dualpipe", 4, 8, 1.0, 1.0, 1.0, pair_s=2.0)
    taken = np.round(found.end_s - found.start_s, 9)
    forward = taken[found.kind == FORWARD]
    assert set(forward.tolist()) == {1.0, round(2 / 3, 9)}
    assert set(taken[found.kind == BACKWARD].tolist()) == {2.0, round(4 / 3, 9)}


def test_long_schedules_are_quick() -> None:
    """16 stages and 128 micro-batches: well below a second, order and all."""
    begun = time.perf_counter()
    found = timeline("1f1b", 16, 127, 1.0, 1.0, 1.0)
    assert time.perf_counter() - begun < 1.0
    assert found.time_s == pytest.approx((127 + 15) * 3)


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(SpecError, match="Did you mean '1f1b'"):
        timeline("1f1d", 4, 8, 1.0, 1.0, 1.0)
    with pytest.raises(SpecError, match="use 8 or 12"):
        timeline("interleaved", 4, 10, 1.0, 1.0, 1.0)
    with pytest.raises(SpecError, match="at least one stage"):
        timeline("interleaved", 4, 8, 1.0, 1.0, 1.0, n_chunks=0)
    with pytest.raises(SpecError, match="have 3"):
        timeline("1f1b", 4, 8, np.ones(3), 1.0, 1.0)
