"""Predictions and scores as tables, for the library; the commands print the same."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.answers.table import Table
from ridgeline.errors import SpecError, there_is_no
from ridgeline.fidelity.measurements import Seen, row_chunks
from ridgeline.fidelity.predict import predict as predict_rows
from ridgeline.fidelity.scores import (
    BY,
    LEAVE_OUT,
    Scored,
    answered,
    read_set_aside,
    score_chunks,
)
from ridgeline.fidelity.scores import (
    leave_out as left_out,
)
from ridgeline.fidelity.scores.scoring import SHOWN, shown
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.grid import Spread
from ridgeline.specs.arguments import NAMES, reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.grid.spread import Client

__all__ = ["predict", "validate"]

#: numbers are in the unit of each row's metric, SI
_ROWS = {
    "id": ("id", ""),
    "metric": ("metric", ""),
    "measured": ("measured", "1"),
    "predicted": ("predicted", "1"),
    "low": ("low", "1"),
    "high": ("high", "1"),
    "error": ("off by", "+"),
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
    *tables: str | Path,
    constants: str | Path | None = None,
    models: str | Path | None = None,
    chips: str | Path | None = None,
) -> Table:
    """Predict the runs of tables, with 80% intervals.

    Parameters
    ----------
    *tables : path          CSV tables with the columns of measurement tables; the column ``value``
                            may be absent, and is not looked at.
    constants : path        Constants as ``ridgeline calibrate`` writes them; those that come with
                            the package without.
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
    model = _model(constants)
    rows = [
        shown(row, prediction)
        for chunk in _chunks(tables, models, chips, measured=False)
        for row, prediction in zip(chunk, answered(chunk, model), strict=True)
    ]
    columns = {k: v for k, v in _ROWS.items() if k not in ("measured", "error")}
    return Table("predictions", "", columns, rows, first=("predicted", "low", "high"))


@reads(by=NAMES)
def validate(
    *tables: str | Path,
    by: Sequence[str] = ("source", "chip", "regime", "metric"),
    rows: bool = False,
    leave_out: str | None = None,
    set_aside: str | Path | None = None,
    constants: str | Path | None = None,
    models: str | Path | None = None,
    chips: str | Path | None = None,
    executor: Executor | Client | None = None,
    workers: int = 1,
) -> Table:
    """Predict measured runs and score the predictions.

    Parameters
    ----------
    *tables : path          CSV tables of measurements, or results of benchmark tools; none for the
                            published measurements that come with the package.
    by : sequence of str    Groups of the scoreboard: source, chip, regime, metric, model, engine,
                            era.
    rows : bool             Return every row instead: ``measured``, ``predicted``, ``low`` and
                            ``high`` [SI], ``error``, ``status`` and ``remark``.
    leave_out : str         ``models``, ``chips``, ``pairs`` or ``dates``: predict rows with
                            constants fitted without them.
    set_aside : path        A TOML file of models, chips and a date whose runs are in no fit and no
                            score.
    constants : path        Constants as ``ridgeline calibrate`` writes them; those that come with
                            the package without.
    models, chips : path    Files that describe models and chips.
    executor : Executor, Client or None   A `concurrent.futures.Executor` or a Client of Dask that
                            predicts chunks of rows, with constants as they are; it stays open.
    workers : int           Processes, where there is no executor; started only for what takes this
                            process longer than half a second.

    Returns
    -------
    Table   The scoreboard: all rows, then each group. ``median`` and ``p90`` are of
            exp|ln(predicted / measured)| - 1, ``bias`` of the logarithm, ``coverage`` is the share
            inside the 80% interval, ``width`` its median high / low.

    Raises
    ------
    RidgelineError   A file that cannot be read, a grouping or a fold that there is not, or
                     constants with folds, which fit their own.
    """
    for name in by:
        if name not in BY:
            raise SpecError(there_is_no("grouping", name, BY))
    if leave_out is not None and leave_out not in LEAVE_OUT:
        raise SpecError(there_is_no("way to leave out", leave_out, LEAVE_OUT))
    if leave_out is not None and constants is not None:
        raise SpecError("leave_out fits constants of its own: leave constants out.")
    if leave_out is not None and (executor is not None or workers != 1):
        raise SpecError("leave_out fits constants in one process: leave executor and workers out.")
    chunks: Iterable[list[Row]] = _chunks(tables or (SHIPPED,), models, chips, measured=True)
    if set_aside is not None:
        every = [row for chunk in chunks for row in chunk]
        chunks = [read_set_aside(Path(set_aside)).split(every)[0]]
    with Spread(executor, workers=workers) as spread:
        keep = sys.maxsize if rows else SHOWN
        scored = _scored(chunks, leave_out, constants, spread, keep=keep)
    if rows:
        return Table("rows", "", _ROWS, scored.shown, first=("measured", "predicted", "error"))
    first = ("group", "n_answered", "median", "p90", "coverage")
    board = scored.scores.board(by)
    return Table("scoreboard", "Predicted against measured", _BOARD, board, first=first)


def _scored(
    chunks: Iterable[list[Row]],
    leave_out: str | None,
    constants: str | Path | None,
    spread: Spread,
    *,
    keep: int,
) -> Scored:
    if leave_out is None:
        return score_chunks(chunks, _model(constants), keep=keep, spread=spread)
    from ridgeline.fidelity.engines.calibrate import calibrate  # noqa: PLC0415  (heavy)

    rows = [row for chunk in chunks for row in chunk]
    unseen = left_out(rows, leave_out, calibrate, predict_rows)
    outcome = Scored(keep=keep)
    outcome.add([one.row for one in unseen], [one.prediction for one in unseen])
    return outcome


def _model(constants: str | Path | None) -> Callable[[Sequence[Row]], list[Prediction]]:
    """The prediction with the constants of a file, or with those that come with the package."""
    if constants is None:
        return predict_rows
    from ridgeline.fidelity.engines.calibrate import read_constants  # noqa: PLC0415  (heavy)

    known: Any = read_constants(Path(constants))
    return partial(predict_rows, constants=known)


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
