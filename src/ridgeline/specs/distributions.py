r"""The distribution of lengths of which only bounds and a mean are known: a bounded power law.

.. math:: p(x) \propto x^{\theta - 1}, \quad a \le x \le b

It is the log-uniform distribution (:math:`\theta = 0`) tilted by a power, so that any mean between
the bounds can be had: :math:`\theta = 1` is uniform, :math:`\theta < 0` a bounded Pareto. Quantiles
and moments are closed forms; only :math:`\theta` is solved for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["bin_means", "exponent", "log_moment", "power_quantile"]

_POINTS = 64
_ROUNDS = 14
_STEEPEST = 1e16
_FLAT = 1e-12


def log_moment(n: int, theta: Any, span: Any) -> Any:
    r"""Logarithm of the n-th moment over :math:`a^n`.

    .. math:: \ln \frac{E[x^n]}{a^n} = \ln g(\theta + n) - \ln g(\theta), \quad
              g(\theta) = \int_1^{e^L} x^{\theta - 1}\,dx = \frac{e^{\theta L} - 1}{\theta}

    Parameters
    ----------
    n : int         1 for the mean. [1]
    theta : array   Exponent of the tilt. [1]
    span : array    L, the logarithm of upper over lower bound. [1]

    Returns
    -------
    array   From 0 to n L. [1]

    Notes
    -----
    Sums of logarithms, so that no exponent overflows.

    References
    ----------
    Derived: the integral of a power.

    Examples
    --------
    >>> float(np.exp(log_moment(1, 1.0, np.log(3.0))))  # uniform on [1, 3]
    2.0
    """
    grown = np.where(theta >= 0, n, np.maximum(theta + n, 0.0))
    return grown * span + _log_part(theta + n, span) - _log_part(theta, span)


def _log_part(theta: Any, span: Any) -> Any:
    r""":math:`\ln\frac{1 - e^{-z}}{z}` at :math:`z = |\theta| L`."""
    z = np.abs(theta) * span
    safe = np.where(z > _FLAT, z, 1.0)
    return np.where(z > _FLAT, np.log(-np.expm1(-safe) / safe), -z / 2)


def exponent(mean_over_low: float, span: float) -> float:
    """Exponent of the tilt at which the distribution has a given mean.

    The mean grows with the exponent from the lower to the upper bound, so that there is one
    solution: it is bracketed by doubling, then narrowed by grids.

    Parameters
    ----------
    mean_over_low : float   Mean over lower bound, strictly between 1 and exp(span). [1]
    span : float            Logarithm of upper over lower bound. [1]

    Returns
    -------
    float   To the precision of the number format. [1]

    Examples
    --------
    >>> round(exponent(2.0, math.log(3.0)), 12)
    1.0
    """
    wanted = math.log(mean_over_low)
    low, high = -1.0, 1.0
    while log_moment(1, low, span) > wanted and low > -_STEEPEST:
        low *= 2
    while log_moment(1, high, span) < wanted and high < _STEEPEST:
        high *= 2
    for _ in range(_ROUNDS):
        grid = np.linspace(low, high, _POINTS)
        i = int(np.clip(np.searchsorted(log_moment(1, grid, span), wanted), 1, _POINTS - 1))
        low, high = float(grid[i - 1]), float(grid[i])
    return (low + high) / 2


def power_quantile(share: Any, theta: float, span: float) -> Any:
    r"""Logarithm of the quantile over the lower bound.

    .. math:: \ln\frac{x}{a} = \frac{1}{\theta}\ln\left(1 + p\,(e^{\theta L} - 1)\right)

    Parameters
    ----------
    share : array   p, from 0 to 1. [1]
    theta : float   Exponent of the tilt. [1]
    span : float    L, the logarithm of upper over lower bound. [1]

    Returns
    -------
    array   From 0 to L. [1]

    Examples
    --------
    >>> float(np.exp(power_quantile(0.5, 1.0, np.log(3.0))))  # uniform on [1, 3]
    2.0
    """
    p = np.asarray(share, dtype=float)
    z = theta * span
    if abs(z) < _FLAT:
        return p * span
    # From the end where the density is largest, with q the share from there on: every logarithm is
    # of numbers that did not cancel, and no exponent overflows.
    q = 1 - p if z > 0 else p
    with np.errstate(divide="ignore"):
        near = np.log1p(np.minimum(q, 0.5) * math.expm1(-abs(z)))
        far = np.logaddexp(np.log1p(-q), np.log(q) - abs(z))
    found = np.where(q < 0.5, near, far) / theta + (span if z > 0 else 0.0)
    return np.clip(found, 0.0, span)


def bin_means(k: int, theta: float, span: float) -> Any:
    """Mean of each of k equally likely parts, over the lower bound.

    Parameters
    ----------
    k : int         Parts. [1]
    theta : float   Exponent of the tilt. [1]
    span : float    Logarithm of upper over lower bound. [1]

    Returns
    -------
    array   k growing values, whose mean is that of the distribution. [1]

    Examples
    --------
    >>> [round(float(x), 12) for x in bin_means(2, 1.0, np.log(3.0))]  # uniform on [1, 3]
    [1.5, 2.5]
    """
    edges = power_quantile(np.linspace(0.0, 1.0, k + 1), theta, span)
    return np.exp(edges[:-1] + log_moment(1, theta, np.diff(edges)))
