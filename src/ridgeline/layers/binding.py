"""Bind block records to the laws of their kind: one entry a kind, no branches elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.laws.attention import (
    attention_layer,
    compressed_layer,
    compressor_products,
    indexer_layer,
    latent_layer,
)
from ridgeline.laws.feedforward import dense_layer, moe_layer
from ridgeline.laws.recurrent import (
    conv_layer,
    delta_layer,
    lightning_layer,
    mamba1_layer,
    mamba2_layer,
)
from ridgeline.laws.shapes import Layer, Product
from ridgeline.specs.blocks import (
    Attention,
    Block,
    CompressedAttention,
    DeltaRule,
    Dense,
    LatentAttention,
    LightningAttention,
    Mamba1,
    Mamba2,
    MixtureOfExperts,
    ShortConv,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BlockLayers", "block_layers"]


def _fields(record: Any, *without: str) -> dict[str, Any]:
    """The record's fields as the keyword arguments of its law, which has the same names."""
    names = type(record).model_fields
    return {n: getattr(record, n) for n in names if n not in {"kind", "indexer", *without}}


def _indexer(mixer: Any, d_model: Any) -> dict[str, Any]:
    """What an indexer adds to its layer: a cap on what is read, and its own weights and keys."""
    index = mixer.indexer
    if index is None:
        return {}
    if index.reuses:
        return {"top_k": index.top_k}
    ratio, keys = 1, None
    if isinstance(mixer, CompressedAttention):
        ratio = mixer.compress_ratio
        keys = compressor_products("indexer", d_model, index.d_head * (1 + mixer.overlap))
    latent = getattr(mixer, "q_lora_rank", None)
    layer = indexer_layer(
        d_query_in=latent if index.query_from == "latent" and latent else d_model,
        d_model=d_model,
        n_heads=index.n_heads,
        d_head=index.d_head,
        key_products=keys,
        tokens_per_entry=ratio,
        head_weights=index.head_weights,
        n_params_other=index.n_params_other,
    )
    return {"top_k": index.top_k, "indexer": layer}


_LAWS: dict[type, Callable[..., Layer]] = {
    Attention: attention_layer,
    LatentAttention: latent_layer,
    CompressedAttention: compressed_layer,
    DeltaRule: delta_layer,
    LightningAttention: lightning_layer,
    Mamba1: mamba1_layer,
    Mamba2: mamba2_layer,
    ShortConv: conv_layer,
    Dense: dense_layer,
    MixtureOfExperts: moe_layer,
}


class BlockLayers(NamedTuple):
    """What one layer of a block is made of; an empty `Layer` where it has no such part."""

    mixer: Layer
    ffn: Layer
    rest: Layer


def block_layers(block: Block, d_model: Any) -> BlockLayers:
    """All that one layer of a block is made of: mixer, feed-forward, the rest.

    Parameters
    ----------
    block : Block     Its numeric fields may hold arrays (an axis bound to them).
    d_model : array   [1]

    Returns
    -------
    BlockLayers   A triple; `rest` has norms, biases and extra products.
    """
    mixer, ffn = Layer(), Layer()
    if block.mixer is not None:
        extra = _indexer(block.mixer, d_model) if hasattr(block.mixer, "indexer") else {}
        mixer = _LAWS[type(block.mixer)](d_model=d_model, **_fields(block.mixer), **extra)
    if block.ffn is not None:
        ffn = _LAWS[type(block.ffn)](d_model=d_model, **_fields(block.ffn))
    products = tuple(Product(e.name, e.part, e.k, e.n, e.count, e.count) for e in block.extra)
    vectors = block.n_norm_vectors * d_model + block.n_params_other
    return BlockLayers(mixer, ffn, Layer(products, vectors))
