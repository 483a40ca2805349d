"""``ridgeline budget``: tokens for pre-training, RL and inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ridgeline.cli.declare import (
    OUTPUT,
    AssumeHarmless,
    Chip,
    Csv,
    Dark,
    Explain,
    Fetch,
    FromCounts,
    Json,
    Model,
    Out,
    SetFields,
    Wide,
)  # fmt: skip
from ridgeline.cli.inputs import machines_from, model_from, settings
from ridgeline.cli.output import check_picture, one_output, print_as_is, print_table, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.scenario_options import ScenarioOptions, options_class, scenario_from
from ridgeline.errors import SpecError
from ridgeline.questions.budget import PICTURES, plan_budget
from ridgeline.specs.budget_scenario import BudgetScenario

if TYPE_CHECKING:
    from ridgeline.questions.budget import Budget

__all__ = ["budget"]

_FIRST = "budget"

if TYPE_CHECKING:

    class BudgetOptions(ScenarioOptions):
        """All options of a question about a budget; see `specs.budget_scenario`."""

        params: str | None
        active: str | None

else:
    BudgetOptions = options_class("BudgetOptions", of=BudgetScenario)


def budget(
    model: Model = None,
    /,
    *,
    options: BudgetOptions | None = None,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    out: Out = (),
    chart: Annotated[
        str,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="Which picture: budget (costs against tokens at equal quality) or iso-loss "
            "(models of equal loss, with published ones).",
        ),
    ] = _FIRST,
    dark: Dark = False,
    explain: Explain = False,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """How many tokens to pre-train on, to spend on RL and to serve, and what they cost.

    One number to start from is enough: --tokens, --rl-tokens, --inference-tokens (or --traffic and
    --lifetime) or --compute. The rest follows from equal cost, the lecture's heuristic; beside it
    is the exact optimum of a loss law, and what over-training costs.

    With --on, the MFU of training and of serving are computed on that machine, and the budget is in
    chip-hours, days and dollars.
    """
    one_output(json, csv)
    check_picture(chart, PICTURES)
    changes = settings(set_)
    for subject in ("price", "load"):
        if changes[subject]:
            raise SpecError(f"--set {subject}: use --price and --tokens here.")
    given = options or BudgetOptions()
    record = None
    if model or from_counts is not None:
        record = model_from(model, from_counts, assume_harmless, changes["model"], fetch=fetch)
    elif changes["model"]:
        raise SpecError("--set model: name the model.")
    named = None
    if given.on is not None or chip is not None:
        found = machines_from(given.on, chip, changes["cluster"])
        if len(found) > 1:
            raise SpecError("--on: one machine at a time; ask about each of them by itself.")
        named = found[0]
    elif changes["cluster"]:
        raise SpecError("--set cluster: name the machine with --on.")
    machine = None if named is None else [named.cluster]
    scenario = scenario_from(record, given, machine=machine, of=BudgetScenario)
    answer = plan_budget(scenario, named=named)
    picture = answer.chart(chart) if out or chart != _FIRST else None
    save_picture(picture, out, dark=dark)
    if json:
        print_as_is(answer.to_json(indent=2))
    elif csv:
        print_as_is(answer.to_csv().removesuffix("\n"))
    else:
        _show(answer, explain, wide)


def _show(answer: Budget, explain: bool, wide: bool) -> None:
    print_text("\n".join(answer.sentences()))
    if explain:
        print_text("\n" + answer.explain())
    for table in answer.tables:
        print_table(table, wide=wide)
    for note in answer.notes:
        print_text(f"Note: {note}")
