"""``ridgeline validate``: predict measured rows and score the predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import OUTPUT, TABLES, Csv, Dark, Json, Wide, takes
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
from ridgeline.cli.pictures import save_picture
from ridgeline.cli.tables import (
    Constants,
    Predictions,
    Sides,
    chunks_of,
    end_with_bugs,
    list_unanswered,
    predictor,
    progress,
    refuse_if_none_answered,
    shipped_or,
    writing_predictions,
)
from ridgeline.cli.working import note, tell
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.fields import Choice

if TYPE_CHECKING:
    from ridgeline.fidelity.scores import PredictionLines, Scored

__all__ = ["validate"]

_ALL_BY = ("source", "chip", "regime", "metric")


def validate(
    *tables: Annotated[
        Path,
        Parameter(
            help="CSV tables of measurements, or results of the benchmarks of vLLM, SGLang and "
            "TensorRT-LLM, GenAI-Perf, AIPerf, GuideLLM, LLMPerf, llama-bench, InferenceX and "
            "MLPerf. Without one, the published measurements that come with the package.",
        ),
    ],
    sides: Sides = Sides(),  # noqa: B008  (frozen)
    by: Annotated[
        str | None,
        Parameter(
            group=OUTPUT,
            metavar="WORD[,WORD...]",
            help="Groups of the scoreboard: source, chip, regime, metric, model, engine.",
        ),
    ] = None,
    leave_out: Annotated[
        str | None,
        takes(
            Choice(("models", "chips")),
            "models or chips: predict each row with constants fitted without its model, or "
            "without its chip where the family has others. Needs the optional part [calibrate].",
            TABLES,
        ),
    ] = None,
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
            help="Write targets, scoreboard, worst groups and noise floor into this Markdown page; "
            "fits the constants anew for each set of models and chips left out.",
        ),
    ] = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Predict measured rows, and score the predictions."""
    one_output(json, csv)
    groups = _groups(by)
    if constants is not None and leave_out is not None:
        raise SpecError("--leave-out fits constants of its own: leave out --constants.")
    chosen = shipped_or(tables, sides)
    with writing_predictions(predictions) as lines:
        scored = (
            _scored_unseen(chosen, sides, leave_out, lines)
            if leave_out
            else _scored(chosen, sides, constants, lines)
        )
    n_unanswered = len(scored.scores) - scored.by_status["ok"]
    if not scored.by_status["ok"]:
        refuse_if_none_answered(chosen, scored.unanswered)
    if chart is not None:
        _draw(scored, chart, leave_out, dark=dark)
    if report is not None:
        _write_report(chosen, sides, report)
    board = scored.scores.board(groups)
    list_unanswered(scored.unanswered, n_unanswered)
    few = scored.shown if len(scored.scores) <= len(scored.shown) else []
    if json:
        about = {"tables": [str(t) for t in chosen], "leave_out": leave_out, "rows": few}
        print_json({**about, "scoreboard": board, "unanswered": scored.unanswered})
    elif csv:
        print_csv(board)
    else:
        _print_rows(few, wide=wide)
        _print_board(board, leave_out, wide=wide)
        if not tables and leave_out is None and constants is None:
            print_text(
                "Note: these rows come with the package and are in the fit of its constants; "
                "--leave-out models scores each by a fit without its model."
            )
    end_with_bugs(scored.by_status)


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


def _scored(
    tables: list[Path], sides: Sides, constants: Path | None, lines: PredictionLines | None
) -> Scored:
    from ridgeline.fidelity.scores import score_chunks  # noqa: PLC0415

    chunks = chunks_of(tables, sides)
    return score_chunks(chunks, predictor(constants), lines=lines, progress=progress)


def _scored_unseen(
    tables: list[Path], sides: Sides, what: str, lines: PredictionLines | None
) -> Scored:
    from ridgeline.fidelity.engines.calibrate import calibrate  # noqa: PLC0415
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415
    from ridgeline.fidelity.runs import Prediction  # noqa: PLC0415
    from ridgeline.fidelity.scores import Scored, leave_out  # noqa: PLC0415

    rows = [row for chunk in chunks_of(tables, sides) for row in chunk]
    found = leave_out(rows, what, calibrate, predict, tell)
    kept = [(r, p) for r, p in zip(rows, found, strict=True) if p is not None]
    scored = Scored()
    scored.add([r for r, _ in kept], [p for _, p in kept])
    if len(kept) < len(rows):
        note(f"{len(rows) - len(kept):,} rows are of chips whose family has no other: not scored.")
    if lines is not None:
        alone = Prediction(math.nan, math.nan, math.nan, "not-left-out", _ALONE)
        lines.add(rows, [p or alone for p in found])
    return scored


_ALONE = "the family of its chip has no other chip in these tables to predict it from."


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


def _write_report(tables: list[Path], sides: Sides, path: Path) -> None:
    from ridgeline.fidelity.engines.calibrate import calibrate  # noqa: PLC0415
    from ridgeline.fidelity.predict import predict  # noqa: PLC0415
    from ridgeline.fidelity.scores.engine_report import write_engine_report  # noqa: PLC0415

    rows = [row for chunk in chunks_of(tables, sides) for row in chunk]
    write_engine_report(rows, path, calibrate=calibrate, predict=predict, progress=tell)
    note(f"Wrote {path}.")


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
    "error": ("error", "{:+.1%}".format),
    "remark": ("remark", str),
}

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
