"""What one chip of a replica must hold, under any layout."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import log, maximum, minimum, where
from ridgeline.laws.experts import destinations, experts_per_chip, slots_per_chip
from ridgeline.laws.memory import (
    largest_batch,
    memory_needed_bytes,
    rounded_up,
    sampling_peak_bytes,
)
from ridgeline.laws.parallel import kv_share_per_chip
from ridgeline.laws.shapes import Layer, Product, entries_stored, product_params
from ridgeline.laws.stages import stage_imbalance
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.alike import like_parts, parts_of
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.cuts import cut, fused
from ridgeline.steps.drafting import prediction_layers
from ridgeline.steps.machine import chip_capacity_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.blocks import Block
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.dtype import Dtype
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.engine_start import Pad, Start
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["MemoryPerChip", "memory_per_chip", "runtime_bytes", "sampling_bytes", "step_bytes"]

_BITS_PER_BYTE = 8
_ACTIVATIONS = "bf16"
_FP32_BYTES = 4
#: logits and what sampling makes of them, where nothing is tried out
_LOGIT_BYTES = 2 * _FP32_BYTES
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
    logits_bytes_per_sequence : array   Of a decode step, where an engine is given that tries out
                                        nothing at its start.
    encoder_bytes : array               Weights of encoders, which an engine loads beside.
    widening_bytes : array              What kernels widen weights by when an engine loads them.
    activation_bytes : array            Of a full step: residual stream and widest products, or
                                        what is held while tokens are drawn, if that is more.
    buffer_bytes : array                Largest exchange of a full step, sent and received.
    runtime_bytes : array               What the engine's process takes besides all that.
    unused_bytes : array                What the engine leaves unused.
    """

    weights_bytes: Any
    cache_bytes_per_sequence: Any
    logits_bytes_per_sequence: Any = 0
    encoder_bytes: Any = 0
    widening_bytes: Any = 0
    activation_bytes: Any = 0
    buffer_bytes: Any = 0
    runtime_bytes: Any = 0
    unused_bytes: Any = 0

    @property
    def loaded_bytes(self) -> Any:
        """Weights as an engine holds them. [bytes]"""
        return self.weights_bytes + self.encoder_bytes + self.widening_bytes

    @property
    def reserve_bytes(self) -> Any:
        """What the engine leaves unused or its process takes. [bytes]"""
        return self.runtime_bytes + self.unused_bytes

    @property
    def fixed_bytes(self) -> Any:
        """What is taken before the first sequence comes. [bytes]"""
        return self.loaded_bytes + self.activation_bytes + self.buffer_bytes + self.reserve_bytes

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
    drafts : bool     What drafts is loaded too: see `steps.drafting`.

    Notes
    -----
    Layers are taken as equal; embedding and head sit on different stages where there are several.
    Activations are those of a step at the token budget: the widest product alone, beside the
    residual stream. An engine that tries out its largest step at its start (`Engine.starts`) keeps
    what that took for good; of others, activations and buffers take at least what the runtime does.
    """
    rules = ExpertRules() if engine is None else ExpertRules.of(engine, engine.era())
    if engine is not None:
        context = maximum(context, 1.0)  # the token that a step adds is kept, too
    layers_bytes: Any = 0
    cache_bytes: Any = 0
    widened: Any = 0
    prediction = prediction_layers(model) if drafts else ()
    parts = like_parts(model, (layout, context), (cluster, engine))
    for part in (*parts, *(p for block in prediction for p in parts_of(block))):
        layer = part.layer(model.d_model)
        held_bytes = _weights(model, layout, part.block, layer, rules)
        layers_bytes = layers_bytes + part.times(held_bytes)
        if part.side == "mixer":
            cached = _cache(model, layout, part.block, layer, context)
            cache_bytes = cache_bytes + part.times(cached)
        if engine is not None and engine.pads and part.side == "ffn":
            grown = _widening(model, layout, part.block, layer, engine.pads, rules)
            widened = widened + part.times(grown)
    table = _table_bytes(model, "embedding", model.n_learned_positions) / layout.tp
    head = 0 if model.tied else _table_bytes(model, "head", 0) / layout.tp
    # One stage holds both tables; of several, the first and the last hold one each.
    ends = maximum(table, head) + (layout.pp == 1) * (table + head - maximum(table, head))
    # The fullest stage has whole layers, more than an even share where they do not divide.
    fullest = stage_imbalance(sum(block.repeat for block in model.blocks), layout.pp) / layout.pp
    alone = MemoryPerChip(layers_bytes * fullest + ends, cache_bytes * fullest / layout.attn_dp)
    if cluster is None or engine is None:
        return alone
    alone = replace(alone, widening_bytes=widened * fullest)
    return _with_engine(alone, model, layout, cluster, engine)


def _with_engine(
    held: MemoryPerChip, model: Model, layout: Layout, cluster: Cluster, engine: Engine
) -> MemoryPerChip:
    """Add what a step at the token budget needs, and what the engine keeps free."""
    capacity = chip_capacity_bytes(cluster.chip)
    encoder, encoded = _encoder_bytes(model)
    held = replace(held, encoder_bytes=encoder / layout.tp)
    activations = maximum(step_bytes(model, layout, engine.token_budget), encoded)
    buffers = _buffer_bytes(model, layout, engine)
    logits: Any = 0.0
    if engine.start is not None:
        activations = maximum(activations, sampling_bytes(model, engine))
        runtime = runtime_bytes(layout, engine.start)
    elif engine.reserve is not None:
        # The rule covers activations, buffers and graphs; the process takes its part besides.
        runtime = engine.reserve.process_bytes
    else:
        runtime = maximum(engine.runtime_bytes - activations - buffers, 0.0)
        vocab: Any = model.vocab_size
        logits = vocab / layout.tp * _LOGIT_BYTES / layout.attn_dp / layout.pp
    unused = (1 - engine.memory_share) * capacity
    if engine.reserve is not None:
        kept = _static_bytes(layout, engine, capacity)
        unused = maximum(kept - activations - buffers, 0.0)
    elif engine.memory_share_of == "free":
        left = capacity - held.loaded_bytes - activations - buffers - runtime
        unused = (1 - engine.memory_share) * maximum(left, 0.0)
    elif engine.memory_share_of == "static":
        unused = maximum(unused - activations - buffers, 0.0)
    return replace(
        held,
        logits_bytes_per_sequence=logits,
        activation_bytes=activations,
        buffer_bytes=buffers,
        runtime_bytes=runtime,
        unused_bytes=unused,
    )


def _encoder_bytes(model: Model) -> tuple[float, float]:
    """Weights of the encoder of images, and what its largest image takes on its way through.

    Pixels come in fp32 and go on in 16 bits; what a layer reads and writes is beside each other.
    """
    encoder = model.encoder
    if encoder is None:
        return 0.0, 0.0
    element = dtype_of(_ACTIVATIONS).bits / _BITS_PER_BYTE
    pixels = encoder.patch_values * (_FP32_BYTES + element)
    layer = _SIDES * (encoder.d_ff + encoder.d_model) * element
    return encoder.n_params * element, encoder.most_patches * (pixels + layer)


def step_bytes(model: Model, layout: Layout, tokens: Any) -> Any:
    """Hidden states of a step, and what goes in and out of its widest products. [bytes]

    Parameters
    ----------
    model, layout : Model, Layout
    tokens : array   New tokens of the step. [tokens]
    """
    element = dtype_of(_ACTIVATIONS).bits / _BITS_PER_BYTE
    d_model: Any = model.d_model
    return tokens * (_STREAMS * d_model + _widest(model, layout)) * element


def sampling_bytes(model: Model, engine: Engine) -> Any:
    """What an engine holds at the end of the step that it tries out at its start. [bytes]

    Every sequence that it takes is sampled for, and each chip of a group holds the logits of the
    whole vocabulary. What forward left, the hidden states of the step, is still there.

    Parameters
    ----------
    model : Model
    engine : Engine   One with a start.
    """
    start = engine.start
    assert start is not None
    element = dtype_of(_ACTIVATIONS).bits / _BITS_PER_BYTE
    d_model: Any = model.d_model
    hidden = start.hidden_copies * engine.token_budget * d_model * element
    sampled = minimum(engine.max_sequences, engine.token_budget)
    return sampling_peak_bytes(sampled, model.vocab_size, start.logit_copies, hidden, _FP32_BYTES)


def runtime_bytes(layout: Layout, start: Start) -> Any:
    """What a process takes outside the framework: libraries, communicators, graphs. [bytes]

    Parameters
    ----------
    layout : Layout
    start : Start
    """
    group = layout.tp * layout.attn_dp * layout.pp
    return start.runtime_bytes + start.group_bytes * log(group) / math.log(2) + start.graph_bytes


def _static_bytes(layout: Layout, engine: Engine, capacity: float) -> Any:
    """What the engine's own rule keeps from weights and caches."""
    rule = engine.reserve
    assert rule is not None
    group = layout.tp * layout.pp
    few, many = rule.graph_sequences
    graphs = where(group < rule.graph_chips, few, many) * rule.graph_bytes
    kept = rule.fixed_bytes + engine.token_budget * rule.token_bytes + graphs
    kept = kept + group * rule.chip_bytes
    return maximum(kept, rule.least_bytes * (capacity > rule.least_above))


