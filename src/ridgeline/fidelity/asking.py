"""Predictions and scores as tables, for the library; the commands print the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline.answers.table import Table
from ridgeline.errors import SpecError, there_is_no
from ridgeline.fidelity.measurements import Seen, row_chunks
from ridgeline.fidelity.predict import predict as predict_rows
from ridgeline.fidelity.scores import BY, answered, score_chunks
from ridgeline.fidelity.scores.scoring import shown
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.specs.arguments import NAMES, reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ridgeline.fidelity.runs import Row

__all__ = ["predict", "validate"]

#: numbers are in the unit of each row's metric, SI
_ROWS = {
    "id": ("id", ""),
    "metric": ("metric", ""),
    "measured": ("measured", "1"),
    "predicted": ("predicted", "1"),
    "low": ("low", "1"),
    "high": ("high", "1"),
    "status": ("status", ""),
    "remark": ("remark", ""),
}
_BOARD = {
    "by": ("by", ""),
    "group": ("group", ""),
    "n_rows": ("rows", "#"),
    "n_answered": ("answered", "#"),
    "median": ("median error", "%"),
    "p90": ("p90", "%"),
    "bias": ("bias", "+"),
    "within_20": ("within 20%", "%"),
    "coverage": ("covered", "%"),
    "width": ("width", "x"),
}


def predict(
    *tables: str | Path, models: str | Path | None = None, chips: str | Path | None = None
) -> Table:
    """Predict the runs of tables, with 80% intervals.

    Parameters
    ----------
    *tables : path          CSV tables with the columns of measurement tables; the column ``value``
                            may be absent, and is not looked at.
    models, chips : path    Files that describe models and chips; they come before the catalogue's.

    Returns
    -------
    Table   A row per run and metric, with ``predicted``, ``low``, ``high`` [SI], ``status`` (``ok``
            where it could be predicted) and ``remark``; all in memory.

    Raises
    ------
    RidgelineError   A file that cannot be read; no tables.
    """
    if not tables:
        raise SpecError("Name a table of runs to predict: a CSV file.")
    rows = [
        shown(row, prediction)
        for chunk in _chunks(tables, models, chips, measured=False)
        for row, prediction in zip(chunk, answered(chunk, predict_rows), strict=True)
    ]
    columns = {k: v for k, v in _ROWS.items() if k != "measured"}
    return Table("predictions", "", columns, rows, first=("predicted", "low", "high"))


@reads(by=NAMES)
def validate(
    *tables: str | Path,
    by: Sequence[str] = ("source", "chip", "regime", "metric"),
    models: str | Path | None = None,
    chips: str | Path | None = None,
) -> Table:
    """Predict measured runs and score the predictions.

    Parameters
    ----------
    *tables : path          CSV tables of measurements, or results of benchmark tools; none for the
                            published measurements that come with the package.
    by : sequence of str    Groups of the scoreboard: source, chip, regime, metric, model, engine.
    models, chips : path    Files that describe models and chips.

    Returns
    -------
    Table   The scoreboard: all rows, then each group. ``median`` and ``p90`` are of
            exp|ln(predicted / measured)| - 1, ``bias`` of the logarithm, ``coverage`` is the share
            inside the 80% interval, ``width`` its median high / low.

    Raises
    ------
    RidgelineError   A file that cannot be read, or a grouping that there is not.
    """
    for name in by:
        if name not in BY:
            raise SpecError(there_is_no("grouping", name, BY))
    chunks = _chunks(tables or (SHIPPED,), models, chips, measured=True)
    board = score_chunks(chunks, predict_rows).scores.board(by)
    first = ("group", "n_answered", "median", "p90", "coverage")
    return Table("scoreboard", "Predicted against measured", _BOARD, board, first=first)


def _chunks(
    tables: Sequence[str | Path],
    models: str | Path | None,
    chips: str | Path | None,
    *,
    measured: bool,
) -> Iterator[list[Row]]:
    seen = Seen()
    beside_models = None if models is None else Path(models)
    beside_chips = None if chips is None else Path(chips)
    for table in tables:
        yield from row_chunks(
            Path(table), models=beside_models, chips=beside_chips, measured=measured, seen=seen
        )
