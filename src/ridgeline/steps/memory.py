"""What one chip of a replica must hold, under any layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.parallel import kv_share_per_chip
from ridgeline.laws.shapes import Layer, Product, entries_stored, product_params
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.layers import block_layers
from ridgeline.steps.work import cut

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["MemoryPerChip", "memory_per_chip"]

_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class MemoryPerChip:
    """Bytes on the fullest chip. Arrays broadcast over layout, batch and context.

    Attributes
    ----------
    weights_bytes : array              With what is replicated over chips.
    cache_bytes_per_sequence : array   Cache and state of one sequence of the replica.
    """

    weights_bytes: Any
    cache_bytes_per_sequence: Any


def memory_per_chip(model: Model, layout: Layout, context: Any) -> MemoryPerChip:
    """Count what the fullest chip of a replica holds.

    Weights of the layers are divided by the pipeline stages and cut by tensor parallelism; experts
    are dealt out whole over `ep` and cut over what is left of the stage; everything else is
    replicated over attention data parallelism. Caches are divided by stages, ranks and KV heads;
    what serves all heads (a latent, index keys) is replicated over the tensor-parallel group.

    Parameters
    ----------
    model : Model     By its shape; numeric fields may hold arrays.
    layout : Layout   Degrees; may hold arrays.
    context : array   Tokens a sequence keeps. [tokens]

    Notes
    -----
    Stages are taken as equal; embedding and head sit on different stages where there are several.
    Activations, buffers and the runtime are not counted here.
    """
    layers_bytes: Any = 0
    cache_bytes: Any = 0
    for block in model.blocks:
        parts = block_layers(block, model.d_model)
        for layer in parts:
            layers_bytes = layers_bytes + block.repeat * _weights(model, layout, block, layer)
        cache_bytes = cache_bytes + block.repeat * _cache(
            model, layout, block, parts.mixer, context
        )
    table = _table_bytes(model, "embedding", model.n_learned_positions) / layout.tp
    head = 0 if model.tied else _table_bytes(model, "head", 0) / layout.tp
    # One stage holds both tables; of several, the first and the last hold one each.
    ends = maximum(table, head) + (layout.pp == 1) * (table + head - maximum(table, head))
    return MemoryPerChip(layers_bytes / layout.pp + ends, cache_bytes / layout.pp / layout.attn_dp)


def _bits(model: Model, part: Any, block: Block | None = None) -> float:
    own = block.dtypes if block is not None else {}
    return dtype_of(own.get(part) or model.dtypes.get(part) or model.weight_dtype).bits


def _table_bytes(model: Model, part: str, more_rows: Any) -> Any:
    rows = (model.vocab_size or 0) + more_rows
    return rows * model.d_model * _bits(model, part) / _BITS_PER_BYTE


def _weights(model: Model, layout: Layout, block: Block, layer: Layer) -> Any:
    """Bytes of one layer's part on the fullest chip."""
    total = layer.n_vector_params * _bits(model, "other", block)
    for product in layer.products:
        held = _params_held(product, layout, block)
        total = total + held * _bits(model, product.part, block)
    return total / _BITS_PER_BYTE


def _params_held(product: Product, layout: Layout, block: Block) -> Any:
    if product.part == "experts" and isinstance(block.ffn, MixtureOfExperts):
        slice_of = layout.attn_dp * layout.tp / layout.ep
        k, n, _ = cut(product, slice_of, 1)
        return k * n * experts_per_chip(product.count, layout.ep)
    k, n, count = cut(product, layout.tp, getattr(block.mixer, "n_kv_heads", 1))
    return product_params(Product(product.name, product.part, k, n, count))


def _cache(model: Model, layout: Layout, block: Block, layer: Layer, context: Any) -> Any:
    """Bytes of one layer's cache and state of one sequence on one chip of its rank."""
    n_kv_heads = getattr(block.mixer, "n_kv_heads", 1)
    total = layer.state_elements * dtype_of(model.state_dtype).bits / layout.tp
    for stream in layer.streams:
        dtype = model.index_dtype if stream.cache == "index" else model.kv_dtype
        held = kv_share_per_chip(n_kv_heads, layout.tp) if stream.split == "kv" else 1
        entries = entries_stored(stream, context) * held
        total = total + entries * stream.elements * dtype_of(dtype).bits
    return total / _BITS_PER_BYTE
