"""Show rows as a table, JSON or CSV; the same rows each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.answers.columns import Shown, fitting, shown_columns, widths
from ridgeline.answers.plain import plain
from ridgeline.cli.drawing import drawn
from ridgeline.cli.screen import screen_width, wrapped
from ridgeline.errors import SpecError, there_is_no
from ridgeline.spreadsheets import records_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ridgeline.answers import Table
    from ridgeline.answers.columns import Keys

__all__ = [
    "as_table",
    "check_picture",
    "one_output",
    "print_as_is",
    "print_csv",
    "print_json",
    "print_table",
    "print_text",
]

Row = Mapping[str, Any]
#: key of a row to its heading and how to write a value; `str` is text
Columns = Mapping[str, tuple[str, "Callable[[Any], str]"]]


def check_picture(name: str, known: Iterable[str]) -> None:
    """Refuse the name of a picture that there is not, before anything is computed.

    Raises
    ------
    SpecError   It is none of those known.
    """
    known = tuple(known)
    if name not in known:
        raise SpecError(there_is_no("picture", name, known))


def print_text(text: str = "") -> None:
    """Print lines of the answer, wrapped at words where the screen is narrower."""
    _put(lambda width: wrapped(text, width))


def _put(render: Callable[[int | None], str]) -> None:
    """Print what is rendered for the screen's width; all that is for people passes here."""
    print(render(screen_width()))  # noqa: T201  (the face)


def print_as_is(text: str) -> None:
    """Print what is copied or read by programs (JSON, CSV, TOML, commands): never wrapped."""
    print(text)  # noqa: T201  (the face)


def print_json(value: Any) -> None:
    """Print strict JSON: what is not a finite number is null."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def print_csv(rows: Sequence[Row]) -> None:
    """Print rows as CSV, all their keys first; text that a spreadsheet would run is quoted."""
    print_as_is(records_csv([plain(row) for row in rows]).removesuffix("\n"))


def one_output(json: bool, csv: bool) -> None:
    """Refuse two formats at once."""
    if json and csv:
        raise SpecError("Choose one of --json and --csv.")


def as_table(
    rows: Sequence[Row],
    columns: Columns,
    *,
    title: str | None = None,
    faint: Callable[[Row], bool] = lambda _: False,
    first: Sequence[Keys] = (),
    wide: bool = False,
) -> None:
    """Print rows as a table that fits the screen: the most important columns, whole.

    Numbers are never broken: a column for which there is no room is left out, and named below.

    Parameters
    ----------
    rows : sequence of dict
    columns : mapping    Key of a row to the heading and how to write the value.
    title : str or None
    faint : callable     Rows to grey out.
    first : sequence     Keys of columns, the most important first; a tuple of keys is shown
                         together or not at all. Before them comes the leading column, after them
                         the others in their order.
    wide : bool          Show all columns, however narrow the screen.
    """
    shown = [
        Shown(k, heading, i == 0 or write is str,
               ["" if row.get(k) is None else write(row[k]) for row in rows])
        for i, (k, (heading, write)) in enumerate(columns.items())
    ]  # fmt: skip
    _print_columns(shown, title or "", [faint(row) for row in rows], first, wide)


def print_table(
    table: Table, *, wide: bool = False, faint: Callable[[Row], bool] = lambda _: False
) -> None:
    """Print the rows of an answer's table that are worth a line: see `as_table`."""
    shown = shown_columns(table)
    _print_columns(shown, table.title, [faint(row) for row in table.telling], table.first, wide)


def _print_columns(
    columns: Sequence[Shown],
    title: str,
    faint: Sequence[bool],
    first: Sequence[Keys],
    wide: bool,
) -> None:
    def render(width: int | None) -> str:
        room = None if wide else width
        shown, left_out = fitting(columns, first, room)
        return drawn(shown, widths(shown, room), faint, wrapped(_left_out(left_out), width))

    print_text(f"\n{title}" if title else title)
    _put(render)


def _left_out(names: Sequence[str]) -> str:
    return f"Also: {', '.join(names)} (--wide)" if names else ""
