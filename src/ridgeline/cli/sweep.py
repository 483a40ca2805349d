"""``ridgeline sweep``: the same step over any numeric fields, as a grid or what is best of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from cyclopts import Parameter, Token

from ridgeline.answers.table import Table
from ridgeline.cli.declare import (
    OUTPUT,
    SPREAD,
    STUDY,
    AssumeHarmless,
    Chip,
    CsvPoints,
    Fetch,
    FromCounts,
    Json,
    Model,
    SetFields,
    Wide,
    takes,
)  # fmt: skip
from ridgeline.cli.inputs import load_changes, machines_from, model_from, settings
from ridgeline.cli.output import one_output, print_csv, print_json, print_table, print_text
from ridgeline.cli.over import FITTING, Kept, axes_from, kept_from, split
from ridgeline.cli.scenario_options import options_class, scenario_from
from ridgeline.cli.spreading import Spreading, noting, spread_over
from ridgeline.cli.working import note, tell
from ridgeline.errors import SpecError
from ridgeline.files import write_whole
from ridgeline.questions.layouts.words import layout_name
from ridgeline.questions.setup import Setup
from ridgeline.questions.sweep import COLUMNS, Sweep, records_of
from ridgeline.questions.sweep import sweep as ask
from ridgeline.specs.fields import Number, shown
from ridgeline.specs.layout import Layout
from ridgeline.specs.load import Load
from ridgeline.specs.workload import DEFAULT_CONTEXT
from ridgeline.spreadsheets import records_csv
from ridgeline.steps.axes import axis_unit

if TYPE_CHECKING:
    from ridgeline.cli.scenario_options import ScenarioOptions as SweepOptions
    from ridgeline.specs.scenario import Scenario
else:
    SweepOptions = options_class(
        "SweepOptions",
        ("reading", "constants", "weights", "kv", "tp", "pp", "attn_dp", "ep", "replicas", "batch",
         "context", "drafts", "acceptance", "expert_load_cv"),
    )  # fmt: skip

__all__ = ["sweep"]

#: points of a grid that are shown as they are; of more, the best
_SHOWN: Final = 50
_TOP: Final = 10
_SUFFIXES: Final = (".csv", ".json", ".parquet")


def _table_path(_: object, tokens: list[Token]) -> Path:
    """A file for all rows; a wrong one is refused before anything is computed."""
    path = Path(tokens[0].value)
    if path.suffix.casefold() not in _SUFFIXES:
        raise SpecError(
            f"a file's name that ends in {', '.join(_SUFFIXES)} is expected, not "
            f"{shown(tokens[0].value)}."
        )
    return path


def sweep(
    model: Model = None,
    /,
    *,
    options: SweepOptions | None = None,
    over: Annotated[
        tuple[str, ...],
        Parameter(
            group=STUDY,
            metavar="FIELD=VALUES",
            consume_multiple=False,
            help="Axis: values of any numeric field (load.batch, load.context, layout.tp, "
            "cluster.chip.memory.bandwidth, model.n_kv_heads) as a list 1,64,2400 or a range "
            "1:1024 (1:1024:100 is 100 values); or model=, cluster= with names. May be repeated.",
        ),
    ] = (),
    best: Annotated[
        tuple[str, ...],
        Parameter(
            group=STUDY,
            metavar="COLUMN",
            consume_multiple=False,
            help="Keep the best points by a column, of those that fit, and build no table: "
            f"{', '.join(COLUMNS)}; :smallest or :largest after it says what is best. May be "
            "repeated.",
        ),
    ] = (),
    pareto: Annotated[
        tuple[str, ...],
        Parameter(
            group=STUDY,
            metavar="X,Y",
            consume_multiple=False,
            help="Keep the points that no other beats in both of two columns. May be repeated.",
        ),
    ] = (),
    histogram: Annotated[
        tuple[str, ...],
        Parameter(
            group=STUDY,
            metavar="COLUMN",
            consume_multiple=False,
            help="Count points by a column, in bins of 1, 2 and 5 per decade. May be repeated.",
        ),
    ] = (),
    top: Annotated[
        int, takes(Number(1, 10**6, whole=True), "Points that --best keeps.", STUDY)
    ] = _TOP,
    chip: Chip = None,
    set_: SetFields = (),
    from_counts: FromCounts = None,
    assume_harmless: AssumeHarmless = (),
    fetch: Fetch = False,
    spreading: Spreading | None = None,
    resume: Annotated[
        Path | None,
        Parameter(
            group=SPREAD,
            metavar="FOLDER",
            help="Keep what is finished in this folder: the same sweep then goes on there.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            converter=_table_path,
            n_tokens=1,
            metavar="FILE",
            help="Write every row to this file: .csv, .json or .parquet (of whole grids).",
        ),
    ] = None,
    json: Json = False,
    csv: CsvPoints = False,
    wide: Wide = False,
) -> None:
    """Evaluate a decode step over all combinations of values of any numeric fields.

    Without --best, --pareto or --histogram a table of all points is built, in memory. With them a
    grid may have any number of points, and many processes or machines may share it.

    A step is of one layout, of one chip if not given; axes such as layout.tp vary it.
    """
    one_output(json, csv)
    axes, scenario, records = _question(
        model, options or SweepOptions(), over,
        (chip, settings(set_), from_counts, assume_harmless, fetch),
    )  # fmt: skip
    kept = kept_from(best, pareto, histogram, top)
    if kept and out is not None and out.suffix.casefold() == ".parquet":
        raise SpecError("--out: .parquet is for whole grids; write .csv or .json.")
    if top != _TOP and not best:
        raise SpecError("--top is the number of points that --best COLUMN keeps: name a column.")
    with noting(), spread_over(spreading) as spread:
        found = ask(
            records["model"],
            records["cluster"],
            axes,
            layout=records["layout"],
            load=records["load"],
            reading=scenario.reading or "calibrated",
            constants=scenario.engine.constants,
            # Each combination of names has reductions of its own, that have seen nothing.
            reductions=(
                lambda: {
                    name: one.reduction
                    for name, one in kept_from(best, pareto, histogram, top).items()
                }
            ) if kept else None,  # pyright: ignore[reportArgumentType]
            resume=resume,
            progress=lambda done, of: tell("points", done, of),
            **spread,
        )  # fmt: skip
    about = _about(scenario, records, axes)
    if isinstance(found, Sweep):
        _show_grid(found, about, out, json=json, csv=csv, wide=wide)
    else:
        units = {
            name: axis_unit(records, name) for name in axes if name not in ("model", "cluster")
        }
        _show_kept(_rows(found, kept), kept, units, about, out, json=json, csv=csv, wide=wide)


def _question(
    model: str | None, given: Any, over: tuple[str, ...], changes: tuple[Any, ...]
) -> tuple[dict[str, Any], Scenario, dict[str, Any]]:
    """Axes, options, and the records that axes vary."""
    chip, changed, from_counts, assume_harmless, fetch = changes
    names, fields = split(over)
    for name, other in (("model", model or from_counts), ("cluster", given.on)):
        if name in names and other:
            raise SpecError(f"--over {name}: {other} is named, too; write all names in one list.")
    machines = machines_from(
        ",".join(names.get("cluster", [])) or given.on, chip, changed["cluster"]
    )
    clusters = [m.cluster for m in machines]
    scenarios = [
        scenario_from(
            model_from(name, from_counts, assume_harmless, changed["model"], fetch=fetch),
            given,
            machine=clusters,
            more=load_changes(changed),
        )
        for name in names.get("model", [model])
    ]
    scenario = scenarios[0]
    setups = [Setup(each, each.workload) for each in scenarios]
    models = [setup.model for setup in setups]
    load, several = _load(setups[0])
    layout = scenario.layout.layout or Layout()
    records = records_of(models[0], clusters[0], layout, load)
    typed = axes_from(fields, records)
    said = {f"load.{n}": getattr(given, n) for n in ("batch", "context")}
    said |= {f"layout.{n}": getattr(given, n) for n in ("tp", "pp", "attn_dp", "ep")}
    for name in typed:
        if name in several or said.get(name) is not None:
            raise SpecError(f"--over {name}: its values are given by another option, too.")
    if "load.drafts" in typed or (load.drafts and len(models) > 1):
        _refuse_unknown_acceptance(scenario, typed)
    axes: dict[str, Any] = {"model": models} if len(models) > 1 else {}
    axes |= {"cluster": clusters} if len(clusters) > 1 else {}
    axes |= several | typed
    if not axes:
        raise SpecError(
            "Name an axis with --over, such as --over load.batch=1:1024 or "
            "--over cluster.chip.memory.bandwidth=3e12,4e12."
        )
    return axes, scenario, records


def _refuse_unknown_acceptance(scenario: Scenario, axes: dict[str, Any]) -> None:
    if scenario.workload.acceptance is None and "load.acceptance" not in axes:
        raise SpecError(
            "How often drafts are accepted depends on the model and on how many there are: say it "
            "with --acceptance or --over load.acceptance."
        )


def _load(setup: Setup) -> tuple[Load, dict[str, Any]]:
    """What the options say of the load, and the axes where they say several values."""
    given = setup.workload
    fields = {
        "batch": given.batch, "context": given.context, "drafts": given.drafts,
        "acceptance": setup.requests.acceptance if given.drafts else given.acceptance,
        "expert_load_cv": given.expert_load_cv,
    }  # fmt: skip
    values = {n: np.atleast_1d(np.asarray(v, float)) for n, v in fields.items() if v is not None}
    fixed: dict[str, Any] = {"batch": 1, "context": DEFAULT_CONTEXT}
    fixed |= {name: float(v[0]) for name, v in values.items()}
    return Load(**fixed), {f"load.{name}": v for name, v in values.items() if len(v) > 1}


def _about(scenario: Scenario, records: dict[str, Any], axes: dict[str, Any]) -> str:
    n = math.prod(len(values) for values in axes.values())
    over = ", ".join(f"{name} ({len(values):,})" for name, values in axes.items())
    model = "each model" if "model" in axes else records["model"].name
    on = "each cluster" if "cluster" in axes else records["cluster"].name
    swept = any(name.startswith("layout.") for name in axes)
    layout = "" if swept else f", {layout_name(records['layout'])}"
    reading = scenario.reading or "calibrated"
    return f"{model} on {on}{layout}, {reading} reading: {n:,} points over {over}."


def _rows(found: list[dict[str, Any]], kept: dict[str, Kept]) -> dict[str, list[dict[str, Any]]]:
    """Rows of each reduction, each with the names that it is of."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in kept}
    for one in found:
        names = {n: one[n] for n in ("model", "cluster") if n in one}
        for name, reduction in kept.items():
            own = reduction.bins(one[name]) if reduction.is_count else list(one[name])
            rows[name] += [names | row for row in own]
    return rows


