"""What a training framework is: its releases, and what it keeps and overlaps."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from ridgeline.specs.eras import Era, HasEras
from ridgeline.specs.training import Overlap, ScheduleName

__all__ = ["Framework", "FrameworkEra"]

#: ages of frameworks: fused kernels per op; flash attention and overlap in all; fp8 and experts
_OLDEST, _NEWEST = 2021, 2025


class FrameworkEra(Era):
    """Releases of a framework that run alike; what they do not state is the framework's.

    Attributes
    ----------
    core : str               Kernels of its attention: ``plain`` (scores are written to memory, the
                             whole square), ``flash-1``, ``flash-2`` (FlashAttention's own, and
                             PyTorch's), ``newest`` (FlashAttention 3, cuDNN, or what a vendor wrote
                             for the generation).
    hides, sequence_parallel, dropout, zero, gathers_again, sends_once : as
                             of `Framework`; None for the same.
    source : str
    """

    core: Literal["plain", "flash-1", "flash-2", "newest"] = "flash-2"
    hides: tuple[Overlap, ...] | None = None
    sequence_parallel: bool | None = None
    dropout: bool | None = None
    zero: Literal[0, 1, 2, 3] | None = None
    gradient_bytes: float | None = Field(default=None, gt=0, le=8)
    gathers_again: bool | None = None
    master_bytes: float | None = None
    sends_once: bool | None = None
    source: str = ""

    @property
    def fused_attention(self) -> bool:
        """Whether scores stay on the chip, and masked blocks are left out."""
        return self.core != "plain"

    @property
    def age(self) -> str:
        """Years whose frameworks have much in common; empty where it is not known.

        Examples
        --------
        >>> FrameworkEra(id="x", since="2020-03").age, FrameworkEra(id="y", since="2026-01").age
        ('2021', '2025')
        """
        return str(min(max(int(self.since[:4]), _OLDEST), _NEWEST)) if self.since else ""


class Framework(HasEras):
    """Facts of a framework; what it costs in time is fitted.

    Attributes
    ----------
    names : tuple of str       How tables call it; a release may follow a name.
    eras : tuple of FrameworkEra   Oldest first.
    gradient_bytes : float     Of one accumulated gradient, as it is stored. [bytes]
    reduce_bytes : float       Of one gradient on its way between data-parallel ranks. [bytes]
    accumulates : str          How gradients of micro-batches add up: ``fused`` into the product of
                               each (Megatron's gradient accumulation fusion), ``apart`` in a pass
                               of its own over all of them, ``sharded`` once ranks have reduced
                               them.
    master : bool              Beside 16-bit weights a copy of 4 bytes is kept; else (FSDP) weights
                               are stored in 4 bytes and narrowed as they are gathered.
    master_bytes : float       Of that copy; 2 where it is what 16 bits lack of it. [bytes]
    zero : int                 What its data parallelism shards where nobody says.
    zero_with_stages : int     What it shares out at most beside pipeline stages.
    sequence_parallel : bool   Whether it is usual beside tensor parallelism.
    expert_tp : str            Chips that share one expert where nobody says: ``tp`` or ``one``.
    recompute : str            What is usual where nobody says.
    hides : tuple              Groups whose collectives it runs beside arithmetic: ``tp``, ``dp``,
                               ``cp``, ``ep``, ``pp``; ``tp_backward``: of the backward pass those
                               that need not be waited for: see `training_ops.beside_weights`.
    schedules : tuple          Of pipeline stages, those that it is run with.
    sends_once : bool          A token that several experts of another domain want crosses to it
                               once (DeepEP and its kin); else once for each chip.
    gathers_every_micro_batch : bool   Sharded parameters are given up after each forward pass.
    dropout : bool             Masks are kept with activations (models of 2019 to 2022).
    fused_activation : bool    A gated activation keeps what it reads alone; else an inner
                               result too.
    narrow_inputs : bool       Inputs of products in 8 bits or less are kept as they are multiplied,
                               and so are weights, once for each pass; else in 16 bits.
    gathers_again : bool       Tokens gathered for a tensor-parallel product are gathered once more
                               in the backward pass; else they are kept.
    splits : str               What pipeline stages share out evenly: ``layers``, or ``work``, the
                               head's among it.
    pipelines_keep_gathered : bool   With pipeline stages, sharded parameters are gathered and their
                               gradients reduced once a step, not for every micro-batch.
    pipelines_split_by_chunks : bool   Where nobody says, a rank's sequences of a step pass in as
                               many micro-batches as there are chunks of layers.
    stands_for : tuple of str  Eras whose mean a name such as ``current`` means.
    source : str               Where these facts come from.
    """

    kind: ClassVar[str] = "framework"

    name: str
    names: tuple[str, ...] = ()
    eras: tuple[FrameworkEra, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    stands_for: tuple[str, ...] = ()
    gradient_bytes: float = Field(default=4.0, gt=0, le=8)
    reduce_bytes: float = Field(default=4.0, gt=0, le=8)
    accumulates: Literal["fused", "apart", "sharded"] = "fused"
    master: bool = True
    master_bytes: float = Field(default=4.0, gt=0, le=4)
    zero: Literal[0, 1, 2, 3] = 1
    zero_with_stages: Literal[0, 1, 2, 3] = 3
    sequence_parallel: bool = True
    expert_tp: Literal["tp", "one"] = "tp"
    recompute: Literal["none", "selective", "full"] = "none"
    hides: tuple[Overlap, ...] = ("dp",)
    schedules: tuple[ScheduleName, ...] = ("1f1b", "interleaved")
    sends_once: bool = False
    gathers_every_micro_batch: bool = True
    splits: Literal["layers", "work"] = "layers"
    pipelines_keep_gathered: bool = False
    pipelines_split_by_chunks: bool = False
    dropout: bool = False
    fused_activation: bool = True
    narrow_inputs: bool = False
    gathers_again: bool = True
    source: str = ""
    notes: str = ""

    def era(self, version: str = "", date: str = "") -> FrameworkEra:
        """The era of a version, of a date or the newest: see `HasEras.era`."""
        found = super().era(version, date)
        if isinstance(found, FrameworkEra):
            return found
        return FrameworkEra(id=found.id, since=found.since)

    def on(self, version: str = "", date: str = "") -> Framework:
        """The framework with the facts of the release that is meant.

        Parameters
        ----------
        version : str   As a table writes it; empty for that of the date, or the newest.
        date : str      ISO.

        Examples
        --------
        >>> from ridgeline.catalog import framework
        >>> [framework("megatron-lm").on(date=d).dropout for d in ("2022-05", "2025-05")]
        [True, False]
        """
        era = self.era(version, date)
        own: dict[str, Any] = {f: getattr(era, f) for f in _OF_ERA if getattr(era, f) is not None}
        return self.model_copy(update=own) if own else self


_OF_ERA = (
    "hides", "sequence_parallel", "dropout", "zero", "gradient_bytes", "gathers_again",
    "sends_once", "master_bytes",
)  # fmt: skip
