"""In which order a pipeline stage runs its micro-batches: a rule for each schedule.

An order is a list of passes for each stage. Two kinds of rule make all of them: phases, so many
times the same few passes (GPipe, 1F1B, ZB-H1, ZB-H2, ZB-V, DualPipe, DualPipeV; interleaved by
groups), and a building block that repeats, of which a list scheduler runs what is ready and due
first (V-Half, V-Min).
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ridgeline.errors import SpecError
from ridgeline.laws.schedules import SCHEDULES, schedule_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "BACKWARD", "FORWARD", "INPUT", "KINDS", "WEIGHT", "Order", "Pass", "order_of", "position",
]  # fmt: skip

#: what a stage does for a micro-batch; "backward" is input and weight gradient in one
KINDS = ("forward", "input gradient", "weight gradient", "backward")
FORWARD, INPUT, WEIGHT, BACKWARD = range(4)


class Pass(NamedTuple):
    """One pass of a micro-batch through one chunk of a stage.

    Attributes
    ----------
    kind : int          Index of `KINDS`.
    chunk : int         Of the stage; in DualPipe the direction.
    micro_batch : int   From 0; in DualPipe in each direction.
    paired : bool       It runs as one with the pass after it: a forward and a backward pass.
    """

    kind: int
    chunk: int
    micro_batch: int
    paired: bool = False


Order = tuple[tuple[Pass, ...], ...]
#: how often, and which passes in turn: see `_LETTERS`
Phase = tuple[int, str]

#: capitals are chunk 0, small letters chunk 1; W is the weight gradient that waits the longest,
#: and & joins a forward and a backward pass
_LETTERS = {
    "F": (FORWARD, 0), "f": (FORWARD, 1), "B": (INPUT, 0), "b": (INPUT, 1),
    "D": (BACKWARD, 0), "d": (BACKWARD, 1),
}  # fmt: skip


def position(schedule: str, stage: int, chunk: int, n_stages: int) -> int:
    """Where a chunk of a stage is in the depth of the model, from 0.

    Examples
    --------
    Chunks go round, are folded like a V, or are two copies of the model in two directions.

    >>> [position(name, 1, 1, 4) for name in ("interleaved", "zb-v", "dualpipe")]
    [5, 6, 2]
    """
    shape = SCHEDULES[schedule].shape
    if shape == "two ways":
        return n_stages - 1 - stage if chunk else stage
    if shape == "folded" and chunk:
        return 2 * n_stages - 1 - stage
    return chunk * n_stages + stage


@lru_cache(maxsize=256)
def order_of(schedule: str, n_stages: int, n_micro_batches: int, n_chunks: int = 1) -> Order:
    """The order of passes on every stage.

    Parameters
    ----------
    schedule : str          A name of `ridgeline.laws.schedules.SCHEDULES`.
    n_stages : int          p. [1]
    n_micro_batches : int   m. [1]
    n_chunks : int          v, chunks per stage. [1]

    Raises
    ------
    SpecError   There is no such schedule, or it does not take these numbers.
    """
    problem = schedule_problem(schedule, n_stages, n_micro_batches, n_chunks)
    if problem:
        raise SpecError(problem)
    return _RULES[schedule](n_stages, n_micro_batches, n_chunks)


def _unrolled(phases: Iterable[Phase], n_micro_batches: int) -> tuple[Pass, ...]:
    """The passes of phases in turn, without micro-batches that are not there."""
    found: list[Pass] = []
    done = [[0, 0], [0, 0]]
    waiting: deque[Pass] = deque()
    for times, letters in phases:
        for _ in range(times):
            for i, letter in enumerate(letters):
                if letter == "W" and waiting:
                    found.append(waiting.popleft())
                if letter not in _LETTERS:
                    continue
                kind, chunk = _LETTERS[letter]
                number = done[min(kind, 1)][chunk]
                if number == n_micro_batches:
                    continue
                done[min(kind, 1)][chunk] += 1
                found.append(Pass(kind, chunk, number, letters[i + 1 : i + 2] == "&"))
                if kind == INPUT:
                    waiting.append(Pass(WEIGHT, chunk, number))
    return (*found, *waiting)


def _gpipe(p: int, m: int, _: int) -> Order:
    """All forward, then all backward."""
    return (_unrolled([(m, "F"), (m, "D")], m),) * p


def _one_f_one_b(p: int, m: int, _: int) -> Order:
    """So many forward passes as stages follow, then one backward for one forward."""
    return tuple(_unrolled([(p - s - 1, "F"), (m, "FD")], m) for s in range(p))


def _zero_bubble(p: int, m: int, depth: int) -> Order:
    """1F1B, or twice its depth, with weight gradients late by the stage times the depth.

    As many activations on every stage as on the first (arXiv:2401.10241, ZB-H1 and ZB-H2).
    """
    return tuple(
        _unrolled([(depth * (p - s - 1), "F"), (depth * s, "FB"), (m, "FBW")], m) for s in range(p)
    )


def _zb_v(p: int, m: int, _: int) -> Order:
    """Phases for at least 2p - 1 micro-batches, of which fewer may be there.

    After the order by hand in sail-sg/zero-bubble-pipeline-parallelism.
    """
    n = max(m, 2 * p - 1)
    return tuple(
        _unrolled(
            [
                (2 * (p - s) - 1, "F"),
                (s, "fF"),
                (p - s, "fbW"),
                (n - p, "FBWfbW"),
                (s, "Bb"),
                (p - s, "BW"),
            ],
            m,
        )
        for s in range(p)
    )


def _dualpipe(p: int, m: int, _: int) -> Order:
    """A stage and its mirror image run the same phases, with the directions exchanged."""
    half = [_dual_phases(s, p // 2, m // 2, p) for s in range(p // 2)]
    mirrored = [[(n, letters.swapcase().replace("w", "W")) for n, letters in h] for h in half[::-1]]
    return tuple(_unrolled(phases, m // 2) for phases in (*half, *mirrored))


def _dualpipe_v(p: int, m: int, _: int) -> Order:
    return tuple(_unrolled(_dual_phases(s, p, m, 2 * p), m) for s in range(p))


def _dual_phases(s: int, half: int, n: int, depth: int) -> list[Phase]:
    """DualPipe's eight phases on stage s of `half`, with `n` micro-batches per direction.

    Their lengths are those of deepseek-ai/DualPipe.
    """
    kept = (s + 1) // 2  # of the last backward passes, pairs that keep their weight gradient
    odd = (s + 1) % 2
    main = n - depth + s + 1
    inmost = s == half - 1  # its first pair runs one after the other
    return [
        (2 * (half - s - 1), "F"),
        (s + 1, "Ff"),
        (half - s - 1, "bWf"),
        (int(inmost), "Fdf&D"),
        (main - inmost, "F&df&D"),
        (half - s - 1, "df&D"),
        (kept, "dD"),
        (odd, "dB"),
        (s + 1 - kept - odd, "bB"),
        (half - s - 1, "WB"),
        (s + 1, "W"),
    ]


def _interleaved(p: int, m: int, v: int) -> Order:
    """Groups of p micro-batches pass chunk after chunk (arXiv:2104.04473, fig. 4; Megatron-LM)."""
    forward: list[Pass] = []
    backward: list[Pass] = []
    for first in range(0, m, p):
        group = range(first, first + p)
        forward += [Pass(FORWARD, c, i) for c in range(v) for i in group]
        backward += [Pass(BACKWARD, c, i) for c in reversed(range(v)) for i in group]
    found = []
    for s in range(p):
        warm = min(2 * (p - s - 1) + (v - 1) * p, m * v)
        row = forward[:warm]
        for i, one in enumerate(backward):
            row += [*forward[warm + i : warm + i + 1], one]
        found.append(tuple(row))
    return tuple(found)


def _v_block(p: int, down: int, gaps: tuple[int, int]) -> list[list[tuple[int, int, int]]]:
    """When a V's passes are due on each stage, in passes; a micro-batch begins every six.

    Down the stages in steps of `down`, up in ones, and the same backward, with more time before
    the first and the last leg of the backward pass (offsets of arXiv:2405.15362).
    """
    turn = (p - 1) * down + 1
    back = turn + p + gaps[0]
    last = back + (p - 1) * down + 1 + gaps[1]
    return [
        [
            (down * s, FORWARD, 0),
            (turn + p - 1 - s, FORWARD, 1),
            (back + down * s, INPUT, 1),
            (last + p - 1 - s, INPUT, 0),
        ]
        for s in range(p)
    ]


def _v_half(p: int, m: int, _: int) -> Order:
    return _listed(_v_block(p, 2, (0 if p % 2 else 3, 1)), m, 2 * ((p + 2) // 2))


def _v_min(p: int, m: int, _: int) -> Order:
    return _listed(_v_block(p, 1, (0 if p % 3 else 2, 0)), m, 2 * ((p + 4) // 3))


def _listed(block: list[list[tuple[int, int, int]]], m: int, most: int) -> Order:
    """List scheduling: of the passes that are ready, the one due first; else a weight gradient.

    All passes take as long. Forward passes, and backward passes, keep the order in which they are
    due, and a stage holds at most `most` chunks: what the repeated block holds, so that the pass
    due first of all can always run, and it does not lock.
    """
    p = len(block)
    due = [
        [
            deque(sorted((t + 6 * i, kind, c, i) for t, k, c in row if k == kind for i in range(m)))
            for kind in (FORWARD, INPUT)
        ]
        for row in block
    ]
    ended: list[dict[tuple[int, int], int]] = [{}, {}]
    found: list[list[Pass]] = [[] for _ in range(p)]
    waiting: list[deque[Pass]] = [deque() for _ in range(p)]
    held = [0] * p
    now = 0
    while any(len(row) < 6 * m for row in found):
        for s in range(p):
            ready = [
                q[0]
                for q in due[s]
                if q and _is_ready(q[0], s, p, ended, now) and (q[0][1] or held[s] < most)
            ]
            if ready:
                _, kind, c, i = min(ready)
                due[s][kind].popleft()
                ended[kind][_depth(s, c, p), i] = now + 1
                found[s].append(Pass(kind, c, i))
                held[s] += kind == FORWARD
                if kind == INPUT:
                    waiting[s].append(Pass(WEIGHT, c, i))
            elif waiting[s]:
                found[s].append(waiting[s].popleft())
                held[s] -= 1
        now += 1
    return tuple(tuple(row) for row in found)


def _depth(s: int, chunk: int, p: int) -> int:
    return 2 * p - 1 - s if chunk else s


def _is_ready(
    due: tuple[int, int, int, int],
    s: int,
    p: int,
    ended: list[dict[tuple[int, int], int]],
    now: int,
) -> bool:
    _, kind, chunk, i = due
    depth = _depth(s, chunk, p)
    if kind == FORWARD:
        return depth == 0 or ended[FORWARD].get((depth - 1, i), now + 1) <= now
    if depth == 2 * p - 1:
        return ended[FORWARD].get((depth, i), now + 1) <= now
    return ended[INPUT].get((depth + 1, i), now + 1) <= now


_RULES: dict[str, Callable[[int, int, int], Order]] = {
    "gpipe": _gpipe,
    "1f1b": _one_f_one_b,
    "interleaved": _interleaved,
    "zb-h1": lambda p, m, _: _zero_bubble(p, m, 1),
    "zb-h2": lambda p, m, _: _zero_bubble(p, m, 2),
    "zb-v": _zb_v,
    "v-half": _v_half,
    "v-min": _v_min,
    "dualpipe": _dualpipe,
    "dualpipev": _dualpipe_v,
}
