"""Lines of measurement tables as rows: what they share is read once, and every fault named."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ridgeline.errors import bug, did_you_mean
from ridgeline.fidelity.measurements.columns import (
    COLUMNS,
    NEEDED_BY_REGIME,
    POOLS,
    Fault,
    count,
    number,
)
from ridgeline.fidelity.measurements.drafting import DRAFT_COLUMNS, stated_drafting
from ridgeline.fidelity.measurements.notes import read_notes
from ridgeline.fidelity.measurements.resolve import Resolver, check_stated
from ridgeline.fidelity.runs import BUG, METRICS, OK, REGIMES, Row, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.fidelity.measurements.ids import Seen

__all__ = ["Parser"]

#: what of a line makes its run, beside the id of the run
_CONFIGURATION = (
    "run", "source", "date", "engine", "engine_version", "chip", "n_chips", "model",
    "weight_dtype", "kv_dtype", "tp", "pp", "ep", "attn_dp", "regime", "batch", "concurrency",
    "request_rate_per_s", "isl", "osl", "cached", *DRAFT_COLUMNS, *POOLS,
)  # fmt: skip
#: what is said with each row, however bad it is
_ABOUT = ("id", "metric", "source", "chip", "regime")
#: what runs share that differ in their numbers alone
_SETUP = (
    "source", "date", "engine", "engine_version", "chip", "n_chips", "model", "weight_dtype",
    "kv_dtype", "tp", "pp", "ep", "attn_dp", "regime", "notes", *DRAFT_COLUMNS, *POOLS,
)  # fmt: skip
_METRICS = frozenset(METRICS)
#: numbers of a run, in the order in which they are read
_NUMBERS = ("batch", "concurrency", "request_rate_per_s", "isl", "osl", "cached")
_FROM_ZERO = frozenset(("isl", "osl", "cached"))


@dataclass(frozen=True, slots=True)
class _Setup:
    """What runs have in common that differ in their numbers alone, or why there are none of it.

    Attributes
    ----------
    early, late : Fault or None   Found before the numbers of a run are read, and after.
    fields : mapping              Of `Run`, all but the numbers, the key and the notes.
    """

    early: Fault | None = None
    late: Fault | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class _Numbers(dict[str, float | None]):
    """Cells of a column as numbers, each text read once; what is no number is refused each time."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, text: str) -> float | None:
        found = number(text, self._column, above_zero=self._column not in _FROM_ZERO)
        self[text] = found
        return found


