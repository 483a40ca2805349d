"""An answer as a small self-contained piece of HTML, for notebooks."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.answers.answer import Answer
    from ridgeline.answers.table import Table

__all__ = ["answer_html", "table_html"]

#: longer tables are cut: the exports have all rows
_MOST_ROWS = 40
#: units that the cells of a column do not say themselves
_HEADING_UNITS = {"tok/s": "tok/s", "tokens": "tokens", "reach": "tokens", "USD/Mtok": "$/Mtok"}
_STYLE = """\
<style>
.ridgeline { font-size: 0.95em; line-height: 1.4; max-width: 70em; }
.ridgeline table { border-collapse: collapse; margin: 0.7em 0; }
.ridgeline caption { text-align: left; font-weight: bold; padding: 0.2em 0; }
.ridgeline th, .ridgeline td { padding: 0.15em 0.7em; text-align: right; white-space: nowrap; }
.ridgeline .text { text-align: left; }
.ridgeline thead th { border-bottom: 1px solid currentColor; }
.ridgeline small { font-weight: normal; opacity: 0.7; }
.ridgeline svg { max-width: 100%; height: auto; }
</style>"""


def table_html(table: Table) -> str:
    """Write a table as HTML without scripts or outside resources.

    Parameters
    ----------
    table : Table   Its text is escaped.
    """
    return f'<div class="ridgeline">{_STYLE}{_table(table)}</div>'


def answer_html(answer: Answer) -> str:
    """Write an answer as HTML without scripts or outside resources.

    Parameters
    ----------
    answer : Answer   Its text is escaped; its first chart is inline SVG if it can be drawn.
    """
    parts = [_STYLE, f"<p><b>{escape(answer.title)}</b></p>"]
    parts += [f"<p>{escape(s)}</p>" for s in answer.sentences]
    parts += [_table(t) for t in answer.tables]
    if answer.notes:
        notes = "".join(f"<li>{escape(n)}</li>" for n in dict.fromkeys(answer.notes))
        parts.append(f"<p>Notes</p><ul>{notes}</ul>")
    parts.append(_picture(answer))
    return f'<div class="ridgeline">{"".join(parts)}</div>'


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    head = "".join(_heading(key, *column) for key, column in table.columns.items())
    cells = table.cells()
    body = "".join(_row(row, table) for row in cells[:_MOST_ROWS])
    rest = len(table.rows) - min(len(cells), _MOST_ROWS)
    more = f"<p><small>{rest:,} more rows: to_csv() has all.</small></p>" if rest > 0 else ""
    head, body = f"<thead><tr>{head}</tr></thead>", f"<tbody>{body}</tbody>"
    return f"<table>{caption}{head}{body}</table>{more}"


def _heading(key: str, heading: str, unit: str) -> str:
    said = _HEADING_UNITS.get(unit, "")
    shown = f" <small>[{said}]</small>" if said and said not in heading else ""
    tip = escape(f"{key} [{unit}]" if unit else key)
    return f'<th{_side(unit)} title="{tip}">{escape(heading)}{shown}</th>'


def _row(row: dict[str, str], table: Table) -> str:
    cells = (f"<td{_side(table.columns[k][1])}>{escape(text)}</td>" for k, text in row.items())
    return f"<tr>{''.join(cells)}</tr>"


def _side(unit: str) -> str:
    return ' class="text"' if unit == "" else ""


def _picture(answer: Answer) -> str:
    """The first chart as SVG; nothing where it cannot be drawn (no price, no converter)."""
    if answer.charts and find_spec("vl_convert") is not None:
        with suppress(Exception):
            return answer.chart().to_bytes(".svg").decode()
    return ""
