"""Pipeline schedules of training by name: what each asks of a layout, and what it keeps.

`bubbles` has what they leave idle, `schedule_times` their time where stages differ, and
`ridgeline.trainer.timeline` the passes themselves.

Symbols: p stages, m micro-batches, v chunks per stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.errors import there_is_no
from ridgeline.laws._namespace import minimum

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SCHEDULES",
    "Schedule",
    "fewest_micro_batches",
    "in_flight_chunks",
    "schedule_problem",
    "wait_for_all_s",
]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A pipeline schedule and what it asks of a layout.

    Attributes
    ----------
    name, title : str          As an option takes it, and as a sentence says it.
    shape : str                Of the chunks: "round" (stage after stage, and again), "folded" (down
                               the stages and up) or "two ways" (a copy of the model each way).
    n_chunks : int             Per stage; of "interleaved" the fewest. [1]
    splits_backward : bool     The weight gradient is a pass of its own, which nobody waits for.
    n_copies : int             Of each parameter, over all stages. [1]
    even_stages : bool         It takes even numbers of stages alone.
    source : str
    refuses_few : bool         It does not run with fewer than `fewest_micro_batches`.
    """

    name: str
    title: str
    shape: str
    n_chunks: int
    splits_backward: bool
    n_copies: int
    even_stages: bool
    source: str
    refuses_few: bool = False

    @property
    def n_chunks_is_free(self) -> bool:
        """More chunks than `n_chunks` are taken."""
        return self.name == "interleaved"

    def chunks(self, n_chunks: Any) -> Any:
        """Chunks per stage: those given where the schedule takes any number, else its own."""
        return n_chunks if self.n_chunks_is_free else self.n_chunks


_ZB = "Qi et al., Zero Bubble Pipeline Parallelism, arXiv:2401.10241"
_MEMORY = "Qi et al., Pipeline Parallelism with Controllable Memory, arXiv:2405.15362"
_DEEPSEEK = "DeepSeek-V3 Technical Report, arXiv:2412.19437"

SCHEDULES: dict[str, Schedule] = {
    one.name: one
    for one in (
        Schedule("gpipe", "GPipe", "round", 1, False, 1, False, "Huang et al., arXiv:1811.06965"),
        Schedule("1f1b", "1F1B", "round", 1, False, 1, False, "Narayanan et al., arXiv:2104.04473"),
        Schedule("interleaved", "interleaved 1F1B", "round", 2, False, 1, False,
                 "Narayanan et al., arXiv:2104.04473"),
        Schedule("zb-h1", "ZB-H1", "round", 1, True, 1, False, _ZB),
        Schedule("zb-h2", "ZB-H2", "round", 1, True, 1, False, _ZB),
        Schedule("zb-v", "ZB-V", "folded", 2, True, 1, False, _MEMORY),
        Schedule("v-half", "V-Half", "folded", 2, True, 1, False, _MEMORY),
        Schedule("v-min", "V-Min", "folded", 2, True, 1, False, _MEMORY),
        Schedule("dualpipe", "DualPipe", "two ways", 1, True, 2, True, _DEEPSEEK, True),
        Schedule("dualpipev", "DualPipeV", "folded", 2, True, 1, False,
                 "deepseek-ai/DualPipe; Qi et al., DualPipe could be better without the Dual",
                 True),
    )
}  # fmt: skip


def schedule_problem(
    schedule: str, n_stages: int, n_micro_batches: int, n_chunks: int | None = None
) -> str | None:
    """Why a schedule does not take a layout, with the nearest that it takes; None if it does.

    Parameters
    ----------
    schedule : str            A name of `SCHEDULES`.
    n_stages : int            p. [1]
    n_micro_batches : int     m, of the whole step. [1]
    n_chunks : int or None    v; not looked at if None. [1]

    Examples
    --------
    >>> schedule_problem("dualpipe", 5, 20)
    'DualPipe takes an even number of stages, not 5: use 4 or 6.'
    >>> schedule_problem("interleaved", 4, 10, 2)
    'Interleaved 1F1B takes micro-batches in groups of as many as stages, 4, and 10 do not divide: \
use 8 or 12.'
    """
    if schedule not in SCHEDULES:
        return there_is_no("schedule", schedule, SCHEDULES)
    one = SCHEDULES[schedule]
    v = one.n_chunks if n_chunks is None else n_chunks
    if min(n_stages, n_micro_batches, v) < 1:
        return (
            "A pipeline has at least one stage, micro-batch and chunk per stage, not "
            f"{n_stages}, {n_micro_batches} and {v}."
        )
    problem = _chunk_problem(one, v) or _number_problem(one, n_stages, n_micro_batches)
    return f"{one.title[0].upper()}{one.title[1:]} takes {problem}." if problem else None


def _chunk_problem(one: Schedule, v: int) -> str | None:
    if one.n_chunks_is_free:
        least = one.n_chunks
        return None if v >= least else f"at least {least} chunks per stage, not {v}: use '1f1b'"
    if v == one.n_chunks:
        return None
    many = "1 chunk" if one.n_chunks == 1 else f"{one.n_chunks} chunks"
    more = ": use 'interleaved' for more" if one.name == "1f1b" else ""
    return f"{many} per stage, not {v}{more}"


