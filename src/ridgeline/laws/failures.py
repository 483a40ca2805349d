r"""Long runs on many chips: how often they are interrupted, and what checkpoints against it cost.

Symbols: M mean time between interruptions of the whole job, :math:`\delta` time to write a
checkpoint, R time to restart, :math:`\tau` time of work between two checkpoints.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, namespace, where

__all__ = [
    "daly_interval_s",
    "expected_run_s",
    "mean_time_between_s",
    "young_interval_s",
]

_DAY_S = 86_400
_CHIPS = 1000


def mean_time_between_s(interruptions_per_day: Any, n_chips: Any) -> Any:
    r"""Mean time between interruptions of a job that any of its chips can stop.

    .. math:: M = \frac{86400 \cdot 1000}{r\,n}

    Parameters
    ----------
    interruptions_per_day : array   r, of a thousand chips. [1/day]
    n_chips : array                 n. [1]

    Returns
    -------
    array   Infinite where nothing fails. [s]

    Notes
    -----
    Interruptions are independent and as frequent at every time. New machines fail more often.

    References
    ----------
    .. [1] Llama Team, "The Llama 3 Herd of Models", arXiv:2407.21783, table 5: 419 unexpected
       interruptions in 54 days on 16,384 H100, which is 0.474 per day and 1,000 chips.

    Examples
    --------
    One in 3.1 hours:

    >>> round(mean_time_between_s(419 / 54 / 16.384, 16_384) / 3600, 2)
    3.09
    """
    return divide(_DAY_S * _CHIPS, interruptions_per_day * n_chips)


def young_interval_s(write_s: Any, between_s: Any) -> Any:
    r"""Work between two checkpoints that loses least, in first order.

    .. math:: \tau = \sqrt{2\,\delta\,M}

    Parameters
    ----------
    write_s : array     Time that a checkpoint stops the work. [s]
    between_s : array   Mean time between interruptions. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    For writes far shorter than the time between interruptions.

    References
    ----------
    .. [1] J. W. Young, "A first order approximation to the optimum checkpoint interval",
       Communications of the ACM 17, 1974.

    Examples
    --------
    >>> float(young_interval_s(50.0, 10_000.0))
    1000.0
    """
    return (2 * write_s * between_s) ** 0.5


def daly_interval_s(write_s: Any, between_s: Any) -> Any:
    r"""Work between two checkpoints that loses least, where writes are not short.

    .. math:: \tau = \sqrt{2 \delta M} \left(1 + \frac{1}{3} \sqrt{\frac{\delta}{2 M}}
              + \frac{\delta}{18 M}\right) - \delta \quad (\delta < 2 M), \qquad \tau = M

    Parameters
    ----------
    write_s : array     [s]
    between_s : array   [s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
       dumps", Future Generation Computer Systems 22, 2006.

    Examples
    --------
    Young's 1,000 s, and 1.67% of it more, less the write:

    >>> round(float(daly_interval_s(50.0, 10_000.0)), 1)
    966.9
    """
    ratio = write_s / (2 * between_s)
    best = young_interval_s(write_s, between_s) * (1 + ratio**0.5 / 3 + ratio / 9) - write_s
    return where(ratio < 1, best, between_s + 0 * best)


def expected_run_s(
    work_s: Any, interval_s: Any, write_s: Any, restart_s: Any, between_s: Any
) -> Any:
    r"""Expected time of a run with interruptions, lost work, restarts and checkpoints.

    .. math:: T = M e^{R / M} \left(e^{(\tau + \delta) / M} - 1\right) \frac{T_s}{\tau}

    Parameters
    ----------
    work_s : array       Time of the run without any of it, T_s. [s]
    interval_s : array   Work between two checkpoints. [s]
    write_s : array      Time that a checkpoint stops the work. [s]
    restart_s : array    From an interruption until work goes on. [s]
    between_s : array    Mean time between interruptions; infinite for none. [s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Interruptions are exponential, also while a checkpoint is written or read. For runs of many
    intervals.

    References
    ----------
    .. [1] J. T. Daly, 2006: see `daly_interval_s`.

    Examples
    --------
    A million seconds of work in pieces of 1,000 s: 5.0% to write, 6.5% for work that is
    lost and restarts.

    >>> round(float(expected_run_s(1e6, 1000.0, 50.0, 100.0, 10_000.0)))
    1118233
    >>> float(expected_run_s(1e6, 1000.0, 50.0, 100.0, float("inf")))
    1050000.0
    """
    xp = namespace(work_s, interval_s, write_s, restart_s, between_s)
    piece = (interval_s + write_s) / between_s
    lost = where(piece > 0, xp.expm1(piece) / where(piece > 0, piece, 1.0), 1.0)
    return work_s * (interval_s + write_s) / interval_s * lost * xp.exp(restart_s / between_s)
