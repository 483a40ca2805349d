"""Tables of training runs in ``validate`` and ``calibrate``: scores and fits of their own."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ridgeline.cli.output import as_table, print_csv, print_json, print_text
from ridgeline.cli.score_columns import FIGURES, FIRST_OF_MOVED, MOVED
from ridgeline.cli.tables import (
    end_with_bugs,
    list_unanswered,
    refuse_if_none_answered,
    writing_predictions,
)
from ridgeline.cli.working import note, tell
from ridgeline.errors import RidgelineError, SpecError
from ridgeline.files import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ridgeline.cli.tables import Sides
    from ridgeline.fidelity.training.folds import UnseenRun
    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["Wanted", "are_training", "calibrate_training_tables", "validate_training_tables"]


@dataclass(frozen=True)
class Wanted:
    """Options of ``validate`` that training tables have, too."""

    by: Sequence[str]
    leave_out: str | None
    set_aside: Path | None
    score_set_aside: bool
    constants: Path | None
    predictions: Path | None
    rows: bool
    json: bool
    csv: bool
    wide: bool


def are_training(tables: Sequence[Path]) -> bool:
    """Whether tables are of training runs.

    Raises
    ------
    RidgelineError   Some are and some are not.
    """
    from ridgeline.fidelity.training import is_training_table  # noqa: PLC0415

    told = {table: is_training_table(table) for table in tables}
    if len(set(told.values())) > 1:
        one = next(named(t) for t, training in told.items() if training)
        raise RidgelineError(
            f"{one} is a table of training runs, and others are not: give each kind a call of its "
            "own."
        )
    return bool(told) and all(told.values())


def _read(tables: Sequence[Path], sides: Sides) -> list[TrainingRow]:
    from ridgeline.fidelity.training import read_training  # noqa: PLC0415

    if sides.fill():
        raise SpecError(
            f"{named(tables[0])} is a table of training runs, which says itself what was run: "
            f"{next(iter(sides.fill()))!r} is for files of benchmark results."
        )
    return read_training(list(tables), models=sides.models, chips=sides.chips)


def _aside(
    rows: list[TrainingRow], path: Path | None
) -> tuple[list[TrainingRow], list[TrainingRow]]:
    from ridgeline.fidelity.training.aside import read_training_aside  # noqa: PLC0415

    if path is None:
        return rows, []
    found = read_training_aside(path)
    note(f"{found.words(rows)}.")
    return found.split(rows)


def validate_training_tables(tables: Sequence[Path], sides: Sides, wanted: Wanted) -> None:
    """Predict measured training runs, and score the predictions."""
    from ridgeline.fidelity.scores import Scored  # noqa: PLC0415
    from ridgeline.fidelity.training.figures import (  # noqa: PLC0415
        answered_share,
        coverage_figures,
        training_figures,
    )

    every = _read(tables, sides)
    kept, aside = _aside(every, wanted.set_aside)
    unseen = _predicted(kept, wanted)
    scored = Scored(keep=sys.maxsize if wanted.rows else 40)
    scored.add([u.row for u in unseen], [u.prediction for u in unseen])  # type: ignore[arg-type]
    n_unanswered = len(unseen) - scored.by_status["ok"]
    if not scored.by_status["ok"]:
        refuse_if_none_answered(tables, scored.unanswered)
    with writing_predictions(wanted.predictions) as lines:
        if lines is not None:
            lines.add([u.row for u in unseen], [u.prediction for u in unseen])  # type: ignore[arg-type]
    board = _board(unseen, wanted.by)
    figures = [answered_share([u.row for u in unseen], [u.prediction for u in unseen])]
    figures += training_figures({wanted.leave_out or "nothing": unseen})
    coverage = coverage_figures(unseen)
    apart: list[dict[str, Any]] = []
    if wanted.score_set_aside:
        apart = _board(_unseen_aside(kept, aside, wanted), ("source", "metric"))
    list_unanswered(scored.unanswered, n_unanswered)
    if wanted.json:
        print_json(
            {
                "tables": [str(t) for t in tables],
                "kind": "training",
                "leave_out": wanted.leave_out,
                "rows": scored.shown if wanted.rows or len(unseen) <= len(scored.shown) else [],
                "scoreboard": board,
                "memory": _verdicts(unseen),
                "figures": figures,
                "coverage": coverage,
                "unanswered": scored.unanswered,
                **({"set_aside": {"scoreboard": apart}} if apart else {}),
            }
        )
    elif wanted.csv:
        print_csv(scored.shown if wanted.rows else board)
    else:
        _print(scored.shown, unseen, board, figures, coverage, apart, wanted)
    end_with_bugs(scored.by_status)


def _predicted(rows: list[TrainingRow], wanted: Wanted) -> list[UnseenRun]:
    from ridgeline.catalog import training_constants  # noqa: PLC0415
    from ridgeline.fidelity.scores.scoring import answered  # noqa: PLC0415
    from ridgeline.fidelity.training.fit import fit_training  # noqa: PLC0415
    from ridgeline.fidelity.training.folds import UnseenRun, leave_out_training  # noqa: PLC0415
    from ridgeline.fidelity.training.predict import Fitted, predict_training  # noqa: PLC0415

    if wanted.leave_out is not None:
        good = [row for row in rows if row.status == "ok"]
        return leave_out_training(good, wanted.leave_out, fit_training, predict_training, tell)
    known = Fitted(training_constants(wanted.constants))
    predictions = answered(rows, lambda r: predict_training(r, known))  # type: ignore[arg-type]
    return [UnseenRun(r, p, "") for r, p in zip(rows, predictions, strict=True)]


def _unseen_aside(
    kept: list[TrainingRow], aside: list[TrainingRow], wanted: Wanted
) -> list[UnseenRun]:
    """What was set aside, predicted with constants fitted without it."""
    from ridgeline.catalog import training_constants  # noqa: PLC0415
    from ridgeline.fidelity.scores.scoring import answered  # noqa: PLC0415
    from ridgeline.fidelity.training.fit import fit_training  # noqa: PLC0415
    from ridgeline.fidelity.training.folds import UnseenRun  # noqa: PLC0415
    from ridgeline.fidelity.training.predict import Fitted, predict_training  # noqa: PLC0415

    good = [row for row in kept if row.status == "ok"]
    given = wanted.constants
    known = Fitted(training_constants(given)) if given else fit_training(good)
    predictions = answered(aside, lambda r: predict_training(r, known))  # type: ignore[arg-type]
    return [UnseenRun(r, p, "set aside") for r, p in zip(aside, predictions, strict=True)]


def _board(unseen: Sequence[UnseenRun], by: Sequence[str]) -> list[dict[str, Any]]:
    from ridgeline.fidelity.scores import BY  # noqa: PLC0415
    from ridgeline.fidelity.training.scores import OOM, score_line  # noqa: PLC0415

    found = [{"by": "all", "group": "all rows", **score_line(unseen)}]
    for one in by:
        name: Any = BY[one]
        groups = sorted({name(u.row) for u in unseen if u.row.metric != OOM})
        found += [
            {"by": one, "group": g, **score_line(unseen, lambda r, g=g, name=name: name(r) == g)}
            for g in groups
        ]
    return found


def _verdicts(unseen: Sequence[UnseenRun]) -> dict[str, Any]:
    from ridgeline.fidelity.training.scores import memory_verdicts  # noqa: PLC0415

    return memory_verdicts(unseen)


def _print(
    shown: list[dict[str, Any]],
    unseen: Sequence[UnseenRun],
    board: list[dict[str, Any]],
    figures: list[dict[str, Any]],
    coverage: list[dict[str, Any]],
    apart: list[dict[str, Any]],
    wanted: Wanted,
) -> None:
    wide = wanted.wide
    if wanted.rows or len(unseen) <= len(shown):
        as_table(shown, _ROWS, title="Rows, in SI units", first=_FIRST_OF_ROWS, wide=wide)
        if wanted.rows:
            return
    title = "Predicted against measured training runs"
    if wanted.leave_out:
        title += f", {wanted.leave_out} left out of the fit"
    as_table(
        board, _BOARD, title=title, faint=lambda r: not r["n_answered"], first=_FIRST, wide=wide
    )
    print_text(
        "error: |predicted - measured| / measured, runs of a group averaged first. signed above 0: "
        "predicted too much. covered: share inside the 80% interval; width: its median high / low."
    )
    verdicts = _verdicts(unseen)
    if verdicts["n_answered"]:
        print_text(
            f"Out of memory: {verdicts['right']:.1%} of {verdicts['n_answered']:,} runs on the "
            f"right side of a half; of {verdicts['n_failed']:,} failures {verdicts['missed']:.1%} "
            f"were given less than 10%; Brier score {verdicts['brier']:.3f}."
        )
        as_table(verdicts["reliability"], _RELIABILITY, title="Probabilities kept", wide=wide)
    lines = [
        {
            **one,
            "value": _figure(one["value"], one["unit"]),
            "limit": _figure(one["limit"], one["unit"]),
            "met": {True: "met", False: "missed", None: ""}[one["met"]],
        }
        for one in figures
    ]
    as_table(lines, FIGURES, title="What is asked of the constants shipped", wide=wide)
    if wanted.leave_out:
        as_table(coverage, _COVERAGE, title="Intervals", wide=wide)
    if apart:
        as_table(apart, _BOARD, title="Set aside, with constants fitted without it", wide=wide)


def calibrate_training_tables(
    tables: Sequence[Path],
    sides: Sides,
    *,
    from_scratch: bool,
    set_aside: Path | None,
    out: Path | None,
    json: bool,
    csv: bool,
    wide: bool,
) -> None:
    """Fit the constants of training frameworks to measured runs."""
    from ridgeline.catalog import training_constants, training_effect_kinds  # noqa: PLC0415
    from ridgeline.fidelity.engines.calibrate import (  # noqa: PLC0415
        constant_rows,
        write_constants,
    )
    from ridgeline.fidelity.scores import Scored  # noqa: PLC0415
    from ridgeline.fidelity.scores.scoring import answered  # noqa: PLC0415
    from ridgeline.fidelity.training.calibrate import calibrate_training  # noqa: PLC0415
    from ridgeline.fidelity.training.own import fit_own_training  # noqa: PLC0415

    kept, _ = _aside(_read(tables, sides), set_aside)
    good = [row for row in kept if row.status == "ok"]
    bad = [row for row in kept if row.status != "ok"]
    scored = Scored()
    scored.add(bad, answered(bad, lambda _: []))  # type: ignore[arg-type]
    if not good:
        refuse_if_none_answered(tables, scored.unanswered)
    list_unanswered(scored.unanswered, len(bad))
    tell(f"fitting {len(good):,} rows of {len({row.source for row in good})} sources")
    if from_scratch:
        constants = calibrate_training(good)
        shown = constant_rows(constants, training_effect_kinds())
        errors: list[dict[str, Any]] = []
    else:
        fit = fit_own_training(good, training_constants(), [table.name for table in tables])
        constants, shown, errors = fit.constants, [asdict(one) for one in fit.moved], fit.errors
    if out is not None:
        write_constants(constants, out)
        note(f"Wrote {out}.")
    if json:
        print_json(shown if from_scratch else {"errors": errors, "moved": shown})
    elif csv:
        print_csv(shown)
    elif from_scratch:
        as_table(shown, _CONSTANTS, title="Constants of training frameworks", wide=wide)
        print_text(
            "sigma: standard deviation on the log scale. rows: runs whose prediction rests on it."
        )
    else:
        if shown:
            as_table(
                shown, MOVED, title="What moved by more than 1%", first=FIRST_OF_MOVED, wide=wide
            )
        else:
            print_text("No constant moved by more than 1%.")
        as_table(errors, _ERRORS, title="Median error of your runs", wide=wide)
    end_with_bugs(scored.by_status)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f}%"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return _percent(value) if unit == "%" else f"{value:.3f}"


_FIRST = ("group", "n_rows", "median", "coverage", "mape", "p90", "signed", "width")
_BOARD = {
    "by": ("by", str),
    "group": ("group", str),
    "n_rows": ("rows", "{:,}".format),
    "n_answered": ("answered", "{:,}".format),
    "n_groups": ("groups", "{:,}".format),
    "median": ("median error", _percent),
    "mape": ("mean", _percent),
    "p90": ("p90", _percent),
    "signed": ("signed", lambda x: "" if x is None else f"{x * 100:+.1f}%"),
    "coverage": ("covered", _percent),
    "width": ("width", "{:.2f}".format),
}
_FIRST_OF_ROWS = ("measured", "predicted", ("low", "high"), "error", "metric")
_ROWS = {
    "id": ("id", str),
    "metric": ("metric", str),
    "measured": ("measured", "{:.4g}".format),
    "predicted": ("predicted", "{:.4g}".format),
    "low": ("low", "{:.4g}".format),
    "high": ("high", "{:.4g}".format),
    "error": ("off by", "{:+.1%}".format),
    "status": ("status", str),
    "remark": ("remark", str),
}
_RELIABILITY = {
    "from": ("given from", "{:.0%}".format),
    "to": ("to", "{:.0%}".format),
    "predicted": ("mean", "{:.1%}".format),
    "failed": ("failed", "{:.1%}".format),
    "n_rows": ("rows", "{:,}".format),
}
_COVERAGE = {
    "group": ("rows of", str),
    "coverage": ("covered", _percent),
    "low": ("asked from", "{:.0%}".format),
    "high": ("to", "{:.0%}".format),
    "width": ("width", "{:.2f}".format),
    "n_rows": ("rows", "{:,}".format),
}
_CONSTANTS = {
    "constant": ("constant", str),
    "place": ("of", str),
    "value": ("value", "{:.4g}".format),
    "unit": ("unit", str),
    "sigma": ("sigma", "{:.3f}".format),
    "n_rows": ("rows", "{:,}".format),
    "sources": ("sources", ", ".join),
}
_ERRORS = {
    "metric": ("metric", str),
    "n_rows": ("rows", "{:,}".format),
    "before": ("before", "{:.1%}".format),
    "after": ("after", "{:.1%}".format),
    "left_out": ("left out", _percent),
}
