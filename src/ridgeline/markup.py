"""Pieces of HTML for notebooks: self-contained, escaped, legible on light and on dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Heading", "folded", "image", "paragraph", "section", "table"]

# Colours are those of the notebook's text, some fainter: no theme needs to be known.
_STYLE = """\
<style>
.ridgeline { font-size: 0.95em; line-height: 1.45; }
.ridgeline p, .ridgeline details { margin: 0.35em 0; max-width: 64em; }
.ridgeline .scroll { overflow-x: auto; margin: 0.7em 0; }
.ridgeline table { border-collapse: collapse; margin: 0; font-variant-numeric: tabular-nums; }
.ridgeline caption { text-align: left; font-weight: bold; padding: 0.2em 0; color: inherit; }
.ridgeline th, .ridgeline td { padding: 0.18em 0.7em; text-align: right; white-space: nowrap;
  vertical-align: baseline; max-width: none; }
.ridgeline .text { text-align: left; }
.ridgeline .long { white-space: pre-line; min-width: 16em; }
.ridgeline thead th { border-bottom: 1px solid currentColor; vertical-align: bottom; }
.ridgeline small { font-weight: normal; opacity: 0.7; }
.ridgeline summary { cursor: pointer; opacity: 0.8; }
.ridgeline ul { margin: 0.3em 0 0.3em 1.2em; padding: 0; }
.ridgeline img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
</style>"""
#: text of more characters may wrap in its cell
_LONG = 40


class Heading(NamedTuple):
    """Of a column.

    Attributes
    ----------
    text : str
    is_text : bool   Stands to the left.
    unit : str       That cells do not say themselves.
    tip : str        Shown by a pointer that rests on it.
    """

    text: str
    is_text: bool = False
    unit: str = ""
    tip: str = ""


def section(parts: Iterable[str]) -> str:
    """Put pieces together, with their style.

    Parameters
    ----------
    parts : iterable of str   HTML.
    """
    return f'<div class="ridgeline">{_STYLE}{"".join(parts)}</div>'


def paragraph(text: str, *, strong: bool = False, small: bool = False) -> str:
    """Write text as a paragraph.

    Parameters
    ----------
    text : str             Plain.
    strong, small : bool
    """
    inner = escape(text)
    inner = f"<b>{inner}</b>" if strong else inner
    return f"<p>{f'<small>{inner}</small>' if small else inner}</p>"


def table(headings: Sequence[Heading], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Write rows of text as a table.

    Parameters
    ----------
    headings : sequence of Heading
    rows : iterable of sequences of str   Plain text, a cell per heading.
    caption : str
    """
    head = "".join(map(_heading, headings))
    body = "".join(
        f"<tr>{''.join(map(_cell, row, (h.is_text for h in headings)))}</tr>" for row in rows
    )
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{above}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, items: Sequence[str]) -> str:
    """Write items as a list that opens on a click; nothing for no items.

    Parameters
    ----------
    summary : str
    items : sequence of str   Plain.
    """
    if not items:
        return ""
    listed = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<details><summary>{escape(summary)}</summary><ul>{listed}</ul></details>"


def image(svg: bytes, text: str) -> str:
    """Show a picture.

    Parameters
    ----------
    svg : bytes   Shown as an image, so that its ids and styles stay its own.
    text : str    For those who cannot see it.
    """
    from base64 import b64encode  # noqa: PLC0415  (only for pictures)

    data = b64encode(svg).decode()
    return f'<p><img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}"></p>'


def _heading(heading: Heading) -> str:
    unit = f" <small>[{escape(heading.unit)}]</small>" if heading.unit else ""
    tip = f' title="{escape(heading.tip)}"' if heading.tip else ""
    side = ' class="text"' if heading.is_text else ""
    return f"<th{side}{tip}>{escape(heading.text)}{unit}</th>"


def _cell(text: str, is_text: bool) -> str:
    long = " long" if len(text) > _LONG or "\n" in text else ""
    side = f' class="text{long}"' if is_text else ""
    return f"<td{side}>{escape(text)}</td>"
