"""Files of results as documents: JSON objects, rows of CSV, tables in Markdown, logs.

A file is read through once, from its beginning, so that it may be a pipe.
"""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.columns import Fault
from ridgeline.fidelity.measurements.results.genai_perf import from_sections, is_section_header
from ridgeline.fidelity.measurements.results.mlperf import from_log
from ridgeline.files import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "csv_lines", "csv_results", "is_json", "is_markdown", "json_documents", "log_documents",
    "markdown_documents", "section_documents",
]  # fmt: skip

Document = tuple[int, Any]

#: results with the times of every token of ten thousand requests are some 100 MB
_MOST_BYTES = 256 * 10**6
#: integers with more digits are read as floats, which are infinite where they are too large
_EXACT_DIGITS = 18
_DEVICE = re.compile(r"\s*Device \d+: ([^,]+)")


def is_json(path: Path, start: bytes) -> bool:
    """Whether a file holds JSON: by how it begins, or by its name."""
    begins = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    named_so = path.suffix.casefold() in (".json", ".jsonl", ".ndjson")
    return begins in (b"{", b"[") or named_so


def is_markdown(start: bytes) -> bool:
    """Whether a text has the table of llama-bench, below what else it prints."""
    return re.search(rb"^\s*\|[^\n]*\bt/s\b[^\n]*\|", start, re.MULTILINE) is not None


# --- JSON


def json_documents(file: IO[bytes], path: Path) -> Iterator[Document]:
    """Results in JSON: one, a list of them, one a line, or one after the other.

    Yields
    ------
    (int, object or Fault)   The number of the result, or of its line; a line that is cut is a
                             fault of its own.

    Raises
    ------
    RidgelineError   No JSON at all, none in it, or larger than results are.
    """
    first = b""
    while not first.strip():
        first = file.readline(_MOST_BYTES)
        if not first:
            raise RidgelineError(f"{named(path)} holds no results.")
    head = _parsed(_decoded(first, path))
    if isinstance(head, dict):
        yield from _line_by_line(first, file, path)
        return
    rest = file.read(_MOST_BYTES)
    if len(rest) == _MOST_BYTES:
        size = f"{_MOST_BYTES / 1e6:g} MB"
        raise RidgelineError(f"{named(path)} has more than {size}; results are smaller.")
    yield from _whole(_decoded(first + rest, path), path)


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RidgelineError(f"{named(path)} is not UTF-8 text; a JSON file is expected.") from None


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer)


def _parsed(text: str) -> Any:
    """The value that a text holds, or the error."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return error


def _line_by_line(first: bytes, file: IO[bytes], path: Path) -> Iterator[Document]:
    line, n = first, 1
    while line:
        if line.strip():
            yield from _of_line(_decoded(line, path), n)
        line, n = file.readline(_MOST_BYTES), n + 1


def _of_line(line: str, n: int) -> Iterator[Document]:
    found = _parsed(line)
    if isinstance(found, Exception):
        yield n, Fault("bad-line", "the line is no whole JSON object: it may have been cut.")
    else:
        yield from ((n, x) for x in (found if isinstance(found, list) else [found]))


def _whole(text: str, path: Path) -> Iterator[Document]:
    found = _parsed(text)
    if isinstance(found, Exception):
        yield from _several(text, found, path)
        return
    found = found if isinstance(found, list) else [found]
    if not found:
        raise RidgelineError(f"{named(path)} holds no results.")
    yield from enumerate(found, 1)


def _several(text: str, error: Exception, path: Path) -> Iterator[Document]:
    """Lines of which some are cut; or objects over several lines, one after the other."""
    lines = [(i, x) for i, x in enumerate(text.splitlines(), 1) if x.strip()]
    sound = sum(isinstance(_parsed(x), dict) for _, x in lines) if len(lines) > 1 else 0
    if 2 * sound >= len(lines) and sound:
        for i, line in lines:
            yield from _of_line(line, i)
        return
    objects = _one_after_the_other(text)
    if objects is None:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RidgelineError(f"{named(path)} is not valid JSON: {why}.")
    yield from enumerate(objects, 1)


def _one_after_the_other(text: str) -> list[Any] | None:
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found.append(value)
    return found if all(isinstance(x, dict) for x in found) else None


# --- CSV


def csv_lines(file: IO[bytes]) -> Iterator[tuple[int, list[str] | Fault]]:
    """Lines with the number they begin at; a line that is no CSV is a fault of its own."""
    # Bytes that are no UTF-8 come in as lone surrogates, to be found cell by cell.
    with _as_text(file, "surrogateescape", newline="") as text:
        reader = csv.reader(text)
        while True:
            begins = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield begins, Fault("bad-line", f"not CSV: {error}.")
                continue
            if cells:
                yield begins, cells


def csv_results(
    names: list[str], lines: Iterator[tuple[int, list[str] | Fault]]
) -> Iterator[Document]:
    """Rows of CSV as objects by their column names; empty cells are left out."""
    names = [n.strip() for n in names]
    for line, cells in lines:
        if isinstance(cells, Fault):
            yield line, cells
        elif len(cells) != len(names):
            yield (
                line,
                Fault(
                    "ragged-line",
                    f"{len(cells)} cells where the first line names {len(names)} columns.",
                ),
            )
        else:
            pairs = zip(names, cells, strict=True)
            yield line, {k: v.strip() for k, v in pairs if k and v.strip()}


def section_documents(
    names: list[str], lines: Iterator[tuple[int, list[str] | Fault]]
) -> Iterator[Document]:
    """The one result that sections of CSV hold: ``Metric,avg,min,...``, ``Metric,Value``."""
    assert is_section_header(names)

    def sound() -> Iterator[list[str]]:
        yield names
        for _, cells in lines:
            if not isinstance(cells, Fault):
                yield cells

    yield 1, from_sections(sound())


# --- texts


@contextmanager
def _as_text(file: IO[bytes], errors: str, newline: str | None = None) -> Iterator[IO[str]]:
    """The text of an open file, which stays its owner's to close."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors=errors, newline=newline)
    try:
        yield text
    finally:
        with suppress(ValueError):  # closed by its owner already
            text.detach()


def _texts(file: IO[bytes]) -> Iterator[str]:
    with _as_text(file, "replace") as text:
        yield from text


def log_documents(file: IO[bytes]) -> Iterator[Document]:
    """The one result of a log of MLPerf."""
    yield 1, from_log(_texts(file))


def markdown_documents(file: IO[bytes]) -> Iterator[Document]:
    """Rows of the tables of llama-bench; of what it prints before, the devices are read."""
    names: list[str] = []
    devices: set[str] = set()
    for n, line in enumerate(_texts(file), 1):
        if device := _DEVICE.match(line):
            devices.add(device[1].strip())
        if not line.lstrip().startswith("|"):
            names = []
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not names:
            names = cells
        elif not all(set(c) <= set("-: ") for c in cells):
            row = dict(zip(names, cells, strict=False))
            yield n, {**row, "device": devices.copy().pop()} if len(devices) == 1 else row
