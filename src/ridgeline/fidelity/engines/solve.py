"""Robust least squares with priors: find the unknowns that suit measured rows best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.engines.design import Design

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = ["Problem", "Solution", "left_out", "solve"]

#: a Student t: residuals beyond some of its scale count ever less
_FREEDOM, _SCALE = 4.0, 0.15
_NUDGE = 1e-4
_LARGEST_MOVE = 0.7
_MOST_STEPS, _FOLD_STEPS = 40, 4
#: few and large, so that models much like a left-out one are mostly left out with it
_N_FOLDS = 5
_TRIALS = 12
_CLOSE = 2e-5
_DAMPING, _RAISE, _LOWER, _LEAST = 1e-3, 4.0, 5.0, 1e-6


class Evaluator(Protocol):
    """What predicts rows from effects of cases."""

    def log_rows(self, effects: Mapping[str, Floats]) -> tuple[Floats, Ints]:
        """Ln of each row, and its case."""
        ...

    def slopes(
        self, effects: Mapping[str, Floats], base: Floats, by: float
    ) -> Mapping[str, Floats]:
        """D ln(row) / d ln(effect) of each row."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows to be met, how much each counts, and the unknowns.

    Attributes
    ----------
    ln_measured, weight : array   Of each row; rows of weight 0 are not fitted.
    """

    evaluator: Evaluator
    design: Design
    ln_measured: Floats
    weight: Floats

    @property
    def fitted(self) -> Ints:
        """Rows that count."""
        return np.flatnonzero(self.weight > 0)


@dataclass(frozen=True, slots=True)
class Solution:
    """Unknowns, and what the rows say of them there.

    Attributes
    ----------
    residual : array    ln(predicted / measured) of every row.
    jacobian : array    Of every row.
    precision : array   Inverse covariance of the unknowns.
    row_weight : array  Of every row, robustness included.
    """

    unknowns: Floats
    residual: Floats
    jacobian: Floats
    precision: Floats
    row_weight: Floats


def solve(problem: Problem, start: Floats) -> Solution:
    r"""Minimise the robust sum of squares with priors, by damped Gauss-Newton.

    .. math:: \sum_i w_i\,\frac{\nu + 1}{2} \ln\left(1 + \frac{r_i^2}{\nu s^2}\right)
              + \frac12 \sum_j \left(\frac{x_j - \mu_j}{\sigma_j}\right)^2

    Parameters
    ----------
    problem : Problem
    start : array   Of the unknowns.

    Notes
    -----
    No draw is involved: the same rows in the same order give the same digits.

    References
    ----------
    .. [1] Lange, Little and Taylor, "Robust Statistical Modeling Using the t Distribution", 1989.
    """
    x, residual, case = _search(problem, start, _MOST_STEPS)
    _, precision, jacobian, weight = _linear(problem, x, residual, case)
    return Solution(x, residual, jacobian, precision, weight)


def _search(problem: Problem, start: Floats, most_steps: int) -> tuple[Floats, Floats, Ints]:
    """Unknowns, residuals and cases where no step gains any more."""
    x, damping = start.copy(), _DAMPING
    value, residual, case = _objective(problem, x)
    for _ in range(most_steps):
        gradient, curvature, _, _ = _linear(problem, x, residual, case)
        found = _descend(problem, x, value, gradient, curvature, damping)
        if found is None:
            break
        gain, (x, value, residual, case, damping) = value - found[1], found
        if gain < _CLOSE * abs(value):
            break
    return x, residual, case


def _objective(problem: Problem, x: Floats) -> tuple[float, Floats, Ints]:
    design = problem.design
    predicted, case = problem.evaluator.log_rows(design.effects(x))
    residual = predicted - problem.ln_measured
    r = residual[problem.fitted] / _SCALE
    robust = (_FREEDOM + 1) / 2 * np.log1p(r**2 / _FREEDOM)
    prior = (x - design.prior) / design.spread
    return float(problem.weight[problem.fitted] @ robust + prior @ prior / 2), residual, case


def _linear(
    problem: Problem, x: Floats, residual: Floats, case: Ints
) -> tuple[Floats, Floats, Floats, Floats]:
    """Gradient, curvature, Jacobian and weights of all rows."""
    design = problem.design
    effects = design.effects(x)
    slopes = problem.evaluator.slopes(effects, residual + problem.ln_measured, _NUDGE)
    everything = np.arange(len(residual))
    jacobian = design.jacobian(slopes, everything, case)
    weight = _row_weights(problem.weight, residual)
    rows = problem.fitted
    weighted = jacobian[rows] * weight[rows, None]
    prior = 1 / design.spread**2
    curvature = jacobian[rows].T @ weighted + np.diag(prior)
    return weighted.T @ residual[rows] + (x - design.prior) * prior, curvature, jacobian, weight


def _row_weights(weight: Floats, residual: Floats) -> Floats:
    return weight * (_FREEDOM + 1) / (_FREEDOM + (residual / _SCALE) ** 2) / _SCALE**2


def _descend(
    problem: Problem, x: Floats, value: float, gradient: Floats, curvature: Floats, damping: float
) -> tuple[Floats, float, Floats, Ints, float] | None:
    """A step downhill, damped until it is one; None where there is none."""
    for _ in range(_TRIALS):
        damped = curvature + damping * np.diag(np.diag(curvature))
        move = np.clip(-np.linalg.solve(damped, gradient), -_LARGEST_MOVE, _LARGEST_MOVE)
        lower, residual, case = _objective(problem, x + move)
        if lower < value:
            return x + move, lower, residual, case, max(damping / _LOWER, _LEAST)
        damping *= _RAISE
    return None


def left_out(
    problem: Problem,
    solution: Solution,
    groups: Sequence[Hashable],
    places: Sequence[Mapping[str, str]],
) -> tuple[Floats, NDArray[np.bool_]]:
    """Residuals of rows whose fold of groups was not fitted.

    Parameters
    ----------
    problem, solution   The fit on all rows, from which that of each fold begins: a few steps take
                        it to where it would end.
    groups : sequence   Of each row: its model. Groups are dealt out to folds of near equal size.
    places : sequence of mapping   Of each row.

    Returns
    -------
    (array, array of bool)
        ln(predicted / measured), and which rows have all their places among the fitted ones.
    """
    fold = _folds(groups)
    found, known = solution.residual.copy(), np.zeros(len(groups), dtype=bool)
    for i in range(int(fold.max()) + 1):
        away = np.flatnonzero(fold == i)
        weight = np.where(fold == i, 0.0, problem.weight)
        rest = np.flatnonzero(weight > 0)
        if not rest.size:
            continue
        part = Problem(problem.evaluator, problem.design, problem.ln_measured, weight)
        found[away] = _moved(part, solution.unknowns)[away]
        seen = {p for row in rest for p in places[int(row)].values()}
        known[away] = [seen.issuperset(places[int(row)].values()) for row in away]
    return found, known


def _moved(problem: Problem, start: Floats) -> Floats:
    """Residuals after a few steps from another fit's unknowns."""
    return _search(problem, start, _FOLD_STEPS)[1]


def _folds(groups: Sequence[Hashable]) -> Ints:
    """The largest group first, each to the smallest fold so far."""
    sizes = Counter(groups)
    totals = [0] * min(_N_FOLDS, len(sizes))
    place = {}
    for group, n in sizes.most_common():
        place[group] = totals.index(min(totals))
        totals[place[group]] += n
    return np.array([place[group] for group in groups], dtype=np.intp)
