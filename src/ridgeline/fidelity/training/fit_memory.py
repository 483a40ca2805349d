"""Fit what frameworks hold beyond a count of tensors, to measured peaks and to runs that failed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ridgeline.catalog import training_memory
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.training.calibrate import crowding, is_kept_out
from ridgeline.fidelity.training.weigh import READINGS, reading_of, weighed
from ridgeline.kernels.spread import Z80

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun
    from ridgeline.specs.training_memory import MemoryConstants

    Floats = NDArray[np.float64]

__all__ = ["fit_memory"]

#: what is expected of each constant before any run is measured, and its standard deviation on the
#: log scale; what is not here is known, or a fact of a framework. Of sigma: what peaks are off by,
#: so that the few failures near the limit do not make it look small
_EXPECTED: dict[str, tuple[float, float]] = {
    "context": (1.3e9, 0.2),
    "communicator": (3e8, 0.5),
    "workspace": (2e8, 0.5),
    "fragmentation": (0.1, 0.5),
    "unfreed": (0.5, 0.7),
    "unfreed_ahead": (0.5, 0.7),
    "returned": (0.5, 0.3),
    "logit": (8.0, 0.5),
    "sigma": (0.11, 0.1),
}
#: what frameworks differ by where they are known to
_APART = 1.0
#: shares are below one
_SHARES = ("returned",)
_MOST = 0.99
#: a Student t, as for times
_FREEDOM, _SCALE = 4.0, 0.1
_NUDGE = 1e-3
_STEPS, _TRIALS, _CLOSE = 25, 8, 1e-4
_LEAST_P = 1e-9
#: of peaks, those that an interval is to hold; no interval is narrower than a reading's rounding
_INSIDE, _LEAST_SIGMA = 0.8, 0.02


class _Unknown(NamedTuple):
    name: str
    place: str
    expected: float
    spread: float


def fit_memory(
    rows: Sequence[TrainingRow], start: MemoryConstants | None = None
) -> MemoryConstants:
    r"""Find the constants that suit measured peaks, and runs that failed or did not.

    .. math:: \sum_i w_i\,\rho\left(\ln p_i / m_i\right) - \sum_j w_j \ln P_j
              + \frac12 \sum_k \left(\frac{x_k - \mu_k}{\sigma_k}\right)^2

    Parameters
    ----------
    rows : sequence of TrainingRow   Peaks that were read, and ``oom`` rows; others are passed over.
    start : MemoryConstants or None  Which constants there are, and whose frameworks have their own;
                                     the search begins there. None for those of the catalogue.

    Returns
    -------
    MemoryConstants   The same rows in the same order give the same digits.
    """
    constants = start or training_memory()
    problem = _Problem(rows, constants)
    if not problem.n_rows:
        return constants
    return problem.spread(problem.with_values(_searched(problem)))


def _searched(problem: _Problem) -> Floats:
    """Gauss-Newton, damped until each step gains."""
    x, damping = problem.start, 1e-3
    value, r = problem.objective(x)
    for _ in range(_STEPS):
        jacobian = problem.jacobian(x, r)
        gradient, curvature = jacobian.T @ r, jacobian.T @ jacobian
        for _ in range(_TRIALS):
            damped = curvature + damping * np.diag(np.diag(curvature))
            move = np.clip(-np.linalg.solve(damped, gradient), -0.5, 0.5).astype(np.float64)
            moved = x + move
            lower, residual = problem.objective(moved)
            if lower < value:
                break
            damping *= 4
        else:
            return x
        gain, x, value, r = value - lower, moved, lower, residual
        damping = max(damping / 5, 1e-6)
        if gain < _CLOSE * abs(value):
            return x
    return x


class _Problem:
    """Rows that tell of memory, and the constants that are not known."""

    def __init__(self, rows: Sequence[TrainingRow], constants: MemoryConstants) -> None:
        used = [row for row in rows if _tells(row)]
        runs = {row.run.key: row.run for row in used if row.run}
        at = {key: i for i, key in enumerate(runs)}
        self._constants = constants
        self._runs = list(runs.values())
        self.n_rows = len(used)
        self._row = np.array([at[row.run.key] for row in used if row.run], dtype=np.intp)
        self._column = np.array([READINGS.index(reading_of(row)) for row in used], dtype=np.intp)
        self._failed = np.array([row.metric == "oom" and row.value == 1 for row in used])
        self._is_oom = np.array([row.metric == "oom" for row in used])
        self._ln_measured = np.log([row.value or 1.0 for row in used])
        cells = [(crowding(row.run), row.metric == "oom") for row in used if row.run]
        crowd = Counter(cells)
        self._weight = np.array([crowd[cell] ** -0.4 for cell in cells])
        self._unknowns = self._not_known()
        self.start = np.log([self._value(u) for u in self._unknowns])
        self._expected = np.log([u.expected for u in self._unknowns])
        self._spread = np.array([u.spread for u in self._unknowns])

    def _not_known(self) -> list[_Unknown]:
        there = {name for run in self._runs for name in (run.engine, _era(run))}
        found = []
        for name, (expected, spread) in _EXPECTED.items():
            constant = getattr(self._constants, name)
            if constant.value > 0:
                found.append(_Unknown(name, "", expected, spread))
            found += [
                _Unknown(name, place, expected, _APART)
                for place, value in constant.frameworks.items()
                if place in there and value > 0
            ]
        return found

    def _value(self, unknown: _Unknown) -> float:
        constant = getattr(self._constants, unknown.name)
        return constant.frameworks[unknown.place] if unknown.place else constant.value

    def with_values(self, x: Floats) -> MemoryConstants:
        """The constants at some unknowns."""
        changed = {name: getattr(self._constants, name) for name in _EXPECTED}
        for unknown, ln in zip(self._unknowns, x, strict=True):
            value = float(f"{np.exp(ln):.4g}")
            if unknown.name in _SHARES:
                value = min(value, _MOST)
            old = changed[unknown.name]
            own = {**old.frameworks, unknown.place: value}
            update = {"frameworks": own} if unknown.place else {"value": value}
            changed[unknown.name] = old.model_copy(update=update)
        return self._constants.model_copy(update=changed)

    def spread(self, constants: MemoryConstants) -> MemoryConstants:
        """The constants with how far off they leave measured peaks."""
        if self._is_oom.all():
            return constants
        found = weighed(self._runs, constants)[self._row, self._column]
        off = np.abs(np.log(found[~self._is_oom]) - self._ln_measured[~self._is_oom])
        value = float(f"{np.quantile(off, _INSIDE) / Z80:.4g}")
        sigma = constants.reading_sigma.model_copy(update={"value": max(value, _LEAST_SIGMA)})
        return constants.model_copy(update={"reading_sigma": sigma})

    def objective(self, x: Floats) -> tuple[float, Floats]:
        """What is minimised, and the residuals whose half squares add up to it."""
        found = weighed(self._runs, self.with_values(x))
        value = found[self._row, self._column]
        p = np.clip(value, _LEAST_P, 1 - _LEAST_P)
        surprise = -np.log(np.where(self._failed, p, 1 - p))
        off = np.log(np.where(self._is_oom, 1.0, value)) - self._ln_measured * ~self._is_oom
        robust = (_FREEDOM + 1) / 2 * np.log1p((off / _SCALE) ** 2 / _FREEDOM)
        half_squares = self._weight * np.where(self._is_oom, surprise, robust)
        sign = np.where(self._is_oom, np.where(self._failed, -1.0, 1.0), np.sign(off))
        own = sign * np.sqrt(2 * half_squares)
        r = np.concatenate([own, (x - self._expected) / self._spread])
        return float(r @ r) / 2, r

    def jacobian(self, x: Floats, r: Floats) -> Floats:
        """D residual / d unknown, by finite differences."""
        found = np.empty((len(r), len(x)))
        for j in range(len(x)):
            moved = x.copy()
            moved[j] += _NUDGE
            found[:, j] = (self.objective(moved)[1] - r) / _NUDGE
        return found


def _era(run: TrainingRun) -> str:
    return run.job.framework.era(run.job.version, run.job.date).id


def _tells(row: TrainingRow) -> bool:
    run = row.run
    if run is None or row.status != OK or row.value is None or is_kept_out(run, "high"):
        return False  # what makes the time of a run doubtful does not touch its memory
    return row.metric in ("peak_memory_bytes", "oom")
