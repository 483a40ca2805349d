"""Step times of many runs under effects that differ from run to run, and their slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.trainer.groups import grouped
from ridgeline.trainer.step import job_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.trainer.job import TrainingJob

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["StepEvaluator"]


class StepEvaluator:
    """Times of one optimizer step of each job.

    Jobs of one model, machine, framework and recipe are a case: they share their effects.

    Attributes
    ----------
    case : array of int     Of each job.
    members : list of sequence of mapping   Places of each framework that a case's stands for, by
                            level.
    scopes : list of mapping   Of the first of them.
    """

    def __init__(self, jobs: Sequence[TrainingJob]) -> None:
        self._groups = grouped(jobs)
        self._n_jobs = len(jobs)
        self.case = np.zeros(len(jobs), dtype=np.intp)
        for i, group in enumerate(self._groups):
            self.case[group.places] = i
        self.members: list[Sequence[Mapping[str, str]]] = [g.job.scopes for g in self._groups]
        self.scopes: list[Mapping[str, str]] = [each[0] for each in self.members]

    def log_rows(self, effects: Mapping[str, Floats]) -> tuple[Floats, Ints]:
        """Ln of the seconds of each job under effects of each case, and its case."""
        found = np.empty(self._n_jobs)
        for i, group in enumerate(self._groups):
            own = {name: float(value[i]) for name, value in effects.items()}
            found[group.places] = np.log(job_seconds(group.job.with_effects(own)))
        return found, self.case

    def slopes(self, effects: Mapping[str, Floats], base: Floats, by: float) -> dict[str, Floats]:
        """D ln(time) / d ln(effect) of each job, by finite differences: one evaluation a case.

        Parameters
        ----------
        effects : mapping   Of each case.
        base : array        Ln of the seconds under them.
        by : float       Of ln(effect).
        """
        names = list(effects)
        found = np.empty((len(names), self._n_jobs))
        for i, group in enumerate(self._groups):
            moved = job_seconds(group.job.with_effects(_nudged(effects, names, i, by)))
            found[:, group.places] = (np.log(moved) - base[group.places]) / by
        return dict(zip(names, found, strict=True))


def _nudged(
    effects: Mapping[str, Floats], names: Sequence[str], case: int, nudge: float
) -> dict[str, Any]:
    """Effects of a case as columns: in each row another is moved."""
    columns = {}
    for j, name in enumerate(names):
        column = np.full((len(names), 1), float(effects[name][case]))
        column[j] *= np.exp(nudge)
        columns[name] = column
    return columns
