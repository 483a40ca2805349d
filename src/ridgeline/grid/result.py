"""A labelled grid of answers: columns over named axes, with units and where they come from."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import InfeasibleError, MissingExtraError, SpecError, did_you_mean
from ridgeline.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.grid.axis import Axis

__all__ = ["Column", "Result"]


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

    def plain(self, index: tuple[int, ...]) -> Any:
        """The value at one point as a plain Python object."""
        value = self.values[index].item()
        if self.choices:
            return self.choices[value]
        return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
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
    columns: dict[str, Column]
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
            raise SpecError(
                f"There is no column {name!r}.{did_you_mean(name, self.columns)} "
                f"There are {', '.join(self.columns)}."
            )
        return self.columns[name]

    def row(self, index: tuple[int, ...]) -> dict[str, Any]:
        """Everything at one point, axes first, as plain Python numbers and words."""
        at = {a.name: a.values[i].item() for a, i in zip(self.axes, index, strict=True)}
        row = at | {name: column.plain(index) for name, column in self.columns.items()}
        row["infeasible"] = ("", *self.reasons)[self.infeasible[index]]
        return row

    def rows(self) -> Iterator[dict[str, Any]]:
        """All points, last axis fastest."""
        for index in np.ndindex(self.shape):
            yield self.row(index)

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
            name: {"unit": c.unit, "label": c.label, "values": self._listed(c)}
            for name, c in self.columns.items()
        }
        return {
            "about": self.about,
            "axes": axes,
            "columns": columns,
            "infeasible": {"values": self.infeasible.tolist(), "reasons": self.reasons},
        }

    def _listed(self, column: Column) -> Any:
        flat = [column.plain(i) for i in np.ndindex(self.shape)]
        return np.asarray(flat, dtype=object).reshape(self.shape).tolist()

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as strict JSON (no NaN, no Infinity)."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self) -> str:
        """One line a point, names of axes and columns in the first."""
        text = io.StringIO()
        names = [a.name for a in self.axes] + [*self.columns, "infeasible"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return text.getvalue()

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

    def to_polars(self) -> Any:
        """One row a point as a polars DataFrame (extra ``[tables]``).

        Raises
        ------
        MissingExtraError   polars is not installed.
        """
        try:
            import polars  # noqa: PLC0415  (optional and heavy)
        except ModuleNotFoundError:
            raise MissingExtraError("A polars table", "tables") from None
        return polars.DataFrame(list(self.rows()), infer_schema_length=None)
