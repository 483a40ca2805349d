r"""The lecture's first chapter: what one pass takes at least, and what binds it.

The lecture counts *multiplies*, not FLOPs: a chip of F dense FLOP/s does C = F/2 multiplies/s,
so that a pass over N parameters takes N/C seconds a sequence, and the hardware ratio
R = C w / M has no unit (w bytes a weight).
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide, maximum, where

__all__ = [
    "balance_batch",
    "balance_batch_with_kv",
    "balance_context",
    "compute_time_s",
    "hardware_ratio",
    "kv_fetch_time_s",
    "latency_floor_s",
    "mfu",
    "multiplies_per_s",
    "sparsity",
    "sqrt_sparse_context_tokens",
    "step_time_added_s",
    "step_time_s",
    "weight_fetch_time_s",
]


def multiplies_per_s(flops_per_s: Any) -> Any:
    """Multiplies per second of a chip rated in FLOP/s: half, a multiply-add being two FLOPs.

    Parameters
    ----------
    flops_per_s : array   Dense peak. [FLOP/s]

    Returns
    -------
    array   [1/s]

    References
    ----------
    .. [1] Reiner Pope, "The math behind how LLMs are trained and served", 2026, ch. 1.

    Examples
    --------
    >>> multiplies_per_s(989e12)
    494500000000000.0
    """
    return flops_per_s / 2


def compute_time_s(batch: Any, n_params_active: Any, multiplies_per_s: Any) -> Any:
    r"""Time to multiply: each sequence passes every active parameter once.

    .. math:: t_c = B N_a / C

    Parameters
    ----------
    batch : array              Sequences in the pass, one new token each, B. [1]
    n_params_active : array    Parameters that multiply for one token, N_a. [1]
    multiplies_per_s : array   Multiplies of all chips together, C. [1/s]

    Returns
    -------
    array   Broadcasts its inputs. [s]

    Notes
    -----
    Attention over the context is left out, as the lecture does; that breaks where query heads
    share few KV heads and the context is long.

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-01).

    Examples
    --------
    >>> round(compute_time_s(2000, 37e9, 1e18), 9)
    7.4e-05
    """
    return batch * n_params_active / multiplies_per_s


def weight_fetch_time_s(weight_bytes: Any, bandwidth_bytes_per_s: Any) -> Any:
    """Time to read all weights once: W / M, whatever the batch.

    Parameters
    ----------
    weight_bytes : array            All weights, not only the active ones, W. [bytes]
    bandwidth_bytes_per_s : array   Memory bandwidth of all chips together, M. [bytes/s]

    Returns
    -------
    array   [s]

    Notes
    -----
    No bound for a small batch of a sparse model: it fetches experts nobody asked for.

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-02).

    Examples
    --------
    >>> round(weight_fetch_time_s(700e9, 64 * 20e12), 7)
    0.0005469
    """
    return weight_bytes / bandwidth_bytes_per_s


def kv_fetch_time_s(batch: Any, kv_bytes_per_sequence: Any, bandwidth_bytes_per_s: Any) -> Any:
    r"""Time to read the caches of all sequences once.

    .. math:: t_{kv} = B\,L\,\mathrm{kv} / M

    Parameters
    ----------
    batch : array                   Sequences, B. [1]
    kv_bytes_per_sequence : array   Bytes one step reads of one sequence's cache and state: L times
                                    the bytes a token, or less where reads are windowed or
                                    sparse. [bytes]
    bandwidth_bytes_per_s : array   M. [bytes/s]

    Returns
    -------
    array   [s]

    Notes
    -----
    Unique to each sequence: no batch amortises it. Assumes grouped queries read it once.

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-02).

    Examples
    --------
    >>> kv_fetch_time_s(2000, 100_000 * 2048, 64 * 20e12)
    0.00032
    """
    return batch * kv_bytes_per_sequence / bandwidth_bytes_per_s


def step_time_s(compute_s: Any, weight_fetch_s: Any, kv_fetch_s: Any) -> Any:
    r"""Lower bound of a pass: compute and memory overlap perfectly, the two reads add.

    .. math:: t \ge \max(t_c,\ t_w + t_{kv})

    Parameters
    ----------
    compute_s, weight_fetch_s, kv_fetch_s : array   [s]

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-03). The rival form is `step_time_added_s`.

    Examples
    --------
    >>> round(float(step_time_s(7.4e-5, 5.469e-4, 3.2e-4)), 7)
    0.0008669
    """
    return maximum(compute_s, weight_fetch_s + kv_fetch_s)


def step_time_added_s(compute_s: Any, weight_fetch_s: Any, kv_fetch_s: Any) -> Any:
    r"""The scaling book's form: attention runs after the products, so its read is added.

    .. math:: t = t_{kv} + \max(t_c,\ t_w)

    Parameters
    ----------
    compute_s, weight_fetch_s, kv_fetch_s : array   [s]

    Returns
    -------
    array   Never less than `step_time_s`, at most twice it. [s]

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, chapter on inference.

    Examples
    --------
    >>> float(step_time_added_s(4e-3, 3e-3, 2e-3))
    0.006
    """
    return kv_fetch_s + maximum(compute_s, weight_fetch_s)


def latency_floor_s(weight_bytes: Any, bandwidth_bytes_per_s: Any) -> Any:
    """What no batch is small enough to go below: reading all weights once, W / M.

    Parameters
    ----------
    weight_bytes, bandwidth_bytes_per_s : array   As in `weight_fetch_time_s`.

    Returns
    -------
    array   [s]

    References
    ----------
    .. [1] The lecture, ch. 1 (claim C1-04); its flashcard 5 says "active", which is a slip.

    Examples
    --------
    >>> round(latency_floor_s(700e9, 8 * 3.35e12) * 1e3, 1)   # 8 H100, milliseconds
    26.1
    """
    return weight_fetch_time_s(weight_bytes, bandwidth_bytes_per_s)


def hardware_ratio(flops_per_s: Any, bytes_per_weight: Any, bandwidth_bytes_per_s: Any) -> Any:
    r"""Multiplies a chip can do in the time it reads one weight.

    .. math:: R = \frac{F}{2}\,\frac{w}{M}

    Parameters
    ----------
    flops_per_s : array             Dense peak in the dtype at hand, F. [FLOP/s]
    bytes_per_weight : array        w, of the same dtype. [bytes]
    bandwidth_bytes_per_s : array   M. [bytes/s]

    Returns
    -------
    array   About 300 on an H100 at any dtype, since F doubles as w halves. [1]

    Notes
    -----
    "Stable across generations" holds within a factor of two: A100 153, H200 206, B200 281.

    References
    ----------
    .. [1] The lecture, ch. 1 (claims C1-14 to C1-18).

    Examples
    --------
    >>> round(hardware_ratio(989e12, 2, 3.35e12))
    295
    """
    return multiplies_per_s(flops_per_s) * bytes_per_weight / bandwidth_bytes_per_s


def sparsity(n_params: Any, n_params_active: Any) -> Any:
    """Total parameters over active ones, s >= 1 (the lecture's flashcards print the inverse).

    Examples
    --------
    >>> sparsity(256, 32)
    8.0
    """
    return n_params / n_params_active


def balance_batch(hardware_ratio: Any, sparsity: Any) -> Any:
    r"""Batch where computing takes as long as fetching the weights, KV left out.

    .. math:: B^* = R\,s

    Parameters
    ----------
    hardware_ratio : array   R. [1]
    sparsity : array         s = N / N_a. [1]

    Returns
    -------
    array   Sequences. Independent of the model's scale. [1]

    References
    ----------
    .. [1] The lecture, ch. 1 (claims C1-07, C1-13).

    Examples
    --------
    >>> balance_batch(300, 8)
    2400
    """
    return hardware_ratio * sparsity


def balance_batch_with_kv(
    weight_fetch_s: Any, compute_s_per_sequence: Any, kv_fetch_s_per_sequence: Any
) -> Any:
    r"""Batch where compute catches up with memory, KV reads included.

    .. math:: B^* = \frac{W/M}{c - k}, \qquad \infty \text{ where } k \ge c

    Parameters
    ----------
    weight_fetch_s : array            W/M. [s]
    compute_s_per_sequence : array    c = N_a/C. [s]
    kv_fetch_s_per_sequence : array   k = L kv/M. [s]

    Returns
    -------
    array   Sequences; inf where every sequence brings more reading than computing, so that the
            pass is bound by memory at any batch. [1]

    References
    ----------
    .. [1] Derived from max(t_c, t_w + t_kv); direction in the lecture, ch. 1 (C1-11, C1-12).

    Examples
    --------
    >>> balance_batch_with_kv(2400.0, 1.0, 0.5), balance_batch_with_kv(2400.0, 1.0, 1.0)
    (4800.0, inf)
    """
    gap = compute_s_per_sequence - kv_fetch_s_per_sequence
    return where(gap > 0, divide(weight_fetch_s, gap), float("inf"))


def balance_context(
    n_params_active: Any,
    multiplies_per_s: Any,
    kv_bytes_per_token: Any,
    bandwidth_bytes_per_s: Any,
) -> Any:
    r"""Context where a sequence reads as long as it computes; beyond, memory binds any batch.

    .. math:: L^* = \frac{N_a}{C}\,\frac{M}{\mathrm{kv}}

    Parameters
    ----------
    n_params_active : array         N_a. [1]
    multiplies_per_s : array        C. [1/s]
    kv_bytes_per_token : array      Bytes read per token of context. [bytes]
    bandwidth_bytes_per_s : array   M. [bytes/s]

    Returns
    -------
    array   Tokens; inf for a model without a growing cache. [tokens]

    Notes
    -----
    Assumes reads linear in the context. Windows and sparse reads bend that: then solve
    ``k(L) = c`` on the model's own read curve instead.

    References
    ----------
    .. [1] The lecture, ch. 1 and 6a (claim C1-26).

    Examples
    --------
    >>> round(float(balance_context(100e9, 300e12, 1667, 1e12)), -3)   # R = 300 at 1 byte a weight
    200000.0
    """
    bytes_to_match = n_params_active / multiplies_per_s * bandwidth_bytes_per_s
    return divide(bytes_to_match, kv_bytes_per_token)


def sqrt_sparse_context_tokens(context_tokens: Any, scale_tokens: Any = 1.0) -> Any:
    r"""Tokens read by attention whose reads grow with the root of the context.

    .. math:: L_{read} = \sqrt{L\,L_0}

    Parameters
    ----------
    context_tokens : array   L. [tokens]
    scale_tokens : array     Context up to which everything is read, L_0. [tokens]

    Returns
    -------
    array   To be used for L in `kv_fetch_time_s`. [tokens]

    Notes
    -----
    The lecture's idealisation ("a square root in this term"). Published sparse attention reads a
    fixed number of tokens plus a small index of all of them; catalogue models are counted so.

    References
    ----------
    .. [1] The lecture, ch. 1 and 6 (claim C1-27).

    Examples
    --------
    >>> sqrt_sparse_context_tokens(1_000_000.0) / sqrt_sparse_context_tokens(10_000.0)
    10.0
    """
    return (context_tokens * scale_tokens) ** 0.5


def mfu(compute_s: Any, step_s: Any) -> Any:
    """Model FLOPs utilisation: the share of the pass the multipliers are needed.

    Parameters
    ----------
    compute_s, step_s : array   [s]

    Returns
    -------
    array   At most 1 in any reading. [1]

    Examples
    --------
    Twice the balance context halves it (claim C1-26):

    >>> mfu(1.0, 2.0)
    0.5
    """
    return compute_s / step_s
