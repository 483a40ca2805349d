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
from ridgeline.training.orders import BACKWARD, FORWARD, WEIGHT, Pass, order_of, position

__all__ = ["Plan", "exposed_s", "plan_of", "start_and_end_s"]


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


def start_and_end_s(plan: Plan, durations: np.ndarray, v: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of all passes, [pass, row], level by level."""
    forward, input_gradient, weight_gradient, hop, pair = durations
    backward = input_gradient + weight_gradient
    each = np.stack([forward, input_gradient, weight_gradient, backward]) / v
    hops = np.concatenate([hop, np.zeros_like(hop[:1])])
    n_all, n_rows = len(plan.stage), forward.shape[-1]
    paired = plan.partner != np.arange(n_all)
    start = np.empty((n_all, n_rows))
    end = np.empty((n_all, n_rows))
    out = np.zeros((n_all + 1, n_rows))  # when what a pass makes can be sent; the last is "none"
    for low, high in itertools.pairwise(plan.levels):
        own = slice(low, high)
        begin = np.maximum(out[plan.before[own]], out[plan.needs[own]] + hops[plan.link[own]])
        taken = each[plan.kind[own], plan.layers[own]]
        if paired[own].any():
            other = plan.partner[own] - low
            begin = np.maximum(begin, begin[other])
            alone = ~paired[own, None]
            both = np.where(alone, taken, taken + taken[other])
            given = pair[plan.stage[own]] / v
            whole = np.where(alone | np.isnan(given), both, given)
            late = (paired & (plan.kind == BACKWARD))[own, None]
            done = begin + whole
            taken = taken * whole / np.where(both > 0, both, 1.0)
            begin = np.where(late, done - taken, begin)
            out[own] = done
        else:
            out[own] = begin + taken
        start[own], end[own] = begin, begin + taken
    return start, end


def exposed_s(plan: Plan, hop: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The idle time before each pass in which its hop is under way, [pass, row]."""
    hops = np.concatenate([hop, np.zeros_like(hop[:1])])[plan.link]
    ended = np.concatenate([end, np.zeros_like(end[:1])])[plan.before]
    return np.clip(start - ended, 0.0, hops)
