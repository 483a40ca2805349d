r"""Waiting before one server: random arrivals, and a finite run beyond saturation."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, log, maximum, minimum

__all__ = [
    "deviation_of_lognormal",
    "overload_wait_s",
    "percentile_of_mean",
    "random_wait_percentile_s",
    "random_wait_s",
]

#: utilization beyond which a steady state says nothing of a finite run
_FULL = 0.95
#: normal quantiles of 90% and 99%
_E = 2.718281828459045
_Z = {0.5: 0.0, 0.9: 1.2815515655446004, 0.99: 2.3263478740408408}
_IDLE = 1e-12


def random_wait_s(rate_per_s: Any, service_s: Any, variation: Any = 1.0) -> Any:
    r"""Mean wait before a server with Poisson arrivals.

    .. math:: w = \frac{\rho}{1 - \rho}\,\frac{1 + c^2}{2}\,s, \qquad \rho = \lambda s

    Parameters
    ----------
    rate_per_s : array   Arrivals, lambda. [1/s]
    service_s : array    Mean service time, s. [s]
    variation : array    Variance of the service time over its squared mean, c^2. [1]

    Returns
    -------
    array   [s]

    Notes
    -----
    The utilization is held below .95, where a run of some hundred requests no longer reaches the
    steady state: `overload_wait_s` has what comes beyond.

    References
    ----------
    .. [1] Pollaczek and Khinchine; Kleinrock, "Queueing Systems" I, 1975, ch. 5.

    Examples
    --------
    Half busy, exponential service: a mean service time.

    >>> random_wait_s(5.0, 0.1)
    0.1
    """
    rho = minimum(rate_per_s * service_s, _FULL)
    return rho / (1 - rho) * (1 + variation) / 2 * service_s


def random_wait_percentile_s(mean_s: Any, busy: Any, percentile: float) -> Any:
    r"""Percentile of the wait before one server with Poisson arrivals.

    .. math:: w_p = \frac{w}{\rho} \max\left(\ln\frac{\rho}{1 - p},\ 0\right)

    Parameters
    ----------
    mean_s : array       Mean wait, w: `random_wait_s`. [s]
    busy : array         Share of the time the server is busy, rho. [1]
    percentile : float   p. [1]

    Returns
    -------
    array   [s]

    Notes
    -----
    Who finds the server idle does not wait; the others' waits are taken as exponential, which is
    exact for exponential service and near it for others in heavy traffic.

    References
    ----------
    .. [1] Kleinrock, "Queueing Systems" I, 1975, ch. 5; Kingman's heavy-traffic limit.

    Examples
    --------
    Half busy: the mean of those who wait is twice the mean; 1 in 100 waits ln(50) of it.

    >>> round(random_wait_percentile_s(0.1, 0.5, 0.99), 3)
    0.782
    >>> float(random_wait_percentile_s(0.0, 0.0, 0.99))
    0.0
    """
    tail = maximum(log(maximum(busy, 1 - percentile) / (1 - percentile)), 0.0)
    return divide(mean_s, maximum(busy, _IDLE)) * tail


def deviation_of_lognormal(mean: Any, variation: Any, percentile: float) -> Any:
    r"""How far a percentile of a lognormal lies from its mean.

    .. math:: m\,(e^{z_p s - s^2/2} - 1), \qquad s^2 = \ln(1 + c^2)

    Parameters
    ----------
    mean : array         m. [any]
    variation : array    Variance over squared mean, c^2. [1]
    percentile : float   One of .5, .9, .99. [1]

    Returns
    -------
    array   In the unit of the mean; 0 where nothing varies.

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    >>> deviation_of_lognormal(1.0, 0.0, 0.99), round(deviation_of_lognormal(1.0, 1.0, 0.99), 2)
    (0.0, 3.9)
    """
    s2 = log(1 + variation)
    return mean * (_E ** (_Z[percentile] * s2**0.5 - s2 / 2) - 1)


def overload_wait_s(rate_per_s: Any, capacity_per_s: Any, n_requests: Any) -> Any:
    r"""Mean wait in a run of so many requests that arrive faster than they are served.

    .. math:: w = \frac{N}{2} \max\left(\frac1\mu - \frac1\lambda,\ 0\right)

    Parameters
    ----------
    rate_per_s : array       Arrivals, lambda. [1/s]
    capacity_per_s : array   Requests served when always busy, mu. [1/s]
    n_requests : array       Of the whole run, N. [1]

    Returns
    -------
    array   0 below saturation; grows with the length of the run. [s]

    References
    ----------
    .. [1] Derived: the k-th request comes at k / lambda and is served at k / mu.

    Examples
    --------
    500 requests at 20 a second where 10 are served:

    >>> overload_wait_s(20.0, 10.0, 500)
    12.5
    """
    late = divide(1.0, capacity_per_s) - divide(1.0, rate_per_s)
    return n_requests / 2 * maximum(late, 0.0)


def percentile_of_mean(mean: Any, share: Any, tail_99: Any) -> Any:
    r"""Percentile of a lognormal whose mean and ratio of 99th percentile to mean are known.

    .. math:: y_p = m\,e^{z_p s - s^2 / 2}, \qquad e^{z_{99} s - s^2/2} = r

    Parameters
    ----------
    mean : array      m. [any]
    share : float     p, such as 0.9: one of .5, .9, .99. [1]
    tail_99 : array   r, from 1 to 14. [1]

    Returns
    -------
    array   In the unit of the mean.

    Notes
    -----
    One shape for all loads: waiting times near saturation have longer tails, idle servers shorter.

    References
    ----------
    .. [1] Derived: the quadratic in s, its smaller root.

    Examples
    --------
    The 99th percentile is as many times the mean as was said; the median lies below the mean.

    >>> round(percentile_of_mean(1.0, 0.99, 2.0), 6), round(percentile_of_mean(1.0, 0.5, 2.0), 3)
    (2.0, 0.95)
    """
    z99 = _Z[0.99]
    s = z99 - (z99**2 - 2 * log(tail_99)) ** 0.5
    return mean * _E ** (_Z[share] * s - s**2 / 2)
