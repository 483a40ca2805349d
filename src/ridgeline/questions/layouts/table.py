"""The ranking of layouts as a table: its columns, the most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.answers import Table
from ridgeline.answers.words import counted
from ridgeline.questions.headings import headings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.layouts.answer import Layouts

__all__ = ["layouts_table"]

#: rows of a ranking that are worth a line
_LINES = 10
_TPOT = ("tpot_low_s", "tpot_high_s")
_COLUMNS = (
    "cluster", "layout", "concurrency", "ttft_s", "tpot_s", *_TPOT, "tokens_per_s_per_user",
    "tokens_per_s_per_chip", "usd_per_mtok", "usd_per_mtok_output", "usd_per_mtok_input",
    "usd_per_mtok_cached_input", "mfu", "mbu", "joule_per_token", "tokens_per_s_per_mw", "bound",
)  # fmt: skip
#: after what is ranked by; what a narrow screen keeps
_FIRST = (
    "layout", "concurrency", "tokens_per_s_per_user", "tpot_s", "ttft_s", "usd_per_mtok_output",
    "usd_per_mtok_input", "tokens_per_s_per_chip", "bound", _TPOT, "usd_per_mtok", "mfu", "mbu",
    "joule_per_token", "usd_per_mtok_cached_input", "tokens_per_s_per_mw",
)  # fmt: skip


def layouts_table(answer: Layouts, rows: Sequence[dict[str, Any]], n: int = _LINES) -> Table:
    """Rows of a ranking as a table.

    Parameters
    ----------
    answer : Layouts
    rows : sequence of dict   Of its ranking, or of what comes closest.
    n : int                   How many are worth a line.
    """
    shown = rows[:n]
    columns = headings(*_COLUMNS, bounds=answer.reading == "ideal")
    columns = {k: c for k, c in columns.items() if any(r.get(k) is not None for r in shown)}
    if len(answer.searches) == 1:
        columns.pop("cluster", None)
    ranked_by = answer.rank.column
    if "usd_per_mtok_input" not in columns and columns.pop("usd_per_mtok", None):
        ranked_by = "usd_per_mtok_output"  # all tokens that are paid for are output
    first = ("layout", ranked_by, *_FIRST)
    return Table("layouts", _title(answer), columns, rows, first, range(len(shown)))


def _title(answer: Layouts) -> str:
    n = sum(len(s.candidates.layouts) for s in answer.searches)
    points = sum(s.result.infeasible.size for s in answer.searches)
    best = "cheapest" if answer.rank.column.startswith("usd") else "best"
    best = f"{best} first (of ties the simplest)"
    if not answer.ranking:
        best = "closest first"
    looked_at = f"{counted(n, 'layout')}, {counted(points, 'point')}"
    return f"{looked_at}, {answer.reading}; {best}, each at its best batch"
