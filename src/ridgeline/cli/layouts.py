"""``ridgeline layouts``: the best layout and batch of a model on given chips, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import (
    LAYOUT,
    OUTPUT,
    AssumeHarmless,
    Chip,
    Csv,
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
from ridgeline.cli.output import as_table, print_csv, print_json, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.scenario_options import ScenarioOptions, scenario_from
from ridgeline.errors import SpecError
from ridgeline.questions.layouts import Layouts, fleets, search_layouts
from ridgeline.questions.layouts.sentences import families_told
from ridgeline.questions.serving.words import usd
from ridgeline.specs.fields import Number
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["layouts"]


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
    ] = 10,
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
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Search every layout and batch that fits; rank them within limits on latency.

    Layouts are all products of tensor, pipeline, expert and attention data parallelism and of
    replicas that fill the chips and that engines could run. Times are of a steady state with so
    many requests kept in flight in each replica; TPOT includes prefill of newly arrived requests.
    With --rate it is the fewest chips that serve it.
    """
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")
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
        refuse_beside_rate(out=out, explain=explain, disaggregate=disaggregate)
        show_fleets(fleets(scenario), json=json, csv=csv, wide=wide, flags=flags)
        return
    numbers = [scenario.layout.chips or chips_of(None, m) for m in named]
    answer = search_layouts(scenario, rank, numbers)
    # A picture that is named must be one that there is, drawn or not.
    picture = answer.chart(chart) if out or chart != "front" else None
    save_picture(picture, out, dark=dark)
    if json:
        print_json(_as_dict(answer, disaggregate, flags))
    elif csv:
        print_csv(_every_point(answer))
    else:
        _show(answer, top, explain, wide)
        if disaggregate:
            print_text("\n" + "\n".join(answer.pools().sentences()))
        if flags is not None:
            show_launch(answer.command(flags, disaggregate=disaggregate))


def _as_dict(answer: Layouts, disaggregate: bool, flags: str | None) -> dict[str, Any]:
    found = answer.to_dict()
    if disaggregate:
        found |= {"pools": answer.pools().to_dict()}
    if flags is not None:
        found |= launch_dict(answer.command(flags, disaggregate=disaggregate))
    return found


def _every_point(answer: Layouts) -> list[dict[str, Any]]:
    return [
        search.row(i, j)
        for search in answer.searches
        for i in range(search.result.shape[0])
        for j in range(search.result.shape[1])
    ]


def _show(answer: Layouts, top: int, explain: bool, wide: bool) -> None:
    print_text("\n".join(answer.sentences()))
    rows = answer.rows[:top] or answer.closest(top)
    if rows:
        as_table(
            answer.with_intervals(rows), _columns(answer, rows), title=_title(answer), wide=wide
        )
    if answer.rows:
        told = families_told(answer, every=explain)
        if told:
            print_text("Why not")
        for line in told:
            print_text(f"  {line}")
    if explain or not answer.rows:
        for line in answer.impossible():
            print_text(f"  {line}.")
    for note in dict.fromkeys(answer.notes()):
        print_text(f"Note: {note}")


def _title(answer: Layouts) -> str:
    n = sum(len(s.candidates.layouts) for s in answer.searches)
    points = sum(s.result.infeasible.size for s in answer.searches)
    best = "cheapest" if answer.rank.column.startswith("usd") else "best"
    best = f"{best} first (of ties the simplest)"
    if not answer.rows:
        best = "closest first"
    plural = "" if n == 1 else "s"
    return (
        f"{n:,} layout{plural}, {points:,} points, {answer.reading}; {best}, each at its best batch"
    )


def _columns(
    answer: Layouts, rows: list[dict[str, Any]]
) -> dict[str, tuple[str, Callable[[Any], str]]]:
    least = " ≥" if answer.reading == "ideal" else ""
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "cluster": ("on", str),
        "layout": ("layout", str),
        "concurrency": ("in flight", lambda v: f"{v:,.0f}"),
        "ttft_s": (f"TTFT{least}", _seconds),
        "tpot_s": (f"TPOT{least}", _seconds),
        "tpot_low_s": ("80% from", _seconds),
        "tpot_high_s": ("to", _seconds),
        "tokens_per_s_per_user": ("tok/s/user", lambda v: f"{v:,.0f}"),
        "tokens_per_s_per_chip": ("tok/s/chip", lambda v: f"{v:,.0f}"),
        "usd_per_mtok_input": ("$/Mtok in", usd),
        "usd_per_mtok_cached_input": ("cached", usd),
        "usd_per_mtok_output": ("out", usd),
        "usd_per_mtok": ("all", usd),
        "mfu": ("MFU", lambda v: f"{v:.0%}"),
        "mbu": ("MBU", lambda v: f"{v:.0%}"),
        "joule_per_token": ("J/token", lambda v: f"{v:.3g}"),
        "tokens_per_s_per_mw": ("tok/s/MW", lambda v: f"{v:,.0f}"),
        "bound": ("bottleneck", str),
    }
    unused = {n for n in columns if rows and all(r.get(n) is None for r in rows)}
    if len(answer.searches) == 1:
        unused.add("cluster")
    if answer.reading == "calibrated":
        unused -= {"tpot_low_s", "tpot_high_s"}
    return {n: c for n, c in columns.items() if n not in unused}


def _seconds(value: float) -> str:
    return format_quantity(value, "s")
