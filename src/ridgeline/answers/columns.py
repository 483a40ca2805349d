"""Which columns of a table fit a width, the most important first; numbers are never broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.answers.table import Table

__all__ = [
    "GAP",
    "Keys",
    "Need",
    "Shown",
    "cell_width",
    "choose",
    "fitting",
    "heading_lines",
    "shown_columns",
    "widths",
]

#: spaces between columns
GAP = 2
#: text with spaces wraps in a column of at least so many characters
_TEXT = 20

#: key of a column, or keys of several that are shown together
Keys = str | tuple[str, ...]


class Shown(NamedTuple):
    """A column as text."""

    key: str
    heading: str
    is_text: bool
    cells: list[str]
    unit: str = ""

    @property
    def need(self) -> Need:
        """The room that it needs."""
        return Need.of(self.heading, self.cells, is_text=self.is_text)


def shown_columns(table: Table) -> list[Shown]:
    """The columns of a table as text, with the rows that are worth a line.

    Parameters
    ----------
    table : Table
    """
    cells = table.cells()
    return [
        Shown(k, heading, i == 0 or unit == "", [row[k] for row in cells], unit)
        for i, (k, (heading, unit)) in enumerate(table.columns.items())
    ]


def fitting(
    columns: Sequence[Shown], first: Sequence[Keys], width: int | None
) -> tuple[list[Shown], list[str]]:
    """Columns that there is room for, and the headings of those left out.

    Parameters
    ----------
    columns : sequence of Shown
    first : sequence      Keys, the most important first; a tuple of keys is shown together or not
                          at all. Before them comes the leading column, after them the others.
    width : int or None   In characters; None for all.

    Returns
    -------
    list of Shown   Without columns that have neither heading nor content.
    list of str     Headings; of several that belong together the first and the last.
    """
    used = [c for c in columns if c.heading or any(c.cells)]
    order = _by_importance([c.key for c in used], first)
    chosen = choose([c.need for c in used], order, width)
    headings = [[used[i].heading for i in group] for group in order if group[0] not in chosen]
    left_out = [" … ".join(dict.fromkeys((g[0], g[-1]))) for g in headings if g[0]]
    return [used[i] for i in chosen], left_out


def cell_width(text: str) -> int:
    """Columns of a screen that text takes: two for a wide letter, none for a combining one."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  (most text is plain)

    return cell_len(text)


def _by_importance(keys: Sequence[str], first: Sequence[Keys]) -> list[list[int]]:
    """Groups of columns, the most important first: the leading column, `first`, the rest."""
    groups = [[k] if isinstance(k, str) else list(k) for k in (*keys[:1], *first)]
    groups += [[k] for k in keys if not any(k in group for group in groups)]
    found: list[list[int]] = []
    done: set[str] = set()
    for group in groups:
        found.append([keys.index(k) for k in group if k in keys and k not in done])
        done |= set(group)
    return [group for group in found if group]


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
        lines = [line for cell in cells for line in cell.split("\n")]
        longest = max(map(cell_width, lines), default=0)
        words = max(map(cell_width, _words(heading)), default=0)
        least = max(longest, words)
        if is_text and longest > _TEXT:
            unbroken = max((cell_width(w) for line in lines for w in line.split()), default=0)
            least = max(min(longest, max(unbroken, _TEXT)), words)
        return cls(least, max(longest, cell_width(heading)))


def choose(needs: Sequence[Need], order: Sequence[Sequence[int]], width: int | None) -> list[int]:
    """Columns that there is room for, in the order of the table.

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


def widths(columns: Sequence[Shown], width: int | None) -> list[int]:
    """Share a screen's room among the columns that are shown: those that lack least come first.

    Parameters
    ----------
    columns : sequence of Shown
    width : int or None        None gives each all that it wants.

    Examples
    --------
    >>> texts = ["what a column of words says, at such length that it cannot be shown in one line"]
    >>> short, long = Shown("a", "name", True, ["TP 2"]), Shown("b", "why", True, texts)
    >>> widths([short, long], 60)
    [4, 54]
    """
    needs = [column.need for column in columns]
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
