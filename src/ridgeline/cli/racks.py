"""``ridgeline racks``, ``pipelining``, ``scaleup`` and ``generations``: beyond one chip."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.declare import LAYOUT, LIMITS, MACHINE, WORKLOAD, Model, takes
from ridgeline.questions.generations import CHIPS
from ridgeline.questions.generations import generations as ask_generations
from ridgeline.questions.pipelining import pipelining as ask_pipelining
from ridgeline.questions.racks import racks as ask_racks
from ridgeline.questions.scaleup import GENERATIONS
from ridgeline.questions.scaleup import scaleup as ask_scaleup
from ridgeline.specs.ranges import HOP_S, LATENCY_S, SEQUENCES

__all__ = ["generations", "pipelining", "racks", "scaleup"]


def racks(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    batch_per_chip: Annotated[
        float,
        takes(SEQUENCES, "Tokens each chip sends to experts in a step.", WORKLOAD, unit="tokens"),
    ] = 128,
    shown: Shown | None = None,
) -> None:
    """Experts on the chips of a scale-up domain: what leaves it, and what limits its size."""
    show(ask_racks(answered(model, asked), batch_per_chip=batch_per_chip), shown)


def pipelining(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    micro_batch: Annotated[
        float | None,
        takes(
            SEQUENCES,
            "Sequences that pass the stages together; if not given, the balance batch, or what "
            "fits.",
            WORKLOAD,
            unit="sequences",
        ),
    ] = None,
    hop: Annotated[
        float | None,
        takes(
            HOP_S,
            "Time from stage to stage; if not given, 30 µs and the time of the activations.",
            LAYOUT,
        ),
    ] = None,
    shown: Shown | None = None,
) -> None:
    """Pipeline stages in decoding: what they save, what they do not, and whether to have any."""
    found = ask_pipelining(
        answered(model, asked),
        micro_batch=micro_batch,
        hop_s=hop,
    )
    show(found, shown)


def scaleup(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    tpot: Annotated[float, takes(LATENCY_S, "Time that a token may take.", LIMITS)] = 0.02,
    batch: Annotated[
        float, takes(SEQUENCES, "Sequences in flight.", WORKLOAD, unit="sequences")
    ] = 1000,
    clusters: Annotated[
        str,
        Parameter(
            group=MACHINE,
            metavar="NAME[,NAME...]",
            help="Clusters of which one domain each is compared.",
        ),
    ] = ",".join(GENERATIONS),
    shown: Shown | None = None,
) -> None:
    """What a larger or newer scale-up domain brings: weight-fetch time and affordable context.

    Without --on, domains of any size are of the chip of the first of --clusters.
    """
    compared = [c.strip() for c in clusters.split(",") if c.strip()]
    found = ask_scaleup(
        answered(model, asked, usual=compared[0] if compared else None),
        tpot_s=tpot,
        batch=batch,
        clusters=compared,
    )
    show(found, shown)


def generations(
    *chips: Annotated[
        str, Parameter(help="Chips to compare; if not given, those large models are served on.")
    ],
    shown: Shown | None = None,
) -> None:
    """Hardware ratio and drain period by generation of chips."""
    show(ask_generations(chips or CHIPS), shown)
