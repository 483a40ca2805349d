"""Rows with headings and units: one table of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from numbers import Real
from typing import TYPE_CHECKING, Any

from ridgeline.answers.html import table_html
from ridgeline.answers.plain import plain
from ridgeline.answers.words import quantity
from ridgeline.spreadsheets import csv_text, polars_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars

    from ridgeline.grid import Result

__all__ = ["Table"]


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows with headings.

    Attributes
    ----------
    name : str            Short, for JSON and `Answer.table`.
    title : str           For people; empty where none is needed.
    columns : mapping     Key of a row to heading and unit (see `words.quantity`; ``""`` is text).
                          The columns that are shown.
    rows : sequence       Plain dicts, numbers in SI; None where there is no number. They may have
                          more keys than are shown: exports have all of them.
    first : tuple         Keys of columns, the most important first: a narrow screen has room for
                          these; a tuple of keys is shown together or not at all. The leading column
                          is always shown; columns that are not named come last.
    brief : sequence      Numbers of the rows that are worth a line on a screen; None for all.
                          Exports have all rows.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, str]]
    rows: Sequence[Mapping[str, Any]]
    first: tuple[str | tuple[str, ...], ...] = ()
    brief: Sequence[int] | None = None

    @property
    def telling(self) -> list[Mapping[str, Any]]:
        """The rows that are worth a line on a screen."""
        return list(self.rows) if self.brief is None else [self.rows[i] for i in self.brief]

    @classmethod
    def from_result(
        cls,
        result: Result,
        name: str = "grid",
        title: str = "",
        show: Iterable[str] | None = None,
        *,
        first: int | None = None,
    ) -> Table:
        """The points of a grid as rows, last axis fastest.

        Parameters
        ----------
        result : Result
        name, title : str
        show : iterable of str   Axes and columns to show; all by default.
        first : int or None      Rows to make, of a grid of many; all by default.

        Examples
        --------
        >>> import numpy as np
        >>> from ridgeline.grid import Axis, Column, Result
        >>> batch = Axis("batch", np.array([1.0, 64.0]), "sequences", "batch")
        >>> time_s = Column(np.array([0.00525, 0.028]), "s", "step time")
        >>> result = Result((batch,), {"time_s": time_s}, np.zeros(2, dtype=int))
        >>> Table.from_result(result, show=["batch", "time_s"]).cells()
        [{'batch': '1', 'time_s': '5.25 ms'}, {'batch': '64', 'time_s': '28.0 ms'}]
        """
        known = {a.name: (a.label, a.unit) for a in result.axes}
        known |= {key: (c.label, c.unit) for key, c in result.columns.items()}
        known["infeasible"] = ("why it does not fit", "")
        keys = known if show is None else list(show)
        return cls(name, title, {k: known[k] for k in keys}, list(islice(result.rows(), first)))

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """The rows."""
        return iter(self.rows)

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        """A row."""
        return self.rows[index]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all rows: those that are shown first, then the others as they come."""
        return tuple(dict.fromkeys([*self.columns, *(k for row in self.rows for k in row)]))

    def cells(self) -> list[dict[str, str]]:
        """The rows that are shown as text, shown columns only."""
        return [{k: _cell(row.get(k), u) for k, (_, u) in self.columns.items()}
                for row in self.telling]  # fmt: skip

    def records(self) -> list[dict[str, Any]]:
        """The rows as plain values in SI, each with all `keys`; None where there is no number."""
        keys = self.keys
        return [{k: plain(row.get(k)) for k in keys} for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Title, headings, units and rows as plain nested dicts and lists."""
        columns = {k: {"heading": h, "unit": u} for k, (h, u) in self.columns.items()}
        return {"title": self.title, "columns": columns, "rows": self.records()}

    def to_csv(self) -> str:
        """One line per row, keys in the first; numbers in SI, empty where there is none."""
        return csv_text(self.keys, (row.values() for row in self.records()))

    def to_polars(self) -> polars.DataFrame:
        """The rows as a polars DataFrame (extra ``[tables]``).

        Raises
        ------
        MissingExtraError   polars is not installed.
        """
        rows = self.records()
        return polars_frame({k: [row[k] for row in rows] for k in self.keys})

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return table_html(self)

    def __repr__(self) -> str:
        name, title = self.name[:40], self.title[:80]
        return f"<Table {name!r} {title!r}: {len(self.rows):,} rows of {len(self.columns)} columns>"


def _cell(value: Any, unit: str) -> str:
    if value is None:
        return "any" if unit == "reach" else ""
    if unit == "" or isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return quantity(float(value), unit)
