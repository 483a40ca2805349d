"""``ridgeline validate``: predict measured rows and score the predictions."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, TABLES, Csv, Dark, Json, Wide, takes
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.score_columns import FIGURES
from ridgeline.cli.scored_tables import (
    Rows,
    scored_as_is,
    scored_aside,
    scored_unseen,
    write_report,
)
from ridgeline.cli.spreading import Spreading
from ridgeline.cli.tables import (
    Constants,
    Predictions,
    SetAsideFile,
    Sides,
    end_with_bugs,
    list_unanswered,
    refuse_if_none_answered,
    shipped_or,
    writing_predictions,
)
from ridgeline.cli.training_tables import Wanted, are_training, validate_training_tables
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.fields import Choice

if TYPE_CHECKING:
    from ridgeline.fidelity.scores import Scored

__all__ = ["validate"]

_ALL_BY = ("source", "chip", "regime", "metric")


def validate(
    *tables: Annotated[
        Path,
        Parameter(
            help="CSV tables of measurements, of serving or of training runs, or results of the "
            "benchmarks of vLLM, SGLang and TensorRT-LLM, GenAI-Perf, AIPerf, GuideLLM, LLMPerf, "
            "llama-bench, InferenceX and MLPerf. Without one, the published measurements that "
            "come with the package.",
        ),
    ],
    sides: Sides = Sides(),  # noqa: B008  (frozen)
    by: Annotated[
        str | None,
        Parameter(
            group=OUTPUT,
            metavar="WORD[,WORD...]",
            help="Groups of the scoreboard: source, chip, regime, metric, model, engine, era.",
        ),
    ] = None,
    leave_out: Annotated[
        str | None,
        takes(
            Choice(("models", "chips", "pairs", "dates", "groups", "layers")),
            "models, chips, pairs or dates: predict rows with constants fitted without their "
            "models; their chips, where the family has others; their pairs of engine and chip, "
            "where both are known from other pairs; or anything at or after a date. Of training "
            "runs models, chips, groups of runs alike, or layers: models of their depth. Needs the "
            "optional part [calibrate].",
            TABLES,
        ),
    ] = None,
    set_aside: SetAsideFile = None,
    score_set_aside: Annotated[
        bool,
        Parameter(
            group=TABLES,
            negative="",
            help="Score what --set-aside names too, apart, with constants fitted without it: once, "
            "when nothing is to be chosen any more.",
        ),
    ] = False,
    constants: Constants = None,
    predictions: Predictions = None,
    chart: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="FILE",
            help="Draw predicted against measured, with intervals, into this file.",
        ),
    ] = None,
    dark: Dark = False,
    report: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT,
            metavar="FILE",
            help="Write what is promised, targets, scoreboard, worst groups and noise floor into "
            "this Markdown page; fits the constants anew for each set of models, chips, pairs and "
            "dates left out: some ten minutes for five thousand rows.",
        ),
    ] = None,
    rows: Annotated[
        bool,
        Parameter(
            group=OUTPUT,
            negative="",
            help="Print every row instead of the scoreboard, with --csv too: measured, predicted, "
            "interval, off by, and the reason. Up to 40 rows are shown without this.",
        ),
    ] = False,
    spreading: Spreading | None = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Predict measured rows, and score the predictions."""
    from ridgeline.fidelity.scores.scoring import SHOWN  # noqa: PLC0415

    one_output(json, csv)
    groups = _groups(by)
    _refuse(leave_out, constants, set_aside, score_set_aside=score_set_aside)
    is_training = bool(tables) and are_training(tables)
    if spreading is not None and (leave_out or report or score_set_aside or is_training):
        raise SpecError(
            "--workers and --scheduler spread rows of serving runs, scored with constants as they "
            "are: leave them out beside fits (--leave-out, --report, --score-set-aside) and for "
            "tables of training runs."
        )
    if is_training:
        _refuse_for_training(chart, report)
        wanted = Wanted(
            groups, leave_out, set_aside, score_set_aside, constants, predictions, rows, json, csv,
            wide,
        )  # fmt: skip
        validate_training_tables(tables, sides, wanted)
        return
    chosen = shipped_or(tables, sides)
    table, keep = Rows(chosen, sides, set_aside), sys.maxsize if rows else SHOWN
    with writing_predictions(predictions) as lines:
        scored, unseen, figures = (
            scored_unseen(table, leave_out, lines, keep)
            if leave_out
            else (scored_as_is(table, constants, lines, keep, spreading), {}, [])
        )
    n_unanswered = len(scored.scores) - scored.by_status["ok"]
    if not scored.by_status["ok"]:
        refuse_if_none_answered(chosen, scored.unanswered)
    if chart is not None:
        _draw(scored, chart, leave_out, dark=dark)
    if report is not None:
        write_report(table, report, look=score_set_aside)
    apart = scored_aside(table, constants, unseen) if score_set_aside and report is None else None
    board = scored.scores.board(groups)
    list_unanswered(scored.unanswered, n_unanswered)
    some = scored.shown if len(scored.scores) <= len(scored.shown) else []
    if json:
        about = {"tables": [str(t) for t in chosen], "leave_out": leave_out, "rows": some}
        asked = {"figures": figures} if leave_out else {}
        aside = {"set_aside": apart} if apart else {}
        found = {"scoreboard": board, "unanswered": scored.unanswered}
        print_json({**about, **found, **asked, **aside})
    elif csv:
        print_csv(some if rows else board)
    elif rows:
        columns = _EVERY_ROW if leave_out is None else {**_EVERY_ROW, **_LEFT_OUT}
        as_table(some, columns, title="Rows, in SI units", first=_FIRST_OF_ROWS, wide=wide)
    else:
        _print_rows(some, wide=wide)
        _print_board(board, leave_out, wide=wide)
        _print_figures(figures, wide=wide)
        _print_note(shipped=not tables and leave_out is None and constants is None)
    if apart and not (json or csv):
        _print_aside(apart, wide=wide)
    end_with_bugs(scored.by_status)


