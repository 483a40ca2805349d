r"""Waiting before one server: random arrivals, and a finite run beyond saturation."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, maximum, minimum

__all__ = ["overload_wait_s", "random_wait_s"]

#: utilization beyond which a steady state says nothing of a finite run
_FULL = 0.95


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
