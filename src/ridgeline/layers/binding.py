"""Bind block records to the laws of their kind: one entry a kind, no branches elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

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

__all__ = ["SIDES", "BlockLayers", "Side", "block_layers", "layer_of"]

#: what a layer has: what mixes tokens, a feed-forward part, and the rest (norms, extra products)
Side = Literal["mixer", "ffn", "rest"]
SIDES: tuple[Side, ...] = get_args(Side)


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
        d_query_in=d_model if index.query_from != "latent" or latent is None else latent,
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
    return BlockLayers(*(layer_of(block, side, d_model) for side in SIDES))


def layer_of(block: Block, side: Side, d_model: Any) -> Layer:
    """One side of a layer; empty where the block has no such part.

    Parameters
    ----------
    block : Block     Its numeric fields may hold arrays.
    side : str        ``mixer``, ``ffn`` or ``rest``.
    d_model : array   [1]
    """
    if side == "rest":
        products = tuple(Product(e.name, e.part, e.k, e.n, e.count, e.count) for e in block.extra)
        return Layer(products, block.n_norm_vectors * d_model + block.n_params_other)
    record = block.mixer if side == "mixer" else block.ffn
    if record is None:
        return Layer()
    extra = _indexer(record, d_model) if hasattr(record, "indexer") else {}
    return _LAWS[type(record)](d_model=d_model, **_fields(record), **extra)