def _refuse_for_training(chart: Path | None, report: Path | None) -> None:
    """Refuse options that tables of training runs do not have."""
    for name, given in (("--chart", chart), ("--report", report)):
        if given is not None:
            raise SpecError(
                f"{name} is for tables of serving runs; of training runs --json and --predictions "
                "FILE have every number."
            )


def _refuse(
    leave_out: str | None,
    constants: Path | None,
    set_aside: Path | None,
    *,
    score_set_aside: bool,
) -> None:
    """Refuse options that do not go together."""
    if constants is not None and leave_out is not None:
        raise SpecError("--leave-out fits constants of its own: leave out --constants.")
    if score_set_aside and set_aside is None:
        raise SpecError("--score-set-aside scores what --set-aside FILE names: name that file.")


def _groups(by: str | None) -> Sequence[str]:
    from ridgeline.fidelity.scores import BY  # noqa: PLC0415

    if by is None:
        return _ALL_BY
    words = [word.strip() for word in by.split(",")]
    for word in words:
        if word not in BY:
            raise SpecError(
                f"--by {word!r}: rows cannot be grouped so.{did_you_mean(word, BY)} "
                f"There are {', '.join(BY)}."
            )
    return words


def _draw(scored: Scored, path: Path, leave_out: str | None, *, dark: bool) -> None:
    from ridgeline.charts.fidelity import fidelity_chart  # noqa: PLC0415

    points = scored.scores.points()
    one = scored.scores.line()
    about = (
        f"{one['n_answered']:,} of {one['n_rows']:,} rows; median error {one['median']:.0%}; "
        f"{one['coverage']:.0%} inside their 80% interval; grey: within 20%"
    )
    title = "Predicted against measured"
    if leave_out:
        title += f", {leave_out} left out of the fit"
    if len(points) < one["n_answered"]:
        about += f"; {len(points):,} drawn"
    save_picture(fidelity_chart(points, title, about), [path], dark=dark)


def _print_note(*, shipped: bool) -> None:
    if shipped:
        print_text(
            "Note: these rows come with the package and are in the fit of its constants; "
            "--leave-out models scores each by a fit without its model."
        )


