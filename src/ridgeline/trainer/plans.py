"""An order of passes as arrays, and when they run.

A pass starts when the one before it on its stage has ended and what it needs has arrived: the
activations of the stage before, or the gradient of the stage after. Passes that depend on equally
many others are timed at once, and so are many sets of durations.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ridgeline.laws.schedules import SCHEDULES
from ridgeline.trainer.orders import FORWARD, WEIGHT, Pass, order_of, position

__all__ = ["Plan", "ends_s", "exposed_s", "plan_of", "start_and_end_s"]


@dataclass(frozen=True, slots=True)
class Plan:
    """An order as arrays, passes by level: none needs one of its own level or of a later one.

    Attributes
    ----------
    stage, chunk, micro_batch, kind : array [pass]
    layers : array [pass]       The stage whose layers run: another one only in DualPipe.
    before, needs : array [pass]  Passes that have to end, by index; n_passes if none.
    link : array [pass]         The link that `needs` comes over; n_stages if none.
    partner : array [pass]      Of a pair that runs as one the other pass, else the pass itself.
    levels : array              Where the levels begin and the last one ends.
    """

    stage: np.ndarray
    chunk: np.ndarray
    micro_batch: np.ndarray
    kind: np.ndarray
    layers: np.ndarray
    before: np.ndarray
    needs: np.ndarray
    link: np.ndarray
    partner: np.ndarray
    levels: np.ndarray


@lru_cache(maxsize=256)
def plan_of(schedule: str, p: int, m: int, v: int) -> Plan:
    """The plan of a schedule on p stages, for m micro-batches in v chunks per stage."""
    order = order_of(schedule, p, m, v)
    rows = [(s, one) for s, row in enumerate(order) for one in row]
    two_ways = SCHEDULES[schedule].shape == "two ways"
    depth = p if two_ways else p * v
    lane = [one.chunk if two_ways else 0 for _, one in rows]
    at = [position(schedule, s, one.chunk, p) for s, one in rows]
    index = {
        (lane[n], at[n], one.micro_batch, one.kind == FORWARD): n
        for n, (_, one) in enumerate(rows)
        if one.kind != WEIGHT
    }
    none, n_all = len(rows), len(rows)
    before, needs, link, partner = [], [], [], list(range(n_all))
    for n, (s, one) in enumerate(rows):
        before.append(n - 1 if n and rows[n - 1][0] == s else none)
        source = _source(one, at[n], depth)
        got = none if source is None else index[lane[n], source[0], one.micro_batch, source[1]]
        needs.append(got)
        link.append(_link(s, rows[got][0], p) if got < none else p)
        if one.paired:
            partner[n], partner[n + 1] = n + 1, n
    level = _levels(before, needs, partner)
    turn = np.argsort(level, kind="stable")
    place = np.empty(n_all + 1, dtype=np.intp)
    place[turn] = np.arange(n_all)
    place[none] = n_all
    each = np.array([(s, one.chunk, one.micro_batch, one.kind) for s, one in rows])[turn]
    return Plan(
        *each.T,
        layers=np.array(at)[turn] if two_ways else each[:, 0],
        before=place[before][turn],
        needs=place[needs][turn],
        link=np.array(link)[turn],
        partner=place[partner][turn],
        levels=np.searchsorted(np.sort(level), np.arange(level.max() + 2)),
    )


def _source(one: Pass, at: int, depth: int) -> tuple[int, bool] | None:
    """Which pass of the micro-batch has to end before: its place in depth, and if it is forward."""
    if one.kind == FORWARD:
        return (at - 1, True) if at else None
    if one.kind == WEIGHT:
        return (at, False)
    return (at + 1, False) if at + 1 < depth else (at, True)


def _link(stage: int, other: int, p: int) -> int:
    """Link s joins stages s and s + 1, the last one the last stage and the first; p is none."""
    if stage == other:
        return p
    low, high = sorted((stage, other))
    return low if high == low + 1 else high


def _levels(before: list[int], needs: list[int], partner: list[int]) -> np.ndarray:
    """How many passes have to end one after the other before each pass; pairs are of one level."""
    n_all = len(before)
    one = [min(n, other) for n, other in enumerate(partner)]
    after: list[list[int]] = [[] for _ in range(n_all)]
    waits_for = [0] * n_all
    for wanted in (before, needs):
        for n, other in enumerate(wanted):
            if other < n_all and one[other] != one[n]:
                after[one[other]].append(one[n])
                waits_for[one[n]] += 1
    level = [0] * n_all
    free = [n for n in range(n_all) if one[n] == n and not waits_for[n]]
    for n in free:  # grows
        for other in after[n]:
            level[other] = max(level[other], level[n] + 1)
            waits_for[other] -= 1
            if not waits_for[other]:
                free.append(other)
    if any(waits_for):
        raise AssertionError("passes that wait for each other")
    return np.array([level[n] for n in one])


def ends_s(plan: Plan, durations: np.ndarray, v: int) -> np.ndarray:
    """When each pass has ended and can send, level by level; of a pair when both have.

    Parameters
    ----------
    plan : Plan
    durations : array [5, stage, row]   Forward, input gradient, weight gradient, hop, pair; the
                                        last NaN where it is the sum of its passes. [s]
    v : int                             Chunks per stage. [1]

    Returns
    -------
    array [pass + 1, row]   The last is the start of the step. [s]
    """
    each, hops = _by_kind(durations, v), _with_none(durations[3])
    paired = plan.partner != np.arange(len(plan.stage))
    out = np.zeros((len(plan.stage) + 1, durations.shape[-1]))
    for low, high in itertools.pairwise(plan.levels):
        own = slice(low, high)
        begin = out[plan.needs[own]]
        begin += hops[plan.link[own]]
        np.maximum(begin, out[plan.before[own]], out=begin)
        taken = each[plan.kind[own], plan.layers[own]]
        if paired[own].any():
            other = plan.partner[own] - low
            alone = ~paired[own, None]
            both = taken + np.where(alone, 0.0, taken[other])
            given = durations[4][plan.stage[own]] / v
            taken = np.where(alone | np.isnan(given), both, given)
            begin = np.maximum(begin, begin[other])
        np.add(begin, taken, out=out[own])
    return out


def start_and_end_s(
    plan: Plan, durations: np.ndarray, v: int, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of each pass, [pass, row]: passes of a pair share its time as their own."""
    taken = _by_kind(durations, v)[plan.kind, plan.layers]
    end = out[:-1].copy()
    paired = plan.partner != np.arange(len(plan.stage))
    if paired.any():
        both = taken + taken[plan.partner]
        given = durations[4][plan.stage] / v
        whole = np.where(np.isnan(given), both, given)
        share = np.where(paired[:, None], taken * whole / np.where(both > 0, both, 1.0), taken)
        first = (paired & (plan.kind == FORWARD))[:, None]
        end = np.where(first, end - share[plan.partner], end)
        taken = share
    return end - taken, end


