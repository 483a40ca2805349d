"""What the forward pass of a micro-batch keeps for its backward pass, by layer and part.

A product keeps its input, for the gradient of its weights; what follows it (the attention core, an
activation function) keeps the product's outputs. Norms keep their inputs. So sizes follow from the
products of a layer, which tensor parallelism cuts, and from the stream between them, which it cuts
with sequence parallelism only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws.reversible import (
    checkpointed_activation_bytes,
    reversible_activation_bytes,
)
from ridgeline.layers import block_layers
from ridgeline.specs.blocks import Attention, LatentAttention, MixtureOfExperts
from ridgeline.steps.cuts import cut
from ridgeline.steps.training_count import column

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ridgeline.laws.shapes import Layer, Product
    from ridgeline.specs.blocks import Block
    from ridgeline.steps.op import Op
    from ridgeline.steps.training_count import TrainingCount

    Floats = NDArray[np.float64]

__all__ = [
    "ALL_LAYERS",
    "KEPT",
    "PRODUCTS_AGAIN",
    "kept_on_stages",
    "layer_kept",
    "parts_on_stages",
    "products_again",
    "products_kept",
    "share_again",
    "staying_share",
    "stream_bytes",
]

#: what is told apart: inputs of norms (and masks of dropout), the attention's projections and its
#: result, written scores, dense feed-forward layers, experts, tokens that experts sent back
KEPT = ("norms", "attention", "scores", "ffn", "experts", "exchange")

_BITS_PER_BYTE = 8
#: of one score: softmax's result, and with dropout a mask and what it leaves
_SOFTMAX_BYTES, _DROPPED_BYTES = 2, 3
#: log of the sum of exponentials, one a query and head
_LOG_SUM_BYTES = 4
_MASK_BYTES = 1
#: gradients of a layer's values that are alive beside them, over the values: about the feed-forward
#: half of one layer
_GRADIENTS = 0.5
#: of the work of products, what every second one has: keys, the attention's output, up beside a
#: gate; 0.365 of Llama-3's
PRODUCTS_AGAIN = 0.37
#: layers to be computed again where rows of jobs with ``layers`` and with ``full`` stand side by
#: side: from so many on it is ``full``
ALL_LAYERS = 1e9
#: layers whose activations stay on the chip where the host holds the rest
_STAY = 2


def stream_bytes(count: TrainingCount) -> Any:
    """The residual stream of a micro-batch that a chip holds between layers. [bytes]"""
    return count.stream_tokens * count.model.d_model * count.step.activation_bytes


def layer_kept(count: TrainingCount, block: Block) -> dict[str, Any]:
    """Bytes that a layer keeps of one micro-batch on a chip, nothing computed again.

    Parameters
    ----------
    count : TrainingCount
    block : Block

    Returns
    -------
    mapping   Part of `KEPT` to bytes.

    Notes
    -----
    Inner states of linear attention are taken to be computed again, as its kernels do. Products of
    frozen weights keep no inputs, but for those that have adapters beside them.

    References
    ----------
    .. [1] Korthikanti et al., "Reducing activation recomputation in large transformer models",
       arXiv:2205.05198, eq. 1-4: 34 s b h + 5 a s^2 b for GPT with dropout, 16-bit values.
    """
    layers = block_layers(block, count.model.d_model)
    found: dict[str, Any] = dict.fromkeys(KEPT, 0.0)
    stream = stream_bytes(count)
    sublayers = (block.mixer is not None) + (block.ffn is not None)
    found["norms"] = max(sublayers, block.n_norm_vectors) * stream
    if count.framework.dropout:
        masks = sublayers * _MASK_BYTES * count.stream_tokens * count.model.d_model
        found["norms"] = found["norms"] + masks
    if block.mixer is not None:
        found["attention"] = _dense(count, layers.mixer, getattr(block.mixer, "n_kv_heads", 1))
        found["scores"] = _scores(count, block)
    trained = count.recipe.trains_all
    found["ffn"] = _dense(count, layers.ffn, 1, gated=_is_gated(block), trained=trained)
    if layers.rest.products:
        found["ffn"] = found["ffn"] + _dense(count, layers.rest, 1, trained=trained)
    if isinstance(block.ffn, MixtureOfExperts):
        found["experts"], found["exchange"] = _experts(count, layers.ffn, block.ffn.gated)
    return found


def _is_gated(block: Block) -> bool:
    ffn = block.ffn
    shared = getattr(ffn, "shared_gated", None)
    return bool(getattr(ffn, "gated", False) if shared is None else shared)


def _input_bytes(count: TrainingCount) -> float:
    """Of one value that a product has read, as it is kept."""
    wide = count.step.activation_bytes
    if not count.framework.narrow_inputs or count.recipe.precision in ("fp32", "bf16", "fp16"):
        return wide
    return dtype_of(count.recipe.precision).bits / _BITS_PER_BYTE


def _dense(
    count: TrainingCount, layer: Layer, heads: Any, *, gated: bool = False, trained: bool = True
) -> Any:
    """Inputs and outputs of products that every token passes; of frozen ones outputs alone."""
    products = [p for p in layer.products if p.part != "experts"]
    wide, narrow = count.step.activation_bytes, _input_bytes(count) * trained
    total: Any = 0.0
    seen: set[float] = set()
    for product in products:
        k, n, copies = cut(product, count.layout.tp, heads)
        if _reads_own(product):
            total = total + count.tokens * k * copies * narrow
            if gated and product.name == "down" and not count.framework.fused_activation:
                # The activation function's own result, before the gate multiplies it.
                total = total + count.tokens * k * copies * wide
            continue
        if product.k not in seen:
            seen.add(product.k)
            total = total + _gathered_tokens(count) * k * narrow
        if product.name != "shared_gate":
            total = total + count.tokens * n * copies * wide
    return total


def _reads_own(product: Product) -> bool:
    """Whether its input is a result that each chip has a share of."""
    return product.split in ("k", "count")


def _gathered_tokens(count: TrainingCount) -> Any:
    """Tokens of a sublayer's input that a chip keeps: gathered once more, or all of them."""
    return count.stream_tokens if count.framework.gathers_again else count.tokens


