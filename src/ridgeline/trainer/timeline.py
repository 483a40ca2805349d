"""When the passes of a pipeline schedule run, and when its stages idle.

`orders` has the rule of each schedule, `plans` the one list scheduler that times all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ridgeline.errors import SpecError, there_is_no
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.trainer.orders import FORWARD, KINDS, WEIGHT
from ridgeline.trainer.plans import Plan, ends_s, exposed_s, plan_of, start_and_end_s

__all__ = ["KINDS", "Timeline", "schedule_time_s", "timeline"]

#: numbers of the table of end times that is held at a time: what the cache holds
_MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class Timeline:
    """Passes of one optimizer step, each with its start and its end.

    Attributes
    ----------
    schedule : str
    n_stages, n_micro_batches, n_chunks : int
    stage, chunk, micro_batch : array [pass]   From 0. In DualPipe the chunk is the direction.
    kind : array [pass]                        Index of `KINDS`.
    start_s, end_s : array [..., pass]         From the first start; a row for each set of
                                               durations. [s]
    exchange_s : array [..., pass]             Of the idle time before the pass, what it waits for a
                                               hop that is under way. [s]
    """

    schedule: str
    n_stages: int
    n_micro_batches: int
    n_chunks: int
    stage: np.ndarray
    chunk: np.ndarray
    micro_batch: np.ndarray
    kind: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    exchange_s: np.ndarray

    @property
    def time_s(self) -> np.ndarray:
        """From the first start to the last end, of all stages: they wait for each other. [s]"""
        return self.end_s.max(axis=-1)

    @cached_property
    def _by_stage(self) -> list[np.ndarray]:
        return [np.flatnonzero(self.stage == s) for s in range(self.n_stages)]

    @property
    def busy_s(self) -> np.ndarray:
        """Time in which each stage computes. [s], [..., stage]"""
        taken = self.end_s - self.start_s
        return np.stack([taken[..., own].sum(axis=-1) for own in self._by_stage], axis=-1)

    @property
    def span_s(self) -> np.ndarray:
        """From a stage's first start to its own last end. [s], [..., stage]

        The largest is the time of a step where the optimizer of a stage need not wait for the
        others (zero-bubble schedules validate the norm of the gradient afterwards).
        """
        return np.stack(
            [
                self.end_s[..., own].max(axis=-1) - self.start_s[..., own].min(axis=-1)
                for own in self._by_stage
            ],
            axis=-1,
        )

    @property
    def bubble_s(self) -> np.ndarray:
        """What each stage idles between its first start and its last end. [s], [..., stage]"""
        return self.span_s - self.busy_s

    @property
    def idle_s(self) -> np.ndarray:
        """What each stage idles in the whole step. [s], [..., stage]"""
        return self.time_s[..., None] - self.busy_s

    @property
    def exposed_exchange_s(self) -> np.ndarray:
        """Of what each stage idles, the time in which a hop that it needs is under way. [s]"""
        return np.stack([self.exchange_s[..., own].sum(axis=-1) for own in self._by_stage], axis=-1)

    def bars(self) -> list[dict[str, Any]]:
        """Passes and exposed exchanges as rows, for tables and pictures, of one set of durations.

        Each has ``stage``, ``micro_batch`` and ``chunk`` (from 0), ``kind`` ("exchange" or one of
        `KINDS`), ``from_s`` and ``to_s``.
        """
        found = []
        for n, kind in enumerate(self.kind):
            own = {
                "stage": int(self.stage[n]),
                "micro_batch": int(self.micro_batch[n]),
                "chunk": int(self.chunk[n]),
            }
            start, end, late = (float(a[n]) for a in (self.start_s, self.end_s, self.exchange_s))
            if late > 0:
                found.append({**own, "kind": "exchange", "from_s": start - late, "to_s": start})
            found.append({**own, "kind": KINDS[kind], "from_s": start, "to_s": end})
        return found

    @property
    def in_flight(self) -> list[list[tuple[float, int]]]:
        """Of each stage, from when on it holds how many chunks of activations.

        A chunk is held from the start of its forward pass to the end of its weight gradient. Of a
        single set of durations.
        """
        found = []
        for own in self._by_stage:
            starts = own[self.kind[own] == FORWARD]
            ends = own[self.kind[own] >= WEIGHT]
            steps = [(float(t), 1) for t in self.start_s[starts]]
            steps += [(float(t), -1) for t in self.end_s[ends]]
            held: dict[float, int] = {}
            n = 0
            for t, change in sorted(steps):
                n += change
                held[t] = n
            found.append(list(held.items()))
        return found

    @cached_property
    def peak_in_flight(self) -> np.ndarray:
        """Most chunks of activations that each stage holds, by the order of its passes. [stage]"""
        change = np.where(self.kind == FORWARD, 1, np.where(self.kind >= WEIGHT, -1, 0))
        return np.array([np.cumsum(change[own]).max() for own in self._by_stage])


def timeline(
    schedule: str,
    n_stages: int,
    n_micro_batches: int,
    forward_s: Any,
    input_gradient_s: Any,
    weight_gradient_s: Any,
    *,
    n_chunks: int | None = None,
    hop_s: Any = 0.0,
    pair_s: Any = None,
) -> Timeline:
    """Time the passes of a schedule.

    Parameters
    ----------
    schedule : str          A name of `ridgeline.laws.schedules.SCHEDULES`.
    n_stages : int          p. [1]
    n_micro_batches : int   m, of the whole step. [1]
    forward_s, input_gradient_s, weight_gradient_s : array
        Of one micro-batch on a stage, all its chunks: one number, or [..., stage]. In DualPipe of
        the layers of a stage. [s]
    n_chunks : int or None  v, chunks per stage of equal time; those of the schedule if None. [1]
    hop_s : array           From a stage to the next, which does not keep it busy: one number, or
                            [..., link]; link s joins stages s and s + 1, the last one the last
                            stage and the first. [s]
    pair_s : array or None  Of a forward and a backward pass that run as one in DualPipe, all
                            chunks; their sum if None. One number, or [..., stage]. [s]

    Raises
    ------
    SpecError   There is no such schedule, or it does not take these numbers.

    Examples
    --------
    1F1B, four stages and eight micro-batches: the share (p - 1) / (m + p - 1) is idle.

    >>> found = timeline("1f1b", 4, 8, 1.0, 1.0, 1.0)
    >>> float(found.time_s), float(found.bubble_s.max() / found.time_s)  # 3 / 11
    (33.0, 0.2727272727272727)
    """
    v = _chunks(schedule, n_chunks)
    plan = plan_of(schedule, n_stages, n_micro_batches, v)
    shape, tables = _by_row(n_stages, forward_s, input_gradient_s, weight_gradient_s, hop_s, pair_s)
    out = ends_s(plan, tables, v)
    start, end = start_and_end_s(plan, tables, v, out)
    late = exposed_s(plan, tables[3], out, start, end)
    return Timeline(
        schedule, n_stages, n_micro_batches, v,
        plan.stage, plan.chunk, plan.micro_batch, plan.kind,
        *(times.T.reshape(*shape, -1) for times in (start, end, late)),
    )  # fmt: skip


def schedule_time_s(
    schedule: str,
    n_stages: int,
    n_micro_batches: int,
    forward_s: Any,
    input_gradient_s: Any,
    weight_gradient_s: Any,
    *,
    n_chunks: int | None = None,
    hop_s: Any = 0.0,
    pair_s: Any = None,
    wait_for_all: bool = True,
    rounds: int | None = None,
) -> np.ndarray:
    """Time of a step under a schedule, for any number of sets of durations at once.

    Parameters
    ----------
    schedule, n_stages, n_micro_batches, forward_s, input_gradient_s, weight_gradient_s, n_chunks, \
    hop_s, pair_s
        As in `timeline`.
    wait_for_all : bool   No stage begins its optimizer pass before all have their gradients, as a
                          gradient norm over all stages asks; else the longest span of a stage.
    rounds : int or None  Time about so many times p micro-batches, and the others at the pace of
                          the last p: with 6 within 1% where stages differ by a half, 0 in the
                          median. All if None. [1]

    Returns
    -------
    array   A number for each set of durations. [s]

    Examples
    --------
    The last of four stages takes twice as long.

    >>> float(schedule_time_s("1f1b", 4, 8, [1, 1, 1, 2], [1, 1, 1, 2], [1, 1, 1, 2]))
    57.0
    """
    given = (forward_s, input_gradient_s, weight_gradient_s, hop_s, pair_s)
    shape, tables = _by_row(n_stages, *given)
    v = _chunks(schedule, n_chunks)
    timed = n_micro_batches
    if rounds is not None and n_micro_batches > (rounds + 1) * n_stages:
        timed = rounds * n_stages + n_micro_batches % n_stages
    found = _times(plan_of(schedule, n_stages, timed, v), tables, v, wait_for_all=wait_for_all)
    if timed < n_micro_batches:
        longer = plan_of(schedule, n_stages, timed + n_stages, v)
        pace = _times(longer, tables, v, wait_for_all=wait_for_all) - found
        found = found + pace * ((n_micro_batches - timed) // n_stages)
    return found.reshape(shape)


def _times(plan: Plan, tables: np.ndarray, v: int, *, wait_for_all: bool) -> np.ndarray:
    """Time of a step, [row], in blocks that the cache holds."""
    n_rows = tables.shape[-1]
    own = [np.flatnonzero(plan.stage == s) for s in range(int(plan.stage.max()) + 1)]
    found = np.empty(n_rows)
    step = max(1, _MOST_CELLS // len(plan.stage))
    for low in range(0, n_rows, step):
        block = tables[..., low : low + step]
        out = ends_s(plan, block, v)
        last = out[:-1].max(axis=0)
        if not wait_for_all:
            start = start_and_end_s(plan, block, v, out)[0]
            last = np.max([out[s].max(axis=0) - start[s].min(axis=0) for s in own], axis=0)
        found[low : low + step] = last
    return found


def _chunks(schedule: str, n_chunks: int | None) -> int:
    if schedule not in SCHEDULES:
        raise SpecError(there_is_no("schedule", schedule, SCHEDULES))
    return SCHEDULES[schedule].n_chunks if n_chunks is None else n_chunks


def _by_row(p: int, *given: Any) -> tuple[tuple[int, ...], np.ndarray]:
    """Durations as [which, stage, row], and the shape of rows; of a pair NaN if it is the sum."""
    arrays = [np.asarray(np.nan if g is None else g, dtype=float) for g in given]
    arrays = [a if a.ndim else np.broadcast_to(a, p) for a in arrays]
    for array in arrays:
        if array.shape[-1] != p:
            raise SpecError(
                f"Durations have {p} stages as their last axis, or are one number for all; these "
                f"have {array.shape[-1]}."
            )
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return shape[:-1], np.stack([np.broadcast_to(a, shape).reshape(-1, p).T for a in arrays])
