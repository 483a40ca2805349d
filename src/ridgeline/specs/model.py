"""A language model: known by its shape, or only by its counts."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ridgeline.errors import SpecError
from ridgeline.specs.blocks import Block, Part
from ridgeline.specs.encoder import Encoder
from ridgeline.specs.quantities import Count, PositiveCount
from ridgeline.specs.record import Record, Sourced
from ridgeline.units import parse_count

__all__ = ["GivenCounts", "Model", "Published"]


class GivenCounts(Record):
    """A model known only by its numbers, as the lecture's examples are.

    `kv_bytes_per_token` is what one cached token occupies and what one step reads of it.
    """

    n_params: float = Field(gt=0, le=1e18)
    n_params_active: float = Field(gt=0, le=1e18)
    kv_bytes_per_token: float = Field(default=0.0, ge=0, le=1e12)
    weight_bits: float = Field(default=16.0, gt=0, le=64)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_params_active > self.n_params:
            raise ValueError(
                f"n_params_active ({self.n_params_active:g}) exceeds n_params ({self.n_params:g}); "
                "are the two swapped?"
            )
        return self


class Published(Record):
    """What the authors state, kept apart from what is counted."""

    n_params: float | None = Field(default=None, gt=0)
    n_params_active: float | None = Field(default=None, gt=0)
    kv_bytes_per_token_bf16: float | None = Field(default=None, ge=0)
    released: str = ""
    source: str = ""


class Model(Sourced):
    """A decoder-only language model (of a multimodal model, the text part).

    Attributes
    ----------
    aliases : tuple of str
        Ids of other checkpoints of the same shape: tunings, re-uploads, short names.
    blocks : tuple of Block
        Kinds of layer with their repeats; `order` gives the depth order as indices into it.
    mtp : tuple of Block
        Multi-token-prediction layers: extra to the model, counted apart.
    tied : bool
        The LM head is the embedding table.
    dtypes : mapping of part to dtype id
        Storage formats that differ from `weight_dtype`.
    encoder : Encoder or None
        Of images, of which the memory is counted alone.
    counts : GivenCounts or None
        Instead of a shape, for models known only so.
    """

    id: str
    name: str = ""
    family: str = ""
    aliases: tuple[str, ...] = ()
    d_model: PositiveCount | None = None
    vocab_size: PositiveCount | None = None
    max_context: PositiveCount | None = None
    tied: bool = False
    n_learned_positions: Count = 0
    head_bias: bool = False
    n_final_norm_vectors: Count = 1
    n_params_other: Count = 0
    blocks: tuple[Block, ...] = ()
    order: tuple[int, ...] = ()
    mtp: tuple[Block, ...] = ()
    weight_dtype: str = "bf16"
    dtypes: dict[Part, str] = Field(default_factory=dict)
    kv_dtype: str = "bf16"
    index_dtype: str = "bf16"
    state_dtype: str = "fp32"
    encoder: Encoder | None = None
    counts: GivenCounts | None = None
    published: Published | None = None
    notes: str = ""

    def in_words(self) -> str:
        """Layers, width and format."""
        n_layers = sum(block.repeat for block in self.blocks)
        shape = f"{n_layers} layers, d_model {self.d_model:,}, " if n_layers else ""
        return f"{shape}weights {self.weight_dtype}, KV cache {self.kv_dtype}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.counts is None) == (not self.blocks):
            raise ValueError("a model is given by its blocks or by its counts: one of the two.")
        if self.blocks and (self.d_model is None or self.vocab_size is None):
            raise ValueError("a model given by its blocks needs d_model and vocab_size.")
        if self.order:
            repeats = [self.order.count(i) for i in range(len(self.blocks))]
            if repeats != [b.repeat for b in self.blocks] or sum(repeats) != len(self.order):
                raise ValueError("order does not agree with the repeats of the blocks.")
        return self

    @classmethod
    def from_counts(
        cls,
        n_params_active: float | str,
        n_params: float | str | None = None,
        kv_bytes_per_token: float = 0.0,
        weight_bits: float = 16.0,
        *,
        id: str = "given-by-counts",
    ) -> Self:
        """Describe a model by its numbers alone.

        Parameters
        ----------
        n_params_active : float or str      Parameters that multiply for one token: ``37e9``, "37B".
        n_params : float or str or None     All parameters; None for a dense model.
        kv_bytes_per_token : float          Bytes cached, and read each step, per token of context.
        weight_bits : float                 Bits a parameter, scales included.
        id : str                            What to call it.

        Raises
        ------
        SpecError   Negative or absurd numbers, or more active parameters than there are.

        Examples
        --------
        >>> Model.from_counts("37B", "671B", 70_272, 8).counts.n_params
        671000000000.0
        """
        active = parse_count(n_params_active)
        counts = {
            "n_params_active": active,
            "n_params": active if n_params is None else parse_count(n_params),
            "kv_bytes_per_token": kv_bytes_per_token,
            "weight_bits": weight_bits,
        }
        return cls.parse({"id": id, "counts": counts}, where="Model.from_counts")

    def _expand(self, path: str) -> list[str]:
        """``n_kv_heads`` stands for that field of every mixer and feed-forward part that has it."""
        head, _, rest = path.partition(".")
        if head in type(self).model_fields:
            return [path]
        parts = [
            f"blocks.{i}.{where}.{path}"
            for i, block in enumerate(self.blocks)
            for where, part in (("mixer", block.mixer), ("ffn", block.ffn))
            if part is not None and head in type(part).model_fields and not rest
        ]
        return parts or [path]

    def with_weight_dtype(self, dtype: str, bits: float) -> Self:
        """Return the model stored in another format, the way engines convert.

        Parts that are kept wide by convention (embedding, head, router, norms) stay as they are,
        unless the new format is at least as wide.

        Parameters
        ----------
        dtype : str    Id of the format.
        bits : float   Its bits per weight.
        """
        if self.counts is not None:
            counts = self.counts.model_copy(update={"weight_bits": bits})
            return self.model_copy(update={"counts": counts, "weight_dtype": dtype})
        wide = "bf16" if self.weight_dtype not in _WIDE else self.weight_dtype
        kept = {} if dtype in _WIDE else dict.fromkeys(_KEPT_WIDE, wide)
        blocks = tuple(b.model_copy(update={"dtypes": {}}) for b in self.blocks)
        return self.model_copy(update={"weight_dtype": dtype, "dtypes": kept, "blocks": blocks})

    def with_kv_dtype(self, dtype: str) -> Self:
        """Return the model with its cache in another format; index keys and state stay."""
        if self.counts is not None:
            raise SpecError(
                "A model given by its counts has its cache in bytes already: change "
                "kv_bytes_per_token instead of the KV format."
            )
        return self.model_copy(update={"kv_dtype": dtype})


_WIDE = ("bf16", "fp16", "fp32")
_KEPT_WIDE: tuple[Part, ...] = ("embedding", "head", "router", "other")