def _widest(model: Model, layout: Layout) -> Any:
    """Elements of a token beside each other in a layer: out of a product, and into the next.

    Experts write what comes out of the second product over what came out of the first.
    """
    widest: Any = 0
    for part in like_parts(model, (layout,), stacks=False):
        block = part.block
        n_kv_heads = getattr(block.mixer, "n_kv_heads", 1)
        before: Any = 0
        for run in fused(part.layer(model.d_model).products):
            shapes = [cut(product, layout.tp, n_kv_heads) for product in run]
            k, _, count = shapes[0]
            copies = count
            if run[0].part == "experts" and isinstance(block.ffn, MixtureOfExperts):
                # Tokens of a rank go to as many experts, spread over as many ranks.
                copies = block.ffn.n_experts_active
            out = sum(n for _, n, _ in shapes) * copies
            widest = maximum(widest, maximum(before, out) + k * copies)
            before = out
    return widest


def _buffer_bytes(model: Model, layout: Layout, engine: Engine) -> Any:
    """Largest exchange of a full step, sent and received.

    Sums over a group work on the activations themselves where the engine counts its communicators.
    """
    element = dtype_of(_ACTIVATIONS).bits / _BITS_PER_BYTE
    sent = _copies_sent(model, layout)
    if engine.start is not None:
        sent = sent * (layout.attn_dp > 1)
    d_model: Any = model.d_model
    return _SIDES * engine.token_budget * d_model * element * sent


