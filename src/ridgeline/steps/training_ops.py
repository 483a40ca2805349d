"""Ops of one micro-batch in training: a forward pass, and the gradients that follow from it.

The forward pass is counted by `steps.ops`, like a step of serving. Each product then has two more
in the backward pass, of its input and of its weights, which pipeline schedules may part. Counts
are of one chip and one layer of each kind; how many layers a stage holds is not said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.experts import destinations
from ridgeline.laws.parallel import kv_share_per_chip, share_across
from ridgeline.laws.shapes import Product
from ridgeline.layers import block_layers
from ridgeline.specs.blocks import Attention, MixtureOfExperts
from ridgeline.steps.cuts import cut
from ridgeline.steps.op import Collective, Op
from ridgeline.steps.ops import block_ops, embedding_op, gemm_op

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ridgeline.specs.blocks import Block
    from ridgeline.steps.training_count import TrainingCount

__all__ = [
    "CHANNELS",
    "Pieces",
    "beside_weights",
    "block_pieces",
    "channel_of",
    "embedding_pieces",
    "head_pieces",
    "stage_hop",
]

#: what the time of a pass is told apart by: products, experts' products, the attention core, passes
#: over activations, and exchanges of each group
CHANNELS = ("products", "experts", "attention", "elementwise", "tp", "cp", "ep")

_FP32_BYTES = 4
#: of a weight's gradient as a product leaves it, where it adds up elsewhere
_NARROW_BYTES = 2
#: of a fused attention's backward pass, products over the forward pass's: scores again, and the
#: gradients of values, scores, queries and keys, beside scores and values
_FUSED_BACKWARD = 5 / 2
_PLAIN_BACKWARD = 2
#: passes over written scores forward: a product writes them, softmax reads and writes, a product
#: reads; and backward: a product writes, softmax reads two and writes, three products read
_SCORE_PASSES, _SCORE_BACKWARD_PASSES = 4, 7
#: of dropout each way: in, out, and a mask of one byte for two
_DROPOUT_PASSES = 2.5
#: passes over an elementwise op's tensors backward: its gradient in, its input, its gradient out
_ELEMENTWISE_BACKWARD = 1.5
#: passes over logits in 4 bytes: of the loss, and of its gradient
_LOSS_PASSES, _LOSS_BACKWARD_PASSES = 3, 2
#: keys and values (or what a scan reads), read again, and their gradients
_KV_BACKWARD = 3


class Pieces(NamedTuple):
    """Ops of one layer (or of embedding, or head) for one micro-batch.

    Attributes
    ----------
    forward, input_gradient, weight_gradient : tuple of Op
    core : tuple of Op   Of `forward`, what selective recompute runs again.
    is_layer : bool      Whether it is of a layer, which may be computed again.
    """

    forward: tuple[Op, ...]
    input_gradient: tuple[Op, ...]
    weight_gradient: tuple[Op, ...]
    core: tuple[Op, ...] = ()
    is_layer: bool = False


def channel_of(op: Op) -> str:
    """Which of `CHANNELS` an op's time belongs to."""
    if op.collective is not None:
        return "cp" if op.name.startswith("context") else "ep" if op.role else "tp"
    if op.kind == "gemm":
        return "experts" if op.part == "experts" else "products"
    own = op.kind == "attention" or op.name.startswith("scores")
    return "attention" if own else "elementwise"


def block_pieces(count: TrainingCount, block: Block) -> Pieces:
    """Ops of a layer of a block.

    Parameters
    ----------
    count : TrainingCount
    block : Block
    """
    one = block.model_copy(update={"repeat": 1})
    forward = [*_forward(count, one), *_adapters(count, one)]
    again = tuple(op for op in forward if channel_of(op) == "attention")
    return Pieces(
        tuple(forward),
        tuple(_input_gradients(count, forward)),
        tuple(_weight_gradients(count, forward)),
        again,
        is_layer=True,
    )


def embedding_pieces(count: TrainingCount) -> Pieces:
    """Rows of the table, and their gradients."""
    op = embedding_op(count.step)._replace(phase="forward")
    back = (op._replace(name="embedding_gradient", phase="weight_gradient"),)
    shared = count.layout.sequence_parallel
    # Each chip looks up its share of the vocabulary: what they find is added up.
    total = _of_stream(count, "embedding_sum", "reduce_scatter" if shared else "all_reduce")
    again = total._replace(name="embedding_sum_gradient", phase="input_gradient")
    return Pieces(
        (op, total._replace(phase="forward")),
        (again,) if shared else (),
        back if count.recipe.trains_all else (),
    )


