"""What one chip of a replica must hold, under any layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum, where
from ridgeline.laws.experts import destinations, experts_per_chip, slots_per_chip
from ridgeline.laws.memory import largest_batch, memory_needed_bytes
from ridgeline.laws.parallel import kv_share_per_chip
from ridgeline.laws.shapes import Layer, Product, entries_stored, product_params
from ridgeline.laws.stages import stage_imbalance
from ridgeline.layers import block_layers
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.ops import cut, fused

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["MemoryPerChip", "memory_per_chip"]

_BITS_PER_BYTE = 8
_ACTIVATIONS = "bf16"
#: logits and what sampling makes of them, in fp32
_LOGIT_BYTES = 2 * 4
#: residual stream in and out of a layer
_STREAMS = 2
#: what is sent and what is received
_SIDES = 2


@dataclass(frozen=True, slots=True)
class MemoryPerChip:
    """Bytes on the fullest chip. Arrays broadcast over layout and context.

    Attributes
    ----------
    weights_bytes : array               With what is replicated over chips.
    cache_bytes_per_sequence : array    Cache and state of one sequence of the replica.
    logits_bytes_per_sequence : array   Of a decode step, where an engine is given.
    activation_bytes : array            Residual stream and the widest product of a full step.
    buffer_bytes : array                Largest exchange of a full step, sent and received.
    reserve_bytes : array               What the engine leaves unused or its runtime takes.
    """

    weights_bytes: Any
    cache_bytes_per_sequence: Any
    logits_bytes_per_sequence: Any = 0
    activation_bytes: Any = 0
    buffer_bytes: Any = 0
    reserve_bytes: Any = 0

    @property
    def fixed_bytes(self) -> Any:
        """What is taken before the first sequence comes. [bytes]"""
        return self.weights_bytes + self.activation_bytes + self.buffer_bytes + self.reserve_bytes

    @property
    def bytes_per_sequence(self) -> Any:
        """What each sequence of the replica takes. [bytes]"""
        return self.cache_bytes_per_sequence + self.logits_bytes_per_sequence

    def total_bytes(self, batch: Any) -> Any:
        """All of it with so many sequences in the replica. [bytes]"""
        return memory_needed_bytes(self.fixed_bytes, batch, self.bytes_per_sequence)

    def largest_batch(self, capacity_bytes: Any) -> Any:
        """Sequences of the replica that fit, not rounded down; 0 if not even the rest does."""
        return largest_batch(capacity_bytes, self.fixed_bytes, self.bytes_per_sequence)


def memory_per_chip(
    model: Model,
    layout: Layout,
    context: Any,
    *,
    cluster: Cluster | None = None,
    engine: Engine | None = None,
    drafts: bool = False,
) -> MemoryPerChip:
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
    cluster, engine : Cluster, Engine or None
        Count also what an engine needs besides: activations, buffers, its reserve, and slots for
        copies of hot experts.
    drafts : bool     The model's own prediction layers are loaded too.

    Notes
    -----
    Layers are taken as equal; embedding and head sit on different stages where there are several.
    Activations are those of a step at the token budget, the widest product alone beside
    the residual stream. With buffers they take at least what the engine's runtime does: driver,
    allocators, workspaces and graphs come out of the same reserve.
    """
    rules = ExpertRules() if engine is None else ExpertRules.of(engine, engine.era())
    layers_bytes: Any = 0
    cache_bytes: Any = 0
    prediction = model.mtp if drafts else ()
    for block in (*model.blocks, *prediction):
        parts = block_layers(block, model.d_model)
        for layer in parts:
            held_bytes = _weights(model, layout, block, layer, rules)
            layers_bytes = layers_bytes + block.repeat * held_bytes
        cache_bytes = cache_bytes + block.repeat * _cache(
            model, layout, block, parts.mixer, context
        )
    table = _table_bytes(model, "embedding", model.n_learned_positions) / layout.tp
    head = 0 if model.tied else _table_bytes(model, "head", 0) / layout.tp
    # One stage holds both tables; of several, the first and the last hold one each.
    ends = maximum(table, head) + (layout.pp == 1) * (table + head - maximum(table, head))
    # The fullest stage has whole layers, more than an even share where they do not divide.
    fullest = stage_imbalance(sum(block.repeat for block in model.blocks), layout.pp) / layout.pp
    held = MemoryPerChip(layers_bytes * fullest + ends, cache_bytes * fullest / layout.attn_dp)
    if cluster is None or engine is None:
        return held
    return _with_engine(held, model, layout, cluster, engine)