def _show_kept(
    rows: dict[str, list[dict[str, Any]]],
    kept: dict[str, Kept],
    units: dict[str, str],
    about: str,
    out: Path | None,
    *,
    json: bool,
    csv: bool,
    wide: bool,
) -> None:
    n_fit = sum(row["points"] for row in rows.pop(FITTING))
    flat = [{"kept": name} | row for name, own in rows.items() for row in own]
    if out is not None:
        _write(out, records_csv(flat), {"about": about, "n_fit": n_fit, "rows": flat})
    if json:
        print_json({"about": about, "n_fit": n_fit} | rows)
    elif csv:
        print_csv(flat)
    else:
        print_text(about)
        print_text(f"{n_fit:,} fit into memory.")
        for name, own in rows.items():
            _print_kept(kept[name], own, units, wide=wide)


def _print_kept(
    kept: Kept, rows: list[dict[str, Any]], units: dict[str, str], *, wide: bool
) -> None:
    names = {n: (n, "") for n in ("model", "cluster") if rows and n in rows[0]}
    if kept.is_count:
        unit = COLUMNS[kept.column][0]
        columns = {"from": ("from", unit), "to": ("to", unit), "points": ("points", "#")}
    else:
        columns = {n: (n, unit) for n, unit in units.items()}
        columns |= {n: (heading, unit) for n, (unit, heading) in COLUMNS.items()}
    if rows:
        shown_rows = rows if kept.is_count else rows[:_SHOWN]
        title = f"{kept.title}, {_SHOWN} of {len(rows):,}" if len(rows) > _SHOWN else kept.title
        print_table(Table("kept", title, names | columns, shown_rows), wide=wide)
    else:
        print_text(f"\n{kept.title}: no point of the grid has one.")


