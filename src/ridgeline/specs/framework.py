"""What a training framework is: its releases, and what it keeps and overlaps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ridgeline.specs.eras import Era, HasEras

__all__ = ["Framework", "FrameworkEra"]


class FrameworkEra(Era):
    """Releases of a framework that run alike.

    Attributes
    ----------
    fused_attention : bool   Scores stay on the chip, and masked blocks are left out; else they are
                             written to memory, the whole square.
    """

    fused_attention: bool = True


class Framework(HasEras):
    """Facts of a framework; what it costs in time is fitted.

    Attributes
    ----------
    names : tuple of str       How tables call it.
    eras : tuple of FrameworkEra   Oldest first.
    gradient_bytes : float     Of one accumulated gradient. [bytes]
    master : bool              Beside 16-bit weights a copy of 4 bytes is kept; else (FSDP) weights
                               are stored in 4 bytes and narrowed as they are gathered.
    zero : int                 What its data parallelism shares out where nobody says.
    sequence_parallel : bool   Whether it is usual beside tensor parallelism.
    expert_tp : str            Chips that share one expert where nobody says: ``tp`` or ``one``.
    recompute : str            What is usual where nobody says.
    hides : tuple              Groups whose exchanges it runs beside arithmetic: ``tp``, ``dp``,
                               ``cp``, ``ep``, ``pp``.
    gathers_every_micro_batch : bool   Sharded parameters are given up after each forward pass.
    dropout : bool             Masks are kept with activations (models of 2019 to 2022).
    stands_for : tuple of str  Eras whose mean a name such as ``current`` means.
    """

    name: str
    names: tuple[str, ...] = ()
    eras: tuple[FrameworkEra, ...] = ()
    stands_for: tuple[str, ...] = ()
    gradient_bytes: float = Field(default=4.0, gt=0, le=8)
    master: bool = True
    zero: Literal[0, 1, 2, 3] = 1
    sequence_parallel: bool = True
    expert_tp: Literal["tp", "one"] = "tp"
    recompute: Literal["none", "selective", "full"] = "none"
    hides: tuple[str, ...] = ("dp",)
    gathers_every_micro_batch: bool = True
    dropout: bool = False
    source: str = ""
    notes: str = ""
