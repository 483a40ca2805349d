"""Columns of text as lines of a table: headings, a rule, rows; cells wrap within their column.

Numbers and short words, nearly all of every table, are only padded. What must wrap is wrapped by
`rich`, which is imported for it alone: a list of hundreds of rows is drawn in milliseconds.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.answers.columns import GAP, cell_width, heading_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.answers.columns import Shown

__all__ = ["drawn", "is_styled"]

_BOLD, _DIM, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[0m"


class _Lines(NamedTuple):
    """What is drawn between cells."""

    between: str
    rule: str
    crossing: str


_USUAL = _Lines(" ", "─", "─")
_ASCII = _Lines("|", "-", "+")


def is_styled() -> bool:
    """Whether output may be bold and faint: on a terminal, or where the environment says so.

    ``TTY_COMPATIBLE`` (0 or 1) decides, else ``FORCE_COLOR``; a dumb terminal has no styles.
    """
    if os.environ.get("TERM", "").casefold() in ("dumb", "unknown"):
        return False
    compatible = os.environ.get("TTY_COMPATIBLE", "")
    if compatible in ("0", "1"):
        return compatible == "1"
    forced = os.environ.get("FORCE_COLOR")
    if forced is not None:
        return forced != ""
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):  # somebody's stream, or a closed one
        return False


def _is_ascii() -> bool:
    """Whether the output's encoding has no lines to draw with."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return not encoding.casefold().startswith("utf")


def drawn(
    columns: Sequence[Shown], shares: Sequence[int], faint: Sequence[bool], below: str
) -> str:
    """Draw a table, and a faint line below it.

    Parameters
    ----------
    columns : sequence of Shown   Text columns are left-aligned, numbers right-aligned.
    shares : sequence of int      Width of each. [characters]
    faint : sequence of bool      Rows to grey out.
    below : str                   May have several lines; none for no text.
    """
    lines = _ASCII if _is_ascii() else _USUAL
    styled = is_styled()
    sides = ["left" if c.is_text else "right" for c in columns]
    headings = [heading_lines(c.heading, s) for c, s in zip(columns, shares, strict=True)]

    def row(cells: Sequence[str], style: str, *, at_bottom: bool = False) -> list[str]:
        found = [_wrapped(*cell) for cell in zip(cells, shares, sides, strict=True)]
        return _row(found, shares, lines.between, style if styled else "", at_bottom=at_bottom)

    out = row(headings, _BOLD, at_bottom=True)
    if columns:
        rules = [lines.rule * (share + GAP - 1) for share in shares]
        rules[-1] = lines.rule * shares[-1]
        out.append(lines.crossing.join(rules))
    for i, hidden in enumerate(faint):
        out += row([c.cells[i] for c in columns], _DIM if hidden else "")
    out += [f"{_DIM}{line}{_OFF}" if styled and line else line for line in below.splitlines()]
    return "\n".join([*(line.rstrip() for line in "\n".join(out).splitlines()), ""])


def _wrapped(cell: str, width: int, side: str) -> list[str]:
    """Lines of a cell, each as wide as its column."""
    if cell.isprintable() and (taken := cell_width(cell)) <= width:
        if side == "left":
            return [cell + " " * (width - taken)]
        text = cell.rstrip()
        return [" " * (width - cell_width(text)) + text]
    from rich.text import Text  # noqa: PLC0415  (slow to import, and few cells wrap)

    no_console: Any = None  # only full justification asks one
    justify: Any = side
    lines = Text(cell).wrap(no_console, width, justify=justify, overflow="fold")
    return [line.plain + " " * (width - cell_width(line.plain)) for line in lines]


def _row(
    cells: Sequence[Sequence[str]],
    shares: Sequence[int],
    between: str,
    style: str,
    *,
    at_bottom: bool,
) -> list[str]:
    """Lines of a row: cells begin at its top, headings end at its bottom."""
    height = max(map(len, cells), default=0)
    last = len(cells) - 1
    columns = []
    for i, (cell, share) in enumerate(zip(cells, shares, strict=True)):
        pad = "" if i == last else " " * (GAP - 1)
        full = [_in(style, line) + _in(style, pad) for line in cell]
        empty = [_in(style, " " * share + pad)] * (height - len(cell))
        columns.append(empty + full if at_bottom else full + empty)
    return [between.join(line) for line in zip(*columns, strict=True)]


def _in(style: str, text: str) -> str:
    return f"{style}{text}{_OFF}" if style and text else text
