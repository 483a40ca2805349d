"""What fits a screen: its width, prose wrapped to it, the columns of a table that fit."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GAP", "Need", "choose", "heading_lines", "screen_width", "widths", "wrapped"]

#: spaces between columns
GAP = 2
#: text with spaces wraps in a column of at least so many characters
_TEXT = 20
#: a number and its unit, or a bound and its number, stay on one line
_JOINED = re.compile(
    r"(?<=\d) (?=(?:(?:[numkMGTPE]|µ)?(?:s|B|W|J|FLOP)(?:/s)?|tok/s|tokens?|TB|x)\b)|(?<=<=) (?=\d)"
)
_NO_BREAK = "\N{NO-BREAK SPACE}"


def screen_width() -> int | None:
    """Columns of the screen: what ``COLUMNS`` says, else the terminal's; None for a pipe or file.

    Returns
    -------
    int or None   None where nothing says how wide the reader's screen is: all is shown.
    """
    said = os.environ.get("COLUMNS", "").strip()
    if said.isascii() and said.isdigit() and int(said[:9]):
        return int(said[:9])
    try:
        is_terminal = sys.stdout.isatty()
    except ValueError:  # closed
        is_terminal = False
    return get_terminal_size().columns if is_terminal else None


def wrapped(text: str, width: int | None) -> str:
    """Wrap each line that is longer than the screen, at words; it goes on below its own indent.

    Parameters
    ----------
    text : str
    width : int or None   None leaves lines as they are.

    Examples
    --------
    >>> print(wrapped("  TP 2: a token takes 5.25 ms", 20))
      TP 2: a token
        takes 5.25 ms
    """
    if width is None:
        return text
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    more = indent + "  " if indent else ""
    parts = textwrap.wrap(
        _JOINED.sub(_NO_BREAK, line.strip()),
        max(width, len(more) + 10),
        initial_indent=indent,
        subsequent_indent=more,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(part.replace(_NO_BREAK, " ") for part in parts)


def _words(heading: str) -> list[str]:
    """Words of a heading; a sign that the numbers are bounds stays with the last."""
    words = heading.split()
    return [*words[:-2], " ".join(words[-2:])] if words[-1:] in (["≤"], ["≥"]) else words


def heading_lines(heading: str, width: int) -> str:
    """Wrap a heading at words.

    Examples
    --------
    >>> heading_lines("tok/s per user ≤", 8).split(chr(10))
    ['tok/s', 'per', 'user ≤']
    """
    lines: list[str] = []
    for word in _words(heading):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Need:
    """Room that a column needs.

    Attributes
    ----------
    least : int   Below this a number would be broken, or text could not be read.
    whole : int   With this nothing wraps, its heading neither.
    """

    least: int
    whole: int

    @classmethod
    def of(cls, heading: str, cells: Sequence[str], *, is_text: bool) -> Need:
        """Measure a column; headings wrap at words, numbers never.

        Examples
        --------
        >>> Need.of("tok/s per user", ["207", "1,304"], is_text=False)
        Need(least=5, whole=14)
        """
        from rich.cells import cell_len  # noqa: PLC0415  (only when a table is shown)

        lines = [line for cell in cells for line in cell.split("\n")]
        longest = max(map(cell_len, lines), default=0)
        words = max(map(cell_len, _words(heading)), default=0)
        least = max(longest, words)
        if is_text and longest > _TEXT:
            unbroken = max((cell_len(w) for line in lines for w in line.split()), default=0)
            least = max(min(longest, max(unbroken, _TEXT)), words)
        return cls(least, max(longest, cell_len(heading)))


def choose(needs: Sequence[Need], order: Sequence[Sequence[int]], width: int | None) -> list[int]:
    """Columns that a screen has room for, in the order of the table.

    Parameters
    ----------
    needs : sequence of Need           One per column.
    order : sequence of sequences of int
        Columns by importance; those of one group are shown together or not at all. The first group
        is always shown.
    width : int or None                None shows all.

    Examples
    --------
    >>> choose([Need(5, 5), Need(9, 9), Need(5, 5)], [[0], [2], [1]], 12)
    [0, 2]
    """
    if width is None:
        return sorted(i for group in order for i in group)
    chosen: list[int] = []
    taken = -GAP
    for group in order:
        more = sum(needs[i].least + GAP for i in group)
        if not chosen or taken + more <= width:
            chosen += group
            taken += more
    return sorted(chosen)


def widths(needs: Sequence[Need], width: int | None) -> list[int]:
    """Share a screen's room among the columns that are shown: those that lack least come first.

    Parameters
    ----------
    needs : sequence of Need
    width : int or None        None gives each all that it wants.

    Examples
    --------
    >>> widths([Need(5, 5), Need(5, 9), Need(24, 90)], 60)
    [5, 9, 42]
    """
    if width is None:
        return [need.whole for need in needs]
    found = [need.least for need in needs]
    spare = width - sum(found) - GAP * (len(found) - 1)
    if spare < 0 and found:  # a screen narrower than its most important column
        widest = max(range(len(found)), key=found.__getitem__)
        found[widest] = max(found[widest] + spare, 1)
        return found
    for i in sorted(range(len(needs)), key=lambda i: needs[i].whole - needs[i].least):
        given = min(needs[i].whole - found[i], spare)
        found[i] += given
        spare -= given
    return found
