"""What the commands of one question share: how a model on a machine is named, how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ridgeline.cli.inputs import model_from, on_from, read_option, settings
from ridgeline.cli.output import print_as_is, print_table, print_text
from ridgeline.errors import SpecError
from ridgeline.questions.serving import Serving
from ridgeline.questions.serving import serving as ask
from ridgeline.specs.ranges import CHIPS, CONTEXT_TOKENS, USD_PER_CHIP_HOUR

if TYPE_CHECKING:
    from ridgeline.answers import Answer

__all__ = ["Asked", "Shown", "answered", "show"]

_Flag = Annotated[bool, Parameter(negative=())]
_Many = Parameter(negative=(), consume_multiple=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """A model on a machine.

    Parameters
    ----------
    on
        Machine: a cluster is used whole, a chip means the fewest on which the model fits.
    chips
        Chips that hold one copy of the model.
    context
        Cached tokens a sequence (default 8192).
    weights
        Store weights in this format: bf16, fp8, nvfp4…
    kv
        Store the KV cache in this format.
    price
        USD per chip-hour, instead of the catalogue's price.
    basis
        Which of the catalogue's prices: on-demand, spot, contract…
    reading
        calibrated, ideal or blackboard, where a question can be asked in all three (tiers,
        sensitivity; wall for its picture of bounds). The others are in the blackboard's forms.
    set_
        Change any field: cluster.chip.memory.bandwidth="10 TB/s", model.n_kv_heads=4.
    from_counts
        A model known by numbers: active=37B,total=671B,kv=70272,bits=8.
    fetch
        Read the config and the headers of the weights from the HuggingFace hub.
    """

    on: str | None = None
    chips: str | None = None
    context: str | None = None
    weights: Annotated[str | None, Parameter(name=("--weights", "--dtype"))] = None
    kv: Annotated[str | None, Parameter(name=("--kv", "--kv-dtype"))] = None
    price: str | None = None
    basis: str | None = None
    reading: str | None = None
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = ()
    from_counts: str | None = None
    fetch: _Flag = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Shown:
    """How an answer is shown.

    Parameters
    ----------
    out
        Write the picture: .png, .svg, .html, .pdf or .json (Vega-Lite). May be repeated.
    dark
        Dark picture.
    json
        Everything as JSON.
    csv
        The main table as CSV.
    wide
        Show all columns of tables, however narrow the terminal.
    """

    out: Annotated[tuple[Path, ...], _Many] = ()
    dark: _Flag = False
    json: _Flag = False
    csv: _Flag = False
    wide: _Flag = False


def answered(model: str | None, asked: Asked | None, *, any_reading: bool = False) -> Serving:
    """Ask the serving question behind a command.

    Parameters
    ----------
    model : str or None     As typed.
    asked : Asked or None   Its options; None for none.
    any_reading : bool      Whether the question can be asked in any reading; else it is answered
                            in the blackboard's forms, and another reading is refused.

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
    if asked.on is None:
        raise SpecError("Name a machine with --on: a chip or a cluster, such as --on gb200-nvl72.")
    named = on_from(asked.on, None, changes["cluster"])
    open_number = "fewest" if named.is_chip else named.n_chips
    return ask(
        record,
        named.cluster,
        chips=read_option(asked.chips, "chips", CHIPS) or open_number,
        context=read_option(asked.context, "context", CONTEXT_TOKENS),
        weights=asked.weights,
        kv=asked.kv,
        price=read_option(asked.price, "price", USD_PER_CHIP_HOUR),
        basis=asked.basis,
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
    if shown.json and shown.csv:
        raise SpecError("Choose one of --json and --csv.")
    picture = answer.chart(chart) if shown.out or chart is not None else None
    for path in shown.out:
        assert picture is not None
        picture.save(path, dark=shown.dark)
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