def _copies_sent(model: Model, layout: Layout) -> Any:
    """Hidden states of a token that leave a chip in the largest exchange."""
    summed = (layout.tp > 1) * 1.0
    sent: Any = 0.0
    for part in like_parts(model, (layout,), stacks=False):
        ffn = part.block.ffn
        if part.side == "ffn" and isinstance(ffn, MixtureOfExperts):
            spread = destinations(ffn.n_experts_active, layout.ep)
            sent = maximum(sent, spread * (layout.ep > 1) * (layout.attn_dp > 1) / layout.tp)
    return maximum(summed, sent)


def _stored(model: Model, part: Any, block: Block | None = None) -> Dtype:
    own = block.dtypes if block is not None else {}
    return dtype_of(own.get(part) or model.dtypes.get(part) or model.weight_dtype)


def _bits(model: Model, part: Any, block: Block | None = None) -> float:
    return _stored(model, part, block).bits


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


def _params_held(
    product: Product, layout: Layout, block: Block, rules: ExpertRules, pad: Pad | None = None
) -> Any:
    if product.part == "experts" and isinstance(block.ffn, MixtureOfExperts):
        slice_of = layout.attn_dp * layout.tp / layout.ep
        k, n, _ = cut(product, slice_of, 1)
        if pad is not None:
            inner_first = product.split == "k"
            k = rounded_up(k, pad.inner if inner_first else pad.hidden)
            n = rounded_up(n, pad.hidden if inner_first else pad.inner)
        slots = slots_per_chip(product.count, layout.ep, rules.copies_share)
        own = experts_per_chip(product.count, layout.ep)
        return k * n * where(rules.balances(layout), slots, own)
    k, n, count = cut(product, layout.tp, getattr(block.mixer, "n_kv_heads", 1))
    return product_params(Product(product.name, product.part, k, n, count))


def _widening(
    model: Model,
    layout: Layout,
    block: Block,
    layer: Layer,
    pads: Mapping[str, Pad],
    rules: ExpertRules,
) -> Any:
    """Bytes that one layer's experts grow by on the fullest chip when an engine loads them."""
    stored = _stored(model, "experts", block)
    pad = pads.get(stored.id)
    if pad is None or not isinstance(block.ffn, MixtureOfExperts):
        return 0
    grown: Any = 0
    for product in layer.products:
        if product.part == "experts":
            wide = _params_held(product, layout, block, rules, pad)
            grown = grown + wide - _params_held(product, layout, block, rules)
    return grown * stored.bits / _BITS_PER_BYTE


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