def head_pieces(count: TrainingCount) -> Pieces:
    """Logits of every token, and the loss: each chip has a share of the vocabulary."""
    step, model = count.step, count.model
    part = "embedding" if model.tied else "head"
    head = Product("head", part, model.d_model, model.vocab_size, split="n")
    k, n, copies = cut(head, count.layout.tp, 1)
    product = gemm_op(step, head, None, m=step.tokens, k=k, n=n, count=copies)
    logits = step.tokens * n * _FP32_BYTES
    loss = Op("loss", "elementwise", "head", activation_bytes=_LOSS_PASSES * logits)
    back = loss._replace(
        name="loss_gradient",
        activation_bytes=_LOSS_BACKWARD_PASSES * logits,
        phase="input_gradient",
    )
    shared = count.layout.sequence_parallel
    send = _of_stream(count, "head_gather", "all_gather" if shared else "all_reduce")
    grads = list(_input_gradients(count, [product]))
    return Pieces(
        # Tokens that are shared out are gathered; gradients are added up either way.
        tuple(o._replace(phase="forward") for o in (*((send,) * shared), product, loss)),
        (back, *grads, send._replace(phase="input_gradient")),
        tuple(_weight_gradients(count, [product])),
    )


def _of_stream(count: TrainingCount, name: str, kind: str) -> Op:
    """An exchange of a micro-batch's hidden states between tensor-parallel chips."""
    step = count.step
    payload = step.tokens * count.model.d_model * step.activation_bytes
    n_domains, share = step.across_tp
    send = Collective(kind, count.layout.tp, payload, n_domains, share)
    return Op(name, "exchange", "network", collective=send)


def beside_weights(op: Op) -> bool:
    """Whether an exchange of the backward pass can run beside the product of another gradient.

    Sums of the input's gradient can, beside the gradient of weights; inputs that are gathered once
    more can, beside the gradient of the input. Gradients that come in have to be waited for.
    """
    if op.phase == "weight_gradient":
        return True
    return op.phase == "input_gradient" and op.name.endswith(("reduce_gradient", "gather_gradient"))


def stage_hop(count: TrainingCount) -> Op:
    """Hidden states of a micro-batch sent to the next stage."""
    layout = count.layout
    # Tokens that a tensor-parallel group shares out are sent so; else each chip sends them all.
    payload = count.stream_tokens * count.model.d_model * count.step.activation_bytes
    _, inside = count.group("pp")
    leaves = (inside < 2) * 1
    hop = Collective("hop", 1 + (layout.pp > 1), payload, 1 + leaves, leaves)
    return Op("stage_hop", "exchange", "network", collective=hop)


# --- forward


def _forward(count: TrainingCount, block: Block) -> Iterator[Op]:
    for op in block_ops(count.step, block):
        if op.kind == "attention" and op.part == "attention":
            yield from _attention(count, block, op)
        elif op.kind == "attention" and op.part == "recurrent":
            yield op._replace(activation_bytes=_scanned_bytes(count, block), phase="forward")
        elif op.role in ("dispatch", "combine") and count.framework.sends_once:
            yield _sent_once(count, block, op)
        else:
            yield op._replace(phase="forward")
    if block.mixer is not None:
        yield from _context_exchange(count, block)


def _attention(count: TrainingCount, block: Block, op: Op) -> Iterator[Op]:
    """The attention core as it is run: where scores are written, all of the square."""
    if count.era.fused_attention or not isinstance(block.mixer, Attention):
        yield op
        return
    keys = count.load.seq_len
    yield op._replace(flops=op.flops * keys / op.k, k=keys * 1.0)
    heads = block.mixer.n_heads / count.layout.tp
    passes = _SCORE_PASSES + _DROPOUT_PASSES * count.framework.dropout
    scores = heads * op.m * keys * count.step.activation_bytes
    yield Op(
        "scores", "elementwise", "attention", activation_bytes=passes * scores, phase="forward"
    )


def _scanned_bytes(count: TrainingCount, block: Block) -> Any:
    """What a scan over the tokens reads and writes: results of the products before it, its own."""
    products = block_layers(block, count.model.d_model).mixer.products
    heads = getattr(block.mixer, "n_kv_heads", 1)
    values: Any = 0.0
    for product in products:
        k, n, copies = cut(product, count.layout.tp, heads)
        values = values + (k if product.split == "k" else n) * copies
    return values * count.tokens * count.step.activation_bytes


def _sent_once(count: TrainingCount, block: Block, op: Op) -> Op:
    """A token that several chips of a domain want crosses to it once, and is passed on inside."""
    send = op.collective
    assert send is not None
    assert isinstance(block.ffn, MixtureOfExperts)
    active = block.ffn.n_experts_active
    among = destinations(active, send.n_domains) / destinations(active, count.layout.ep)
    across = send.payload_bytes * send.share_across * minimum(among, 1.0)
    whole = send.payload_bytes + across
    send = send._replace(payload_bytes=whole, share_across=across / maximum(whole, 1e-300))
    return op._replace(collective=send, phase="forward")


