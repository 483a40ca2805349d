"""``ridgeline racks``, ``pipelining``, ``scaleup`` and ``generations``: beyond one chip."""

from __future__ import annotations

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.inputs import read_option
from ridgeline.questions.generations import CHIPS
from ridgeline.questions.generations import generations as ask_generations
from ridgeline.questions.pipelining import pipelining as ask_pipelining
from ridgeline.questions.racks import racks as ask_racks
from ridgeline.questions.scaleup import GENERATIONS
from ridgeline.questions.scaleup import scaleup as ask_scaleup
from ridgeline.specs.ranges import HOP_S, LATENCY_S, SEQUENCES

__all__ = ["generations", "pipelining", "racks", "scaleup"]


def racks(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    batch_per_chip: str = "128",
    shown: Shown | None = None,
) -> None:
    """Experts on the chips of a scale-up domain: what leaves it, and what limits its size.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    batch_per_chip
        Tokens each chip sends to experts in a step.
    """
    tokens = read_option(batch_per_chip, "batch-per-chip", SEQUENCES)
    show(ask_racks(answered(model, asked), batch_per_chip=tokens), shown)


def pipelining(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    micro_batch: str | None = None,
    hop: str | None = None,
    shown: Shown | None = None,
) -> None:
    """Pipeline stages in decoding: what they save, what they do not, and whether to have any.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    micro_batch
        Sequences that pass the stages together (default: the balance batch, or what fits).
    hop
        Time from stage to stage, such as 2.5ms (default: 30 us and the activations' own).
    """
    found = ask_pipelining(
        answered(model, asked),
        micro_batch=read_option(micro_batch, "micro-batch", SEQUENCES),
        hop_s=read_option(hop, "hop", HOP_S),
    )
    show(found, shown)


def scaleup(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    tpot: str = "20ms",
    batch: str = "1000",
    clusters: str = ",".join(GENERATIONS),
    shown: Shown | None = None,
) -> None:
    """What a larger or newer scale-up domain brings: weight-fetch time and affordable context.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    tpot
        Time a token may take.
    batch
        Sequences in flight.
    clusters
        Clusters of which one domain each is compared, separated by commas.
    """
    found = ask_scaleup(
        answered(model, asked),
        tpot_s=read_option(tpot, "tpot", LATENCY_S),
        batch=read_option(batch, "batch", SEQUENCES),
        clusters=[c.strip() for c in clusters.split(",") if c.strip()],
    )
    show(found, shown)


def generations(*chips: str, shown: Shown | None = None) -> None:
    """Hardware ratio and drain period by generation of chips.

    Parameters
    ----------
    chips
        Chips to compare (default: those large models are served on).
    """
    show(ask_generations(chips or CHIPS), shown)