def _number_problem(one: Schedule, p: int, m: int) -> str | None:
    if one.even_stages and p % 2:
        return f"an even number of stages, not {p}: use {f'{p - 1} or ' if p > 1 else ''}{p + 1}"
    if one.name == "interleaved" and m % p:
        below = f"{m // p * p} or " if m > p else ""
        return (
            f"micro-batches in groups of as many as stages, {p}, and {m} do not divide: use "
            f"{below}{(m // p + 1) * p}"
        )
    least = fewest_micro_batches(one.name, p)
    if one.refuses_few and m < least:
        return f"at least {least} micro-batches on {p} stages, not {m}"
    if one.even_stages and m % 2:
        return f"an even number of micro-batches, half each way, not {m}: use {m - 1} or {m + 1}"
    return None


def fewest_micro_batches(schedule: str, n_stages: Any) -> Any:
    """Micro-batches from which on the laws of this module hold.

    Fewer run as well, with a larger bubble, which the timeline tells; except under interleaved
    1F1B, DualPipe and DualPipeV, whose rules need them.

    Parameters
    ----------
    schedule : str     A name of `SCHEDULES`.
    n_stages : array   p. [1]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Counted in the timeline of each; for DualPipe and DualPipeV the repository
       deepseek-ai/DualPipe.

    Examples
    --------
    >>> [fewest_micro_batches(name, 8) for name in ("1f1b", "zb-h1", "zb-v", "dualpipe")]
    [1, 8, 15, 16]
    """
    return _FEWEST[schedule](n_stages)


_FEWEST: dict[str, Callable[[Any], Any]] = {
    "gpipe": lambda p: p // p,
    "1f1b": lambda p: p // p,
    "interleaved": lambda p: p,
    "zb-h1": lambda p: p,
    "zb-h2": lambda p: 2 * p - 1,
    "zb-v": lambda p: 2 * p - 1,
    "v-half": lambda p: (p + 1) // 2,
    "v-min": lambda p: p // 3 + 1,
    "dualpipe": lambda p: 2 * p,
    "dualpipev": lambda p: 2 * p,
}


def in_flight_chunks(
    schedule: str, n_stages: Any, n_micro_batches: Any, n_chunks: Any = 1, stage: Any = 0
) -> Any:
    """Most activations that a stage holds at a time, in chunks of one micro-batch.

    Parameters
    ----------
    schedule : str            A name of `SCHEDULES`.
    n_stages : array          p. [1]
    n_micro_batches : array   m. [1]
    n_chunks : array          v; a chunk is a v-th of a stage's layers. [1]
    stage : array             From 0, which holds the most. [1]

    Returns
    -------
    array   Divided by v, micro-batches on the layers of a stage. [1]

    Notes
    -----
    Held from the start of the forward pass to the end of the weight gradient. Of V-Min the stage
    with the most: others hold up to two chunks less; so of V-Half with few micro-batches. In
    DualPipe a chunk is a whole stage of either copy.

    References
    ----------
    .. [1] Narayanan et al., arXiv:2104.04473; Qi et al., arXiv:2401.10241 and arXiv:2405.15362 (1,
       2, 1, 1/2 and 1/3 of 1F1B's for ZB-H1, ZB-H2, ZB-V, V-Half and V-Min); deepseek-ai/DualPipe.

    Examples
    --------
    >>> [in_flight_chunks("1f1b", 4, 8, stage=s) for s in range(4)]
    [4, 3, 2, 1]
    >>> [in_flight_chunks(name, 8, 32, 2) / 2 for name in ("interleaved", "v-half", "v-min")]
    [11.5, 5.0, 4.0]
    """
    p, m, v, s = n_stages, n_micro_batches, n_chunks, stage
    found = minimum(_IN_FLIGHT[schedule](p, m, v, s), m * SCHEDULES[schedule].chunks(v))
    return found + 0 * (p + s)


_IN_FLIGHT: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "gpipe": lambda p, m, v, s: m,
    "1f1b": lambda p, m, v, s: p - s,
    "interleaved": lambda p, m, v, s: 2 * (p - s - 1) + (v - 1) * p + 1,
    "zb-h1": lambda p, m, v, s: p,
    "zb-h2": lambda p, m, v, s: 2 * p - 1,
    "zb-v": lambda p, m, v, s: 2 * p,
    "v-half": lambda p, m, v, s: 2 * ((p + 2) // 2),
    "v-min": lambda p, m, v, s: 2 * ((p + 4) // 3),
    "dualpipe": lambda p, m, v, s: p + 1,
    "dualpipev": lambda p, m, v, s: 2 * p + 1,
}


def wait_for_all_s(schedule: str, n_stages: Any, n_chunks: Any, forward_s: Any) -> Any:
    r"""What a step takes longer where the optimizer waits for the gradients of all stages.

    .. math:: (p - 1) f \ \text{(ZB-H2)}, \quad (p - 1) f / v \ \text{(ZB-V)}, \quad 0

    Parameters
    ----------
    schedule : str             A name of `SCHEDULES`.
    n_stages, n_chunks : array   p, v. [1]
    forward_s : array          f. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Under ZB-H2 and ZB-V stages end in the turn in which they begin, and the next step starts as
    they end, so that no stage idles; the norm of the gradient, which clipping asks for, is checked
    afterwards. An optimizer that needs it before waits for the last stage. Where f, b and w are
    equal.

    References
    ----------
    .. [1] Qi et al., arXiv:2401.10241, sec. 4 (bypassing optimizer synchronizations); the time
       itself from the timelines.

    Examples
    --------
    >>> wait_for_all_s("zb-h2", 4, 1, 1.0), wait_for_all_s("1f1b", 4, 1, 1.0)
    (3.0, 0.0)
    """
    late = schedule in ("zb-h2", "zb-v")
    return late * (n_stages - 1) * forward_s / SCHEDULES[schedule].chunks(n_chunks)
