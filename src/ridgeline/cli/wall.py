"""``ridgeline wall``, ``design`` and ``sensitivity``: limits, and what moves them."""

from __future__ import annotations

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.inputs import on_from, read_option
from ridgeline.errors import SpecError
from ridgeline.questions.design import design as ask_design
from ridgeline.questions.sensitivity import sensitivity as ask_sensitivity
from ridgeline.questions.wall import wall as ask_wall
from ridgeline.specs.fields import Numbers
from ridgeline.specs.ranges import (
    CHIPS,
    LATENCY_S,
    LENGTH_TOKENS,
    SEQUENCES,
    SPARSITY,
    USD_PER_CHIP_HOUR,
    USD_PER_MTOK,
    WEIGHT_BITS,
)

__all__ = ["design", "sensitivity", "wall"]


def wall(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    tpot: str = "20ms",
    usd_per_mtok: str | None = None,
    batch: str = "64",
    chart: str | None = None,
    shown: Shown | None = None,
) -> None:
    """The memory wall: the longest context at a latency and a price, with other attention too.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    tpot
        Time a token may take.
    usd_per_mtok
        What a million output tokens may cost.
    batch
        Sequences in flight for the longest context of a batch.
    chart
        Which picture: cost (against context) or bounds (over batch and context).
    """
    asked = asked or Asked()
    of_bounds = chart == "bounds" and asked.reading is not None
    found = ask_wall(
        answered(model, asked, any_reading=of_bounds),
        tpot_s=read_option(tpot, "tpot", LATENCY_S),
        usd_per_mtok=read_option(usd_per_mtok, "usd-per-mtok", USD_PER_MTOK),
        batch=read_option(batch, "batch", SEQUENCES),
    )
    show(found, shown, chart)


def design(
    *,
    on: str | None = None,
    tpot: str | None = None,
    context: str | None = None,
    usd_per_mtok: str | None = None,
    chips: str | None = None,
    bits: str = "8",
    price: str | None = None,
    sparsity: str = "1,4,16,64",
    shown: Shown | None = None,
) -> None:
    """Design a model for a machine: which sizes, sparsities and caches meet the limits on it.

    Parameters
    ----------
    on
        Machine: one scale-up domain of it, unless --chips says how many.
    tpot
        Time a token may take, such as 20ms.
    context
        Cached tokens of a sequence.
    usd_per_mtok
        What a million output tokens may cost.
    chips
        Chips that hold one copy of the model.
    bits
        Bits a weight, scales included.
    price
        USD per chip-hour, instead of the catalogue's price.
    sparsity
        Total over active parameters, several separated by commas.
    """
    if on is None or tpot is None or context is None:
        raise SpecError(
            "A design needs a machine and its limits: --on gb200-nvl72 --tpot 20ms "
            "--context 128k, and --usd-per-mtok 1 where price matters."
        )
    several = read_option(sparsity, "sparsity", Numbers(SPARSITY))
    found = ask_design(
        on_from(on, None, {}).cluster,
        tpot_s=read_option(tpot, "tpot", LATENCY_S),
        context=read_option(context, "context", LENGTH_TOKENS),
        usd_per_mtok=read_option(usd_per_mtok, "usd-per-mtok", USD_PER_MTOK),
        chips=read_option(chips, "chips", CHIPS),
        weight_bits=read_option(bits, "bits", WEIGHT_BITS),
        price=read_option(price, "price", USD_PER_CHIP_HOUR),
        sparsities=[several] if isinstance(several, float) else several,
    )
    show(found, shown)


def sensitivity(
    model: str | None = None,
    /,
    *,
    asked: Asked | None = None,
    batch: str | None = None,
    shown: Shown | None = None,
) -> None:
    """What each constant of machine, model and load does to time and cost, and what to buy next.

    Parameters
    ----------
    model
        HuggingFace id in the catalogue, path of a config.json, or a model TOML.
    batch
        Sequences in flight (default: the most that fit).
    """
    size = read_option(batch, "batch", SEQUENCES)
    show(ask_sensitivity(answered(model, asked, any_reading=True), batch=size), shown)