def _scores(count: TrainingCount, block: Block) -> Any:
    mixer = block.mixer
    if not isinstance(mixer, Attention | LatentAttention):
        return 0.0
    queries = count.tokens * mixer.n_heads / count.layout.tp
    if count.era.fused_attention:
        return queries * _LOG_SUM_BYTES
    each = _SOFTMAX_BYTES + _DROPPED_BYTES * count.framework.dropout
    return queries * count.load.seq_len * each


def _experts(count: TrainingCount, layer: Layer, gated: bool) -> tuple[Any, Any]:
    """Of tokens routed to a chip's experts: inputs and inner values; what goes back."""
    products = [p for p in layer.products if p.part == "experts"]
    wide = count.step.activation_bytes
    narrow = _input_bytes(count) * count.recipe.trains_all
    # Whatever the ranks: as many as a chip's own tokens are sent to experts, chips of one share.
    routed = count.tokens * products[0].active * count.expert_tp / count.layout.tp
    # Of the busiest rank.
    routed = routed * count.expert_load(products[0].count, products[0].active)
    inner: Any = routed * products[0].k * narrow
    for product in products:
        if product.split == "k":
            extra = wide if gated and not count.framework.fused_activation else 0.0
            inner = inner + routed * product.k / count.expert_tp * (narrow + extra)
        else:
            inner = inner + routed * product.n / count.expert_tp * wide
    return inner, routed * products[0].k * wide


def products_kept(count: TrainingCount, block: Block) -> dict[str, Any]:
    """Bytes that a layer keeps where every second product is computed again.

    The layer's input, the attention's result, and outputs of the first product, the third and so on
    in the order they run.

    Parameters
    ----------
    count : TrainingCount
    block : Block

    References
    ----------
    .. [1] pytorch/torchtitan, selective activation checkpointing of mode ``op``.
    """
    layers = block_layers(block, count.model.d_model)
    wide = count.step.activation_bytes
    found: dict[str, Any] = dict.fromkeys(KEPT, 0.0)
    found["norms"] = stream_bytes(count)
    if block.mixer is not None:
        found["scores"] = _scores(count, block)
    heads = getattr(block.mixer, "n_kv_heads", 1)
    routed = count.tokens * count.expert_tp / count.layout.tp
    n = 0
    for layer, part in ((layers.mixer, "attention"), (layers.ffn, "ffn")):
        for product in layer.products:
            n += 1
            if product.part == "experts":
                if n % 2:
                    one = product.n if _reads_own(product) else product.n / count.expert_tp
                    found["experts"] = found["experts"] + routed * product.active * one * wide
                continue
            own = _reads_own(product)
            k, outputs, copies = cut(product, count.layout.tp, heads)
            if own and part == "attention":
                found[part] = found[part] + count.tokens * k * copies * wide
            if n % 2:
                tokens = count.stream_tokens if own else count.tokens
                found[part] = found[part] + tokens * outputs * copies * wide
    return found


