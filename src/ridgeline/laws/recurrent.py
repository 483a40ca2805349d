"""Layers with a fixed state instead of a growing cache: delta rule, lightning, Mamba, conv."""

from __future__ import annotations

from typing import Any

from ridgeline.laws.shapes import Layer, Product

__all__ = ["conv_layer", "delta_layer", "lightning_layer", "mamba1_layer", "mamba2_layer"]


def delta_layer(
    *,
    d_model: Any,
    n_k_heads: Any,
    n_v_heads: Any,
    d_k: Any,
    d_v: Any,
    conv_kernel: Any,
    decay: str = "head",
    decay_rank: Any = None,
    gate_rank: Any = None,
    n_params_other: Any = 0,
) -> Layer:
    r"""Gated delta rule (GDN, KDA): state :math:`S \in R^{d_k \times d_v}` a value head.

    .. math:: S_t = S_{t-1}\,\alpha_t\,(I - \beta_t k_t k_t^T) + \beta_t k_t v_t^T,
              \quad o_t = S_t^T q_t

    Per token and head about ``3 d_k d_v`` multiply-adds: read for the correction, write, read out.

    Parameters
    ----------
    d_model, n_k_heads, n_v_heads, d_k, d_v : array   [1]
    conv_kernel : array       Taps of the short convolution over q, k and v. [tokens]
    decay : str               ``head``: one forget gate a head; ``channel``: one a key channel.
    decay_rank, gate_rank : array or None   Inner sizes of low-rank gates; None is full rank. [1]
    n_params_other : array    Vectors (norm, A, dt bias). [1]

    Returns
    -------
    Layer   Its state includes the last ``conv_kernel - 1`` inputs of the convolution.

    References
    ----------
    .. [1] Yang et al., "Gated Delta Networks", arXiv 2412.06464, 2024.
    .. [2] "Kimi Linear", arXiv 2510.26692, 2025.
    """
    qkv = 2 * n_k_heads * d_k + n_v_heads * d_v
    values = n_v_heads * d_v
    decay_width = n_v_heads if decay == "head" else n_k_heads * d_k
    products = (
        Product("qkv", "recurrent", d_model, qkv, split="n"),
        *_low_rank("decay", d_model, decay_width, decay_rank),
        Product("beta", "recurrent", d_model, n_v_heads, split="n"),
        *_low_rank("gate", d_model, values, gate_rank),
        Product("output", "recurrent", values, d_model, split="k"),
    )
    state = n_v_heads * d_k * d_v
    conv = qkv * conv_kernel
    return Layer(
        products,
        conv + n_params_other,
        state_elements=state + qkv * (conv_kernel - 1) * (conv_kernel > 0),
        state_macs=3 * state + conv,
    )


def _low_rank(name: str, k: Any, n: Any, rank: Any) -> tuple[Product, ...]:
    if rank is None:
        return (Product(name, "recurrent", k, n, split="n"),)
    return (
        Product(f"{name}_down", "recurrent", k, rank),
        Product(f"{name}_up", "recurrent", rank, n, split="n"),
    )


def lightning_layer(
    *, d_model: Any, n_heads: Any, d_head: Any, output_gate: bool = True, n_params_other: Any = 0
) -> Layer:
    """Lightning attention: linear attention with a fixed decay, d_head x d_head state a head.

    Parameters
    ----------
    d_model, n_heads, d_head : array   [1]
    output_gate : bool        A gate as wide as the output.
    n_params_other : array    Vectors (norm). [1]

    Returns
    -------
    Layer

    References
    ----------
    .. [1] MiniMax-01, arXiv 2501.08313, 2025.
    """
    width = n_heads * d_head
    gate = (Product("gate", "recurrent", d_model, width, split="n"),) if output_gate else ()
    products = (
        Product("qkv", "recurrent", d_model, 3 * width, split="n"),
        *gate,
        Product("output", "recurrent", width, d_model, split="k"),
    )
    state = n_heads * d_head * d_head
    return Layer(products, n_params_other, state_elements=state, state_macs=2 * state)


