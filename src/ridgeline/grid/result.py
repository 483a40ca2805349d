"""A labelled grid of answers: columns over named axes, with units and where they come from."""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import InfeasibleError, SpecError, there_is_no
from ridgeline.files import write_whole
from ridgeline.spreadsheets import csv_text, polars_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import polars

    from ridgeline.grid.axis import Axis

__all__ = ["Column", "LateColumns", "Result"]

#: an array of positions for each axis
Index = tuple[np.ndarray, ...]
#: points that are made plain at a time
_ROWS = 1 << 12


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity on the whole grid.

    `values` has the grid's shape; numbers are SI, and None where there is no number. `choices`
    turns codes into words.
    """

    values: np.ndarray
    unit: str
    label: str
    choices: tuple[str, ...] = ()

    def at(self, index: Index) -> Column:
        """The same of some points."""
        return Column(self.values[index], self.unit, self.label, self.choices)

    def all_plain(self) -> np.ndarray:
        """All values as plain Python objects, in the grid's shape."""
        if self.choices:
            return np.asarray(self.choices, dtype=object)[self.values]
        if not np.issubdtype(self.values.dtype, np.floating):
            return self.values
        found = self.values.astype(object)
        found[~np.isfinite(self.values)] = None
        return found


class LateColumns(Mapping[str, Column]):
    """Columns of which some are evaluated late: when one of them is looked at, all of them are.

    Parameters
    ----------
    names : iterable of str   Of all columns, in order.
    known : mapping           Those of the grid that are there.
    late : callable           The others: of all points for None, or of those of an index.
    """

    def __init__(
        self,
        names: Iterable[str],
        known: Mapping[str, Column],
        late: Callable[[Index | None], Mapping[str, Column]],
    ) -> None:
        self._names, self._known, self._late = dict.fromkeys(names), dict(known), late

    def __getitem__(self, name: str) -> Column:
        """A column of the grid."""
        if name not in self._known and name in self._names:
            self._known |= self._late(None)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column, evaluated or not."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """Names in order."""
        return iter(self._names)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self._names)

    def at(self, index: Index) -> dict[str, Column]:
        """All columns of some points; what is not there yet is evaluated of these alone."""
        found = {name: column.at(index) for name, column in self._known.items()}
        if len(found) < len(self._names):
            found |= self._late(index)
        return {name: found[name] for name in self._names}


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """Columns over axes.

    Attributes
    ----------
    axes : tuple of Axis           In the order of the columns' dimensions.
    columns : mapping              Name (with its unit) to `Column`.
    infeasible : array of int      0 where a point can be, else 1 + the index of its reason.
    reasons : tuple of str         Why points cannot be, a sentence each.
    about : mapping                What the question was and where its inputs come from.
    """

    axes: tuple[Axis, ...]
    columns: Mapping[str, Column]
    infeasible: np.ndarray
    reasons: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of a column, or of an axis."""
        for axis in self.axes:
            if axis.name == name:
                return axis.values
        return self._column(name).values

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise SpecError(there_is_no("column", name, self.columns))
        return self.columns[name]

    def row(self, index: tuple[int, ...]) -> dict[str, Any]:
        """Everything at one point, axes first, as plain Python numbers and words."""
        return self.rows_at(tuple(np.asarray([i]) for i in index))[0]

    def rows_at(self, index: Index) -> list[dict[str, Any]]:
        """`row` of several points.

        Parameters
        ----------
        index : tuple of 1-D arrays of int   Their positions on each axis.
        """
        if isinstance(self.columns, LateColumns):
            columns = self.columns.at(index)
        else:
            columns = {name: column.at(index) for name, column in self.columns.items()}
        found = {a.name: a.values[i].tolist() for a, i in zip(self.axes, index, strict=True)}
        found |= {name: column.all_plain().tolist() for name, column in columns.items()}
        reasons = ("", *self.reasons)
        found["infeasible"] = [reasons[i] for i in self.infeasible[index]]
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """All points, last axis fastest."""
        for first in range(0, self.infeasible.size, _ROWS):
            some = np.arange(first, min(first + _ROWS, self.infeasible.size))
            yield from self.rows_at(np.unravel_index(some, self.shape))

    def best(self, column: str, *, largest: bool = False) -> dict[str, Any]:
        """The feasible row with the smallest (or largest) value of a column.

        Parameters
        ----------
        column : str
        largest : bool   Look for the largest instead.

        Raises
        ------
        SpecError         There is no such column.
        InfeasibleError   No point is feasible, or the column has no numbers.
        """
        values = np.asarray(self._column(column).values, dtype=float)
        usable = (self.infeasible == 0) & np.isfinite(values)
        if not usable.any():
            why = " ".join(self.reasons) if self.infeasible.all() else ""
            raise InfeasibleError(f"No point of the grid has a {column}. {why}".strip())
        ordered = np.where(usable, -values if largest else values, np.inf)
        return self.row(tuple(int(i) for i in np.unravel_index(ordered.argmin(), self.shape)))

    def to_dict(self) -> dict[str, Any]:
        """Axes, columns, units and provenance as plain nested dicts and lists."""
        axes = {
            a.name: {"unit": a.unit, "label": a.label, "values": a.values.tolist()}
            for a in self.axes
        }
        columns = {
            name: {"unit": c.unit, "label": c.label, "values": c.all_plain().tolist()}
            for name, c in self.columns.items()
        }
        return {
            "about": self.about,
            "axes": axes,
            "columns": columns,
            "infeasible": {"values": self.infeasible.tolist(), "reasons": self.reasons},
        }

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as strict JSON (no NaN, no Infinity)."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self) -> str:
        """One line a point, names of axes and columns in the first."""
        names = [*(a.name for a in self.axes), *self.columns, "infeasible"]
        return csv_text(names, (row.values() for row in self.rows()))

    def to_parquet(self, path: str | Path) -> Path:
        """Write one row a point as Parquet, whole or not at all (extra ``[tables]``).

        Raises
        ------
        MissingExtraError   polars is not installed.
        RidgelineError      The file cannot be written.
        """
        content = io.BytesIO()
        self.to_polars().write_parquet(content)
        write_whole(Path(path), content.getvalue())
        return Path(path)

    def to_polars(self) -> polars.DataFrame:
        """One row a point as a polars DataFrame (extra ``[tables]``).

        Raises
        ------
        MissingExtraError   polars is not installed.
        """
        why = np.asarray(["", *self.reasons], dtype=object)[self.infeasible]
        columns = {a.name: np.broadcast_to(a.values.reshape(_along(i, self.shape)), self.shape)
                   for i, a in enumerate(self.axes)}  # fmt: skip
        columns |= {name: column.all_plain() for name, column in self.columns.items()}
        columns["infeasible"] = why
        return polars_frame({name: values.ravel().tolist() for name, values in columns.items()})

    def __repr__(self) -> str:
        """Axes and names of columns, below 1 kB."""
        axes = " x ".join(f"{len(a.values):,} {a.name[:60]}" for a in self.axes) or "one point"
        out = int(np.count_nonzero(self.infeasible))
        without = f", {out:,} infeasible" if out else ""
        names = textwrap.shorten(", ".join(self.columns), 400, placeholder=" …")
        return f"<{type(self).__name__}: {textwrap.shorten(axes, 400)}{without}; columns {names}>"


def _along(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that lays values along one axis of a grid."""
    return tuple(n if j == i else 1 for j, n in enumerate(shape))
