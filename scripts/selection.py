"""Tables that selections of measurements are read from and written to."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ridgeline import catalog
from ridgeline.errors import RidgelineError

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, str]


def read_table(path: Path) -> list[Row]:
    """Lines of a CSV file, by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def written(rows: list[Row], columns: list[str]) -> str:
    """The columns of lines, as a CSV file has them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def unknown_shapes(architectures: Path, wanted: set[str]) -> list[Row]:
    """Lines of a table of architectures that are wanted and that the catalogue lacks."""
    return [r for r in read_table(architectures) if r["id"] in wanted and not _known(r["id"])]


def _known(model: str) -> bool:
    try:
        catalog.model(model)
    except RidgelineError:
        return False
    return True
