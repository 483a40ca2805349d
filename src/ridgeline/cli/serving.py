"""``ridgeline serving``: what a decode step takes and costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import (
    OUTPUT,
    AssumeHarmless,
    Chip,
    CsvPoints,
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
from ridgeline.cli.fleets import refuse_beside_rate, show_fleets
from ridgeline.cli.inputs import chips_of, load_changes, machines_from, model_from, settings
from ridgeline.cli.launching import Flags, check_flags, launch_dict, show_launch
from ridgeline.cli.output import one_output, print_csv, print_json, print_table, print_text
from ridgeline.cli.pictures import beside, save_picture
from ridgeline.cli.scenario_options import ScenarioOptions, scenario_from
from ridgeline.errors import InfeasibleError
from ridgeline.questions.advice import advice
from ridgeline.questions.prices import prices_of
from ridgeline.questions.serving import Comparison, Serving, compare_served, serve

if TYPE_CHECKING:
    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.model import Model as ModelRecord

__all__ = ["serving"]

#: pieces of advice below an answer
_HINTS = 3


def serving(
    model: Model = None,
    /,
    *,
    options: ScenarioOptions | None = None,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    out: Out = (),
    chart: Annotated[
        str, Parameter(group=OUTPUT, metavar="WORD", help="Which picture: latency, cost or both.")
    ] = "both",
    dark: Dark = False,
    flags: Flags = None,
    explain: Explain = False,
    json: Json = False,
    csv: CsvPoints = False,
    wide: Wide = False,
) -> None:
    """What a model takes and costs to serve on a machine: steps, requests, tokens, dollars.

    Three readings. The calibrated counts all of a step's work under a layout (experts hit,
    attention, collectives) and takes it at what good engines reach, with an interval. The ideal, a
    lower bound, takes the same work at datasheet peaks. The blackboard, a lower bound, reads all
    weights once per step and each sequence's cache once, on all chips as one.

    With --isl and --osl answers are of requests, --batch of them in flight in each replica. With
    --rate it is the fleet that serves them within the limits.

    With several machines --out writes one picture each, with the machine in its name.
    """
    one_output(json, csv)
    changes = settings(set_)
    record = model_from(model, from_counts, assume_harmless, changes["model"], fetch=fetch)
    given = options or ScenarioOptions()
    machines = machines_from(given.on, chip, changes["cluster"])
    check_flags(flags, csv=csv, n_machines=len(machines))
    if getattr(given, "rate", None) is not None:
        refuse_beside_rate(out=out, chart=chart != "both", dark=dark, explain=explain)
        scenario = scenario_from(
            record, given, machine=[m.cluster for m in machines], more=load_changes(changes)
        )
        from ridgeline.questions.layouts import fleets  # noqa: PLC0415  (only for a rate)

        show_fleets(fleets(scenario), json=json, csv=csv, wide=wide, flags=flags)
        return
    answers, compared = _ask_each(record, machines, given, load_changes(changes))
    # What cannot be started is refused before anything is shown.
    started = None if flags is None else answers[0].command(flags)
    _draw(answers, out, chart, dark)
    if json:
        every = [a.to_dict() for a in answers]
        if started is not None:
            every[0] |= launch_dict(started)
        print_json(every[0] if len(machines) == 1 else compared.to_dict() | {"answers": every})
    elif csv:
        print_csv([_about(a) | row for a in answers for row in a.result.rows()])
    elif len(machines) == 1:
        _show(answers[0], explain, wide)
        if started is not None:
            show_launch(started)
    else:
        _show_comparison(compared, explain, wide)


def _ask_each(
    model: ModelRecord, machines: list[MachineNamed], options: ScenarioOptions, more: dict[str, Any]
) -> tuple[list[Serving], Comparison]:
    """Ask on every machine; among several, one that cannot serve is an answer too.

    Prices are chosen for all machines together.
    """
    answers, refused = [], []
    degrees = ("tp", "pp", "attn_dp", "ep", "replicas")
    given = vars(options).get
    has_layout = any(given(name) is not None for name in degrees)
    together = scenario_from(
        model, options, machine=[named.cluster for named in machines], more=more
    )
    found = prices_of([named.cluster for named in machines], together.price)
    for named, price in zip(machines, found.prices, strict=True):
        chips = chips_of(given("chips"), named, has_layout)
        own = {"basis": None} if price is None else {}
        scenario = scenario_from(
            model, options, machine=named.cluster, more={**more, "chips": chips, **own}
        )
        try:
            answers.append(serve(scenario, price=price))
        except InfeasibleError as error:
            if len(machines) == 1:
                raise
            refused.append({"cluster": named.cluster.id, "reason": str(error)})
    return answers, compare_served(answers, refused, found.notes)


def _draw(answers: list[Serving], out: tuple[Path, ...], chart: str, dark: bool) -> None:
    if not out and chart == "both":
        return
    for answer in answers:
        picture = answer.chart(chart)  # one that is named must exist, drawn or not
        paths = out if len(answers) == 1 else beside(out, answer.machine.cluster.id)
        save_picture(picture, paths, dark=dark)


def _about(answer: Serving) -> dict[str, Any]:
    return {
        "model": answer.model.id,
        "cluster": answer.machine.cluster.id,
        "n_chips": answer.machine.n_chips,
    }


def _show(answer: Serving, explain: bool, wide: bool) -> None:
    print_text("\n".join(answer.sentences()))
    if explain:
        print_text("\n" + answer.explain())
    for i in range(len(answer.result["context"])):
        print_table(answer.table(i), wide=wide, faint=lambda row: bool(row["infeasible"]))
    for hint in advice(answer)[:_HINTS]:
        print_text(f"Advice: {hint.text}")
    for note in answer.notes:
        print_text(f"Note: {note}")


def _show_comparison(found: Comparison, explain: bool, wide: bool) -> None:
    print_text(found.sentence())
    if found.rows:
        print_table(found.table(), wide=wide)
    for row in found.refused:
        print_text(f"{row['cluster']}: {row['reason']}")
    for answer in found.answers if explain else ():
        print_text("\n" + answer.explain())
    for note in found.notes():
        print_text(f"Note: {note}")
