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


class PredictionLines:
    """Writes predictions as CSV into an open text file, chunk by chunk."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def add(self, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
        """Write one line a row."""
        pairs = zip(rows, predictions, strict=True)
        self._writer.writerows(map(safe_cell, cells(row, prediction)) for row, prediction in pairs)


def cells(row: Row, prediction: Prediction) -> tuple[str, str, str, str, str, str]:
    """Cells of one line; SI units, numbers blank where there are none.

    Returns
    -------
    tuple of str   id, predicted, low, high, status, reason.
    """
    numbers = (prediction.value, prediction.low, prediction.high)
    written = ("" if not math.isfinite(x) else f"{x:.6g}" for x in numbers)
    predicted, low, high = written
    return row.id, predicted, low, high, prediction.status, " ".join(prediction.reason.split())
