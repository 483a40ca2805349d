"""``ridgeline layouts``: the best layout and batch of a model on given chips, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import (
    LAYOUT,
    OUTPUT,
    AssumeHarmless,
    Chip,
    CsvPoints,
    Dark,
    Fetch,
    FromCounts,
    Json,
    Model,
    Out,
    SetFields,
    Wide,
    takes,
)  # fmt: skip
from ridgeline.cli.fleets import refuse_beside_rate, show_fleets
from ridgeline.cli.inputs import chips_of, load_changes, machines_from, model_from, settings
from ridgeline.cli.launching import Flags, check_flags, launch_dict, show_launch
from ridgeline.cli.output import one_output, print_csv, print_json, print_table, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.scenario_options import ScenarioOptions, scenario_from
from ridgeline.cli.spreading import Spreading, spread_over
from ridgeline.grid import Spread
from ridgeline.questions.layouts import Layouts, fleets, search_layouts
from ridgeline.questions.layouts.sentences import families_told
from ridgeline.questions.layouts.table import layouts_table
from ridgeline.specs.fields import Number

if TYPE_CHECKING:
    from ridgeline.questions.launch import Launch


__all__ = ["layouts"]

#: rows of the ranking that are shown
_TOP = 10


def layouts(
    model: Model = None,
    /,
    *,
    options: ScenarioOptions | None = None,
    chip: Chip = None,
    rank: Annotated[
        str | None,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="What comes first: usd (if not given, where there is a price), throughput or "
            "latency.",
        ),
    ] = None,
    top: Annotated[
        int, takes(Number(1, 10**6, whole=True), "Rows of the ranking to show.", OUTPUT)
    ] = _TOP,
    disaggregate: Annotated[
        bool,
        Parameter(
            group=LAYOUT,
            help="Also split the chips into a pool that prefills and one that decodes.",
        ),
    ] = False,
    flags: Flags = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    spreading: Spreading | None = None,
    out: Out = (),
    chart: Annotated[
        str,
        Parameter(
            group=OUTPUT,
            metavar="WORD",
            help="Which picture: front, roofline, memory, rack or timeline.",
        ),
    ] = "front",
    dark: Dark = False,
    explain: Annotated[
        bool,
        Parameter(
            group=OUTPUT,
            help="Every reason against every other degree, and what no layout could be built with.",
        ),
    ] = False,
    json: Json = False,
    csv: CsvPoints = False,
    wide: Wide = False,
) -> None:
    """Search every layout and batch that fits; rank them within limits on latency.

    Layouts are all products of tensor, pipeline, expert and attention data parallelism and of
    replicas that fill the chips and that engines could run. Times are of a steady state with so
    many requests kept in flight in each replica; TPOT includes prefill of newly arrived requests.
    With --rate it is the fewest chips that serve it.
    """
    one_output(json, csv)
    check_flags(flags, csv=csv)
    changes = settings(set_)
    record = model_from(model, from_counts, assume_harmless, changes["model"], fetch=fetch)
    given = options or ScenarioOptions()
    named = machines_from(given.on, chip, changes["cluster"])
    scenario = scenario_from(
        record, given, machine=[m.cluster for m in named], more=load_changes(changes)
    )
    if scenario.workload.arrival == "open":
        check_flags(flags, csv=csv, n_machines=len(named))
        refuse_beside_rate(
            rank=rank, top=top != _TOP, disaggregate=disaggregate, out=out,
            chart=chart != "front", dark=dark, explain=explain,
        )  # fmt: skip
        with spread_over(spreading) as where, Spread(**where) as spread:
            found = fleets(scenario, spread)
        show_fleets(found, json=json, csv=csv, wide=wide, flags=flags)
        return
    numbers = [scenario.layout.chips or chips_of(None, m) for m in named]
    with spread_over(spreading) as where, Spread(**where) as spread:
        answer = search_layouts(scenario, rank, numbers, spread)
    # A picture that is named must be one that there is, drawn or not.
    picture = answer.chart(chart) if out or chart != "front" else None
    # What cannot be started is refused before anything is shown.
    started = None if flags is None else answer.command(flags, disaggregate=disaggregate)
    save_picture(picture, out, dark=dark)
    if json:
        print_json(_as_dict(answer, disaggregate, started))
    elif csv:
        print_csv(_every_point(answer))
    else:
        _show(answer, top, explain, wide)
        if disaggregate:
            print_text("\n" + "\n".join(answer.pools().sentences()))
        if started is not None:
            show_launch(started)


def _as_dict(answer: Layouts, disaggregate: bool, started: Launch | None) -> dict[str, Any]:
    found = answer.to_dict()
    if disaggregate:
        found |= {"pools": answer.pools().to_dict()}
    if started is not None:
        found |= launch_dict(started)
    return found


def _every_point(answer: Layouts) -> list[dict[str, Any]]:
    return [row for search in answer.searches for row in search.all_rows()]


def _show(answer: Layouts, top: int, explain: bool, wide: bool) -> None:
    print_text("\n".join(answer.sentences()))
    rows = answer.ranking[:top] or answer.closest(top)
    if rows:
        print_table(layouts_table(answer, answer.with_intervals(rows), top), wide=wide)
    if answer.ranking:
        told = families_told(answer, every=explain)
        if told:
            print_text("Why not")
        for line in told:
            print_text(f"  {line}")
    if explain or not answer.ranking:
        for line in answer.impossible():
            print_text(f"  {line}.")
    for note in dict.fromkeys(answer.notes()):
        print_text(f"Note: {note}")
