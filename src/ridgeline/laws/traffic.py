r"""Users and batches: how much traffic a batch takes, and what waiting for it means."""

from __future__ import annotations

from typing import Any

__all__ = [
    "fill_time_s",
    "mean_wait_s",
    "requests_per_s_in_flight",
    "sequences_in_flight",
    "tokens_evicted_per_step",
]


def fill_time_s(batch: Any, requests_per_s: Any) -> Any:
    """Time until a batch has gathered, nobody leaving meanwhile: ``B / rate``.

    Parameters
    ----------
    batch : array            [1]
    requests_per_s : array   Arrivals. [1/s]

    Returns
    -------
    array   [s]

    Examples
    --------
    >>> fill_time_s(2400, 100)
    24.0
    """
    return batch / requests_per_s


def mean_wait_s(batch: Any, requests_per_s: Any) -> Any:
    """Wait of the average request where a train leaves when it is full.

    Parameters
    ----------
    batch, requests_per_s : array   [1, 1/s]

    Returns
    -------
    array   The first waits for all others, the last for nobody: ``(B - 1) / (2 rate)``. [s]

    References
    ----------
    .. [1] Derived: the mean of 0, 1, … B - 1 intervals.

    Examples
    --------
    >>> mean_wait_s(2401, 100)
    12.0
    """
    return (batch - 1) / (2 * requests_per_s)


def sequences_in_flight(requests_per_s: Any, osl: Any, step_s: Any) -> Any:
    r"""Sequences that decode at once under steady traffic.

    .. math:: n = \lambda\,G\,t

    Parameters
    ----------
    requests_per_s : array   Arrivals, lambda. [1/s]
    osl : array              Output tokens of a request, G. [tokens]
    step_s : array           Time of a token, t. [s]

    Returns
    -------
    array   [1]

    References
    ----------
    .. [1] Little, "A proof for the queuing formula L = lambda W", 1961.

    Examples
    --------
    >>> sequences_in_flight(100, 1000, 0.020)
    2000.0
    """
    return requests_per_s * osl * step_s


def requests_per_s_in_flight(batch: Any, osl: Any, step_s: Any) -> Any:
    """Traffic that keeps a batch full: Little's law the other way round.

    Parameters
    ----------
    batch, osl, step_s : array   As in `sequences_in_flight`. [1, tokens, s]

    Returns
    -------
    array   [1/s]

    Examples
    --------
    >>> requests_per_s_in_flight(2000, 1000, 0.020)
    100.0
    """
    return batch / (osl * step_s)


def tokens_evicted_per_step(batch: Any, isl: Any, osl: Any) -> Any:
    r"""Cached tokens that finished requests set free in a mean decode step.

    .. math:: B\,\frac{P + G}{G}

    Parameters
    ----------
    batch : array      Sequences in flight, B. [1]
    isl, osl : array   Input and output tokens of a request, P and G. [tokens]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, applied inference (claim SB-11).

    Examples
    --------
    >>> tokens_evicted_per_step(32, 8192, 4096)
    96.0
    """
    return batch * (isl + osl) / osl
