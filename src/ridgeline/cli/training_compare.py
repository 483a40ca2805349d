"""Training on several machines, and what its answer depends on, as commands show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.cli.asking import Shown, show
from ridgeline.cli.output import print_as_is, print_json, print_table, print_text
from ridgeline.cli.pictures import beside, save_picture
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.prices import prices_of
from ridgeline.questions.sensitivity import sensitivity
from ridgeline.questions.training import Training, train
from ridgeline.questions.training.compare import compare_trained

if TYPE_CHECKING:
    from ridgeline.cli.training_asking import TrainingAsked
    from ridgeline.questions.training.compare import ComparedTraining

__all__ = ["TORNADO", "compared", "refuse_together", "show_compared", "show_sensitivity"]

TORNADO = "tornado"


def compared(asked: TrainingAsked) -> ComparedTraining:
    """Ask on every machine; one that cannot train the model is an answer too.

    Prices are chosen for all machines together.

    Parameters
    ----------
    asked : TrainingAsked   Of several machines.
    """
    clusters = [named.cluster for named in asked.named]
    found = prices_of(clusters, asked.scenarios[0].price)
    answers, refused = [], []
    for scenario, named, price in zip(asked.scenarios, asked.named, found.prices, strict=True):
        own = scenario if price is None else scenario.with_options(basis=None)
        try:
            answers.append(train(own, named=named, framework=asked.framework, price=price))
        except InfeasibleError as error:
            refused.append({"cluster": named.cluster.id, "reason": str(error).splitlines()[0]})
    return compare_trained(answers, refused, found.notes)


def refuse_together(n_machines: int, *, search: bool, sensitivity: bool, flags: str | None) -> None:
    """Refuse what is of one machine, or of one layout, beside several.

    Raises
    ------
    SpecError   Says which option.
    """
    if search and sensitivity:
        raise SpecError("--sensitivity: of one layout, not of a search: leave one of the two out.")
    if sensitivity and flags:
        raise SpecError(
            "--sensitivity and --flags are answers of their own: leave one of them out."
        )
    for name, given in (("sensitivity", sensitivity), ("flags", flags)):
        if given and n_machines > 1 and not search:
            raise SpecError(f"--{name}: one machine at a time.")


def show_compared(
    found: ComparedTraining, shown: Shown, chart: str | None, *, explain: bool
) -> None:
    """Print machines side by side, and write the pictures of each.

    Parameters
    ----------
    found : ComparedTraining
    shown : Shown
    chart : str or None   Which picture of each machine; None for the first.
    explain : bool        Whether the working of each is shown as well.
    """
    for answer in found.answers if shown.out or chart else ():
        picture = answer.chart(chart or "time")
        save_picture(picture, beside(shown.out, answer.job.cluster.id), dark=shown.dark)
    if shown.json:
        print_json(found.to_dict() | {"answers": [one.to_dict() for one in found.answers]})
    elif shown.csv:
        print_as_is(found.to_csv().removesuffix("\n"))
    else:
        print_text(found.sentence())
        if found.rows:
            print_table(found.table(), wide=shown.wide)
        for row in found.refused:
            print_text(f"{row['cluster']}: {row['reason']}")
        for answer in found.answers if explain else ():
            print_text("\n" + answer.explain())
        for note in found.notes():
            print_text(f"Note: {note}")


def show_sensitivity(answer: Training, shown: Shown, chart: str | None) -> None:
    """Print what each constant does to an answer, and write its tornado.

    Raises
    ------
    SpecError   Another picture than the tornado.
    """
    if chart not in (None, TORNADO):
        raise SpecError(f"--chart {chart}: the picture of --sensitivity is {TORNADO}.")
    show(sensitivity(answer), shown)
