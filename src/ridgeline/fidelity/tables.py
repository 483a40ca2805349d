"""Read measured tables: columns checked, numbers as arrays, every fault a sentence."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import RidgelineError, did_you_mean
from ridgeline.files import exists, named, read_bytes, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Table", "each", "labels", "newest", "read_table", "stacked"]


class Table:
    """Columns of text and numbers, of which rows can be chosen."""

    def __init__(self, columns: dict[str, NDArray[Any]]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._columns[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def where(self, chosen: NDArray[Any]) -> Table:
        """Return the chosen rows."""
        return Table({k: v[chosen] for k, v in self._columns.items()})

    def having(self, name: str, column: NDArray[Any]) -> Table:
        """Return the rows with one more column."""
        return Table({**self._columns, name: column})


def read_table(
    folder: Path, name: str, text: Sequence[str], numbers: Sequence[str], blank: Sequence[str] = ()
) -> Table:
    """Read the named columns of a CSV file, packed with gzip where its name ends in ``.gz``.

    Parameters
    ----------
    folder, name : Path, str   Where it lies.
    text, numbers : sequence   Columns to read.
    blank : sequence           Columns of numbers that may be empty, which then are NaN.

    Raises
    ------
    RidgelineError   The file is missing, a column is missing, or a number is none.
    """
    path = folder / name
    if not exists(path):
        raise RidgelineError(
            f"{named(path)}: there is no such file. A folder of operator measurements is expected, "
            "with gemm_fraction_by_m.csv, decode_attention_bw.csv and the others."
        )
    content = _unpacked(path) if name.endswith(".gz") else read_text(path, "a CSV file")
    try:
        reader = csv.DictReader(io.StringIO(content, newline=""))
        have = reader.fieldnames or []
        for wanted in (*text, *numbers, *blank):
            if wanted not in have:
                hint = did_you_mean(wanted, have)
                raise RidgelineError(f"{path} has no column {wanted!r}.{hint}")
        rows = list(reader)
    except csv.Error as error:
        raise RidgelineError(f"{path} cannot be read as CSV: {error}.") from None
    if not rows:
        raise RidgelineError(f"{path} has no rows.")
    columns: dict[str, NDArray[Any]] = {c: np.array([r[c] or "" for r in rows]) for c in text}
    for c in (*numbers, *blank):
        columns[c] = np.array([_number(r[c], path, i, c, c in blank) for i, r in enumerate(rows)])
    return Table(columns)


def _unpacked(path: Path) -> str:
    try:
        return gzip.decompress(read_bytes(path, "a packed CSV file")).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise RidgelineError(f"{named(path)} is no CSV file packed with gzip: {error}.") from None


def stacked(*tables: Table) -> Table:
    """Rows of several tables, in the columns of the first."""
    columns = {c: np.concatenate([t[c] for t in tables]) for c in tables[0].names}
    return Table(columns)


def _number(value: str | None, path: Path, row: int, column: str, may_be_blank: bool) -> float:
    if not value and may_be_blank:
        return float("nan")
    try:
        number = float(value or "")
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or number < 0:
        raise RidgelineError(
            f"{path}, line {row + 2}: {column} is {value!r}; a number of at least 0 is expected."
        )
    return number


def newest(table: Table, question: Sequence[str], version: str = "version") -> Table:
    """Keep the newest version that answered each question.

    Parameters
    ----------
    table : Table
    question : sequence of str   Columns that say what was measured, and by whom.
    version : str                Column of versions, compared number by number.

    Returns
    -------
    Table
    """
    keys = list(zip(*(table[c] for c in question), strict=True))
    ranks = [[int(x) for x in re.findall(r"\d+", str(v))] for v in table[version]]
    best: dict[tuple, list[int]] = {}
    for key, rank in zip(keys, ranks, strict=True):
        best[key] = max(best.get(key, []), rank)
    pairs = zip(keys, ranks, strict=True)
    return table.where(np.array([rank == best[key] for key, rank in pairs], dtype=bool))


def each(table: Table, *columns: str) -> list[tuple[tuple[str, ...], Table]]:
    """Split by the values of columns, in sorted order."""
    keys = sorted(set(zip(*(table[c].tolist() for c in columns), strict=True)))
    masks = [np.all([table[c] == v for c, v in zip(columns, k, strict=True)], axis=0) for k in keys]
    return [(k, table.where(m)) for k, m in zip(keys, masks, strict=True)]


def labels(*columns: Any) -> Any:
    """One label a row, of whole numbers."""
    return np.array(["x".join(f"{v:g}" for v in row) for row in zip(*columns, strict=True)])
