"""Read measurement tables: chunk by chunk, every bad row named, the good ones kept."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ridgeline.catalog import dtype, element_dtype
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import (
    COLUMNS,
    Fault,
    checked_header,
)
from ridgeline.fidelity.measurements.ids import Seen
from ridgeline.fidelity.measurements.parsing import Parser
from ridgeline.fidelity.measurements.resolve import Resolver
from ridgeline.fidelity.measurements.results import known_tools
from ridgeline.fidelity.measurements.side_files import beside, chips_file, models_file
from ridgeline.fidelity.measurements.sources import A_TABLE, lines_of
from ridgeline.files import named, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ridgeline.fidelity.runs import Row

__all__ = ["Seen", "read_rows", "row_chunks"]

#: rows held at a time
CHUNK = 10_000
#: and at most, where a run goes on, in such chunks
_MOST_CHUNKS = 2


def read_rows(
    tables: Sequence[Path],
    *,
    models: Path | None = None,
    chips: Path | None = None,
    measured: bool = True,
    fill: Mapping[str, str] | None = None,
) -> list[Row]:
    """All rows of some tables, in order.

    Parameters
    ----------
    tables : sequence of Path
        CSV files, or JSON files of benchmark results. Models and chips that the catalogue lacks
        are read from ``architectures*.csv`` and ``chips_missing*.csv`` beside each.
    models, chips : Path or None
        More models or chips, which come before those of the catalogue.
    measured : bool
        Whether rows must have a value.
    fill : mapping or None
        Columns of runs that files of benchmark results do not state.

    Returns
    -------
    list of Row   Bad ones too, with a status and a reason.

    Raises
    ------
    RidgelineError   A file that cannot be read, or that lacks columns.
    """
    seen = Seen()
    chunks = (
        row_chunks(table, models=models, chips=chips, measured=measured, fill=fill, seen=seen)
        for table in tables
    )
    return list(chain.from_iterable(chain.from_iterable(chunks)))


def row_chunks(
    table: Path,
    *,
    models: Path | None = None,
    chips: Path | None = None,
    measured: bool = True,
    fill: Mapping[str, str] | None = None,
    seen: Seen | None = None,
) -> Iterator[list[Row]]:
    """Rows of one table, some thousands at a time, so that its size is no matter.

    Parameters
    ----------
    table, models, chips, measured, fill
        As for `read_rows`.
    seen : Seen or None   Ids of tables before this one.

    Yields
    ------
    list of Row
    """
    resolver = _resolver(table, models, chips)
    _check_fill(resolver, fill or {})
    seen = seen or Seen()
    with reading(table, "a CSV table or a file of benchmark results") as file:
        lines = lines_of(file, table, fill or {})
        begins, names = next(lines, (0, None))
        if not isinstance(names, list):
            raise RidgelineError(f"{named(table)} is empty; {A_TABLE} is expected.")
        places = _places(names, table, measured=measured)
        # Of results, the line of column names is in no file.
        parser = Parser(places, len(names), resolver, results=begins == 0)
        yield from _chunks(lines, parser, measured, seen, str(table))


def _check_fill(resolver: Resolver, fill: Mapping[str, str]) -> None:
    """Refuse names that the user states for all rows once, before any row repeats the reason."""
    try:
        if "model" in fill:
            resolver.model(fill["model"], "", "")
        if "chip" in fill:
            resolver.cluster(fill["chip"], 1)
    except Fault as fault:
        raise RidgelineError(fault.reason) from None
    if "weight_dtype" in fill:
        dtype(fill["weight_dtype"])
    if "kv_dtype" in fill:
        element_dtype(fill["kv_dtype"])


def _places(names: list[str], table: Path, *, measured: bool) -> dict[str, int]:
    try:
        return checked_header(names, named(table), measured=measured)
    except RidgelineError as error:
        if {n.strip().casefold() for n in names} & set(COLUMNS):
            raise
        raise RidgelineError(
            f"{error} Nor are these the columns of a tool that is known: known are {known_tools()}."
        ) from None


def _resolver(table: Path, models: Path | None, chips: Path | None) -> Resolver:
    near_models, near_chips = beside(table)
    named_models = () if models is None else (models_file(models),)
    named_chips = () if chips is None else (chips_file(chips),)
    return Resolver((*named_models, *near_models), (*named_chips, *near_chips))


def _chunks(
    lines: Iterator[tuple[int, list[str] | Fault]],
    parser: Parser,
    measured: bool,
    seen: Seen,
    table: str,
) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for line, cells in lines:
        # Rows of a run share its notes, so that a chunk ends with the run that it is in.
        n = len(rows)
        if n >= CHUNK and (n >= _MOST_CHUNKS * CHUNK or not parser.is_known(cells)):
            seen.settle()
            yield rows
            parser.forget()
            rows = []
        rows.append(parser.row(line, cells, measured, seen, table))
    seen.settle()
    if rows:
        yield rows
