"""Time of all micro-batches through all stages under a schedule, for rows of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.schedule_times import gpipe_time_s, interleaved_time_s, one_f_one_b_time_s
from ridgeline.steps.training_count import column
from ridgeline.trainer.timeline import schedule_time_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["has_closed_form", "schedule_s"]

#: schedules whose time has a closed form for stages of unequal times: of forward passes, whole
#: backward passes, micro-batches, chunks of a stage, hops and stages
_CLOSED: dict[str, Callable[..., Any]] = {
    "gpipe": lambda f, b, m, _, h, p: gpipe_time_s(f, b, m, h, p),
    "1f1b": lambda f, b, m, _, h, p: one_f_one_b_time_s(f, b, m, h, p),
    "interleaved": interleaved_time_s,
}


def has_closed_form(schedule: str) -> bool:
    """Whether a schedule's time needs no timeline."""
    return schedule in _CLOSED


def schedule_s(
    schedule: str,
    pp: Any,
    micro_batches: Any,
    vp: Any,
    forward_s: Floats,
    input_gradient_s: Floats,
    weight_gradient_s: Floats,
    hop_s: Any,
) -> Floats:
    """Time of a step's micro-batches, from the first forward pass to the last gradient.

    By the schedule's closed form where it has one; else by its timeline, rows of as many stages,
    chunks and micro-batches together.

    Parameters
    ----------
    schedule : str   A name of `ridgeline.laws.schedules.SCHEDULES`.
    pp, micro_batches, vp : array of shape (rows,)   [1]
    forward_s, input_gradient_s, weight_gradient_s : array of shape (..., rows, stages)
                     Of one micro-batch; past a row's last stage they are not looked at. [s]
    hop_s : array of shape (..., rows)   From stage to stage, one way. [s]

    Returns
    -------
    array of shape (..., rows)   Between whole numbers of micro-batches a closed form interpolates,
                     a timeline takes the next. [s]
    """
    closed = _CLOSED.get(schedule)
    if closed is None:
        passes = (forward_s, input_gradient_s, weight_gradient_s)
        return _by_timeline(schedule, pp, micro_batches, vp, passes, hop_s)
    backward_s = input_gradient_s + weight_gradient_s
    return closed(forward_s, backward_s, micro_batches, vp, column(hop_s), pp)


def _by_timeline(
    schedule: str, pp: Any, micro_batches: Any, vp: Any, passes: tuple[Floats, ...], hop_s: Any
) -> Floats:
    shape = passes[0].shape[:-1]
    n_rows = shape[-1]
    stages = np.broadcast_to(np.asarray(pp, dtype=int), (n_rows,))
    chunks = np.broadcast_to(np.asarray(vp, dtype=int), (n_rows,))
    many = np.ceil(np.broadcast_to(np.asarray(micro_batches, dtype=float), (n_rows,)))
    hops = np.broadcast_to(np.asarray(hop_s, dtype=float), shape)
    kinds = np.stack([stages, chunks, many.astype(int)])
    found = np.empty(shape)
    for kind in np.unique(kinds, axis=1).T:
        own = np.flatnonzero((kinds == kind[:, None]).all(axis=0))
        p = int(kind[0])
        f, b, w = (x[..., own, :p] for x in passes)
        if p == 1:
            found[..., own] = many[own] * (f + b + w)[..., 0]
            continue
        between = np.repeat(hops[..., own][..., None], p, -1)
        found[..., own] = schedule_time_s(schedule, p, int(kind[2]), f, b, w, hop_s=between)
    return found
