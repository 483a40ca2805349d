"""Read measurement tables: chunk by chunk, every bad row named, the good ones kept."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.catalog import dtype, element_dtype
from ridgeline.errors import RidgelineError, bug, did_you_mean
from ridgeline.fidelity.measurements.columns import (
    COLUMNS,
    NEEDED_BY_REGIME,
    POOLS,
    Fault,
    checked_header,
    count,
    number,
)
from ridgeline.fidelity.measurements.drafting import DRAFT_COLUMNS, stated_drafting
from ridgeline.fidelity.measurements.notes import read_notes
from ridgeline.fidelity.measurements.resolve import Resolver, check_stated
from ridgeline.fidelity.measurements.results import known_tools
from ridgeline.fidelity.measurements.side_files import beside, chips_file, models_file
from ridgeline.fidelity.measurements.sources import A_TABLE, lines_of
from ridgeline.fidelity.runs import BUG, METRICS, REGIMES, Row, Run
from ridgeline.files import named, reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Seen", "read_rows", "row_chunks"]

#: rows held at a time
CHUNK = 20_000
#: what of a line makes its run, beside the id of the run
_CONFIGURATION = (
    "run", "source", "date", "engine", "engine_version", "chip", "n_chips", "model",
    "weight_dtype", "kv_dtype", "tp", "pp", "ep", "attn_dp", "regime", "batch", "concurrency",
    "request_rate_per_s", "isl", "osl", "cached", *DRAFT_COLUMNS, *POOLS,
)  # fmt: skip


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
        parser = _Parser(places, len(names), resolver, results=begins == 0)
        while chunk := _some(lines, parser, measured, seen, str(table)):
            yield chunk
            parser.forget()


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


def _some(
    lines: Iterator[tuple[int, list[str] | Fault]],
    parser: _Parser,
    measured: bool,
    seen: Seen,
    table: str,
) -> list[Row]:
    rows: list[Row] = []
    for line, cells in lines:
        row = parser.row(line, cells, measured, seen, table)
        rows.append(row)
        if len(rows) == CHUNK:
            break
    seen.settle()
    return rows


class Seen:
    """Ids met so far, at eight bytes each beyond the present chunk."""

    def __init__(self) -> None:
        self._old = np.empty(0, dtype=np.int64)
        self._new: set[int] = set()

    def add(self, name: str) -> bool:
        """Whether the id is new."""
        if self.has(name):
            return False
        self._new.add(hash(name))
        return True

    def has(self, name: str) -> bool:
        """Whether an id was met."""
        key = hash(name)
        return key in self._new or self._is_old(key)

    def _is_old(self, key: int) -> bool:
        at = np.searchsorted(self._old, key) if self._old.size else 0
        return bool(self._old.size and at < self._old.size and self._old[at] == key)

    def settle(self) -> None:
        """Put the ids of a chunk away."""
        new = np.fromiter(self._new, dtype=np.int64, count=len(self._new))
        self._old = np.sort(np.concatenate([self._old, new]), kind="stable")
        self._new.clear()


class _Parser:
    """Turns lines into rows; runs and their faults are made once."""

    def __init__(
        self, places: dict[str, int], n_cells: int, resolver: Resolver, *, results: bool
    ) -> None:
        self._results = results
        self._places = places
        self._n_cells = n_cells
        self._resolver = resolver
        self._runs: dict[tuple[str, ...], Run | Fault] = {}
        self._keys = [places[c] for c in _CONFIGURATION if c in places]

    def forget(self) -> None:
        """Let go of the runs of a chunk."""
        self._runs.clear()

    def row(
        self, line: int, cells: list[str] | Fault, measured: bool, seen: Seen, table: str
    ) -> Row:
        if isinstance(cells, Fault):
            return _left_out(line, cells, table)
        told = {c: self._cell(cells, c) for c in ("id", "metric", "source", "chip", "regime")}
        about = {k: _shown(told[k]) for k in ("source", "chip", "regime")}
        name, metric = _shown(told["id"]), _shown(told["metric"])
        try:
            self._check_line(cells)
            name = self._own_id(name, table, seen)
            _check_word(metric, METRICS, "metric")
            run = self._run(cells, name)
            value = _measured(self._cell(cells, "value")) if measured else None
        except Fault as fault:
            return Row(
                name, line, None, metric, None, fault.status, fault.reason, **about, table=table
            )
        except MemoryError:
            raise
        except Exception as error:  # the last handler of a row: others are still scored
            return Row(name, line, None, metric, None, BUG, bug(error), **about, table=table)
        return Row(name, line, run, metric, value, **about, table=table)

    def _own_id(self, name: str, table: str, seen: Seen) -> str:
        """The id of a row; of results, whose ids are of this program, made unique by the file."""
        if self._results and seen.has(name):
            name = f"{table}: {name}"
        _check_id(name, seen)
        return name

    def _cell(self, cells: list[str], column: str) -> str:
        place = self._places.get(column)
        return "" if place is None or place >= len(cells) else cells[place].strip()

    def _check_line(self, cells: list[str]) -> None:
        if len(cells) != self._n_cells:
            raise Fault(
                "ragged-line",
                f"{len(cells)} cells where the first line names {self._n_cells} columns; "
                "a comma inside a cell needs quotes around it.",
            )
        if any(_is_no_text(c) for c in cells):
            raise Fault("bad-text", "bytes that are not UTF-8 text; save the table as UTF-8.")

    def _run(self, cells: list[str], row: str) -> Run:
        key = tuple([cells[i] for i in self._keys])
        found = self._runs.get(key)
        if found is None:
            try:
                found = self._made(cells, row)
            except Fault as fault:
                found = fault
            if self._cell(cells, "run"):
                self._runs[key] = found
        elif isinstance(found, Run):
            for k, v in read_notes(self._cell(cells, "notes")).items():
                found.notes.setdefault(k, v)
        if isinstance(found, Fault):
            raise found.again()
        return found

    def _made(self, cells: list[str], row: str) -> Run:
        def text(column: str) -> str:
            return self._cell(cells, column)

        regime = text("regime")
        _check_word(regime, REGIMES, "regime")
        n_chips = count(text("n_chips"), "n_chips")
        if n_chips is None:
            raise Fault("missing-input", "n_chips is blank.")
        degrees = {c: count(text(c), c) for c in ("tp", "pp", "attn_dp", "ep")}
        sizes = {c: number(text(c), c) for c in ("batch", "concurrency", "request_rate_per_s")}
        sizes |= {c: number(text(c), c, above_zero=False) for c in ("isl", "osl")}
        cached = number(text("cached"), "cached", above_zero=False) or 0.0
        if cached > (sizes["isl"] or 0.0):
            raise Fault("bad-number", f"cached is {cached:g}, more than the input has (isl).")
        for column in NEEDED_BY_REGIME[regime]:
            if sizes[column] is None:
                raise Fault("missing-input", f"{column} is blank, which {regime} rows need.")
        layout = self._resolver.layout(n_chips, **degrees)
        stated = {c for c in ("weight_dtype", "kv_dtype", "ep", "isl", "osl") if text(c)}
        notes = read_notes(text("notes")) | {c: text(c) for c in POOLS if text(c)}
        model = self._resolver.model(text("model"), text("weight_dtype"), text("kv_dtype"))
        check_stated(notes, model)
        drafting, method = stated_drafting({c: text(c) for c in DRAFT_COLUMNS}, notes, model)
        if method == "eagle3" and model.mtp:
            model = self._resolver.with_draft_head(model)
        return Run(
            key=text("run") or row,
            source=text("source"),
            regime=regime,
            model=model,
            cluster=self._resolver.cluster(text("chip"), n_chips),
            n_chips=n_chips,
            layout=layout,
            **sizes,
            engine=text("engine"),
            engine_version=text("engine_version"),
            date=text("date"),
            notes=notes,
            stated=frozenset(stated if layout is None else stated | {"layout"}),
            cached=cached,
            drafting=drafting,
        )


def _left_out(line: int, fault: Fault, table: str) -> Row:
    """The row of what could not be read as one."""
    told = {c: fault.about.get(c, "") for c in ("source", "chip", "regime")}
    return Row("", line, None, "", None, fault.status, fault.reason, **told, table=table)


def _measured(text: str) -> float:
    value = number(text, "value")
    if value is None:
        raise Fault(
            "no-value",
            "value is blank, so there is nothing to score; 'ridgeline predict' predicts such rows.",
        )
    return value


def _check_id(name: str, seen: Seen) -> None:
    if not name:
        raise Fault("no-id", "id is blank.")
    if not seen.add(name):
        raise Fault("duplicate-id", f"the id {name!r} has been used before.")


def _check_word(word: str, known: Sequence[str], column: str) -> None:
    if word not in known:
        hint = did_you_mean(word, known)
        raise Fault(
            f"unknown-{column}",
            f"{column} is {_shown(word)!r}.{hint} Known are {', '.join(known)}.",
        )


def _is_no_text(cell: str) -> bool:
    """Whether a cell holds zero bytes, or lone surrogates that stand for bytes of no character."""
    return "\0" in cell or (not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell))


def _shown(text: str) -> str:
    """A cell fit to be printed and written: without lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
