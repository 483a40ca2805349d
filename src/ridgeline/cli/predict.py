"""``ridgeline predict``: numbers for runs that nobody has measured."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ridgeline.cli.declare import Csv, Json, Wide
from ridgeline.cli.output import as_table, one_output, print_csv, print_json, print_text
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
    writing_predictions,
)
from ridgeline.cli.working import note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores import PredictionLines

__all__ = ["predict"]

#: rows shown on a terminal
_SHOWN = 40


def predict(
    *tables: Annotated[
        Path,
        Parameter(
            help="CSV tables with the columns of measurement tables; the column value may be "
            "absent, and is not looked at.",
        ),
    ],
    sides: Sides = Sides(),  # noqa: B008  (frozen)
    constants: Constants = None,
    predictions: Predictions = None,
    json: Json = False,
    csv: Csv = False,
    wide: Wide = False,
) -> None:
    """Predict runs described in a table, with 80% intervals."""
    from ridgeline.fidelity.runs import BUG  # noqa: PLC0415

    one_output(json, csv)
    if not tables:
        raise _no_table()
    rows: list[dict[str, Any]] = []
    counts = {"all": 0, "ok": 0, BUG: 0}
    unanswered: list[dict[str, Any]] = []
    with writing_predictions(predictions, measured=False) as lines:
        answers = _answers(tables, sides, constants, lines)
        # A file of any length goes through; what is printed is kept.
        keep_all = json or csv
        for row, prediction in answers:
            counts["all"] += 1
            counts["ok"] += prediction.status == "ok"
            counts[BUG] += prediction.status == BUG
            if keep_all or len(rows) < _SHOWN:
                rows.append(_shown(row, prediction))
            if prediction.status != "ok" and len(unanswered) < _SHOWN:
                unanswered.append(_unanswered(row, prediction))
    if not counts["ok"]:
        refuse_if_none_answered(tables, unanswered)
    list_unanswered(unanswered, counts["all"] - counts["ok"])
    if predictions is not None:
        note(f"Wrote {predictions}: {counts['ok']:,} of {counts['all']:,} rows predicted.")
    if json:
        print_json(rows)
    elif csv:
        print_csv(rows)
    else:
        as_table(rows, _COLUMNS, faint=lambda r: r["status"] != "ok", first=_FIRST, wide=wide)
        if counts["all"] > len(rows):
            print_text(
                f"The first {len(rows)} of {counts['all']:,} rows; --predictions FILE writes all."
            )
    end_with_bugs(counts)


def _no_table() -> Exception:
    from ridgeline.errors import SpecError  # noqa: PLC0415

    return SpecError(
        "Name a table of runs to predict: a CSV file with the columns id, chip, n_chips, model, "
        "regime, metric and what the regime needs (batch or concurrency, isl, osl)."
    )


def _answers(
    tables: tuple[Path, ...],
    sides: Sides,
    constants: Path | None,
    lines: PredictionLines | None,
) -> Iterator[tuple[Row, Prediction]]:
    from ridgeline.fidelity.scores import answered  # noqa: PLC0415

    n_done, model = 0, predictor(constants)
    for chunk in chunks_of(tables, sides, measured=False):
        predictions = answered(chunk, model)
        if lines is not None:
            lines.add(chunk, predictions)
        n_done += len(chunk)
        progress(n_done)
        yield from zip(chunk, predictions, strict=True)


def _unanswered(row: Row, prediction: Prediction) -> dict[str, Any]:
    from ridgeline.fidelity.scores.scoring import unanswered  # noqa: PLC0415

    return unanswered(row, prediction)


def _shown(row: Row, prediction: Prediction) -> dict[str, Any]:
    from ridgeline.fidelity.scores.predictions import COLUMNS, cells  # noqa: PLC0415

    found = dict(zip(COLUMNS, cells(row, prediction), strict=True))
    numbers = {k: float(v) if v else None for k, v in islice(found.items(), 1, 4)}
    return {"id": row.id, "metric": row.metric, **numbers,
            "status": found["status"], "reason": found["reason"]}  # fmt: skip


#: what a narrow screen keeps
_FIRST = ("predicted", ("low", "high"), "status", "metric", "reason")

_COLUMNS = {
    "id": ("id", str),
    "metric": ("metric", str),
    "predicted": ("predicted", "{:.4g}".format),
    "low": ("low", "{:.4g}".format),
    "high": ("high", "{:.4g}".format),
    "status": ("status", str),
    "reason": ("reason", str),
}
