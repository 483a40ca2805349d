"""What drafts tokens: a model's own prediction layers, or a head trained to do so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.specs.blocks import (
    Attention,
    Block,
    Dense,
    ExtraProduct,
    LatentAttention,
    MixtureOfExperts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.model import Model

__all__ = ["draft_head", "n_predictions", "prediction_layers", "with_draft_head"]

#: the product that joins a token's embedding to the hidden state before it; one a prediction layer
_JOIN = "mtp_join"
_HEAD_WIDTH = 128
#: heads of queries for one of keys and values, where the model itself has neither
_QUERIES_PER_KEY = 8
_WIDE = "bf16"


def prediction_layers(model: Model) -> tuple[Block, ...]:
    """Return the layers that draft: the model's own, else those of a head: see `draft_head`."""
    return model.mtp or (draft_head(model),)


def n_predictions(layers: Sequence[Block]) -> int:
    """Return how many tokens ahead the layers draft, one each, before they are run again. [1]"""
    joined = [b for b in layers if any(product.name == _JOIN for product in b.extra)]
    return sum(block.repeat for block in joined) or 1


def with_draft_head(model: Model) -> Model:
    """Return the model with a head in place of its own prediction layers."""
    return model.model_copy(update={"mtp": (draft_head(model),)})


def draft_head(model: Model) -> Block:
    """Return a head like EAGLE's: one dense layer of the model's width, and what joins its inputs.

    Notes
    -----
    Such heads are trained beside a finished model: a decoder layer with plain attention and a dense
    FFN, behind a product that joins the hidden state to the embedding of the token after it, in 16
    bits [1]_. Its FFN is as wide as the model's dense layers, or what a token passes of its
    experts. Embedding and head are the model's own; heads of fewer tokens make it cheaper.

    References
    ----------
    .. [1] Li, Wei, Zhang and Zhang, "EAGLE: speculative sampling requires rethinking feature
       uncertainty", 2024, section 3.
    """
    d_model = model.d_model or 1
    return Block(
        mixer=_attention(model, d_model),
        ffn=Dense(d_ff=_width(model, d_model)),
        n_norm_vectors=3,
        extra=(ExtraProduct(name=_JOIN, k=2 * d_model, n=d_model),),
        dtypes={"attention": _WIDE, "ffn": _WIDE, "other": _WIDE},
    )


def _attention(model: Model, d_model: int) -> Attention:
    mixers = [block.mixer for block in model.blocks]
    for mixer in mixers:
        if isinstance(mixer, Attention):
            return Attention(
                n_heads=mixer.n_heads, n_kv_heads=mixer.n_kv_heads, d_head=mixer.d_head
            )
    latent = next((m for m in mixers if isinstance(m, LatentAttention)), None)
    n_heads = latent.n_heads if latent else max(d_model // _HEAD_WIDTH, 1)
    n_kv_heads = n_heads // _QUERIES_PER_KEY if n_heads % _QUERIES_PER_KEY == 0 else n_heads
    return Attention(n_heads=n_heads, n_kv_heads=n_kv_heads, d_head=_HEAD_WIDTH)


def _width(model: Model, d_model: int) -> int:
    """Inner width of an FFN: of dense layers, or what a token passes of experts."""
    dense = [b.ffn.d_ff for b in model.blocks if isinstance(b.ffn, Dense)]
    active = [
        b.ffn.n_experts_active * b.ffn.d_ff + b.ffn.d_ff_shared
        for b in model.blocks
        if isinstance(b.ffn, MixtureOfExperts)
    ]
    return int(max(dense or active, default=4 * d_model))