def _with_engine(
    held: MemoryPerChip, model: Model, layout: Layout, cluster: Cluster, engine: Engine
) -> MemoryPerChip:
    """Add what a step at the token budget needs, and what the engine keeps free."""
    budget = engine.token_budget
    capacity = chip_capacity_bytes(cluster.chip)
    d_model: Any = model.d_model
    vocab: Any = model.vocab_size
    element = dtype_of(_ACTIVATIONS).bits / _BITS_PER_BYTE
    activations = _STREAMS * budget * d_model * element
    activations = activations + budget * _widest(model, layout) * element
    buffers = _SIDES * budget * d_model * element * _copies_sent(model, layout)
    runtime = maximum(engine.runtime_bytes - activations - buffers, 0.0)
    unused = capacity
    if engine.memory_share_of == "free":
        unused = capacity - held.weights_bytes - activations - buffers - runtime
    return replace(
        held,
        logits_bytes_per_sequence=vocab / layout.tp * _LOGIT_BYTES / layout.attn_dp / layout.pp,
        activation_bytes=activations,
        buffer_bytes=buffers,
        reserve_bytes=runtime + (1 - engine.memory_share) * maximum(unused, 0.0),
    )


def _widest(model: Model, layout: Layout) -> Any:
    """Elements a token brings into and out of the widest product of a chip."""
    widest: Any = 0
    for block in model.blocks:
        n_kv_heads = getattr(block.mixer, "n_kv_heads", 1)
        for layer in block_layers(block, model.d_model):
            for run in fused(layer.products):
                shapes = [cut(product, layout.tp, n_kv_heads) for product in run]
                k, _, count = shapes[0]
                copies = count
                if run[0].part == "experts" and isinstance(block.ffn, MixtureOfExperts):
                    # Tokens of a rank go to as many experts, spread over as many ranks.
                    copies = block.ffn.n_experts_active / layout.tp
                widest = maximum(widest, (k + sum(n for _, n, _ in shapes)) * copies)
    return widest


def _copies_sent(model: Model, layout: Layout) -> Any:
    """Hidden states of a token that leave a chip in the largest exchange."""
    summed = (layout.tp > 1) * 1.0
    sent: Any = 0.0
    for block in model.blocks:
        if isinstance(block.ffn, MixtureOfExperts):
            spread = destinations(block.ffn.n_experts_active, layout.ep)
            sent = maximum(sent, spread * (layout.ep > 1) * (layout.attn_dp > 1) / layout.tp)
    return maximum(summed, sent)


def _bits(model: Model, part: Any, block: Block | None = None) -> float:
    own = block.dtypes if block is not None else {}
    return dtype_of(own.get(part) or model.dtypes.get(part) or model.weight_dtype).bits


def _table_bytes(model: Model, part: str, more_rows: Any) -> Any:
    rows = (model.vocab_size or 0) + more_rows
    return rows * model.d_model * _bits(model, part) / _BITS_PER_BYTE


def _weights(model: Model, layout: Layout, block: Block, layer: Layer, rules: ExpertRules) -> Any:
    """Bytes of one layer's part on the fullest chip."""
    total = layer.n_vector_params * _bits(model, "other", block)
    for product in layer.products:
        held = _params_held(product, layout, block, rules)
        total = total + held * _bits(model, product.part, block)
    return total / _BITS_PER_BYTE


def _params_held(product: Product, layout: Layout, block: Block, rules: ExpertRules) -> Any:
    if product.part == "experts" and isinstance(block.ffn, MixtureOfExperts):
        slice_of = layout.attn_dp * layout.tp / layout.ep
        k, n, _ = cut(product, slice_of, 1)
        slots = slots_per_chip(product.count, layout.ep, rules.copies_share)
        own = experts_per_chip(product.count, layout.ep)
        return k * n * where(rules.balances(layout), slots, own)
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
