r"""Where the network, not arithmetic, decides a training step: bounds of a layer's two exchanges.

Symbols: B tokens of a step, N chips, F width of the feed-forward part, C FLOP/s of a chip,
:math:`W_x` and :math:`W_y` one-way rates of a chip along the data-parallel and the tensor-parallel
ranks. Weights and activations are of 2 bytes; a forward pass decides, since it sends most for its
FLOPs; exchanges run beside arithmetic. Latency, attention and the vocabulary are left out, so that
these are the best that any framework can do, not what it does.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "best_fsdp_ranks",
    "chips_of_batch",
    "fsdp_tokens_per_chip",
    "mixed_tokens_per_chip",
    "training_tensor_parallel",
]


def fsdp_tokens_per_chip(flops_per_s: Any, network_bytes_per_s: Any, sparsity: Any = 1.0) -> Any:
    r"""Tokens a chip must train on for each gathered weight, so that the network keeps up.

    .. math:: s\,\frac{C}{W_x}

    Parameters
    ----------
    flops_per_s : array           Of a chip. [FLOP/s]
    network_bytes_per_s : array   One-way rate its weights come in at. [bytes/s]
    sparsity : array              Experts over active ones, s: all are gathered, few are used. [1]

    Returns
    -------
    array   bf16 weights: 2 bytes come for 2 FLOPs a token. [tokens]

    Notes
    -----
    The same bound holds for gradients that all-reduce after a backward pass of twice the FLOPs.
    With several micro-batches in a step, weights that stay gathered count all of its tokens; those
    gathered again for each (ZeRO 3) count those of one micro-batch.

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, GPUs (claim SB-16).

    Examples
    --------
    >>> fsdp_tokens_per_chip(990e12, 400e9, 128 / 4)
    79200.0
    """
    return sparsity * flops_per_s / network_bytes_per_s


def training_tensor_parallel(d_ff: Any, flops_per_s: Any, link_bytes_per_s: Any) -> Any:
    r"""Chips a layer in training can be cut over before its activations take longer than its math.

    .. math:: Y = \frac{F\,W_y}{C}

    Parameters
    ----------
    d_ff : array               F; in a routed layer of all experts that a token passes. [1]
    flops_per_s : array        Of a chip. [FLOP/s]
    link_bytes_per_s : array   One-way rate of a chip to its tensor-parallel ranks. [bytes/s]

    Returns
    -------
    array   Independent of the batch. [1]

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, training.

    Examples
    --------
    LLaMA-3 70B on one axis of a TPU v5p, where C / W = 2550:

    >>> round(training_tensor_parallel(28672, 2550 * 90e9, 90e9), 1)
    11.2
    """
    return d_ff * link_bytes_per_s / flops_per_s


def mixed_tokens_per_chip(
    d_ff: Any, flops_per_s: Any, network_bytes_per_s: Any, link_bytes_per_s: Any
) -> Any:
    r"""Tokens a chip must train on where weights are gathered and layers cut in the best ratio.

    .. math:: \frac{4\,C^2}{F\,W_x\,W_y}

    Parameters
    ----------
    d_ff : array                  F. [1]
    flops_per_s : array           Of a chip. [FLOP/s]
    network_bytes_per_s : array   Rate that weights are gathered at, :math:`W_x`. [bytes/s]
    link_bytes_per_s : array      Rate that activations are exchanged at, :math:`W_y`. [bytes/s]

    Returns
    -------
    array   Below it no mix of the two is bound by arithmetic. [tokens]

    Notes
    -----
    Both exchanges one after the other: :math:`4DFX/(N W_x) + 4BD/(X W_y)` against
    :math:`4BDF/(N C)`, at the X where the sum is least, `best_fsdp_ranks`. A scale-up domain ends
    tensor parallelism sooner.

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, training.

    Examples
    --------
    The book's 396 tokens: F = 32,768, C / W = 2550, two axes for weights and one for activations.

    >>> round(mixed_tokens_per_chip(32768, 2550.0, 2.0, 1.0))
    397
    """
    return 4 * flops_per_s**2 / (d_ff * network_bytes_per_s * link_bytes_per_s)


def best_fsdp_ranks(
    batch_tokens: Any, n_chips: Any, d_ff: Any, network_bytes_per_s: Any, link_bytes_per_s: Any
) -> Any:
    r"""Ranks that weights are gathered over in the mix that exchanges least; the rest cut layers.

    .. math:: X = \sqrt{\frac{B\,N\,W_x}{F\,W_y}}

    Parameters
    ----------
    batch_tokens : array          B. [tokens]
    n_chips : array               N. [1]
    d_ff : array                  F. [1]
    network_bytes_per_s : array   :math:`W_x`. [bytes/s]
    link_bytes_per_s : array      :math:`W_y`. [bytes/s]

    Returns
    -------
    array   Not rounded; above N no layer should be cut. [1]

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, training; derived as in
       `mixed_tokens_per_chip`.

    Examples
    --------
    >>> best_fsdp_ranks(2**22, 4096, 2**15, 2.0, 1.0)
    1024.0
    """
    return (batch_tokens * n_chips * network_bytes_per_s / (d_ff * link_bytes_per_s)) ** 0.5


def chips_of_batch(batch_tokens: Any, tokens_per_chip: Any) -> Any:
    """Chips over which a batch gives each of them no fewer tokens than a bound asks for.

    Parameters
    ----------
    batch_tokens : array      Of an optimizer step. [tokens]
    tokens_per_chip : array   That a chip needs: see the bounds above. [tokens]

    Returns
    -------
    array   Not rounded. [1]

    Examples
    --------
    Llama 3 405B's 16 Mi tokens on H100 whose network takes 50 GB/s of each chip:

    >>> round(chips_of_batch(2**24, fsdp_tokens_per_chip(989e12, 50e9)))
    848
    """
    return batch_tokens / tokens_per_chip
