"""What a layer is made of: token mixers, feed-forward parts, and the block that joins them.

These records hold shapes only. What the shapes cost (weights, cache, products) is in `laws`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.quantities import Count, PositiveCount
from ridgeline.specs.record import Record

__all__ = [
    "Attention",
    "Block",
    "CompressedAttention",
    "DeltaRule",
    "Dense",
    "ExtraProduct",
    "Ffn",
    "Indexer",
    "LatentAttention",
    "LightningAttention",
    "Mamba1",
    "Mamba2",
    "Mixer",
    "MixtureOfExperts",
    "Part",
    "ShortConv",
]

#: the groups of weights that may be stored in different formats
Part = Literal[
    "embedding", "head", "attention", "indexer", "recurrent", "ffn", "router", "experts",
    "shared_experts", "other",
]  # fmt: skip


class Indexer(Record):
    """A small scorer that picks which cached entries attention reads (DSA and kin).

    `top_k` counts entries of what it picks: tokens, compressed entries, or tokens of whole blocks.
    An indexer that `reuses` an earlier layer's picks has neither weights nor a cache of its own.
    """

    n_heads: PositiveCount
    d_head: PositiveCount
    top_k: PositiveCount
    query_from: Literal["latent", "hidden"] = "latent"
    head_weights: bool = Field(default=True, description="Per-head weights from the hidden state.")
    n_params_other: Count = 0
    reuses: bool = False


class Attention(Record):
    """Softmax attention with its own keys and values: MHA, GQA, MQA; full or windowed.

    Attributes
    ----------
    window : int or None
        Tokens a query sees, itself included; None sees all. Chunked attention counts as a window.
    output_gate : str
        ``elementwise``: a gate as wide as the output; ``head``: one gate a head.
    value_from_key : bool
        Values are the keys before rotation: no value projection (both are still cached).
    reads_other_cache : bool
        Keys and values are those of an earlier layer: no projections and no cache of its own.
    q_lora_rank : int or None
        Inner width of a query projection in two steps (multi-matrix factorisation); None: one step.
    """

    kind: Literal["attention"] = "attention"
    n_heads: PositiveCount
    n_kv_heads: PositiveCount
    d_head: PositiveCount
    d_head_v: PositiveCount | None = Field(
        default=None, description="Value head size, if not d_head."
    )
    window: PositiveCount | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    output_gate: Literal["none", "elementwise", "head"] = "none"
    value_from_key: bool = False
    reads_other_cache: bool = False
    q_lora_rank: PositiveCount | None = None
    indexer: Indexer | None = None
    n_params_other: Count = Field(default=0, description="Norms of queries and keys, sinks.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads ({self.n_heads}) must be a multiple of n_kv_heads ({self.n_kv_heads})."
            )
        return self


class LatentAttention(Record):
    """Multi-head latent attention (MLA): one latent and one rotary key cached per token."""

    kind: Literal["mla"] = "mla"
    n_heads: PositiveCount
    q_lora_rank: PositiveCount | None = None
    kv_lora_rank: PositiveCount
    d_head_nope: Count
    d_head_rope: Count
    d_head_v: PositiveCount
    output_gate: Literal["none", "elementwise", "head"] = "none"
    indexer: Indexer | None = None
    n_params_other: Count = 0


class CompressedAttention(Record):
    """Attention over a short raw window plus a compressed history (DeepSeek-V4).

    One vector serves as key and value of all heads. Every `compress_ratio` tokens make one entry
    of the history (0: no history); with an `indexer` only its `top_k` entries are read.
    """

    kind: Literal["compressed"] = "compressed"
    n_heads: PositiveCount
    d_head: PositiveCount
    window: PositiveCount
    q_lora_rank: PositiveCount
    o_lora_rank: PositiveCount
    o_groups: PositiveCount
    compress_ratio: Count = 0
    overlap: bool = Field(
        default=False, description="Two interleaved series: twice the compressor width."
    )
    indexer: Indexer | None = None
    n_params_other: Count = 0


class DeltaRule(Record):
    """Linear attention with a delta rule: Gated DeltaNet (GDN) and Kimi Delta Attention (KDA).

    The state of a sequence is one d_k x d_v matrix a value head.

    Attributes
    ----------
    decay : str
        ``head``: one forget gate a head (GDN); ``channel``: one a channel (KDA).
    gate_rank, decay_rank : int or None
        Inner size of a low-rank output gate or decay projection; None is full rank.
    """

    kind: Literal["delta"] = "delta"
    n_k_heads: PositiveCount
    n_v_heads: PositiveCount
    d_k: PositiveCount
    d_v: PositiveCount
    conv_kernel: Count = 4
    decay: Literal["head", "channel"] = "head"
    decay_rank: PositiveCount | None = None
    gate_rank: PositiveCount | None = None
    n_params_other: Count = 0


class LightningAttention(Record):
    """Lightning (linear) attention: q, k, v of equal heads, fixed decay, an output gate."""

    kind: Literal["lightning"] = "lightning"
    n_heads: PositiveCount
    d_head: PositiveCount
    output_gate: bool = True
    n_params_other: Count = 0


class Mamba1(Record):
    """Selective state space of the first kind: a diagonal state a channel."""

    kind: Literal["mamba1"] = "mamba1"
    d_inner: PositiveCount
    d_state: PositiveCount
    d_conv: PositiveCount = 4
    dt_rank: PositiveCount
    conv_bias: bool = True
    proj_bias: bool = False
    n_params_other: Count = 0


class Mamba2(Record):
    """State space duality (SSD): a d_head x d_state matrix a head, shared B and C per group."""

    kind: Literal["mamba2"] = "mamba2"
    n_heads: PositiveCount
    d_head: PositiveCount
    d_state: PositiveCount
    n_groups: PositiveCount = 1
    d_conv: PositiveCount = 4
    conv_bias: bool = True
    proj_bias: bool = False
    norm: bool = Field(default=True, description="A learned norm on the gated output.")
    n_params_other: Count = 0


class ShortConv(Record):
    """A gated short convolution (LFM2): in-projection to three streams, conv, out-projection."""

    kind: Literal["conv"] = "conv"
    d_conv: PositiveCount = 3
    bias: bool = False


Mixer = Annotated[
    Attention
    | LatentAttention
    | CompressedAttention
    | DeltaRule
    | LightningAttention
    | Mamba1
    | Mamba2
    | ShortConv,
    Field(discriminator="kind"),
]


class Dense(Record):
    """A feed-forward layer every token passes: two products, or three where it is gated."""

    kind: Literal["dense"] = "dense"
    d_ff: PositiveCount
    gated: bool = True
    bias: bool = False


class MixtureOfExperts(Record):
    """Routed experts of equal shape, with shared experts that every token passes.

    Attributes
    ----------
    d_ff_shared : int
        Width of all shared experts together (0: none).
    d_latent : int or None
        Width the routed experts work in, where it is not d_model (down- and up-projected once).
    """

    kind: Literal["moe"] = "moe"
    n_experts: PositiveCount
    n_experts_active: PositiveCount
    d_ff: PositiveCount = Field(description="Inner width of one routed expert.")
    gated: bool = True
    bias: bool = False
    d_ff_shared: Count = 0
    shared_gated: bool | None = Field(default=None, description="Where it differs from `gated`.")
    shared_gate: bool = Field(
        default=False, description="A learned scalar gate on the shared expert."
    )
    d_latent: PositiveCount | None = None
    n_params_other: Count = Field(default=0, description="Router biases and scales.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_experts_active > self.n_experts:
            raise ValueError(
                f"n_experts_active ({self.n_experts_active}) exceeds n_experts ({self.n_experts})."
            )
        return self


Ffn = Annotated[Dense | MixtureOfExperts, Field(discriminator="kind")]


class ExtraProduct(Record):
    """A matrix of a layer that no other part covers, such as a hyper-connection."""

    name: str
    part: Part = "other"
    k: PositiveCount = Field(description="Inputs.")
    n: PositiveCount = Field(description="Outputs.")
    count: PositiveCount = 1


class Block(Record):
    """A kind of layer and how often it occurs.

    Attributes
    ----------
    n_norm_vectors : int
        Vectors of d_model learned parameters: norms, their biases, layer scales.
    dtypes : mapping of part to dtype id
        Storage formats that differ from the model's.
    """

    repeat: PositiveCount = 1
    mixer: Mixer | None = None
    ffn: Ffn | None = None
    n_norm_vectors: Count = 2
    n_params_other: Count = 0
    extra: tuple[ExtraProduct, ...] = ()
    dtypes: dict[Part, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.mixer is None and self.ffn is None and not self.extra:
            raise ValueError("a block needs a mixer, an ffn, or an extra product.")
        return self
