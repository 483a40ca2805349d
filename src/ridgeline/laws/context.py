r"""The memory wall: what attention reads of a long context, and how long a context can be borne."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, maximum, minimum

__all__ = [
    "kv_budget_bytes",
    "largest_context_tokens",
    "overtaking_context_tokens",
    "shared_context_tokens",
    "windowed_context_tokens",
]


def windowed_context_tokens(context_tokens: Any, window_tokens: Any, full_share: Any) -> Any:
    r"""Tokens read by a mean layer where some layers see all and the rest a window.

    .. math:: f\,L + (1 - f) \min(L, w)

    Parameters
    ----------
    context_tokens : array   L. [tokens]
    window_tokens : array    w. [tokens]
    full_share : array       Share of layers that see everything, f. [1]

    Returns
    -------
    array   To be used for L in `ridgeline.laws.roofline.kv_fetch_time_s`. [tokens]

    References
    ----------
    .. [1] Derived; Gemma 3 has f = 1/6 and w = 1024.

    Examples
    --------
    >>> windowed_context_tokens(102_400.0, 1024, 0.25)
    26368.0
    """
    return full_share * context_tokens + (1 - full_share) * minimum(context_tokens, window_tokens)


def shared_context_tokens(context_tokens: Any, n_layers_per_cache: Any) -> Any:
    """Tokens read by a mean layer where neighbouring layers share one cache that is read once.

    Parameters
    ----------
    context_tokens : array       L. [tokens]
    n_layers_per_cache : array   Layers that share. [1]

    Returns
    -------
    array   ``L / n``. [tokens]

    Notes
    -----
    Saves capacity for certain; reads only where the layers that share run while the cache is on
    the chip, which today's engines do not do. The lecture's form.

    References
    ----------
    .. [1] The lecture, ch. 6; Brandon et al., "Cross-layer attention", 2024.

    Examples
    --------
    >>> shared_context_tokens(8192.0, 2)
    4096.0
    """
    return context_tokens / n_layers_per_cache


def kv_budget_bytes(time_s: Any, weight_bytes: Any, batch: Any, bandwidth_bytes_per_s: Any) -> Any:
    r"""Bytes that a step of the given time leaves each sequence to read.

    .. math:: \frac{t\,M - W}{B}

    Parameters
    ----------
    time_s : array                  What a token may take, t. [s]
    weight_bytes : array            W. [bytes]
    batch : array                   B. [1]
    bandwidth_bytes_per_s : array   M. [bytes/s]

    Returns
    -------
    array   0 where the weights alone take longer. [bytes]

    References
    ----------
    .. [1] Derived from ``t >= (W + B L kv) / M``.

    Examples
    --------
    20 ms on 576 TB/s, less 700 GB of weights, for 2400 sequences: 4.5 GB each.

    >>> round(float(kv_budget_bytes(0.020, 700e9, 2400, 576e12)) / 1e9, 2)
    4.51
    """
    return maximum(time_s * bandwidth_bytes_per_s - weight_bytes, 0.0) / batch


def largest_context_tokens(cache_bytes: Any, batch: Any, kv_bytes_per_token: Any) -> Any:
    r"""Context at which the caches of a batch fill the memory kept for them.

    .. math:: \frac{M_{kv}}{B\,\mathrm{kv}}

    Parameters
    ----------
    cache_bytes : array          Memory kept for caches. [bytes]
    batch : array                B. [1]
    kv_bytes_per_token : array   As stored, replicas counted. [bytes]

    Returns
    -------
    array   [tokens]

    References
    ----------
    .. [1] Pope et al., "Efficiently Scaling Transformer Inference", 2022, Table 1.

    Examples
    --------
    PaLM 540B on 64 chips of 32 GiB, 30% for caches, one KV head of 256 in 118 layers:

    >>> round(float(largest_context_tokens(0.3 * 64 * 32 * 2**30, 128, 118 * 2 * 256 * 2)))
    42654
    """
    return divide(cache_bytes, batch * kv_bytes_per_token)


def overtaking_context_tokens(n_params_active: Any, macs_per_context_token: Any) -> Any:
    r"""Context at which attention multiplies as much as all weights do.

    .. math:: L = N_a / a

    Parameters
    ----------
    n_params_active : array          Multiply-adds of the weights for a token, N_a. [1]
    macs_per_context_token : array   Multiply-adds of attention, all layers, for each cached token,
                                     a: ``2 heads d_head`` a layer that sees everything. [1]

    Returns
    -------
    array   Tokens; inf where attention does not grow. [tokens]

    References
    ----------
    .. [1] Derived; the scaling book's T = 8 D (claim SB-15) and the lecture's "millions" (C6-23)
       are two architectures of it.

    Examples
    --------
    One layer of 128 heads of 128 beside 100 B active parameters, then 80 of them:

    >>> [round(float(overtaking_context_tokens(100e9, n * 2 * 128 * 128))) for n in (1, 80)]
    [3051758, 38147]
    """
    return divide(n_params_active, macs_per_context_token)
