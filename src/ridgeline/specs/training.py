"""How a model is trained: layout over chips, recipe of formats and passes, load of a step."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Record

__all__ = [
    "CpKind",
    "Degree",
    "Offload",
    "OptimizerName",
    "Overlap",
    "Precision",
    "Recompute",
    "ScheduleName",
    "Task",
    "TrainingLayout",
    "TrainingLoad",
    "TrainingRecipe",
]

#: how attention is spread over context-parallel ranks: keys passed round, or heads exchanged
CpKind = Literal["ring", "all_to_all"]
#: degrees in whose order ranks are numbered, neighbours first
Degree = Literal["tp", "cp", "dp", "pp"]
Precision = Literal["fp32", "bf16", "fp16", "fp8", "fp8-block", "mxfp8", "nvfp4"]
OptimizerName = Literal["adamw", "adamw-8bit", "adafactor", "muon", "sgd"]
#: what the backward pass computes again instead of keeping it
Recompute = Literal["none", "selective", "products", "full", "layers", "reversible"]
Offload = Literal["optimizer", "activations"]
#: groups whose exchanges can run beside arithmetic; of ``tp_backward`` those of the backward pass
#: that need not be waited for
Overlap = Literal["tp", "tp_backward", "dp", "cp", "ep", "pp"]
Task = Literal["pretrain", "finetune", "lora", "qlora"]
ScheduleName = Literal[
    "gpipe", "1f1b", "interleaved", "zb-h1", "zb-h2", "zb-v", "v-half", "v-min", "dualpipe",
    "dualpipev",
]  # fmt: skip

_ORDER: tuple[Degree, ...] = ("tp", "cp", "dp", "pp")


class TrainingLayout(Record):
    """Degrees of parallelism of a training job: ``n_chips = tp * cp * dp * pp``.

    Attributes
    ----------
    tp : int           Tensor parallel degree.
    pp, vp : int       Pipeline stages, and chunks of layers that each of them holds.
    cp : int           Ranks that share the tokens of a sequence.
    dp : int           Data-parallel ranks; each has its own sequences.
    ep : int           Ranks over which the experts of a layer are spread; divides ``dp * cp * tp``.
    expert_tp : int or None   Chips that share one expert; None: as many as `tp`.
    zero : int         What data-parallel ranks share out: 0 nothing, 1 the optimizer's state, 2 and
                       gradients, 3 and parameters (FSDP).
    shard : int or None   Ranks over which they share it, and are copies beyond; None: all of
                       ``dp * cp``.
    sequence_parallel : bool   Tensor-parallel ranks share the tokens between sublayers, too.
    cp_kind : str      ``ring`` or ``all_to_all``.
    order : tuple      Degrees, neighbours first: what is named first lies inside the fast domain.
    """

    tp: PositiveCount = 1
    pp: PositiveCount = 1
    vp: PositiveCount = 1
    cp: PositiveCount = 1
    dp: PositiveCount = 1
    ep: PositiveCount = 1
    expert_tp: PositiveCount | None = None
    zero: Literal[0, 1, 2, 3] = 1
    shard: PositiveCount | None = None
    sequence_parallel: bool = True
    cp_kind: CpKind = "ring"
    order: tuple[Degree, ...] = _ORDER

    @property
    def n_chips(self) -> int:
        """Chips of the whole job."""
        return self.tp * self.pp * self.cp * self.dp

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sorted(self.order) != sorted(_ORDER):
            raise ValueError(f"order: each of {', '.join(_ORDER)} once, neighbours first.")
        ranks = self.dp * self.cp
        wide = self.ep * (self.expert_tp or self.tp)
        if self.ep > 1 and (ranks * self.tp) % wide:
            raise ValueError(
                f"ep x expert_tp ({self.ep} x {self.expert_tp or self.tp}) must divide dp x cp x "
                f"tp ({ranks * self.tp})."
            )
        if self.shard is not None and ranks % self.shard:
            raise ValueError(f"shard ({self.shard}) must divide dp x cp ({ranks}).")
        return self


class TrainingRecipe(Record):
    """Formats, optimizer, and what is run again or moved away to save memory.

    Attributes
    ----------
    precision : str       Of the products; masters stay wide.
    optimizer : str
    micro_batch : int     Sequences of a rank that pass forward together.
    schedule : str or None   Of pipeline stages; None: 1f1b, interleaved where `vp` is above 1.
    recompute : str       ``none``, ``selective`` (the attention core), ``products`` (every second
                          product, and all between products), ``full`` (all layers),
                          ``layers`` (`recompute_layers` of a stage in full), ``reversible`` (inputs
                          of layers are computed back from their outputs).
    recompute_layers : int   Of ``layers``.
    offload : tuple       What the host's memory holds: ``optimizer``, ``activations``.
    overlap : tuple or None   Groups whose exchanges run beside arithmetic: ``tp``, ``tp_backward``,
                          ``dp``, ``cp``, ``ep``, ``pp``; None: those that the framework hides.
    task : str            ``pretrain``, ``finetune``, ``lora``, ``qlora``.
    lora_rank : int       Of ``lora`` and ``qlora``.
    """

    precision: Precision = "bf16"
    optimizer: OptimizerName = "adamw"
    micro_batch: PositiveCount = 1
    schedule: ScheduleName | None = None
    recompute: Recompute = "none"
    recompute_layers: int = Field(default=0, ge=0)
    offload: tuple[Offload, ...] = ()
    overlap: tuple[Overlap, ...] | None = None
    task: Task = "pretrain"
    lora_rank: PositiveCount = 16

    @property
    def trains_all(self) -> bool:
        """Whether every weight has a gradient."""
        return self.task in ("pretrain", "finetune")


class TrainingLoad(Record):
    """What one optimizer step takes in.

    Attributes
    ----------
    seq_len : int        Tokens of a sequence.
    global_batch : int   Sequences of an optimizer step.
    document : int or None   Tokens of a document, where sequences are packed with documents that do
                         not attend to each other; None: a sequence is one.
    """

    seq_len: PositiveCount = 4096
    global_batch: PositiveCount = 256
    document: PositiveCount | None = None

    @property
    def tokens(self) -> int:
        """Of one optimizer step."""
        return self.seq_len * self.global_batch


assert set(_ORDER) == set(get_args(Degree))
