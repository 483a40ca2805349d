"""Feed-forward layers as products: dense, and mixtures of experts."""

from __future__ import annotations

from typing import Any

from ridgeline.laws.shapes import Layer, Product

__all__ = ["dense_layer", "moe_layer"]


def _mlp(
    part: str, d_in: Any, d_ff: Any, gated: bool, count: Any = 1, active: Any = 1
) -> tuple[Product, ...]:
    gate = (Product("gate", part, d_in, d_ff, count, active, "n"),) if gated else ()
    return (
        *gate,
        Product("up", part, d_in, d_ff, count, active, "n"),
        Product("down", part, d_ff, d_in, count, active, "k"),
    )


def dense_layer(*, d_model: Any, d_ff: Any, gated: bool = True, bias: bool = False) -> Layer:
    """A feed-forward layer: up and down, and a gate where it has one.

    Parameters
    ----------
    d_model, d_ff : array   [1]
    gated : bool            SwiGLU and kin: three matrices instead of two.
    bias : bool

    Returns
    -------
    Layer

    Examples
    --------
    >>> len(dense_layer(d_model=4096, d_ff=16384).products)
    3
    """
    vectors = (d_ff * (2 if gated else 1) + d_model) if bias else 0
    return Layer(_mlp("ffn", d_model, d_ff, gated), vectors)


def moe_layer(
    *,
    d_model: Any,
    n_experts: Any,
    n_experts_active: Any,
    d_ff: Any,
    gated: bool = True,
    bias: bool = False,
    d_ff_shared: Any = 0,
    shared_gated: bool | None = None,
    shared_gate: bool = False,
    d_latent: Any = None,
    n_params_other: Any = 0,
) -> Layer:
    """Routed experts, a router on every token, and shared experts.

    Parameters
    ----------
    d_model, n_experts, n_experts_active, d_ff : array   [1]
    d_ff_shared : array       Width of all shared experts together; 0 for none. [1]
    d_latent : array or None  Width the routed experts work in, if not `d_model`. [1]
    gated, bias, shared_gated, shared_gate, n_params_other
        As in `ridgeline.specs.MixtureOfExperts`.

    Returns
    -------
    Layer   A token passes `n_experts_active` of the experts, all of the rest.

    Examples
    --------
    DeepSeek-V3: 8 of 256 experts of 3 x 7168 x 2048:

    >>> layer = moe_layer(d_model=7168, n_experts=256, n_experts_active=8, d_ff=2048)
    >>> sum(p.active * p.k * p.n for p in layer.products if p.part == "experts")
    352321536
    """
    d_in = d_model if d_latent is None else d_latent
    latent = ()
    if d_latent is not None:
        latent = (
            Product("latent_down", "ffn", d_model, d_latent),
            Product("latent_up", "ffn", d_latent, d_model),
        )
    shared = ()
    if not (isinstance(d_ff_shared, int) and d_ff_shared == 0):
        is_gated = gated if shared_gated is None else shared_gated
        shared = _mlp("shared_experts", d_model, d_ff_shared, is_gated)
    if shared_gate:
        shared = (*shared, Product("shared_gate", "shared_experts", d_model, 1))
    products = (
        Product("router", "router", d_model, n_experts),
        *latent,
        *_mlp("experts", d_in, d_ff, gated, n_experts, n_experts_active),
        *shared,
    )
    per_expert = (d_ff * (2 if gated else 1) + d_in) if bias else 0
    return Layer(
        products,
        n_experts * per_expert + n_params_other,
        n_active_vector_params=n_experts_active * per_expert + n_params_other,
    )
