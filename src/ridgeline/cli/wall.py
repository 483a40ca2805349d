"""``ridgeline wall``, ``design`` and ``sensitivity``: limits, and what moves them."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from cyclopts import Parameter

from ridgeline.cli.asking import Asked, Shown, answered, show
from ridgeline.cli.declare import (
    FORMATS,
    LAYOUT,
    LIMITS,
    MACHINE,
    OUTPUT,
    PRICE,
    WORKLOAD,
    Model,
    machine_names,
    takes,
)  # fmt: skip
from ridgeline.cli.inputs import on_from
from ridgeline.errors import SpecError
from ridgeline.questions.design import design as ask_design
from ridgeline.questions.sensitivity import sensitivity as ask_sensitivity
from ridgeline.questions.wall import wall as ask_wall
from ridgeline.specs.fields import Choice, Numbers
from ridgeline.specs.price import PriceBasis
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

_TPOT = takes(LATENCY_S, "Time that a token may take.", LIMITS)
_USD_PER_MTOK = takes(USD_PER_MTOK, "What a million output tokens may cost.", LIMITS, unit="USD")


def wall(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    tpot: Annotated[float, _TPOT] = 0.02,
    usd_per_mtok: Annotated[float | None, _USD_PER_MTOK] = None,
    batch: Annotated[
        float,
        takes(
            SEQUENCES,
            "Sequences in flight, for the longest context of a batch.",
            WORKLOAD,
            unit="sequences",
        ),
    ] = 64,
    chart: Annotated[
        str | None,
        takes(
            Choice(("cost", "bounds")),
            "Which picture: cost (against context) or bounds (over batch and context).",
            OUTPUT,
        ),
    ] = None,
    shown: Shown | None = None,
) -> None:
    """The memory wall: the longest context at a latency and a price, with other attention too."""
    asked = asked or Asked()
    of_bounds = chart == "bounds" and asked.reading is not None
    found = ask_wall(
        answered(model, asked, any_reading=of_bounds),
        tpot_s=tpot,
        usd_per_mtok=usd_per_mtok,
        batch=batch,
    )
    show(found, shown, chart)


def design(
    *,
    on: Annotated[
        str | None,
        Parameter(
            group=MACHINE,
            metavar="NAME",
            completer=machine_names,
            help="Machine: one scale-up domain of it, unless --chips says how many.",
        ),
    ] = None,
    tpot: Annotated[float | None, _TPOT] = None,
    context: Annotated[
        float | None,
        takes(LENGTH_TOKENS, "Cached tokens per sequence.", WORKLOAD, unit="tokens"),
    ] = None,
    usd_per_mtok: Annotated[float | None, _USD_PER_MTOK] = None,
    chips: Annotated[
        int | None, takes(CHIPS, "Chips that hold one copy of the model.", LAYOUT, unit="chips")
    ] = None,
    weight_bits: Annotated[
        float,
        takes(
            WEIGHT_BITS,
            "Bits per weight, scales included.",
            FORMATS,
            unit="bits",
            name=("--weight-bits", "--bits"),
        ),
    ] = 8,
    price: Annotated[
        float | None,
        takes(USD_PER_CHIP_HOUR, "Price of one chip for one hour, not the catalogue's.", PRICE),
    ] = None,
    basis: Annotated[
        str | None,
        takes(
            Choice(get_args(PriceBasis)),
            f"Which prices to use: {', '.join(get_args(PriceBasis))}.",
            PRICE,
        ),
    ] = None,
    prices: Annotated[
        str | None,
        Parameter(
            group=PRICE,
            metavar="FILE",
            help="Rents of your own, in a TOML file; they come before the catalogue's.",
        ),
    ] = None,
    sparsities: Annotated[
        Any,
        takes(
            Numbers(SPARSITY),
            "Total over active parameters, several to compare.",
            MACHINE,
            name=("--sparsities", "--sparsity"),
        ),
    ] = (1, 4, 16, 64),
    shown: Shown | None = None,
) -> None:
    """Design a model for a machine: which sizes, sparsities and caches meet the limits on it."""
    if on is None or tpot is None or context is None:
        raise SpecError(
            "A design needs a machine and its limits: --on gb200-nvl72 --tpot 20ms "
            "--context 128k, and --usd-per-mtok 1 where price matters."
        )
    found = ask_design(
        on_from(on, None, {}).cluster,
        tpot_s=tpot,
        context=context,
        usd_per_mtok=usd_per_mtok,
        chips=chips,
        weight_bits=weight_bits,
        price=price,
        basis=basis,
        prices=prices,
        sparsities=[sparsities] if isinstance(sparsities, float) else sparsities,
    )
    show(found, shown)


def sensitivity(
    model: Model = None,
    /,
    *,
    asked: Asked | None = None,
    batch: Annotated[
        float | None,
        takes(
            SEQUENCES,
            "Sequences in flight; the most that fit if not given.",
            WORKLOAD,
            unit="sequences",
        ),
    ] = None,
    shown: Shown | None = None,
) -> None:
    """What each constant of machine, model and load does to time and cost, and what to buy next."""
    show(ask_sensitivity(answered(model, asked, any_reading=True), batch=batch), shown)