def exposed_s(
    plan: Plan, hop: np.ndarray, out: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """The idle time before each pass in which a hop that it needs is under way, [pass, row]."""
    hops = _with_none(hop)[plan.link]
    sent = out[plan.needs]
    free = _with_none(end)[plan.before]
    paired = plan.partner != np.arange(len(plan.stage))
    first = paired & (plan.kind == FORWARD)
    late = np.where(first[:, None], free, free[plan.partner])  # of a pair, before its first pass
    begin = np.where(first[:, None], start, start[plan.partner])
    alone = ~paired[:, None]
    late, begin = np.where(alone, free, late), np.where(alone, start, begin)
    found = np.maximum(np.minimum(begin, sent + hops) - np.maximum(late, sent), 0.0)
    found = np.where(alone, found, np.maximum(found, found[plan.partner]))
    return np.where(alone | first[:, None], found, 0.0)


def _by_kind(durations: np.ndarray, v: int) -> np.ndarray:
    """Times of one chunk, [kind, stage, row]. [s]"""
    forward, input_gradient, weight_gradient = durations[:3]
    backward = input_gradient + weight_gradient
    return np.stack([forward, input_gradient, weight_gradient, backward]) / v


def _with_none(values: np.ndarray) -> np.ndarray:
    """With a row of zeros at the end: what "none" refers to."""
    return np.concatenate([values, np.zeros_like(values[:1])])