def _print_figures(figures: list[dict[str, Any]], *, wide: bool) -> None:
    """What is asked of the model that comes with the package, and what these rows give."""
    if figures:
        lines = [
            {
                "figure": one["figure"],
                "n_rows": one["n_rows"],
                "value": _in(one["value"], one["unit"]),
                "limit": _in(one["limit"], one["unit"]),
                "met": {True: "met", False: "missed", None: ""}[one["met"]],
            }
            for one in figures
        ]
        as_table(lines, FIGURES, title="What is asked of the constants shipped", wide=wide)


def _in(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return _percent(value) if unit == "%" else f"{value:.2f}"


def _print_aside(apart: dict[str, Any], *, wide: bool) -> None:
    as_table(
        apart["scoreboard"],
        _COLUMNS,
        title="Set aside, with constants fitted without it",
        faint=lambda r: not r["n_answered"],
        first=_FIRST,
        wide=wide,
    )
    if apart["beside"]:
        as_table(apart["beside"], _BESIDE, title="Set aside beside the folds", wide=wide)


def _print_rows(rows: list[dict[str, Any]], *, wide: bool) -> None:
    """Each row, where there are few: what was measured, what is predicted, what is to be said."""
    answered = [row for row in rows if row["predicted"] is not None]
    if not answered:
        return
    columns = {k: c for k, c in _ROW_COLUMNS.items() if wide or k != "remark"}
    as_table(answered, columns, title="Rows, in SI units", first=_FIRST_OF_ROWS, wide=wide)
    # What was assumed is never left out, however narrow the screen.
    for remark, n in Counter(row["remark"] for row in answered if row["remark"]).items():
        which = "all rows" if n == len(answered) else f"{n} of {len(answered)} rows"
        print_text(f"Note: {which}: {remark}.")


def _print_board(board: list[dict[str, Any]], leave_out: str | None, *, wide: bool) -> None:
    title = "Predicted against measured"
    if leave_out:
        title += f", {leave_out} left out of the fit"
    as_table(
        board, _COLUMNS, title=title, faint=lambda r: not r["n_answered"], first=_FIRST, wide=wide
    )
    print_text(
        "error: exp|ln(predicted / measured)| - 1. bias above 0: predicted too much. "
        "covered: share inside the 80% interval; width: its median high / low."
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"


def _bias(log_ratio: float) -> str:
    return f"{log_ratio * 100:+.1f}%"


_ROW_COLUMNS = {
    "id": ("id", str),
    "metric": ("metric", str),
    "measured": ("measured", "{:.4g}".format),
    "predicted": ("predicted", "{:.4g}".format),
    "low": ("low", "{:.4g}".format),
    "high": ("high", "{:.4g}".format),
    "error": ("off by", "{:+.1%}".format),
    "remark": ("remark", str),
}

_EVERY_ROW = {**_ROW_COLUMNS, "status": ("status", str)}
_LEFT_OUT = {"left_out": ("left out", str)}

#: what a narrow screen keeps of the board, and of single rows
_FIRST = ("group", "n_rows", "median", "coverage", "bias", "p90", "within_20", "width")
_FIRST_OF_ROWS = ("measured", "predicted", ("low", "high"), "error", "metric")

_COLUMNS = {
    "by": ("by", str),
    "group": ("group", str),
    "n_rows": ("rows", "{:,}".format),
    "n_answered": ("answered", "{:,}".format),
    "median": ("median error", _percent),
    "p90": ("p90", _percent),
    "bias": ("bias", _bias),
    "within_20": ("within 20%", _percent),
    "coverage": ("covered", _percent),
    "width": ("width", "{:.2f}".format),
}

_BESIDE = {
    "figure": ("figure", str),
    "n_folds": ("rows in folds", "{:,}".format),
    "folds": ("folds", _percent),
    "n_aside": ("rows set aside", "{:,}".format),
    "aside": ("set aside", _percent),
    "value": ("ratio", "{:.2f}".format),
}
