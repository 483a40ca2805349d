"""The file of predictions: one line a row of the table, in its order."""

from __future__ import annotations

import csv
import math
from typing import IO, TYPE_CHECKING

from ridgeline.spreadsheets import safe_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Prediction, Row

__all__ = ["COLUMNS", "PredictionLines", "cells"]

COLUMNS = ("id", "predicted", "low", "high", "status", "reason")
#: beside these where rows are measured, after the id
_MEASURED = "measured"


class PredictionLines:
    """Writes predictions as CSV into an open text file, chunk by chunk.

    Parameters
    ----------
    file : IO        Open for writing text.
    measured : bool  Whether rows are measured, and their values a column of their own.
    """

    def __init__(self, file: IO[str], *, measured: bool = True) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._measured = measured
        self._write(COLUMNS, _MEASURED)

    def add(self, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
        """Write one line a row."""
        for row, prediction in zip(rows, predictions, strict=True):
            self._write(cells(row, prediction), _written(row.value))

    def _write(self, line: Sequence[str], measured: str) -> None:
        beside = [measured] if self._measured else []
        self._writer.writerow(map(safe_cell, (line[0], *beside, *line[1:])))


def _written(number: float | None) -> str:
    return "" if number is None or not math.isfinite(number) else f"{number:.6g}"


def cells(row: Row, prediction: Prediction) -> tuple[str, str, str, str, str, str]:
    """Cells of one line; SI units, numbers blank where there are none.

    Returns
    -------
    tuple of str   id, predicted, low, high, status, reason.
    """
    numbers = (prediction.value, prediction.low, prediction.high)
    predicted, low, high = map(_written, numbers)
    return row.id, predicted, low, high, prediction.status, " ".join(prediction.reason.split())
