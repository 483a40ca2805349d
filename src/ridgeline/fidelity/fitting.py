"""Fit the constants of a law to measured times, and score it on shapes the fit has not seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import MissingExtraError, RidgelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "REPEAT_SIGMA",
    "Form",
    "Measured",
    "Score",
    "constant_sigmas",
    "cross_validated",
    "explained_variance",
    "fit",
    "score",
]

#: residuals beyond it (a tenth on the log scale) count linearly: outliers do not steer a fit
_ROBUST_SCALE = 0.1
_N_FOLDS = 8
#: standard deviation between two runs of the same stack, on the log scale
REPEAT_SIGMA = 0.03
#: a constant that hardly enters any measured time is not known better than this factor e
_LARGEST_SIGMA = 1.0
_NUDGE = 1e-4


@dataclass(frozen=True)
class Form:
    """A law with the constants to be found, all positive, searched on the log scale.

    Attributes
    ----------
    bounds : mapping   Name of a constant to where the search starts, its least and greatest value.
    predict : callable   ``predict(inputs, constants)`` gives times in seconds.
    majority : bool
        Where engines fall into camps, side with the larger one instead of standing between them.
    """

    bounds: Mapping[str, tuple[float, float, float]]
    predict: Callable[[Mapping[str, Any], Mapping[str, float]], Floats]
    majority: bool = False


@dataclass(frozen=True)
class Measured:
    """Times of one component on one chip or fabric in one format, over all engines.

    Attributes
    ----------
    inputs : mapping   Arguments of the law, one array each.
    engine : array     Whose time it is.
    shape : array      What is left out of a fit together: a whole weight matrix, a whole set of
                       heads and sequences, a message size.
    point : array      What is the same question, asked of several engines.
    scored : array     Where the target applies.
    weight : array     Of a residual in the fit.
    """

    component: str
    place: str
    dtype: str
    inputs: Mapping[str, Floats]
    time_s: Floats
    engine: NDArray[np.str_]
    shape: NDArray[np.str_]
    point: NDArray[np.str_]
    scored: NDArray[np.bool_]
    weight: Floats = field(default_factory=lambda: np.ones(1))

    def __len__(self) -> int:
        return len(self.time_s)

    def where(self, chosen: NDArray[np.bool_]) -> Measured:
        """Return the chosen rows."""
        weight = np.broadcast_to(self.weight, self.time_s.shape)
        return replace(
            self,
            inputs={k: v[chosen] for k, v in self.inputs.items()},
            time_s=self.time_s[chosen],
            engine=self.engine[chosen],
            shape=self.shape[chosen],
            point=self.point[chosen],
            scored=self.scored[chosen],
            weight=weight[chosen],
        )


@dataclass(frozen=True)
class Score:
    """Errors on shapes left out of the fit; an error is ``exp|ln(predicted / measured)| - 1``.

    Attributes
    ----------
    median, p90 : float   Over the times of all engines.
    bias : float          Median of predicted / measured - 1: above 0 is too slow.
    of_median : float     Median error against the median engine of each point.
    engines : float       Median error of that median engine itself against all: no prediction
                          that does not know the engine can do better.
    scatter : float       Robust standard deviation of ln(measured / predicted), of all rows that
                          were read from memory.
    """

    n: int
    n_shapes: int
    median: float
    p90: float
    bias: float
    of_median: float
    engines: float
    scatter: float


def fit(form: Form, measured: Measured, fixed: Mapping[str, float] | None = None) -> dict:
    """Find the constants that bring a law nearest to measured times.

    Robust least squares of ln(predicted / measured); the same input gives the same digits.

    Parameters
    ----------
    form : Form
    measured : Measured
    fixed : mapping or None   Constants that are held.

    Returns
    -------
    dict of str to float   All constants, the fixed ones too.

    Raises
    ------
    MissingExtraError   scipy is not installed.
    RidgelineError      Fewer measurements than constants.
    """
    least_squares = _least_squares()
    held = dict(fixed or {})
    free = [name for name in form.bounds if name not in held]
    if len(measured) < len(free):
        raise RidgelineError(
            f"{measured.component} of {measured.place} in {measured.dtype}: {len(measured)} "
            f"measurements cannot settle {len(free)} constants."
        )
    start, low, high = (np.log([form.bounds[n][i] for n in free]) for i in range(3))
    target = np.log(measured.time_s)
    start = np.clip(start, low + 1e-9, high - 1e-9)

    def residuals(x: Floats) -> Floats:
        constants = held | dict(zip(free, np.exp(x).tolist(), strict=True))
        return (np.log(form.predict(measured.inputs, constants)) - target) * measured.weight

    x = start
    # A majority is looked for from the middle ground: the second loss alone could start in a camp.
    for loss in ("soft_l1", "cauchy") if form.majority else ("soft_l1",):
        settings = {"loss": loss, "f_scale": _ROBUST_SCALE, "xtol": 1e-10}
        x = least_squares(residuals, x, bounds=(low, high), **settings).x
    return held | dict(zip(free, np.exp(x).tolist(), strict=True))


def _least_squares() -> Callable[..., Any]:
    try:
        from scipy.optimize import least_squares  # noqa: PLC0415  (an extra, and slow to load)
    except ImportError:
        raise MissingExtraError("Fitting constants", "calibrate") from None
    return least_squares


def cross_validated(form: Form, measured: Measured) -> Floats:
    """Predict every measurement with constants fitted without its shape.

    Shapes are dealt out in sorted order to at most eight folds; each fold is predicted by a fit on
    the others. No draw is involved.

    Parameters
    ----------
    form : Form
    measured : Measured

    Returns
    -------
    array   Predicted times. [s]

    Raises
    ------
    RidgelineError   There is only one shape, so that nothing would be left to fit.
    """
    shapes, index = np.unique(measured.shape, return_inverse=True)
    if len(shapes) < 2:
        raise RidgelineError(
            f"{measured.component} of {measured.place} in {measured.dtype} has one shape only: "
            "nothing can be left out."
        )
    fold = index % min(_N_FOLDS, len(shapes))
    predicted = np.empty(len(measured))
    for i in range(int(fold.max()) + 1):
        unseen = fold == i
        constants = fit(form, measured.where(~unseen))
        predicted[unseen] = form.predict(measured.where(unseen).inputs, constants)
    return predicted


def constant_sigmas(form: Form, measured: Measured, constants: Mapping[str, float]) -> dict:
    """How uncertain each constant is, on the log scale.

    Each is moved alone, all others held, to suit each engine's times; the root mean square of the
    moves, with the standard error of the pooled fit and repeat noise (3%) in quadrature.

    Parameters
    ----------
    form : Form
    measured : Measured
    constants : mapping   The pooled fit.

    Returns
    -------
    dict of str to float   At most 1, where the measurements hardly depend on the constant.
    """
    spread = np.std(np.log(form.predict(measured.inputs, constants) / measured.time_s))
    sigmas = {}
    for name, value in constants.items():
        held = {k: v for k, v in constants.items() if k != name}
        moves = [
            np.log(fit(form, measured.where(measured.engine == e), held)[name] / value)
            for e in np.unique(measured.engine)
        ]
        slope = _slope(form, measured, constants, name)
        error = spread / max(float(np.sqrt(np.sum(slope**2))), 1e-9)
        sigma = float(np.sqrt(np.mean(np.square(moves)) + error**2 + REPEAT_SIGMA**2))
        sigmas[name] = min(sigma, _LARGEST_SIGMA)
    return sigmas


def _slope(form: Form, measured: Measured, constants: Mapping[str, float], name: str) -> Floats:
    """D ln(time) / d ln(constant), downwards: an efficiency of 1 stays below it."""
    nudged = {**constants, name: constants[name] * np.exp(-_NUDGE)}
    at, below = (form.predict(measured.inputs, c) for c in (constants, nudged))
    return np.log(at / below) / _NUDGE


def explained_variance(
    form: Form, measured: Measured, constants: Mapping[str, float], sigmas: Mapping[str, float]
) -> Floats:
    r"""Variance of ln(time) that uncertain constants make, for each measurement.

    .. math:: \sum_c \left(\frac{\partial \ln t}{\partial \ln c}\, \sigma_c\right)^2

    Parameters
    ----------
    form : Form
    measured : Measured
    constants, sigmas : mapping   As `fit` and `constant_sigmas` give them.

    Returns
    -------
    array
    """
    parts = [(_slope(form, measured, constants, n) * s) ** 2 for n, s in sigmas.items()]
    return np.sum(parts, axis=0)


def score(measured: Measured, predicted: Floats) -> Score:
    """Score predictions where the target applies.

    Parameters
    ----------
    measured : Measured
    predicted : array   From `cross_validated`. [s]

    Returns
    -------
    Score
    """
    logs = np.log(predicted / measured.time_s)
    cached = measured.inputs.get("cached", np.zeros(len(measured)))
    low, high = np.quantile(logs[cached == 0], [0.1587, 0.8413])
    rows = measured.where(measured.scored)
    logs = logs[measured.scored]
    _, point = np.unique(rows.point, return_inverse=True)
    logs_measured = np.log(rows.time_s)
    middle = np.array([np.median(logs_measured[point == i]) for i in range(point.max() + 1)])
    ln_predicted = logs + logs_measured
    error = np.expm1(np.abs(logs))
    return Score(
        n=len(rows),
        n_shapes=len(np.unique(rows.shape)),
        median=float(np.median(error)),
        p90=float(np.quantile(error, 0.9)),
        bias=float(np.expm1(np.median(logs))),
        of_median=float(np.median(np.expm1(np.abs(ln_predicted - middle[point])))),
        engines=float(np.median(np.expm1(np.abs(logs_measured - middle[point])))),
        scatter=float((high - low) / 2),
    )
