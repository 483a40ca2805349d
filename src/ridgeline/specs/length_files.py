"""Files of lengths: a number per line, or a column of a table or trace."""

from __future__ import annotations

import io
import json
import zlib
from typing import TYPE_CHECKING, Any

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.files import MOST_BYTES, named, read_bytes, read_text
from ridgeline.specs.fields import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["COLUMNS", "is_length_file", "read_columns"]

#: what benchmarks and traces call the two lengths, without case, blanks and underscores
COLUMNS = {
    "isl": (
        "isl", "inputtokens", "inputtoks", "inputlength", "inputlen", "inputlens", "ninputtokens",
        "numinputtokens", "prompttokens", "promptlen", "promptlength", "numprompttokens",
        "numprefilltokens", "contexttokens",
    ),
    "osl": (
        "osl", "outputtokens", "outputtoks", "outputlength", "outputlen", "outputlens",
        "noutputtokens", "numoutputtokens", "completiontokens", "responsetokens",
        "generatedtokens", "numgeneratedtokens", "numdecodetokens", "genlen",
    ),
}  # fmt: skip
_SUFFIXES = (".txt", ".csv", ".json", ".jsonl")
_MOST_ROWS = 10**6
_EXPECTED = "a file of lengths, or a sample of its rows,"


def is_length_file(text: str) -> bool:
    """Whether text names a file of lengths, by its suffix.

    Examples
    --------
    >>> is_length_file("traces/monday.jsonl"), is_length_file("a.csv.gz"), is_length_file("512:8k")
    (True, True, False)
    """
    return text.strip().casefold().removesuffix(".gz").endswith(_SUFFIXES)


def read_columns(path: Path) -> dict[str, list[float]]:
    """Read the lengths of a file.

    Parameters
    ----------
    path : Path   ``.txt`` (a number per line), ``.csv``, ``.json`` (rows, or lists by name) or
                  ``.jsonl`` (a row per line), any of them also with ``.gz``.

    Returns
    -------
    dict   ``isl`` and ``osl``, as far as there are such columns, or ``""`` for numbers without a
           name. All lists are of one length. [tokens]

    Raises
    ------
    SpecError   No such file, too large, not readable as what its suffix says, no column of
                lengths, or a row without a number.

    Notes
    -----
    A last line of ``.jsonl`` that is cut off in the middle (of a trace still being written) is left
    out; any other broken row is an error that names it.
    """
    name = path.name.casefold().removesuffix(".gz")
    text = _text(path)
    if name.endswith(".txt"):
        rows = ((i, {"": line}) for i, line in _lines(text))
    elif name.endswith(".csv"):
        rows = _csv_rows(text, path)
    elif name.endswith(".jsonl"):
        rows = _jsonl_rows(text, path)
    else:
        rows = _json_rows(text, path)
    return _columns(rows, path)


def _text(path: Path) -> str:
    """All of a file of limited size."""
    if not path.name.endswith(".gz"):
        return read_text(path, _EXPECTED, error=SpecError)
    data = _unpacked(read_bytes(path, _EXPECTED, error=SpecError), named(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError(f"{named(path)} is not text in UTF-8.") from None


def _unpacked(packed: bytes, name: str) -> bytes:
    import gzip  # noqa: PLC0415  (seldom needed)

    try:
        with gzip.open(io.BytesIO(packed)) as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise SpecError(f"{name} cannot be read: it is not what its name says.") from None
    if len(data) > MOST_BYTES:
        raise SpecError(f"{name} has more than {MOST_BYTES // 10**6} MB; {_EXPECTED} is expected.")
    return data


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for i, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"line {i}", line.strip()


def _csv_rows(text: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import csv  # noqa: PLC0415  (seldom needed)

    reader = csv.reader(io.StringIO(text))
    try:
        header = next(reader, [])
        if len(header) == 1 and _number(header[0]) is not None:
            yield "line 1", {"": header[0]}
            header = [""]
        for row in reader:
            if row:
                yield f"line {reader.line_num}", dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise SpecError(f"{path}, line {reader.line_num}: {error}.") from None


def _jsonl_rows(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    lines = list(_lines(text))
    is_cut = not text.endswith("\n")
    for i, (where, line) in enumerate(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            if is_cut and 0 < i == len(lines) - 1:
                return
            raise SpecError(f"{path}, {where}: this is not JSON.") from None
        yield where, row if isinstance(row, dict) else {"": row}


def _json_rows(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise SpecError(f"{path} is not JSON.") from None
    if isinstance(data, dict):
        lists = {k: v for k, v in data.items() if _meaning(k) and isinstance(v, list)}
        if len({len(v) for v in lists.values()}) > 1:
            raise SpecError(f"{path}: {' and '.join(lists)} are of different lengths.")
        data = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    if not isinstance(data, list):
        raise SpecError(f"{path}: a list of lengths or of rows is expected.")
    for i, row in enumerate(data, start=1):
        yield f"row {i}", row if isinstance(row, dict) else {"": row}


def _columns(rows: Iterable[tuple[str, Mapping[str, Any]]], path: Path) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    names: dict[str, str] = {}
    for i, (where, row) in enumerate(rows):
        if i == 0:
            names = _named(row, path)
            found = {meaning: [] for meaning in names}
        if i >= _MOST_ROWS:
            raise SpecError(f"{path} has more than {_MOST_ROWS:,} rows: give a sample of them.")
        for meaning, name in names.items():
            number = _number(row.get(name))
            if number is None or not 1 <= number <= 1e9:
                raise SpecError(
                    f"{path}, {where}{f', {name}' if name else ''}: a length from 1 to 1e9 tokens "
                    f"is expected, not {shown(row.get(name))}."
                )
            found[meaning].append(number)
    if not found:
        raise SpecError(f"{path} has no lengths.")
    return found


def _named(row: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Which column of the first row is which length."""
    if "" in row and len(row) == 1:
        return {"": ""}
    names: dict[str, str] = {}
    for name in row:
        meaning = _meaning(name)
        if meaning is not None:
            names.setdefault(meaning, name)
    if not names:
        have = ", ".join(str(n) for n in list(row)[:8]) or "none"
        near = "".join(did_you_mean(str(n), ("input_tokens", "output_tokens"), 1) for n in row)
        raise SpecError(
            f"{path} has no column of lengths, such as isl, osl, input_tokens or output_tokens; it "
            f"has {have}.{near}"
        )
    return names


def _meaning(name: object) -> str | None:
    folded = str(name).strip().casefold().replace("_", "").replace(" ", "").replace("-", "")
    return next((meaning for meaning, known in COLUMNS.items() if folded in known), None)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None