def products_again(forward: Iterable[Op]) -> tuple[Op, ...]:
    """Of a layer's forward pass, what is run again where every second product is kept."""
    return tuple(
        op._replace(repeat=op.repeat * PRODUCTS_AGAIN) if op.kind == "gemm" else op
        for op in forward
        if op.kind != "attention"
    )


def parts_on_stages(count: TrainingCount, layers: Floats) -> tuple[dict[str, Floats], Floats]:
    """What one micro-batch leaves on each stage after recompute, and what is there once.

    Parameters
    ----------
    count : TrainingCount
    layers : array   See `trainer.passes.layers_on_stages`.

    Returns
    -------
    mapping, array   Part of `KEPT` to bytes of shape (rows, stages); bytes of the layer whose
                     backward pass runs: its values where they are computed again, and gradients.
    """
    blocks = count.model.blocks
    kinds = layers[:, :, : len(blocks)]
    kept = [layer_kept(count, block) for block in blocks]
    recompute = count.recipe.recompute
    whole = [sum(one.values()) for one in kept]
    once = _largest([w * _GRADIENTS for w in whole], kinds)
    stream = stream_bytes(count)
    if recompute == "selective":
        core = _largest([one["scores"] for one in kept], kinds)
        if not count.era.fused_attention:
            kept = [one | {"scores": 0.0} for one in kept]
            once = once + core
    if recompute == "products":
        kept = [products_kept(count, block) for block in blocks]
        once = once + _largest(whole, kinds)
    found = {part: _sum([one[part] for one in kept], kinds) for part in KEPT}
    n_layers = kinds.sum(axis=2)
    inputs = checkpointed_activation_bytes(n_layers, 1, column(stream))
    if recompute in ("full", "layers", "reversible"):
        share = share_again(count, layers)
        found = {part: value * (1 - share) for part, value in found.items()}
        both = reversible_activation_bytes(n_layers, column(stream))
        held = np.minimum(both, inputs) if recompute == "reversible" else inputs
        found["norms"] = found["norms"] + share * held
        once = once + _largest(whole, kinds) * (share > 0)
        if recompute == "layers":
            # A number of rows that stands for all of them is `full`.
            all_of_it = column(count.recipe.recompute_layers) >= ALL_LAYERS
            once = np.where(all_of_it, once, np.minimum(once, _sum(whole, kinds)))
    return found, once


def kept_on_stages(count: TrainingCount, layers: Floats) -> Floats:
    """Bytes that one micro-batch leaves on each stage. Shape (rows, stages)."""
    parts, _ = parts_on_stages(count, layers)
    found: Any = sum(parts.values())
    return found


def staying_share(layers: Floats, n_kinds: int) -> Floats:
    """Of what a stage keeps, what stays on the chip where the host holds the rest. [1]"""
    return np.minimum(_STAY / np.maximum(layers[:, :, :n_kinds].sum(axis=2), 1.0), 1.0)


def share_again(count: TrainingCount, layers: Floats) -> Any:
    """Of a stage's layers, those that are computed again, in full or in part. [1]

    Parameters
    ----------
    count : TrainingCount
    layers : array   See `trainer.passes.layers_on_stages`.
    """
    recipe = count.recipe
    if recipe.recompute == "layers":
        held = np.maximum(layers[:, :, : len(count.model.blocks)].sum(axis=2), 1.0)
        return np.minimum(column(recipe.recompute_layers) / held, 1.0)
    return 0.0 if recipe.recompute == "none" else 1.0


def _sum(values: Sequence[Any], kinds: Floats) -> Floats:
    found: Any = 0.0
    for kind, value in enumerate(values):
        found = found + kinds[:, :, kind] * column(value)
    return found


def _largest(values: Sequence[Any], kinds: Floats) -> Floats:
    """Of the kinds of layer that a stage has, the largest."""
    found: Any = 0.0
    for kind, value in enumerate(values):
        found = np.maximum(found, (kinds[:, :, kind] > 0) * column(value))
    return found
