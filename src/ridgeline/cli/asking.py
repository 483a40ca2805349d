"""What the commands of one question share: how a model on a machine is named, how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

from cyclopts import Parameter

from ridgeline.cli.declare import (
    ENGINE,
    FORMATS,
    LAYOUT,
    MACHINE,
    PRICE,
    WORKLOAD,
    Csv,
    Dark,
    Fetch,
    FromCounts,
    Json,
    Out,
    SetFields,
    Wide,
    machine_names,
    takes,
)  # fmt: skip
from ridgeline.cli.inputs import model_from, on_from, settings
from ridgeline.cli.output import one_output, print_as_is, print_table, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.errors import SpecError
from ridgeline.questions.serving import Serving
from ridgeline.questions.serving import serving as ask
from ridgeline.specs.choices import ReadingName
from ridgeline.specs.fields import Choice
from ridgeline.specs.price import PriceBasis
from ridgeline.specs.ranges import CHIPS, CONTEXT_TOKENS, USD_PER_CHIP_HOUR
from ridgeline.specs.workload import DEFAULT_CONTEXT

if TYPE_CHECKING:
    from ridgeline.answers import Answer

__all__ = ["Asked", "Shown", "answered", "show"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """A model on a machine."""

    on: Annotated[
        str | None,
        Parameter(
            group=MACHINE,
            metavar="NAME",
            completer=machine_names,
            help="Machine: a cluster is used whole; for a chip, the fewest chips that the model "
            "fits on.",
        ),
    ] = None
    chips: Annotated[
        int | None, takes(CHIPS, "Chips that hold one copy of the model.", LAYOUT, unit="chips")
    ] = None
    context: Annotated[
        float, takes(CONTEXT_TOKENS, "Cached tokens per sequence.", WORKLOAD, unit="tokens")
    ] = DEFAULT_CONTEXT
    weights: Annotated[
        str | None,
        Parameter(
            name=("--weights", "--dtype"),
            group=FORMATS,
            metavar="NAME",
            help="Format to store weights in: bf16, fp8, nvfp4, q4_k_m; the checkpoint's if not "
            "given.",
        ),
    ] = None
    kv: Annotated[
        str | None,
        Parameter(
            name=("--kv", "--kv-dtype"),
            group=FORMATS,
            metavar="NAME",
            help="Format to store the KV cache in; the checkpoint's if not given.",
        ),
    ] = None
    price: Annotated[
        float | None,
        takes(USD_PER_CHIP_HOUR, "Price of one chip for one hour, not the catalogue's.", PRICE),
    ] = None
    basis: Annotated[
        str | None,
        takes(
            Choice(get_args(PriceBasis)),
            f"Which prices to use: {', '.join(get_args(PriceBasis))}.",
            PRICE,
        ),
    ] = None
    prices: Annotated[
        str | None,
        Parameter(
            group=PRICE,
            metavar="FILE",
            help="Rents of your own, in a TOML file; they come before the catalogue's.",
        ),
    ] = None
    reading: Annotated[
        str | None,
        takes(
            Choice(get_args(ReadingName)),
            "How time is counted: calibrated, ideal or blackboard, where a question can be asked "
            "in all three (tiers, sensitivity; wall for its picture of bounds); the others are in "
            "the blackboard's forms.",
            ENGINE,
        ),
    ] = None
    set_: SetFields = ()
    from_counts: FromCounts = None
    fetch: Fetch = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Shown:
    """How an answer is shown."""

    out: Out = ()
    dark: Dark = False
    json: Json = False
    csv: Csv = False
    wide: Wide = False


def answered(
    model: str | None, asked: Asked | None, *, any_reading: bool = False, usual: str | None = None
) -> Serving:
    """Ask the serving question behind a command.

    Parameters
    ----------
    model : str or None     As typed.
    asked : Asked or None   Its options; None for none.
    any_reading : bool      Whether the question can be asked in any reading; else it is answered
                            in the blackboard's forms, and another reading is refused.
    usual : str or None     Machine, where none is named.

    Raises
    ------
    RidgelineError   Anything that cannot be read or cannot be.
    """
    asked = asked or Asked()
    changes = settings(asked.set_)
    for subject in ("price", "load"):
        if changes[subject]:
            raise SpecError(f"--set {subject}: use --price and --context here.")
    if not any_reading and asked.reading not in (None, "blackboard"):
        raise SpecError(
            f"--reading {asked.reading}: this question is answered in the blackboard's forms. "
            "tiers, sensitivity, serving and layouts can be asked in the others."
        )
    record = model_from(model, asked.from_counts, (), changes["model"], fetch=asked.fetch)
    on = asked.on or usual
    if on is None:
        raise SpecError("Name a machine with --on: a chip or a cluster, such as --on gb200-nvl72.")
    named = on_from(on, None, changes["cluster"])
    open_number = "fewest" if named.is_chip else named.n_chips
    return ask(
        record,
        named.cluster,
        chips=asked.chips or open_number,
        context=asked.context,
        weights=asked.weights,
        kv=asked.kv,
        price=asked.price,
        basis=asked.basis,
        prices=asked.prices,
        reading=asked.reading or (None if any_reading else "blackboard"),
    )


def show(answer: Answer, shown: Shown | None, chart: str | None = None) -> None:
    """Print an answer, and write its picture where one is wanted.

    Parameters
    ----------
    answer : Answer
    shown : Shown or None   None for plain text.
    chart : str or None     Which picture; None for the first.
    """
    shown = shown or Shown()
    one_output(shown.json, shown.csv)
    picture = answer.chart(chart) if shown.out or chart is not None else None
    save_picture(picture, shown.out, dark=shown.dark)
    if shown.json:
        print_as_is(answer.to_json(indent=2))
    elif shown.csv:
        print_as_is(answer.to_csv().removesuffix("\n"))
    else:
        _print(answer, wide=shown.wide)


def _print(answer: Answer, *, wide: bool) -> None:
    for sentence in answer.sentences:
        print_text(sentence)
    for table in answer.tables:
        print_table(table, wide=wide)
    for note in dict.fromkeys(answer.notes):
        print_text(f"Note: {note}")
