"""What fits a screen: its width, and prose wrapped to it."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from shutil import get_terminal_size

__all__ = ["screen_width", "wrapped"]

#: a number and its unit, or a bound and its number, stay on one line
_JOINED = re.compile(
    r"(?<=\d) (?=(?:(?:[numkMGTPE]|µ)?(?:s|B|W|J|FLOP)(?:/s)?|[kMT]|tok/s|tokens?|TB|x)\b)"
    r"|(?<=<=) (?=\d)"
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
