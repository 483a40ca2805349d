"""Keep or compute again: what RevNets and KV caches trade, and which way is profitable."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide

__all__ = ["kv_cache_trade", "recompute_over_fetch_time", "reversible_trade"]


def reversible_trade(n_params: Any, n_tokens: Any, activation_bytes_per_token: Any) -> Any:
    """What reversing a stack adds: FLOPs more, bytes fewer.

    Parameters
    ----------
    n_params : array                     Parameters that multiply for one token. [1]
    n_tokens : array                     Of the step. [tokens]
    activation_bytes_per_token : array   Stored by the standard stack, all layers. [bytes/token]

    Returns
    -------
    (array, array)   [FLOP, bytes]: the first positive, the second negative.

    References
    ----------
    .. [1] The lecture, ch. 7 (claim C7-06).

    Examples
    --------
    >>> reversible_trade(1e9, 1000, 1e6)
    (2000000000000.0, -1000000000.0)
    """
    return 2 * n_params * n_tokens, -(activation_bytes_per_token * n_tokens)


def kv_cache_trade(n_params: Any, n_tokens: Any, kv_bytes_per_token: Any) -> Any:
    """What caching keys and values adds to one decode step: FLOPs fewer, bytes more.

    Parameters
    ----------
    n_params : array             Parameters that multiply for one token. [1]
    n_tokens : array             Of context, which would have to be computed anew. [tokens]
    kv_bytes_per_token : array   [bytes/token]

    Returns
    -------
    (array, array)   [FLOP, bytes]: the first negative, the second positive.

    References
    ----------
    .. [1] The lecture, ch. 7 (claim C7-06).

    Examples
    --------
    >>> kv_cache_trade(1e9, 1000, 1e5)
    (-2000000000000.0, 100000000.0)
    """
    return -(2 * n_params * n_tokens), kv_bytes_per_token * n_tokens


def recompute_over_fetch_time(
    flops: Any, n_bytes: Any, flops_per_s: Any, bandwidth_bytes_per_s: Any
) -> Any:
    r"""Time to compute something again over the time to fetch it from memory.

    .. math:: \frac{f / F}{b / M}

    Parameters
    ----------
    flops : array                   To compute it. [FLOP]
    n_bytes : array                 Moved if it is kept: once to read, twice to write and read.
                                    [bytes]
    flops_per_s : array             [FLOP/s]
    bandwidth_bytes_per_s : array   [bytes/s]

    Returns
    -------
    array   Above 1 keeping is faster than recomputing, while there is room. [1]

    Notes
    -----
    Speed alone. A reversible net is for what does not fit: capacity, not bandwidth.

    References
    ----------
    Derived: why the lecture (ch. 7, claim C7-06) finds the KV cache profitable and RevNets not.

    Examples
    --------
    >>> round(recompute_over_fetch_time(2 * 37e9, 70_272, 989e12, 3.35e12))  # DeepSeek-V3, a token
    3567
    """
    return divide(flops / flops_per_s, n_bytes / bandwidth_bytes_per_s)