def _show_grid(
    found: Sweep, about: str, out: Path | None, *, json: bool, csv: bool, wide: bool
) -> None:
    if out is not None:
        if out.suffix.casefold() == ".parquet":
            found.to_parquet(out)
            note(f"Wrote {out}.")
        else:
            _write(out, found.to_csv(), found.to_dict())
    if json:
        print_json({"question": about} | found.to_dict())
    elif csv:
        print_csv(list(found.rows()))
    else:
        n_fit = int(np.count_nonzero(found.infeasible == 0))
        print_text(about)
        print_text(f"{n_fit:,} fit into memory.")
        for code, reason in enumerate(found.reasons, 1):
            n_out = int(np.count_nonzero(found.infeasible == code))
            if n_out and "memory" not in reason:
                print_text(f"{n_out:,} cannot be: {reason}.")
        n = found.infeasible.size
        if n > _SHOWN:
            print_text(
                f"The first {_SHOWN} of {n:,} points; --csv and --out have all, --best COLUMN "
                "finds the best."
            )
        print_table(Table.from_result(found, "sweep", first=_SHOWN), wide=wide)


def _write(path: Path, csv: str, value: dict[str, Any]) -> None:
    from json import dumps  # noqa: PLC0415  (the option has this name)

    from ridgeline.answers.plain import plain  # noqa: PLC0415

    as_json = path.suffix.casefold() == ".json"
    write_whole(path, dumps(plain(value), indent=2, ensure_ascii=False) + "\n" if as_json else csv)
    note(f"Wrote {path}.")