def mamba1_layer(
    *,
    d_model: Any,
    d_inner: Any,
    d_state: Any,
    d_conv: Any,
    dt_rank: Any,
    conv_bias: bool = True,
    proj_bias: bool = False,
    n_params_other: Any = 0,
) -> Layer:
    """Selective state space, first kind: ``d_inner x d_state`` state, diagonal transitions.

    Parameters
    ----------
    d_model, d_inner, d_state, dt_rank : array   [1]
    d_conv : array            Taps of the convolution. [tokens]
    conv_bias, proj_bias : bool
    n_params_other : array    Further vectors (norms of dt, B, C). [1]

    Returns
    -------
    Layer

    Notes
    -----
    A (d_inner x d_state), D and the dt bias are counted as vectors: they scale, channel by channel.

    References
    ----------
    .. [1] Gu & Dao, "Mamba", arXiv 2312.00752, 2023.
    """
    products = (
        Product("in", "recurrent", d_model, 2 * d_inner, split="n"),
        Product("x", "recurrent", d_inner, dt_rank + 2 * d_state, split="k"),
        Product("dt", "recurrent", dt_rank, d_inner, split="n"),
        Product("output", "recurrent", d_inner, d_model, split="k"),
    )
    state = d_inner * d_state
    vectors = state + 2 * d_inner + d_inner * d_conv
    vectors = vectors + (d_inner if conv_bias else 0) + (2 * d_inner + d_model) * proj_bias
    return Layer(
        products,
        vectors + n_params_other,
        state_elements=state + d_inner * (d_conv - 1),
        state_macs=3 * state + d_inner * d_conv,
    )


def mamba2_layer(
    *,
    d_model: Any,
    n_heads: Any,
    d_head: Any,
    d_state: Any,
    n_groups: Any,
    d_conv: Any,
    conv_bias: bool = True,
    proj_bias: bool = False,
    norm: bool = True,
    n_params_other: Any = 0,
) -> Layer:
    """State space duality: ``d_head x d_state`` state a head, B and C shared by groups.

    Parameters
    ----------
    d_model, n_heads, d_head, d_state, n_groups : array   [1]
    d_conv : array            Taps of the convolution over x, B and C. [tokens]
    conv_bias, proj_bias : bool
    norm : bool               A learned norm on the gated output.
    n_params_other : array    Further vectors. [1]

    Returns
    -------
    Layer   With A, D and dt bias (one each a head) and the norm among its vectors.

    References
    ----------
    .. [1] Dao & Gu, "Transformers are SSMs", arXiv 2405.21060, 2024.
    """
    d_inner = n_heads * d_head
    mixed = d_inner + 2 * n_groups * d_state
    d_in = d_inner + mixed + n_heads
    products = (
        Product("in", "recurrent", d_model, d_in, split="n"),
        Product("output", "recurrent", d_inner, d_model, split="k"),
    )
    state = n_heads * d_head * d_state
    vectors = 3 * n_heads + d_inner * norm + mixed * d_conv
    vectors = vectors + (mixed if conv_bias else 0) + (d_in + d_model) * proj_bias
    return Layer(
        products,
        vectors + n_params_other,
        state_elements=state + mixed * (d_conv - 1),
        state_macs=3 * state + mixed * d_conv,
    )


def conv_layer(*, d_model: Any, d_conv: Any, bias: bool = False) -> Layer:
    """Gated short convolution (LFM2): three streams in, a depthwise convolution, one out.

    Parameters
    ----------
    d_model : array   [1]
    d_conv : array    Taps. [tokens]
    bias : bool       On projections and convolution.

    Returns
    -------
    Layer

    References
    ----------
    .. [1] Liquid AI, LFM2 model card, 2025.
    """
    products = (
        Product("in", "recurrent", d_model, 3 * d_model, split="n"),
        Product("output", "recurrent", d_model, d_model, split="k"),
    )
    vectors = d_model * d_conv + (5 * d_model if bias else 0)
    return Layer(
        products,
        vectors,
        state_elements=d_model * (d_conv - 1),
        state_macs=d_model * d_conv,
    )
