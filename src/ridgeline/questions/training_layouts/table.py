"""The ranking of training layouts as a table: its columns, the most important first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.answers import Table
from ridgeline.answers.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.training_layouts.answer import TrainingLayouts

__all__ = ["layouts_table"]

#: rows of a ranking that are worth a line
_LINES = 10
_INTERVAL = ("time_low_s", "time_high_s")
#: key to heading, unit, and on which side of a lower bound of time the truth lies
_COLUMNS = {
    "cluster": ("on", "", ""),
    "layout": ("layout", "", ""),
    "time_s": ("step", "s", " ≥"),
    "time_low_s": ("80% from", "s", ""),
    "time_high_s": ("to", "s", ""),
    "tokens_per_s_per_chip": ("tok/s per chip", "tok/s", " ≤"),
    "mfu": ("MFU", "%", " ≤"),
    "bubble_share": ("bubble", "%", ""),
    "peak_bytes": ("memory", "B", ""),
    "headroom_bytes": ("headroom", "B", ""),
    "usd_per_mtok": ("$/Mtok", "USD/Mtok", " ≥"),
    "wh_per_mtok": ("per Mtok (TDP)", "Wh", " ≥"),
}
#: after what is ranked by; what a narrow screen keeps
_FIRST = (
    "layout", "mfu", "headroom_bytes", "tokens_per_s_per_chip", "bubble_share", "peak_bytes",
    _INTERVAL, "usd_per_mtok", "wh_per_mtok",
)  # fmt: skip


def layouts_table(
    answer: TrainingLayouts, rows: Sequence[dict[str, Any]], n: int = _LINES
) -> Table:
    """Rows of a ranking as a table.

    Parameters
    ----------
    answer : TrainingLayouts
    rows : sequence of dict   Of its ranking, or of what comes closest.
    n : int                   How many are worth a line.
    """
    shown = rows[:n]
    bounds = answer.reading != "calibrated"
    columns = {
        key: (f"{heading}{side if bounds else ''}", unit)
        for key, (heading, unit, side) in _COLUMNS.items()
        if any(row.get(key) is not None for row in shown)
    }
    if len(answer.searches) == 1:
        columns.pop("cluster", None)
    if bounds:
        # Whole squares of attention, of which a lower bound times half, are more than the peak.
        columns.pop("mfu", None)
    first = ("layout", answer.rank.column, "time_s", *_FIRST)
    return Table("layouts", _title(answer), columns, rows, first, range(len(shown)))


def _title(answer: TrainingLayouts) -> str:
    best = {"usd_per_mtok": "cheapest", "time_s": "fastest"}.get(answer.rank.column, "least energy")
    best = f"{best} first" if answer.rows else "closest first"
    return f"{counted(answer.n_legal, 'layout')}, {answer.n_fit:,} fit, {answer.reading}; {best}"
