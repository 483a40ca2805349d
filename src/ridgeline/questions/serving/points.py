"""The points of a serving answer as a table: its columns, by importance, and the rows to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.answers import Table
from ridgeline.questions.headings import headings
from ridgeline.questions.serving.rows import marks, telling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.questions.serving.answer import Serving

__all__ = ["points_table"]

_PARTS = ("compute_s", "weight_fetch_s", "attention_s", "network_s", "overhead_s")
_STEP = ("time_low_s", "time_high_s")
_TPOT = ("tpot_low_s", "tpot_high_s")

_COLUMNS = (
    "batch", "ttft_s", "tpot_s", *_TPOT, "time_s", *_STEP, *_PARTS, "bound",
    "tokens_per_s_per_user", "tokens_per_s_per_chip", "usd_per_mtok_output", "usd_per_mtok_input",
    "requests_per_s", "mfu", "mbu", "joule_per_token", "memory_bytes_per_chip", "mark",
)  # fmt: skip
#: columns of a table that a narrow screen keeps, the most important first
_FIRST = (
    "context", "ttft_s", "tpot_s", "time_s", "tokens_per_s_per_user", "tokens_per_s_per_chip",
    "usd_per_mtok_output", "mark", "bound", "memory_bytes_per_chip", _STEP, _TPOT,
    "usd_per_mtok_input", "requests_per_s", _PARTS, "mfu", "mbu", "joule_per_token",
)  # fmt: skip


def points_table(answer: Serving, contexts: Iterable[int] | None = None) -> Table:
    """The points of an answer, those that are worth a line shown.

    Parameters
    ----------
    answer : Serving
    contexts : iterable of int or None   Which contexts; None for all.
    """
    result = answer.result
    chosen = range(len(result["context"])) if contexts is None else list(contexts)
    n = len(result["batch"])
    rows: list[dict[str, Any]] = []
    brief: list[int] = []
    for i in chosen:
        marked = marks(
            result,
            i,
            answer.largest_batch(i),
            priced=answer.price is not None,
            limited=any(answer.limits.items()),
        )
        brief += [len(rows) + j for j in telling(result, i, marked)]
        points = result.rows_at((np.full(n, i), np.arange(n)))
        rows += [{**point, "mark": marked.get(j)} for j, point in enumerate(points)]
    columns = _columns(answer)
    if len(chosen) > 1:
        columns = {**headings("context"), **columns}
    title = ""
    if len(chosen) == 1 and len(result["context"]) > 1:
        title = f"context {result['context'][chosen[0]]:,.0f} tokens"
    return Table("points", title, columns, rows, _FIRST, brief)


def _columns(answer: Serving) -> dict[str, tuple[str, str]]:
    """Columns of the table: those that say something about this answer."""
    columns = headings(*_COLUMNS, bounds=answer.reading != "calibrated")
    if answer.reading != "calibrated":
        columns["attention_s"] = ("KV", "s")
    result = answer.result
    unused = {"usd_per_mtok_output", "usd_per_mtok_input"} if answer.price is None else set()
    unused |= {n for n in _PARTS[3:] if not result[n].any()}
    # A request has columns of its own; the parts of its steps are in --explain and --csv.
    steps = {"time_s", *_STEP, *_PARTS, "mbu", "joule_per_token"}
    # Where each step makes one token, its time is the time per token.
    same = bool(np.all(result["tpot_s"] == result["time_s"]))
    unused |= steps if answer.has_requests else {"tpot_s"} if same else set()
    unused |= {"joule_per_token"} if np.isnan(result["joule_per_token"]).any() else set()
    known = {*result.columns, "batch", "mark"}
    return {n: c for n, c in columns.items() if n in known and n not in unused}
