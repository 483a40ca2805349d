"""Jobs that differ in numbers alone, side by side as rows of one: timed in one evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.trainer.rows import TrainingRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.trainer.job import TrainingJob

__all__ = ["stacked"]

_RECORDS = ("layout", "recipe", "load")


def stacked(jobs: Sequence[TrainingJob]) -> list[tuple[list[int], TrainingJob]]:
    """Put jobs of one model, machine and framework together that have the same names.

    Parameters
    ----------
    jobs : sequence of TrainingJob   Of one row each.

    Returns
    -------
    list   Which of the jobs, and a job with a row for each of them.
    """
    groups: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault(_names(job), []).append(i)
    return [(members, _rows([jobs[i] for i in members])) for members in groups.values()]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fields(job: TrainingJob) -> dict[str, Any]:
    return {f"{r}.{n}": v for r in _RECORDS for n, v in getattr(job, r).__dict__.items()}


def _names(job: TrainingJob) -> tuple[Any, ...]:
    """What is one value for all rows: words, switches, and numbers that are left open."""
    return tuple((n, None if _is_number(v) else v) for n, v in _fields(job).items())


def _rows(jobs: Sequence[TrainingJob]) -> TrainingJob:
    first = _fields(jobs[0])
    columns = {
        path: np.asarray([_fields(job)[path] for job in jobs], dtype=float)
        for path, value in first.items()
        if _is_number(value)
    }
    varied = {path: values for path, values in columns.items() if np.ptp(values) > 0}
    return TrainingRows(jobs[0]).of_rows(varied) if varied else jobs[0]
