"""What kind of table or of results a file holds, by how it begins."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.measurements.documents import (
    csv_lines,
    csv_results,
    is_json,
    is_markdown,
    json_documents,
    log_documents,
    markdown_documents,
    section_documents,
)
from ridgeline.fidelity.measurements.results import result_lines, tool_of
from ridgeline.fidelity.measurements.results.genai_perf import is_section_header
from ridgeline.fidelity.measurements.results.mlperf import is_log
from ridgeline.files import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from ridgeline.fidelity.measurements.columns import Fault

__all__ = ["A_TABLE", "lines_of"]

A_TABLE = "a table with a line of column names"
_SNIFFED_BYTES = 8192
#: columns by which a table of measurements is told from those of tools
_ABOUT_TABLES = frozenset(("metric", "regime"))


def lines_of(
    file: BinaryIO, path: Path, fill: Mapping[str, str]
) -> Iterator[tuple[int, list[str] | Fault]]:
    """Lines of a table of measurements, or what results come to as such lines.

    Parameters
    ----------
    file : BinaryIO   Open at its beginning; read through once.
    path : Path       Its name.
    fill : mapping    Columns that the user states of results.

    Yields
    ------
    (int, list of str or Fault)   Where a line begins, and its cells; first the column names, which
                                  for results are in no line of the file: 0.

    Raises
    ------
    RidgelineError   No text, or columns are stated of a table that has them.
    """
    start = _start_of(file, path)
    if is_json(path, start):
        return result_lines(json_documents(file, path), path.name, fill)
    if is_markdown(start):
        return result_lines(markdown_documents(file), path.name, fill)
    if is_log(start.decode("utf-8", "replace")):
        return result_lines(log_documents(file), path.name, fill)
    return _csv(file, path, fill)


def _csv(
    file: BinaryIO, path: Path, fill: Mapping[str, str]
) -> Iterator[tuple[int, list[str] | Fault]]:
    """Lines of a table of measurements, or of one that a tool wrote, by its column names."""
    lines = csv_lines(file)
    begins, names = next(lines, (0, None))
    if not isinstance(names, list):
        return iter(())
    folded = {n.strip().casefold() for n in names}
    if not folded >= _ABOUT_TABLES:
        if is_section_header(names):
            return result_lines(section_documents(names, lines), path.name, fill)
        if tool_of(dict.fromkeys(n.strip() for n in names)) is not None:
            return result_lines(csv_results(names, lines), path.name, fill)
    if any(fill.values()):
        raise RidgelineError(
            f"{named(path)} is a table, which says itself what was run: options such as --on and "
            "--tp are for files of benchmark results."
        )
    return chain([(begins, names)], lines)


def _start_of(file: BinaryIO, path: Path) -> bytes:
    """The first bytes, once it is sure that they are text; they stay to be read."""
    start: bytes = file.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]  # pyright: ignore[reportAttributeAccessIssue]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RidgelineError(f"{named(path)} is UTF-16 text; save it as UTF-8.")
    if _is_binary(start.partition(b"\n")[0]):
        raise RidgelineError(f"{named(path)} is not a text file; a CSV file is expected.")
    if not start.strip():
        raise RidgelineError(f"{named(path)} is empty; {A_TABLE} is expected.")
    return start


def _is_binary(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        # The sniffed bytes may end within a character.
        return error.end < len(line)
    return b"\0" in line