def _context_exchange(count: TrainingCount, block: Block) -> Iterator[Op]:
    """Keys and values of all ranks of a sequence, or queries and results too, by heads."""
    layout, tokens = count.layout, count.tokens
    layer = block_layers(block, count.model.d_model).mixer
    size, inside = count.group("cp")
    n_domains = size / inside
    heads = getattr(block.mixer, "n_kv_heads", 1)
    values: Any = 0
    for stream in layer.streams:
        held = kv_share_per_chip(heads, layout.tp) if stream.split == "kv" else 1
        values = values + stream.elements * held
    payload = values * tokens * size * count.step.activation_bytes
    if layout.cp_kind == "all_to_all":
        wide = sum(p.k for p in layer.products if p.split == "k") / layout.tp
        payload = (values + 2 * wide) * tokens * count.step.activation_bytes
    send = Collective("all_gather", size, payload, n_domains, share_across(n_domains), "", inside)
    yield Op("context_exchange", "exchange", "network", collective=send, phase="forward")


def _adapters(count: TrainingCount, block: Block) -> Iterator[Op]:
    """Two thin products beside each of attention's, where only those are trained."""
    if count.recipe.trains_all or block.mixer is None:
        return
    rank = count.recipe.lora_rank
    step = count.step
    for product in block_layers(block, count.model.d_model).mixer.products:
        k, n, copies = cut(product, count.layout.tp, getattr(block.mixer, "n_kv_heads", 1))
        for name, a, b in (("lora_a", k, rank), ("lora_b", rank, n)):
            thin = Product(f"{name}_{product.name}", "other", a, b)
            op = gemm_op(step, thin, block, m=step.tokens, k=a, n=b, count=copies)
            yield op._replace(phase="forward")


# --- backward


def _input_gradients(count: TrainingCount, forward: Iterable[Op]) -> Iterator[Op]:
    for op in forward:
        phase = "input_gradient"
        if op.kind == "gemm":
            yield op._replace(name=f"{op.name}_input_gradient", k=op.n, n=op.k, phase=phase)
        elif op.kind == "attention":
            fused = count.era.fused_attention
            yield op._replace(
                name=f"{op.name}_gradient",
                flops=op.flops * (_FUSED_BACKWARD if fused else _PLAIN_BACKWARD),
                kv_bytes=op.kv_bytes * _KV_BACKWARD,
                activation_bytes=op.activation_bytes * _KV_BACKWARD,
                phase=phase,
            )
        elif op.kind == "exchange":
            # What was gathered is scattered, and the other way round: as many bytes.
            times = 2 if op.name == "context_exchange" and count.layout.cp_kind == "ring" else 1
            yield op._replace(name=f"{op.name}_gradient", repeat=op.repeat * times, phase=phase)
        else:
            passes = _ELEMENTWISE_BACKWARD
            if op.name == "scores":
                dropped = _DROPOUT_PASSES * count.framework.dropout
                passes = (_SCORE_BACKWARD_PASSES + dropped) / (_SCORE_PASSES + dropped)
            yield op._replace(
                name=f"{op.name}_gradient",
                activation_bytes=op.activation_bytes * passes,
                phase=phase,
            )


def _weight_gradients(count: TrainingCount, forward: Iterable[Op]) -> Iterator[Op]:
    """Inputs times gradients of outputs, added to what earlier micro-batches left."""
    framework = count.framework
    fused = framework.accumulates == "fused"
    added = 2 * framework.gradient_bytes if fused else _NARROW_BYTES
    for op in forward:
        if op.kind == "exchange" and op.name.endswith("_gather") and op.name != "head_gather":
            # Inputs that tokens were shared out of are gathered once more.
            yield op._replace(name=f"{op.name}_again", phase="weight_gradient")
        if op.kind != "gemm" or not (count.recipe.trains_all or op.name.startswith("lora_")):
            continue
        held = where(op.held > 0, op.held, op.count) if op.part == "experts" else op.count
        yield op._replace(
            name=f"{op.name}_weight_gradient",
            m=op.m if op.part == "experts" else op.n,
            n=op.n if op.part == "experts" else op.k,
            k=op.k if op.part == "experts" else op.m,
            weight_bytes=op.n * op.k * held * added,
            phase="weight_gradient",
        )
        if framework.accumulates == "apart":
            moved = op.n * op.k * held * (_NARROW_BYTES + 2 * framework.gradient_bytes)
            yield Op(
                f"{op.name}_accumulated", "elementwise", op.part, repeat=op.repeat,
                activation_bytes=moved, phase="weight_gradient",
            )  # fmt: skip
