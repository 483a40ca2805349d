"""Prefill and decode on the same chips or on pools of their own: steady rates of both."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum

__all__ = [
    "chip_seconds_per_request",
    "matched_prefill_share",
    "mean_prefix_tokens",
    "prefill_chunks",
    "prompts_per_step",
]


def prefill_chunks(new_tokens: Any, budget_tokens: Any) -> Any:
    """Steps a prompt is cut into when one step takes at most a budget of tokens.

    Parameters
    ----------
    new_tokens, budget_tokens : array   [tokens]

    Returns
    -------
    array   ``ceil(n / budget)``, at least 1. [1]

    Examples
    --------
    >>> prefill_chunks(20_000, 8192), prefill_chunks(100, 8192)
    (3, 1)
    """
    return maximum(-(-new_tokens // budget_tokens), 1)


def prompts_per_step(new_tokens: Any, budget_tokens: Any) -> Any:
    """Whole prompts that one step takes within its budget of tokens, at least one.

    Parameters
    ----------
    new_tokens, budget_tokens : array   [tokens]

    Returns
    -------
    array   [1]

    Examples
    --------
    >>> prompts_per_step(1000, 8192), prompts_per_step(20_000, 8192)
    (8, 1)
    """
    return maximum(budget_tokens // new_tokens, 1)


def mean_prefix_tokens(cached_tokens: Any, new_tokens: Any, n_chunks: Any) -> Any:
    r"""Tokens before a chunk, on average over the equal chunks of a prompt.

    .. math:: c + \frac{n - n/k}{2}

    Parameters
    ----------
    cached_tokens : array   In the cache before the first chunk, c. [tokens]
    new_tokens : array      Of the prompt, n. [tokens]
    n_chunks : array        k. [1]

    Returns
    -------
    array   [tokens]

    Notes
    -----
    What a chunk reads and multiplies in attention is linear in its prefix, so that k chunks at the
    mean prefix are the prompt; not so within a window shorter than the prompt.

    Examples
    --------
    >>> mean_prefix_tokens(0, 16_384, 2), mean_prefix_tokens(1000, 500, 1)
    (4096.0, 1000.0)
    """
    return cached_tokens + (new_tokens - new_tokens / n_chunks) / 2


def chip_seconds_per_request(time_s: Any, n_chips: Any, at_once: Any) -> Any:
    r"""Time of one chip that a request takes up.

    .. math:: t\, c / B

    Parameters
    ----------
    time_s : array    The replica's, for all requests at once, t. [s]
    n_chips : array   Of the replica, c. [1]
    at_once : array   Requests served in that time, B. [1]

    Returns
    -------
    array   [s]

    Examples
    --------
    >>> chip_seconds_per_request(20.0, 8, 64)
    2.5
    """
    return time_s * n_chips / at_once


def matched_prefill_share(prefill_chip_s: Any, decode_chip_s: Any) -> Any:
    r"""Share of the chips that prefill where neither pool waits for the other.

    .. math:: \frac{p}{p + d}

    Parameters
    ----------
    prefill_chip_s, decode_chip_s : array   Chip time a request takes in either pool, p and d. [s]

    Returns
    -------
    array   Of real numbers; whole replicas come near it where there are many. [1]

    References
    ----------
    .. [1] Derived: rates ``x / p`` and ``(1 - x) / d`` are equal.

    Examples
    --------
    >>> matched_prefill_share(1.0, 3.0)
    0.25
    """
    return prefill_chip_s / (prefill_chip_s + decode_chip_s)
