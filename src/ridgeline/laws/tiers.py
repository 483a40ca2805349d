"""Fast and slow tiers of one model on one machine, read from their prices and speeds."""

from __future__ import annotations

from typing import Any

__all__ = ["batch_ratio", "tier_batches"]


def batch_ratio(price_ratio: Any, speed_ratio: Any) -> Any:
    r"""How much smaller the fast tier's batch is.

    Price per token follows chip-seconds per token, t/B, so with the fast tier `price_ratio` times
    dearer and `speed_ratio` times quicker:

    .. math:: \frac{B_n}{B_f} = \frac{p_f}{p_n}\,\frac{t_n}{t_f}

    Parameters
    ----------
    price_ratio : array   Fast over normal price per token. [1]
    speed_ratio : array   Fast over normal tokens per second a user. [1]

    Returns
    -------
    array   Normal over fast batch. [1]

    References
    ----------
    .. [1] Derived; numbers from the lecture, ch. 1 (claim C1-28).

    Examples
    --------
    >>> batch_ratio(6, 2.5)
    15.0
    """
    return price_ratio * speed_ratio


def tier_batches(price_ratio: Any, speed_ratio: Any, balance_batch: Any) -> tuple[Any, Any]:
    r"""The two batches behind a normal and a fast tier, KV left out.

    With the fast tier on the latency floor (t = W/M, B < B*) and the normal tier compute bound
    (t = W/M x B/B*): the speed ratio says how far the normal batch lies above B*, the price ratio
    how far the fast one lies below.

    .. math:: B_n = v\,B^*, \qquad B_f = B^* / p

    Parameters
    ----------
    price_ratio : array     p, fast over normal price per token. [1]
    speed_ratio : array     v, fast over normal speed. [1]
    balance_batch : array   B*. [1]

    Returns
    -------
    (array, array)   Normal and fast batch. [1]

    Notes
    -----
    Below B* a smaller batch buys no more speed on the same machine: however dear, no tier is
    faster than the floor (claim C1-30). Above it a larger batch saves nothing (claim C1-31).

    References
    ----------
    .. [1] Derived; claim C1-29.

    Examples
    --------
    >>> tier_batches(6, 2.5, 2400)
    (6000.0, 400.0)
    """
    return speed_ratio * balance_batch, balance_batch / price_ratio
