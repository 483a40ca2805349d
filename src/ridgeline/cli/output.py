"""Show rows as a table, JSON or CSV; the same rows each time."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

from ridgeline.answers.plain import plain
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.spreadsheets import safe_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["as_table", "check_picture", "print_csv", "print_json", "print_text"]

Row = dict[str, Any]


def check_picture(name: str, known: Iterable[str]) -> None:
    """Refuse the name of a picture that there is not, before anything is computed.

    Raises
    ------
    SpecError   It is none of those known.
    """
    known = tuple(known)
    if name not in known:
        raise SpecError(
            f"There is no picture {name!r}.{did_you_mean(name, known)} "
            f"There are {', '.join(known)}."
        )


def print_text(text: str = "") -> None:
    """Print a line of the answer."""
    print(text)  # noqa: T201  (the face)


def print_json(value: Any) -> None:
    """Print strict JSON: what is not a finite number is null."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def print_csv(rows: Sequence[Row]) -> None:
    """Print rows as CSV, names first; text that a spreadsheet would run is quoted."""
    writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: safe_cell(v) for k, v in row.items()} for row in rows)


def as_table(
    rows: Sequence[Row],
    columns: dict[str, tuple[str, Callable[[Any], str]]],
    *,
    title: str | None = None,
    faint: Callable[[Row], bool] = lambda _: False,
) -> None:
    """Print rows as a table that fits the terminal.

    Parameters
    ----------
    rows : sequence of dict
    columns : mapping   Key of a row to the heading and how to write the value.
    title : str or None
    faint : callable    Rows to grey out.
    """
    from rich import box  # noqa: PLC0415  (only when a table is shown)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, (heading, write) in enumerate(columns.values()):
        is_words = i == 0 or write is str
        table.add_column(heading, justify="left" if is_words else "right", overflow="fold")
    for row in rows:
        cells = ["" if row.get(k) is None else write(row[k]) for k, (_, write) in columns.items()]
        table.add_row(*cells, style="dim" if faint(row) else None)
    # Cells are data: brackets in them are not markup.
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        # A pipe has no width: show all, rather than what a narrow terminal would leave.
        console = Console(markup=False, highlight=False, width=200)
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))  # noqa: T201
