"""A model's shape as training tools take it: one kind of attention, dense layers and experts."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ridgeline import catalog
from ridgeline.errors import CatalogError
from ridgeline.specs.blocks import Attention, Dense, LatentAttention, MixtureOfExperts
from ridgeline.trainer.stages import chunk_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ridgeline.specs.blocks import Block, Ffn, Mixer
    from ridgeline.specs.model import Model
    from ridgeline.specs.training_flags import KnownModel

__all__ = ["Shape", "is_same", "known_as", "shape_of", "stage_modules", "stage_text"]

T = TypeVar("T")

#: every quantity of a shape, as it is where a model has no such part
_NONE: dict[str, Any] = dict.fromkeys(
    (
        "d_ff", "n_heads", "n_kv_heads", "d_head", "n_experts", "n_experts_active", "d_ff_expert",
        "d_ff_shared", "expert_layers", "q_lora_rank", "kv_lora_rank", "d_head_nope", "d_head_rope",
        "d_head_v",
    )
)  # fmt: skip
_FALSE = dict.fromkeys(
    ("is_grouped", "is_latent", "has_experts", "has_shared", "is_gated", "qkv_bias", "has_biases",
     "norms_heads", "layers_differ"), False
)  # fmt: skip


class Shape(NamedTuple):
    """What options say of a model.

    Attributes
    ----------
    quantities : mapping   By name; None for what the model has not.
    odd : str              What no option says of it, in words; empty where they say all.
    """

    quantities: dict[str, Any]
    odd: str


def shape_of(model: Model) -> Shape:
    """Read a model's shape as options say it.

    Parameters
    ----------
    model : Model   Of blocks.
    """
    found = _NONE | _FALSE
    mixers = _kinds(block.mixer for block in model.blocks)
    ffns = _kinds(block.ffn for block in model.blocks)
    dense = [f for f in ffns if isinstance(f, Dense)]
    experts = [f for f in ffns if isinstance(f, MixtureOfExperts)]
    odd = _odd(model, mixers, ffns, dense, experts)
    if odd:
        return Shape(found, odd)
    mixer = mixers[0]
    if isinstance(mixer, Attention):
        found |= _attention(mixer)
    elif isinstance(mixer, LatentAttention):
        found |= _latent(mixer)
    some = [*dense, *experts][0]
    each = next(iter(experts), None)
    found |= {
        "d_model": model.d_model,
        "n_layers": sum(block.repeat for block in model.blocks),
        "vocab_size": model.vocab_size,
        "d_ff": some.d_ff,
        "is_gated": some.gated,
        "has_biases": some.bias,
        "is_untied": not model.tied,
        "learns_positions": bool(model.n_learned_positions),
        "has_layer_norm": model.n_final_norm_vectors > 1,
    }
    if each is not None:
        found |= {
            "has_experts": True,
            "n_experts": each.n_experts,
            "n_experts_active": each.n_experts_active,
            "d_ff_expert": each.d_ff,
            "d_ff_shared": each.d_ff_shared,
            "has_shared": each.d_ff_shared > 0,
            "layers_differ": bool(dense),
            "expert_layers": _pattern(model) if dense else None,
        }
    return Shape(found, "")


def _kinds(parts: Iterable[T]) -> list[T]:
    """Different ones of some parts, in their order."""
    found: list[T] = []
    for part in parts:
        if part not in found:
            found.append(part)
    return found


def _odd(
    model: Model,
    mixers: Sequence[Mixer | None],
    ffns: Sequence[Ffn | None],
    dense: Sequence[Dense],
    experts: Sequence[MixtureOfExperts],
) -> str:
    """The first thing of a model that options do not say; empty where there is none."""
    several = [
        ("layers with several kinds of attention", len(mixers) > 1),
        ("layers without a feed-forward part", None in ffns),
        ("feed-forward layers of several widths", len(dense) > 1 or len(experts) > 1),
        ("matrices beside attention and feed-forward", any(b.extra for b in model.blocks)),
    ]
    for what, is_so in several:
        if is_so:
            return what
    mixer = mixers[0]
    if not isinstance(mixer, Attention | LatentAttention):
        return f"mixers of the kind {mixer.kind if mixer else 'none'}"
    odd = [
        ("an indexer", mixer.indexer is not None),
        ("gated attention", mixer.output_gate != "none"),
        ("sliding windows", getattr(mixer, "window", None) is not None),
        ("shared keys and values", getattr(mixer, "value_from_key", False)),
        ("caches shared between layers", getattr(mixer, "reads_other_cache", False)),
        ("norms beside the two of a layer", any(_norms(model, b) != 2 for b in model.blocks)),
    ]
    if isinstance(mixer, Attention):
        d_head_v = mixer.d_head_v or mixer.d_head
        odd += [
            ("heads whose keys and values differ in width", d_head_v != mixer.d_head),
            ("queries in two steps", mixer.q_lora_rank is not None),
        ]
    for ffn in experts:
        odd += [
            ("experts in a narrower space", ffn.d_latent is not None),
            ("a gate on shared experts", ffn.shared_gate),
        ]
    biases = {f.bias for f in (*dense, *experts)}
    if isinstance(mixer, Attention):
        biases |= {mixer.out_bias}
    odd.append(("biases in some products and not in others", len(biases) > 1))
    return next((what for what, is_so in odd if is_so), "")


def _norms(model: Model, block: Block) -> float:
    """Norms of a layer: of vectors with their biases, where the last norm has one."""
    return block.n_norm_vectors / max(model.n_final_norm_vectors, 1)


def _attention(mixer: Attention) -> dict[str, Any]:
    return {
        "n_heads": mixer.n_heads,
        "n_kv_heads": mixer.n_kv_heads,
        "d_head": mixer.d_head,
        "is_grouped": mixer.n_kv_heads < mixer.n_heads,
        "qkv_bias": mixer.qkv_bias,
        "norms_heads": mixer.n_params_other == 2 * mixer.d_head,
    }


def _latent(mixer: LatentAttention) -> dict[str, Any]:
    return {
        "is_latent": True,
        "n_heads": mixer.n_heads,
        "q_lora_rank": mixer.q_lora_rank,
        "kv_lora_rank": mixer.kv_lora_rank,
        "d_head_nope": mixer.d_head_nope,
        "d_head_rope": mixer.d_head_rope,
        "d_head_v": mixer.d_head_v,
        "norms_heads": mixer.n_params_other > 0,
    }


def _pattern(model: Model) -> str:
    """Which layers have experts, in depth order, as a sum of runs of ones and zeros."""
    depths = model.order or [i for i, b in enumerate(model.blocks) for _ in range(b.repeat)]
    runs: list[list[int]] = []
    for i in depths:
        kind = int(isinstance(model.blocks[i].ffn, MixtureOfExperts))
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1])
    return f"({'+'.join(f'[{kind}]*{n}' for kind, n in runs)})"


def stage_text(n_layers: int, n_chunks: int, *, short: bool = True) -> str:
    """Chunks of layers as Megatron's layouts write them, in depth order.

    Parameters
    ----------
    n_layers, n_chunks : int
    short : bool   Equal chunks once, with their number; command lines of overrides take no
                   parentheses.

    Examples
    --------
    >>> stage_text(6, 4), stage_text(61, 16)
    ('Et|(tt|)*2tL', 'Ettt|(tttt|)*13ttt|tttL')
    """
    chunks = [f"{'t' * n}|" for n in chunk_layers(n_layers, n_chunks)]
    runs = "".join(
        chunk * n if n == 1 or not short else f"({chunk})*{n}"
        for chunk, n in ((chunk, len(list(same))) for chunk, same in groupby(chunks[1:-1]))
    )
    last = f"{runs}{chunks[-1].rstrip('|')}" if n_chunks > 1 else ""
    return f"E{chunks[0] if n_chunks > 1 else chunks[0].rstrip('|')}{last}L"


def stage_modules(n_layers: int, n_chunks: int) -> list[list[str]]:
    """Chunks of layers by the names that torchtitan's decoders give them, in depth order.

    Parameters
    ----------
    n_layers, n_chunks : int

    Examples
    --------
    >>> stage_modules(3, 2)
    [['tok_embeddings', 'layers.0', 'layers.1'], ['layers.2', 'norm', 'output']]
    """
    found, at = [], 0
    for n in chunk_layers(n_layers, n_chunks):
        found.append([f"layers.{i}" for i in range(at, at + n)])
        at += n
    found[0].insert(0, "tok_embeddings")
    found[-1] += ["norm", "output"]
    return found


def known_as(model: Model, names: Iterable[KnownModel]) -> KnownModel | None:
    """What a tool calls a model: by its id first, else by its shape; None where it has none.

    Parameters
    ----------
    model : Model
    names : iterable of KnownModel
    """
    names = list(names)
    by_id = [k for k in names if is_same(model, k.like)]
    alike = by_id or [k for k in names if _alike(model, k.like)]
    # Of several releases of one shape the one whose name is nearest.
    return max(alike, key=lambda k: SequenceMatcher(None, k.like, model.id).ratio(), default=None)


def is_same(model: Model, like: str) -> bool:
    """Whether a name of the catalogue is a model's own, and not that of another of its shape."""
    return like == model.id or model.id in _aliases(like)


def _aliases(like: str) -> tuple[str, ...]:
    try:
        return catalog.model(like).aliases
    except CatalogError:
        return ()


def _alike(model: Model, like: str) -> bool:
    return _bones(model) == _bones(catalog.model(like))


def _bones(model: Model) -> tuple[Any, ...]:
    """What makes two models one shape: blocks without formats, width, vocabulary."""
    blocks = tuple(block.model_copy(update={"dtypes": {}}) for block in model.blocks)
    return (model.d_model, model.vocab_size, model.tied, blocks, model.n_learned_positions)
