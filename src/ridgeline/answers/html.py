"""An answer as a small self-contained piece of HTML, for notebooks."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ridgeline import markup
from ridgeline.answers.columns import Shown, fitting, shown_columns
from ridgeline.errors import RidgelineError

if TYPE_CHECKING:
    from ridgeline.answers.answer import Answer
    from ridgeline.answers.table import Table

__all__ = ["answer_html", "table_html"]

#: characters of a table's row: as wide as a notebook's cell
_WIDTH = 110
#: longer tables are cut: the exports have all rows
_MOST_ROWS = 40
#: units that the cells of a column do not say themselves
_HEADING_UNITS = {"tok/s": "tok/s", "tokens": "tokens", "reach": "tokens", "USD/Mtok": "$/Mtok"}


def answer_html(answer: Answer) -> str:
    """Write an answer as HTML without scripts or outside resources.

    Parameters
    ----------
    answer : Answer   Its text is escaped; its first chart is an image if it can be drawn.
    """
    headline, *more = answer.sentences or (answer.title,)
    parts = []
    if answer.title not in headline:
        parts.append(markup.paragraph(answer.title, small=True))
    parts.append(markup.paragraph(headline, strong=True))
    parts += [markup.paragraph(s) for s in more]
    parts += [_table(t) for t in answer.tables]
    notes = list(dict.fromkeys(answer.notes))
    parts.append(markup.folded(f"{len(notes)} note{'s' * (len(notes) > 1)}", notes))
    parts.append(_picture(answer))
    return markup.section(parts)


def table_html(table: Table) -> str:
    """Write a table as HTML without scripts or outside resources.

    Parameters
    ----------
    table : Table   Its text is escaped; columns that are less important are named below.
    """
    return markup.section([_table(table)])


def _table(table: Table) -> str:
    columns, left_out = fitting(shown_columns(table), table.first, _WIDTH)
    rows = list(zip(*(c.cells[:_MOST_ROWS] for c in columns), strict=True))
    rest = len(table.rows) - len(rows)
    below = [f"{rest:,} more rows"] * (rest > 0) + left_out
    drawn = markup.table([_heading(c) for c in columns], rows, table.title)
    if not below:
        return drawn
    return drawn + markup.paragraph(f"Also in to_csv(): {', '.join(below)}.", small=True)


def _heading(column: Shown) -> markup.Heading:
    said = _HEADING_UNITS.get(column.unit, "")
    return markup.Heading(
        column.heading,
        column.is_text,
        "" if said in column.heading else said,
        f"{column.key} [{column.unit}]" if column.unit else column.key,
    )


def _picture(answer: Answer) -> str:
    """The first chart as an image; nothing where it cannot be drawn (no price, no converter)."""
    if not answer.charts or find_spec("vl_convert") is None:
        return ""
    first, *others = answer.charts
    with suppress(RidgelineError):
        drawn = markup.image(answer.chart(first).to_bytes(".svg"), f"{answer.title}: {first}")
        named = ", ".join(f'chart("{name}")' for name in others)
        return drawn + (markup.paragraph(f"More pictures: {named}.", small=True) if named else "")
    return ""