class Parser:
    """Turns lines into rows; what lines have in common is read and looked up once."""

    def __init__(
        self, places: dict[str, int], n_cells: int, resolver: Resolver, *, results: bool
    ) -> None:
        self._results = results
        self._n_cells = n_cells
        self._resolver = resolver
        self._runs: dict[tuple[str, ...], Run | Fault] = {}
        self._setups: dict[tuple[Any, ...], _Setup] = {}
        self._numbers = [_Numbers(c) for c in _NUMBERS]
        # Columns that are not there are read from a blank cell at the end.
        self._places = {c: places.get(c, n_cells) for c in COLUMNS}
        self._about = self._cells_of(*_ABOUT)
        self._run_of = self._cells_of(*(c for c in _CONFIGURATION if c in places))
        self._setup_of = self._cells_of(*_SETUP)
        self._numbers_of = self._cells_of(*_NUMBERS)

    def _cells_of(self, *columns: str) -> Callable[[list[str]], tuple[str, ...]]:
        return itemgetter(*(self._places[c] for c in columns))

    def forget(self) -> None:
        """Let go of the runs of a chunk."""
        self._runs.clear()
        self._setups.clear()
        for each in self._numbers:
            each.clear()

    def is_known(self, cells: list[str] | Fault) -> bool:
        """Whether a line is of a run that the chunk has."""
        if isinstance(cells, Fault) or len(cells) != self._n_cells:
            return False
        return self._run_of(cells) in self._runs

    def row(
        self, line: int, cells: list[str] | Fault, measured: bool, seen: Seen, table: str
    ) -> Row:
        """Read a line.

        Parameters
        ----------
        line : int                      Where it begins in its file.
        cells : list of str or Fault    As they stand there.
        measured : bool                 Whether it must have a value.
        seen : Seen                     Ids before it; its own is added.
        table : str                     The file.
        """
        if isinstance(cells, Fault):
            return _left_out(line, cells, table)
        told = list(map(str.strip, cells))
        if len(told) != self._n_cells:
            told = [*told, *[""] * self._n_cells][: self._n_cells]
        told.append("")
        text = "".join(cells)
        about = self._about(told)
        name, metric, source, chip, regime = about if text.isascii() else map(_shown, about)
        try:
            self._check_line(cells, text)
            name = self._own_id(name, table, seen)
            if metric not in _METRICS:
                _check_word(metric, METRICS, "metric")
            run = self._run(cells, told, name)
            value = _measured(told[self._places["value"]]) if measured else None
        except Fault as fault:
            status, reason = fault.status, fault.reason
        except MemoryError:
            raise
        except Exception as error:  # the last handler of a row: others are still scored
            status, reason = BUG, bug(error)
        else:
            return Row(name, line, run, metric, value, OK, "", source, chip, regime, table)
        return Row(name, line, None, metric, None, status, reason, source, chip, regime, table)

    def _own_id(self, name: str, table: str, seen: Seen) -> str:
        """The id of a row; of results, whose ids are of this program, made unique by the file."""
        if self._results and seen.has(name):
            name = f"{table}: {name}"
        _check_id(name, seen)
        return name

    def _check_line(self, cells: list[str], text: str) -> None:
        if len(cells) != self._n_cells:
            raise Fault(
                "ragged-line",
                f"{len(cells)} cells where the first line names {self._n_cells} columns; "
                "a comma inside a cell needs quotes around it.",
            )
        if _is_no_text(text):
            raise Fault("bad-text", "bytes that are not UTF-8 text; save the table as UTF-8.")

    def _run(self, cells: list[str], told: list[str], row: str) -> Run:
        key = self._run_of(cells)
        found = self._runs.get(key)
        if found is None:
            try:
                found = self._made(told, row)
            except Fault as fault:
                found = fault
            if told[self._places["run"]]:
                self._runs[key] = found
        elif isinstance(found, Run):
            for k, v in read_notes(told[self._places["notes"]]).items():
                found.notes.setdefault(k, v)
        if isinstance(found, Fault):
            raise found.again()
        return found

    def _made(self, told: list[str], row: str) -> Run:
        at = self._places
        key = (*self._setup_of(told), bool(told[at["isl"]]), bool(told[at["osl"]]))
        setup = self._setups.get(key)
        if setup is None:
            setup = self._setups[key] = self._set_up(told)
        if setup.early is not None:
            raise setup.early.again()
        each = zip(self._numbers, self._numbers_of(told), strict=True)
        batch, concurrency, rate, isl, osl, cached = [read[text] for read, text in each]
        cached = cached or 0.0
        if cached > (isl or 0.0):
            raise Fault("bad-number", f"cached is {cached:g}, more than the input has (isl).")
        regime = setup.fields["regime"]
        for column in NEEDED_BY_REGIME[regime]:
            if not told[at[column]]:
                raise Fault("missing-input", f"{column} is blank, which {regime} rows need.")
        if setup.late is not None:
            raise setup.late.again()
        return Run(
            key=told[at["run"]] or row,
            batch=batch,
            concurrency=concurrency,
            request_rate_per_s=rate,
            isl=isl,
            osl=osl,
            cached=cached,
            notes=dict(setup.notes),
            **setup.fields,
        )

    def _set_up(self, told: list[str]) -> _Setup:
        """Read and look up all of a run but its numbers."""

        def text(column: str) -> str:
            return told[self._places[column]]

        try:
            _check_word(text("regime"), REGIMES, "regime")
            n_chips = _n_chips(text("n_chips"))
            degrees = {c: count(text(c), c) for c in ("tp", "pp", "attn_dp", "ep")}
        except Fault as fault:
            return _Setup(early=fault)
        plain = {c: text(c) for c in ("source", "regime", "engine", "engine_version", "date")}
        try:
            layout = self._resolver.layout(n_chips, **degrees)
            stated = {c for c in ("weight_dtype", "kv_dtype", "ep", "isl", "osl") if text(c)}
            notes = read_notes(text("notes")) | {c: text(c) for c in POOLS if text(c)}
            model = self._resolver.model(text("model"), text("weight_dtype"), text("kv_dtype"))
            check_stated(notes, model)
            drafting, method = stated_drafting({c: text(c) for c in DRAFT_COLUMNS}, notes, model)
            if method == "eagle3" and model.mtp:
                model = self._resolver.with_draft_head(model)
            found: dict[str, Any] = {
                "model": model,
                "cluster": self._resolver.cluster(text("chip"), n_chips),
                "n_chips": n_chips,
                "layout": layout,
                "stated": frozenset(stated if layout is None else stated | {"layout"}),
                "drafting": drafting,
            }
        except Fault as fault:
            return _Setup(late=fault, fields=plain)
        return _Setup(fields=plain | found, notes=notes)


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


def _n_chips(text: str) -> int:
    n_chips = count(text, "n_chips")
    if n_chips is None:
        raise Fault("missing-input", "n_chips is blank.")
    return n_chips


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


def _is_no_text(text: str) -> bool:
    """Whether a text has zero bytes, or lone surrogates that stand for bytes of no character."""
    if text.isascii():
        return "\0" in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text


def _shown(text: str) -> str:
    """A cell fit to be printed and written: without lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
