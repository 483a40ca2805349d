"""What a step must do: products, attention, exchanges, elementwise. Counts only, no chip.

All counts are of one chip (the fullest one) and one repetition; `repeat` says how many layers have
it. With pipelining the work is that of one micro-batch on its way through all stages: as many
micro-batches as stages go round, so that a token's latency is this work's time, in which the
replica gives `batch` tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.experts import (
    balanced_rank_load,
    busiest_rank_experts,
    busiest_rank_load,
    destinations,
    experts_hit,
    experts_per_chip,
    slots_per_chip,
)
from ridgeline.laws.parallel import (
    domains_spanned,
    kv_share_per_chip,
    pipeline_micro_batch,
)
from ridgeline.laws.shapes import (
    Layer,
    Product,
    Stream,
    entries_spanned,
    mean_entries_visible,
    pair_macs,
    product_params,
)
from ridgeline.specs.blocks import Block, MixtureOfExperts
from ridgeline.steps.alike import Part, like_parts, merged, parts_of
from ridgeline.steps.counting import ExpertRules, StepCount
from ridgeline.steps.cuts import cut, fused, named
from ridgeline.steps.drafting import n_predictions, prediction_layers
from ridgeline.steps.op import Collective, Op
from ridgeline.steps.tokens import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ridgeline.layers import Side
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["block_ops", "count_ops", "embedding_op", "gemm_op"]

_BITS_PER_BYTE = 8
_LOGIT_BYTES = 4
#: recurrent states are kept wide and multiplied in chunks like any other product
_STATE_ARITHMETIC = "bf16"
_NO_RULES = ExpertRules()
#: reads and writes of the hidden state around a sublayer: residual in and out, norm in and out
_TOUCHES_PER_SUBLAYER = 4


def count_ops(
    model: Model,
    layout: Layout,
    groups: Sequence[Group],
    *,
    domain_size: Any,
    activation_dtype: str = "bf16",
    dispatch_dtype: str = "fp8",
    expert_load_cv: Any = 0.0,
    rules: ExpertRules = _NO_RULES,
    even: bool = False,
    sequence_parallel: bool = False,
    timed_by: Sequence[Any] | None = None,
    roles: bool = True,
) -> tuple[Op, ...]:
    """Count everything one step of one replica does, per chip.

    Parameters
    ----------
    model : Model              By its shape; numeric fields may hold arrays.
    layout : Layout            Degrees; may hold arrays.
    groups : sequence of Group   Tokens of the whole replica: decode, prefill, or both (mixed).
    domain_size : array        Chips of a scale-up domain. [1]
    activation_dtype : str     Of hidden states and of what is combined.
    dispatch_dtype : str       Of tokens sent to experts.
    expert_load_cv : array      Spread of how often experts are chosen: see `laws.experts`. [1]
    rules : ExpertRules        What the engine does about experts on many chips.
    even : bool                Experts' tokens fall evenly on their ranks, as in no real step: what
                               a bound assumes, and each token is sent to its own. Else counts are
                               of the busiest rank.
    sequence_parallel : bool   Sums are scattered, and gathered after the norm, which each chip
                               then does for its share of the tokens.
    timed_by : sequence or None   Where only sums over ops are wanted: what times depend on
                               besides. Equal ops are then one, and layers of like structure a
                               stack: see `steps.alike`. None for ops of each kind of layer.
    roles : bool               Whether sums by role are wanted, too.

    Returns
    -------
    tuple of Op

    Raises
    ------
    ValueError   A model known only by its counts: it has no pieces.
    """
    if not model.blocks:
        raise ValueError(f"{model.id} is known by its counts alone: it has no operators to count.")
    micro = tuple(replace(g, n=pipeline_micro_batch(g.n, layout.pp)) for g in groups)
    step = StepCount(
        model,
        layout,
        micro,
        domain_size,
        dtype_of(activation_dtype).bits / _BITS_PER_BYTE,
        dtype_of(dispatch_dtype).bits / _BITS_PER_BYTE,
        expert_load_cv,
        rules,
        even,
        sequence_parallel,
    )
    pieces = [embedding_op(step)]
    if timed_by is None:
        for block in model.blocks:
            pieces += block_ops(step, block)
    else:
        counted = (layout, groups, domain_size, expert_load_cv)
        parts = like_parts(model, counted, timed_by, roles=roles)
        pieces += merged(op for part in parts for op in _part_ops(step, part))
    return (*pieces, *_head(step), *_drafting(step), _hop(step))


def _drafting(step: StepCount) -> Iterator[Op]:
    """Drafts: one prediction layer (see `steps.drafting`) and the model's head for each.

    Layers take turns where there are several; each is run again for drafts beyond them.
    """
    drafting = [g for g in step.groups if np.any(g.drafts > 0)]
    if not drafting:
        return
    (group,) = drafting
    one = replace(step, groups=(Group("draft", group.n, 1, group.prefix),))
    layers = prediction_layers(step.model)
    turns = group.drafts / n_predictions(layers)
    pieces = [(piece, turns) for block in layers for piece in block_ops(one, block)]
    for piece, times in pieces + [(piece, group.drafts) for piece in _head(one)]:
        yield piece._replace(name=f"draft_{piece.name}", repeat=piece.repeat * times, role="")


def block_ops(step: StepCount, block: Block) -> list[Op]:
    """All ops of a kind of layer, on the fullest chip.

    Parameters
    ----------
    step : StepCount
    block : Block
    """
    return [op for part in parts_of(block) for op in _part_ops(step, part)]


def _part_ops(step: StepCount, part: Part) -> Iterator[Op]:
    """Ops of one side of a kind of layer, or of a stack of like ones."""
    for op in _SIDE_OPS[part.side](step, part):
        role = op.role or ("around" if part.with_experts else "")
        # Most ops of most models are as they should be: a copy costs more than to count them.
        if role != op.role or part.stacked:
            op = op._replace(role=role, stacked=part.stacked)  # noqa: PLW2901
        yield op


def _mixer(step: StepCount, part: Part) -> Iterator[Op]:
    block, layer = part.block, part.layer(step.model.d_model)
    yield from _products(step, block, layer.products)
    yield from _cores(step, block, layer)
    yield from _sum(step, "mixer_reduce", block)


def _ffn(step: StepCount, part: Part) -> Iterator[Op]:
    block, layer = part.block, part.layer(step.model.d_model)
    if isinstance(block.ffn, MixtureOfExperts):
        yield from _experts(step, block, layer)
        return
    yield from _products(step, block, layer.products)
    yield from _sum(step, "ffn_reduce", block)


def _rest(step: StepCount, part: Part) -> Iterator[Op]:
    """Products besides, and what reads and writes the hidden state around both sublayers."""
    block = part.block
    yield from _products(step, block, part.layer(step.model.d_model).products)
    touched = part.sublayers * _TOUCHES_PER_SUBLAYER * step.hidden_bytes
    if step.sequence_parallel:
        touched = touched / step.layout.tp
    yield Op("norms", "elementwise", "other", block.repeat, activation_bytes=touched)


_SIDE_OPS: dict[Side, Callable[[StepCount, Part], Iterator[Op]]] = {
    "mixer": _mixer,
    "ffn": _ffn,
    "rest": _rest,
}


def gemm_op(
    step: StepCount, product: Product, block: Block | None, *, m: Any, k: Any, n: Any, count: Any
) -> Op:
    """A product of m tokens with `count` matrices of k x n, in the format of its part."""
    name, bits = step.bits(product.part, block)
    return Op(
        product.name,
        "gemm",
        product.part,
        block.repeat if block is not None else 1,
        name,
        m,
        n,
        k,
        count,
        flops=m * (2 * n * k * count),
        weight_bytes=n * k * count * bits / _BITS_PER_BYTE,
        activation_bytes=m * ((n + k) * count * step.activation_bytes),
    )


def _products(step: StepCount, block: Block, products: tuple[Product, ...]) -> Iterator[Op]:
    n_kv = getattr(block.mixer, "n_kv_heads", 1)
    for run in fused(products):
        shapes = [cut(product, step.layout.tp, n_kv) for product in run]
        k, _, count = shapes[0]
        width = sum(n for _, n, _ in shapes)
        yield gemm_op(step, named(run), block, m=step.tokens, k=k, n=width, count=count)


def _cores(step: StepCount, block: Block, layer: Layer) -> Iterator[Op]:
    """Attention over caches, a piece a stream and group; recurrent state as one more."""
    tp = step.layout.tp
    n_kv = getattr(block.mixer, "n_kv_heads", 1)
    for stream in layer.streams:
        yield from (_core(step, block, stream, group, n_kv) for group in step.groups)
    if isinstance(layer.state_elements, int) and layer.state_elements == 0:
        return
    state_bytes = dtype_of(step.model.state_dtype).bits / _BITS_PER_BYTE
    for group in step.groups:
        n = step.here(group)
        yield Op(
            f"state_{group.name}",
            "attention",
            "recurrent",
            block.repeat,
            _STATE_ARITHMETIC,
            flops=2 * layer.state_macs * n * group.new / tp,
            kv_bytes=2 * layer.state_elements * state_bytes * n / tp,
            phase=group.name,
        )


def _core(step: StepCount, block: Block, stream: Stream, group: Group, n_kv_heads: Any) -> Op:
    dtype = step.model.index_dtype if stream.cache == "index" else step.model.kv_dtype
    element = dtype_of(dtype).bits / _BITS_PER_BYTE
    tp, n = step.layout.tp, step.here(group)
    held = kv_share_per_chip(n_kv_heads, tp) if stream.split == "kv" else 1
    heads = 1 if stream.split == "" else 1 / tp
    read = entries_spanned(stream, group.prefix, group.new)
    written = stream.owned * group.new / stream.tokens_per_entry
    seen = mean_entries_visible(stream, group.prefix, group.new)
    return Op(
        f"{stream.name}_{group.name}",
        "attention",
        "attention",
        block.repeat,
        dtype,
        m=n * group.new,
        n=n * n_kv_heads * held if stream.split == "kv" else n,
        k=seen,
        flops=2 * pair_macs(stream, group.prefix, group.new, seen) * heads * seen * n * group.new,
        kv_bytes=(read + written) * stream.elements * held * element * n,
        phase=group.name,
    )


def _exchange(name: str, repeat: Any, send: Collective) -> Op:
    return Op(name, "exchange", "network", repeat, collective=send)


def _sum(step: StepCount, name: str, block: Block) -> Iterator[Op]:
    """Sum of a row-cut product over the tensor-parallel group, whole or in two halves."""
    n_domains, share = step.across_tp
    halves = ("reduce_scatter", "all_gather") if step.sequence_parallel else ("all_reduce",)
    for collective in halves:
        send = Collective(collective, step.layout.tp, step.hidden_bytes, n_domains, share)
        label = f"{name}_{collective.split('_')[-1]}" if step.sequence_parallel else name
        yield _exchange(label, block.repeat, send)


def _experts(step: StepCount, block: Block, layer: Layer) -> Iterator[Op]:
    """Router and shared experts like dense products; routed experts on the fullest chip."""
    moe = block.ffn
    assert isinstance(moe, MixtureOfExperts)
    slices = step.chips / step.layout.ep
    here, per_expert, load = _routed(step, moe)
    held = _slots(step, moe)
    routed = tuple(p for p in layer.products if p.part == "experts")
    for run in fused(routed):
        k = cut(run[0], slices, 1)[0]
        width = sum(cut(product, slices, 1)[1] for product in run)
        gemm = gemm_op(step, named(run), block, m=per_expert, k=k, n=width, count=here)
        yield gemm._replace(role="experts", held=held)
    rest = tuple(p for p in layer.products if p.part != "experts")
    yield from _products(step, block, rest)
    yield from _expert_exchanges(step, block, moe, load)


def _slots(step: StepCount, moe: MixtureOfExperts) -> Any:
    """Experts the fullest chip holds, copies of hot ones too."""
    n_experts, ep = moe.n_experts, step.layout.ep
    copied = slots_per_chip(n_experts, ep, step.rules.copies_share)
    return where(step.rules.balances(step.layout), copied, experts_per_chip(n_experts, ep))


def _routed(step: StepCount, moe: MixtureOfExperts) -> tuple[Any, Any, Any]:
    """Experts hit on the fullest chip, tokens each of them gets, and its tokens over the mean."""
    tokens, ep = step.tokens_all, step.layout.ep
    n_experts, active = moe.n_experts, moe.n_experts_active
    hit = experts_hit(tokens, n_experts, active, step.expert_load_cv)
    balances, own = step.rules.balances(step.layout), experts_per_chip(n_experts, ep)
    slots = _slots(step, moe)
    # Where experts do not divide, a full chip holds more than its share; copies fill it up.
    share = where(balances, 1 / ep, own / n_experts)
    if step.even:
        # A bound: as even as copies make it, and no copy read.
        here = maximum(hit * own / n_experts, minimum(hit, 1.0))
        return here, tokens * active * share / here, 1.0
    here = busiest_rank_experts(hit, n_experts, slots, ep)
    load = busiest_rank_load(tokens, n_experts, active, ep, step.expert_load_cv)
    if np.any(balances):
        spread = (tokens, n_experts, active, ep, slots * ep, step.expert_load_cv)
        load = where(balances, minimum(balanced_rank_load(*spread), load), load)
    most = maximum(tokens * active * share * load, here)
    return here, most / here, load


def _expert_exchanges(
    step: StepCount, block: Block, moe: MixtureOfExperts, load: Any
) -> Iterator[Op]:
    """Tokens shared by the whole stage need a sum; tokens of their own chip, dispatch and combine.

    Without attention data parallelism every chip of the stage already has every token, so that
    experts cost one all-reduce, spread or cut. With it each chip sends its share of its rank's
    tokens to the chips of their experts, to every chip that holds a slice of one, and gets what
    each made of them back: experts cut over all chips (ep = 1) are a gather and a scatter. The
    busiest rank takes in more than its share. Ranks that gather instead give every token to every
    chip, and add up what came of it, by the collectives of a library.
    """
    layout, d_model = step.layout, step.model.d_model
    yield from _sum(step, "ffn_reduce", block)
    group = 1 + (step.chips - 1) * (layout.attn_dp > 1)
    slices = step.chips / layout.ep
    copies = destinations(moe.n_experts_active, layout.ep) * slices * (group - 1) / group
    gathers = (group > 1) & (group <= step.rules.allgather_dispatch_max_chips) & (not step.even)
    among, between = where(gathers, group, 1), where(gathers, 1, group)
    n_domains, share = step.across(group)
    spanned = where(gathers, n_domains, 1)
    width = d_model if moe.d_latent is None else moe.d_latent
    own = step.tokens / layout.tp
    sides = (
        ("dispatch", "all_gather", step.dispatch_bytes),
        ("combine", "reduce_scatter", step.activation_bytes),
    )
    for name, collective, size in sides:
        if np.any(gathers):
            whole = own * group * width * size
            send = Collective(collective, among, whole, spanned, share)
            yield _exchange(f"{name}_all", block.repeat, send)
        payload = own * copies * width * size * load
        send = Collective("all_to_all", between, payload, n_domains, share, name)
        yield _exchange(name, block.repeat, send)._replace(role=name)


def embedding_op(step: StepCount) -> Op:
    """Rows of the table, read and written."""
    return Op("embedding", "elementwise", "embedding", activation_bytes=2 * step.hidden_bytes)


def _head(step: StepCount) -> Iterator[Op]:
    """Final norm is an element; logits of the sampled tokens, gathered, and read to sample."""
    model, layout = step.model, step.layout
    sampled = sum(step.here(g) * g.sampled for g in step.groups)
    part = "embedding" if model.tied else "head"
    head = Product("head", part, model.d_model, model.vocab_size, split="n")
    k, n, count = cut(head, layout.tp, 1)
    yield gemm_op(step, head, None, m=sampled, k=k, n=n, count=count)
    logits = sampled * product_params(head) / model.d_model * _LOGIT_BYTES
    n_domains, share = step.across_tp
    yield _exchange("logits", 1, Collective("all_gather", layout.tp, logits, n_domains, share))
    yield Op("sampling", "elementwise", "head", activation_bytes=logits)


def _hop(step: StepCount) -> Op:
    """Hidden states passed from stage to stage, each chip its share."""
    layout = step.layout
    payload = step.hidden_bytes / layout.tp
    n_domains = domains_spanned(layout.pp * step.chips, step.domain_size)
    leaves = (n_domains > 1) * 1
    hop = Collective("hop", 1 + (layout.pp > 1), payload, n_domains, leaves)
    return _exchange("stage_hop", layout.pp - 1, hop)
