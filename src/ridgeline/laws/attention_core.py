r"""Time of the attention core on one chip: scores and values, no projections.

Decode reads the cache and is bound by memory; prefill multiplies and is bound by compute. Both
take the counts of one chip (its heads, its sequences), one layer.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import log2, maximum, minimum

__all__ = [
    "VECTOR_SHARE",
    "decode_attention_time_s",
    "matrix_row_share",
    "prefill_attention_time_s",
]

_TILE_ROWS = 64
"""Rows of a tile of the matrix units."""

VECTOR_SHARE = 1 / 16
"""Rate of vector units over that of matrix units, on most chips."""

_SHORT_CONTEXT_TOKENS = 1024
"""Below it a sequence's cache is read by one block, so there is nothing to merge."""


def decode_attention_time_s(
    kv_bytes: Any,
    items: Any,
    context_tokens: Any,
    bandwidth_bytes_per_s: Any,
    *,
    start_s: Any,
    merge_s: Any,
    item_s: Any,
    memory_efficiency: Any,
    compute_s: Any = 0,
) -> Any:
    r"""Time of one decode step of attention, one layer.

    .. math:: t = t_0 + \mu \log_2\left(1 + \frac{L}{1024}\right) + \delta\,n
              + \sqrt{\left(\frac{K}{e_b W}\right)^2 + t_c^2}

    Parameters
    ----------
    kv_bytes : array                Cache this chip reads, K. [bytes]
    items : array                   Sequences times KV heads on this chip, n: what is spread over
                                    its multiprocessors. [1]
    context_tokens : array          Cached tokens of a sequence, L. [tokens]
    bandwidth_bytes_per_s : array   W. [bytes/s]
    start_s : array                 Launch and the first loads, t0. [s]
    merge_s : array                 Time for each doubling of the context beyond 1024 tokens, mu:
                                    a long sequence is split and its parts merged. [s]
    item_s : array                  Time for each item, delta, with all multiprocessors busy. [s]
    memory_efficiency : array       Share of W that long reads reach, eb <= 1. [1]
    compute_s : array
        Multiplying at the rate attention reaches, tc: matters for latent attention, where many
        heads share one cache, and for several query tokens. [s]

    Returns
    -------
    array   Never less than ``K / W``, nor than `compute_s`. [s]

    Notes
    -----
    Efficiency K/(W t) so rises with the bytes: .2 to .3 at 16 MB, .5 to .7 at 128 MB, .9 beyond
    1 GB. Measured for 8 to 64 heads of 128, 1 to 1024 equal sequences; unequal contexts in a batch
    cost more where the longest decides. Caches smaller than the last-level cache read faster.

    References
    ----------
    .. [1] Derived, on the tables of NVIDIA AIConfigurator 0.12.0 (Apache-2.0).

    Examples
    --------
    268 MB on an H100 at 1024 tokens: 10 us to start, 1 us to merge, 89 us to read.

    >>> t = decode_attention_time_s(268e6, 64, 1024, 3.35e12, start_s=1e-5, merge_s=1e-6,
    ...                             item_s=0, memory_efficiency=0.9)
    >>> round(t * 1e6, 1)
    99.9
    """
    read_s = kv_bytes / (memory_efficiency * bandwidth_bytes_per_s)
    octaves = log2(1 + context_tokens / _SHORT_CONTEXT_TOKENS)
    return start_s + merge_s * octaves + item_s * items + (read_s**2 + compute_s**2) ** 0.5


def matrix_row_share(rows: Any, vector_share: Any = 0) -> Any:
    r"""Share of the matrix units' rate that decode attention can use, by the rows it multiplies.

    .. math:: \min\left(1,\ \max\left(v,\ \tfrac{1}{16},\ \tfrac{g}{64}\right)\right)

    Parameters
    ----------
    rows : array   Query rows that share a cached entry, g: query heads of its group, times the
                   tokens that are verified at once. [1]
    vector_share : array   Rate of the vector units over that of the matrix units, v; at least a
                           sixteenth is taken, also where it is not known. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    Matrix units multiply tiles of 64 rows, most of them padding where few queries share a key;
    vector units are taken where those are faster: on most chips they reach a sixteenth of the
    matrix units' rate, on those with few matrix units (H20, Ada) much more. A latent shared by 128
    heads fills tiles; a head with keys of its own fills nothing.

    References
    ----------
    .. [1] Derived: NVIDIA's warp-group products are 64 rows high; vector over matrix peak is 19.5
       over 312 TFLOP/s on an A100, 67 over 989 on an H100.

    Examples
    --------
    >>> [float(matrix_row_share(g)) for g in (1, 8, 128)]
    [0.0625, 0.125, 1.0]
    """
    return minimum(maximum(rows / _TILE_ROWS, maximum(vector_share, VECTOR_SHARE)), 1.0)


def prefill_attention_time_s(
    flops: Any,
    bytes_moved: Any,
    keys: Any,
    peak_flops_per_s: Any,
    bandwidth_bytes_per_s: Any,
    *,
    start_s: Any,
    key_step_s: Any,
    compute_efficiency: Any,
    half_keys: Any,
    memory_efficiency: Any,
) -> Any:
    r"""Time of the attention core for a chunk of new tokens, one layer.

    .. math:: t = t_0 + \tau L
              + \sqrt{\left(\frac{F}{e_f P}\Big(1 + \frac{h}{L}\Big)\right)^2
              + \left(\frac{B}{e_b W}\right)^2}

    Parameters
    ----------
    flops : array
        F, of visible pairs only: ``4 heads d`` for each query and key it sees, which is
        ``2 B S^2 heads d`` for B whole causal prompts of S tokens. [FLOP]
    bytes_moved : array             Queries, keys, values and outputs once, B. [bytes]
    keys : array                    Mean number of keys a query sees, L: S/2 for a whole causal
                                    prompt, prefix + chunk/2 for a chunk. [tokens]
    peak_flops_per_s : array        Dense peak of the format attended in, P. [FLOP/s]
    bandwidth_bytes_per_s : array   W. [bytes/s]
    start_s : array                 t0. [s]
    key_step_s : array              Time for each key a block walks past, tau. [s]
    compute_efficiency : array      Share of P on long prompts, ef <= 1. [1]
    half_keys : array               Keys at which half of that share is reached, h. [tokens]
    memory_efficiency : array       eb <= 1. [1]

    Returns
    -------
    array   Never less than ``max(F / P, B / W)``. [s]

    Notes
    -----
    The exponentials of softmax run beside the products and bound ef to .4 in fp8. Measured for
    whole prompts of 128 to 16384 tokens with heads of 128; chunks on a prefix follow by `keys`.

    References
    ----------
    .. [1] Derived, on the tables of NVIDIA AIConfigurator 0.12.0 (Apache-2.0).

    Examples
    --------
    One prompt of 8192 tokens, 32 heads of 128 on an H100: 550 GFLOP.

    >>> t = prefill_attention_time_s(2 * 8192**2 * 32 * 128, 0, 4096, 989e12, 3.35e12,
    ...     start_s=0, key_step_s=0, compute_efficiency=0.6, half_keys=512, memory_efficiency=1)
    >>> round(t * 1e3, 3)
    1.042
    """
    compute_s = flops / (compute_efficiency * peak_flops_per_s) * (1 + half_keys / keys)
    memory_s = bytes_moved / (memory_efficiency * bandwidth_bytes_per_s)
    return start_s + key_step_s * keys + (compute_s**2 + memory_s**2) ** 0.5
