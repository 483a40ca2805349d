r"""Time of one product of matrices on one chip, of experts' products, and of passes over bytes.

The smooth roofline: compute and memory overlap, but not perfectly near the ridge, so their times
add in quadrature; a launch and the walk along k come on top. Four constants per chip and number
format, each with a meaning of its own; `Constants` in the catalogue holds them, fitted.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "grouped_products_time_s",
    "product_bytes",
    "product_flops",
    "product_time_s",
    "stream_time_s",
]


def product_flops(m: Any, n: Any, k: Any) -> Any:
    """Two FLOPs for each multiply-add of ``(m, k) @ (k, n)``.

    Parameters
    ----------
    m, n, k : array   Tokens, width out, width in. [1]

    Returns
    -------
    array   ``2 m n k``. [FLOP]

    References
    ----------
    .. [1] Derived: one multiply and one add for each of ``m n k``.

    Examples
    --------
    >>> product_flops(1, 8192, 8192)
    134217728
    """
    return 2 * m * n * k


def product_bytes(
    m: Any, n: Any, k: Any, weight_bytes: Any, activation_bytes: Any, output_bytes: Any = 2
) -> Any:
    r"""Bytes one product moves at least: each matrix once.

    .. math:: n k\,w + m k\,a + m n\,o

    Parameters
    ----------
    m, n, k : array            Tokens, width out, width in. [1]
    weight_bytes : array       Of one weight, scales included, w. [bytes]
    activation_bytes : array   Of one input value, a. [bytes]
    output_bytes : array       Of one output value, o: 2 where it leaves as bf16. [bytes]

    Returns
    -------
    array   [bytes]

    Notes
    -----
    Breaks where weights stay in a cache larger than they are: then less is read.

    References
    ----------
    .. [1] Derived: every input read once, every output written once.

    Examples
    --------
    >>> product_bytes(1, 8192, 8192, 2, 2)
    134250496
    """
    return n * k * weight_bytes + m * k * activation_bytes + m * n * output_bytes


def product_time_s(
    flops: Any,
    bytes_moved: Any,
    k: Any,
    peak_flops_per_s: Any,
    bandwidth_bytes_per_s: Any,
    *,
    start_s: Any,
    step_s: Any,
    compute_efficiency: Any,
    memory_efficiency: Any,
    prepare_bytes: Any = 0,
) -> Any:
    r"""Time of one product inside a captured graph.

    .. math:: t = t_0 + \tau k + \sqrt{\left(\frac{F}{e_f P}\right)^2
              + \left(\frac{B}{e_b W}\right)^2} + \frac{A}{e_b W}

    Parameters
    ----------
    flops : array                   F, as `product_flops` counts. [FLOP]
    bytes_moved : array             B, as `product_bytes` counts. [bytes]
    k : array                       Width in: what a tile walks along, serially. [1]
    peak_flops_per_s : array        Dense peak in the format multiplied in, P. [FLOP/s]
    bandwidth_bytes_per_s : array   W. [bytes/s]
    start_s : array                 Launch, first loads, last stores, t0. [s]
    step_s : array                  Time for each element of k, tau. [s]
    compute_efficiency : array      Share of P that large products reach, ef <= 1. [1]
    memory_efficiency : array       Share of W that long reads reach, eb <= 1. [1]
    prepare_bytes : array
        A: bytes of a pass before the product, such as reading bf16 inputs and writing them as
        fp8; 0 where inputs come ready. [bytes]

    Returns
    -------
    array   Never less than ``max(F / P, B / W)``; broadcasts its inputs. [s]

    Notes
    -----
    Between shapes it is smooth, so steps of a kernel (a new wave of tiles, another tile size)
    show as scatter: 5 to 10% in bf16, more where engines differ in how they quantise. Rows above
    32768 tokens and n or k below 1024 were not measured.

    References
    ----------
    .. [1] Williams et al., "Roofline", CACM 2009, for the two ceilings.
    .. [2] Derived: residuals at few tokens grow as k, not as n k, on every chip measured (the
       tables of NVIDIA AIConfigurator 0.12.0, Apache-2.0).

    Examples
    --------
    An H100 at the ridge, ideal constants: 1 ms of each makes 1.41 ms.

    >>> t = product_time_s(989e9, 3.35e9, 0, 989e12, 3.35e12, start_s=0, step_s=0,
    ...                    compute_efficiency=1, memory_efficiency=1)
    >>> round(t * 1e3, 3)
    1.414
    """
    memory_s = bytes_moved / (memory_efficiency * bandwidth_bytes_per_s)
    compute_s = flops / (compute_efficiency * peak_flops_per_s)
    prepare_s = prepare_bytes / (memory_efficiency * bandwidth_bytes_per_s)
    return start_s + step_s * k + (compute_s**2 + memory_s**2) ** 0.5 + prepare_s


def stream_time_s(
    bytes_moved: Any, bandwidth_bytes_per_s: Any, *, start_s: Any, memory_efficiency: Any
) -> Any:
    r"""Time of a pass that moves bytes and hardly computes: norms, activations, copies.

    .. math:: t = t_0 + B / (e_b W)

    Parameters
    ----------
    bytes_moved : array             Read and written, B. [bytes]
    bandwidth_bytes_per_s : array   W. [bytes/s]
    start_s : array                 Launch, t0; 0 where fused into a neighbour. [s]
    memory_efficiency : array       eb <= 1. [1]

    Returns
    -------
    array   Never less than ``B / W``. [s]

    Notes
    -----
    Small passes often stay in cache and are then launch only: an upper estimate there.

    References
    ----------
    .. [1] Derived: a latency and a rate.

    Examples
    --------
    >>> round(stream_time_s(335e6, 3.35e12, start_s=2e-6, memory_efficiency=1.0) * 1e6, 3)
    102.0
    """
    return start_s + bytes_moved / (memory_efficiency * bandwidth_bytes_per_s)


def grouped_products_time_s(
    flops: Any,
    weight_bytes: Any,
    activation_bytes: Any,
    n_held: Any,
    peak_flops_per_s: Any,
    bandwidth_bytes_per_s: Any,
    *,
    start_s: Any,
    held_s: Any,
    compute_efficiency: Any,
    memory_efficiency: Any,
    activation_efficiency: Any,
    n_products: Any = 1,
) -> Any:
    r"""Time of the products of experts on one chip, each over all experts at once.

    .. math:: t = n\,(t_0 + c\,e) + \sqrt{\left(\frac{F}{e_f P}\right)^2
              + \left(\frac{B}{e_b W}\right)^2} + \frac{A}{e_a W}

    Parameters
    ----------
    flops : array                   F, of tokens that fill tiles: `padded_tokens`. [FLOP]
    weight_bytes : array            B, of the experts that are hit. [bytes]
    activation_bytes : array        A, each product's inputs and outputs once in 16 bits. [bytes]
    n_held : array                  Experts the chip holds, hit or not, e. [1]
    peak_flops_per_s : array        Dense peak in the format multiplied in, P. [FLOP/s]
    bandwidth_bytes_per_s : array   W. [bytes/s]
    start_s : array                 Of one product, with its share of what comes with it: choosing
                                    experts, sorting tokens, activation, adding up, t0. [s]
    held_s : array                  Of one product, for each expert held, c. [s]
    compute_efficiency : array      Share of P that experts with many tokens reach, ef <= 1. [1]
    memory_efficiency : array       Share of W that weights are read at, eb <= 1. [1]
    activation_efficiency : array   Share of W at which inputs and outputs would pass once; they
                                    pass several times (gathered, quantised, between the products,
                                    scattered, added up), so it is well below one, ea. [1]
    n_products : array              Products that the sums are of, n: two in a layer, gate and up
                                    as one. [1]

    Returns
    -------
    array   Never less than ``max(F / P, B / W)``; broadcasts its inputs. [s]

    Notes
    -----
    Products of a layer read as many bytes for each FLOP, so that a sum over them may be put in as
    one. Cutting experts over n chips leaves each chip all of them to hold and all tokens to gather;
    spreading them leaves each its share: slices cost more than whole experts.

    References
    ----------
    .. [1] Derived: as `product_time_s`, with passes over activations, which a
       grouped product does not overlap, and a cost for each expert held: tables of pointers,
       offsets and tiles are made for all of them.
    .. [2] Measured: 16,000 products of 27 models (the tables of NVIDIA AIConfigurator 0.12.0,
       Apache-2.0); on models left out of a fit its median error is 4 to 14%.

    Examples
    --------
    An H100 reads 8 experts of 45 MB, and nothing else is in the way: 107 us.

    >>> t = grouped_products_time_s(0, 8 * 45e6, 0, 8, 989e12, 3.35e12, start_s=0, held_s=0,
    ...     compute_efficiency=1, memory_efficiency=1, activation_efficiency=1)
    >>> round(t * 1e6, 1)
    107.5
    """
    compute_s = flops / (compute_efficiency * peak_flops_per_s)
    memory_s = weight_bytes / (memory_efficiency * bandwidth_bytes_per_s)
    passes_s = activation_bytes / (activation_efficiency * bandwidth_bytes_per_s)
    starts_s = n_products * (start_s + held_s * n_held)
    return starts_s + (compute_s**2 + memory_s**2) ** 0.5 + passes_s
