"""A named list of values that a question is asked over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ridgeline.errors import SpecError

__all__ = ["Axis", "distinct", "logspace", "spaced"]


@dataclass(frozen=True, slots=True)
class Axis:
    """Values of one input, with what to call them.

    Attributes
    ----------
    name : str            ``batch``, ``context``.
    values : 1-D array    Increasing values.
    unit : str            SI unit, or what is counted.
    label : str           For tables and pictures.
    """

    name: str
    values: np.ndarray
    unit: str
    label: str

    def nearest(self, value: float) -> int:
        """Index of the nearest value, by ratio, as axes here span decades."""
        distance = np.abs(np.log(np.maximum(self.values, 1e-9) / max(value, 1e-9)))
        return int(np.argmin(distance))


def logspace(low: float, high: float, per_octave: int = 4) -> np.ndarray:
    """Values evenly spaced by ratio from `low` to `high`, both included.

    Parameters
    ----------
    low, high : number   Whole numbers give whole numbers back, each once.
    per_octave : int     Values a doubling.

    Returns
    -------
    1-D array of float

    Raises
    ------
    SpecError   Not ``0 < low <= high``.

    Examples
    --------
    >>> logspace(1, 16, per_octave=1)
    array([ 1.,  2.,  4.,  8., 16.])
    """
    if not (0 < low <= high < math.inf) or per_octave < 1:
        raise SpecError(f"logspace needs 0 < low <= high, per_octave >= 1; got {low}, {high}.")
    n = 1 + max(1, round(math.log2(high / low) * per_octave)) if high > low else 1
    return spaced(low, high, n)


def spaced(low: float, high: float, n: int) -> np.ndarray:
    """So many values, evenly spaced by ratio from `low` to `high`, both included.

    Parameters
    ----------
    low, high : number   ``0 < low <= high``. Whole numbers give whole numbers back, each once, and
                         so fewer than `n` where they lie close.
    n : int

    Returns
    -------
    1-D array of float

    Examples
    --------
    >>> spaced(1, 1000, 4)
    array([   1.,   10.,  100., 1000.])
    """
    values = np.geomspace(low, high, n)
    if float(low).is_integer() and float(high).is_integer():
        values = distinct(np.rint(values))
    return values


def distinct(values: np.ndarray) -> np.ndarray:
    """Values in increasing order, each once, as `numpy.unique` gives them.

    That function brings masked arrays with it, which take longer to import than most answers.

    Parameters
    ----------
    values : 1-D array   Without NaN.

    Examples
    --------
    >>> distinct(np.array([2.0, 1.0, 2.0]))
    array([1., 2.])
    >>> distinct(np.array([])).size
    0
    """
    found = np.sort(values)
    first = np.ones(found.shape, dtype=bool)
    first[1:] = found[1:] != found[:-1]
    return found[first]
