"""What the whole-engine model must show, and whether it does."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoreboard import Scores, line
from ridgeline.fidelity.scores.splits import FAMILIES, family

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.fidelity.runs import Prediction, Row

__all__ = ["Unseen", "by_family", "coverage_targets", "is_saturated", "targets"]

Unseen = list[tuple["Row", "Prediction"]]

FEWEST_ROWS = 30
_FIXED_BATCH = ("static", "decode", "prefill")
_LOADED = ("closed", "open")
_THROUGHPUT = ("output_tokens_per_s", "output_tokens_per_s_per_chip", "total_tokens_per_s")
_TPOT = ("tpot_s", "itl_s")
_ACHIEVED = re.compile(r"achieved (\d+(?:\.\d+)?) req/s")
#: an offered rate that is met to less than this is beyond what the engine can serve
_MET = 0.85


def is_saturated(row: Row) -> bool:
    """Whether the measurement itself says that the engine could not keep up.

    Open loop: fewer than 85% of the offered requests a second were served. Closed loop: the notes
    say that memory or a cap kept requests waiting for more than half of their time.
    """
    if row.run is None:
        return False
    if any(key.startswith("more than half of a request") for key in row.run.notes):
        return True
    offered = row.run.request_rate_per_s
    achieved = next((m[1] for k in row.run.notes if (m := _ACHIEVED.search(k))), None)
    return bool(offered and achieved and float(achieved) < _MET * offered)


def _scores(pairs: Unseen, keep: Callable[[Row], bool]) -> Scores:
    chosen = [(r, p) for r, p in pairs if keep(r)]
    found = Scores()
    found.add([r for r, _ in chosen], [p for _, p in chosen])
    return found


def _figure(
    what: str, one: dict[str, Any], median: float, p90: float | None = None
) -> list[dict[str, Any]]:
    rows = [_against(f"{what}: median", one["median"], "at most", median, one["n_answered"])]
    if p90 is not None:
        rows.append(_against(f"{what}: p90", one["p90"], "at most", p90, one["n_answered"]))
    return rows


def _against(
    what: str, value: float | None, word: str, limit: float, n_rows: int, unit: str = "%"
) -> dict[str, Any]:
    met = value is not None and (value <= limit if word == "at most" else value >= limit)
    return {
        "figure": what, "value": value, "word": word, "limit": limit, "unit": unit, "met": met,
        "n_rows": n_rows,
    }  # fmt: skip


def targets(models: Unseen, chips: Unseen, n_rows: int, n_answered: int) -> list[dict[str, Any]]:
    """Every figure asked for.

    Parameters
    ----------
    models, chips : list of (Row, Prediction)
        Rows with what was predicted with their model, or their chip, left out of the fit.
    n_rows, n_answered : int
        Rows of the tables, and how many are answered with the shipped constants.

    Returns
    -------
    list of dict   ``figure``, ``value``, ``word`` (at most, at least), ``limit``, ``unit``,
                   ``met``, ``n_rows``.
    """
    fixed = _scores(models, lambda r: r.regime in _FIXED_BATCH).line()
    away = _scores(chips, lambda r: r.regime in _FIXED_BATCH).line()
    offline = _scores(models, lambda r: r.regime == "offline" and r.metric in _THROUGHPUT).line()
    below = [(r, p) for r, p in models if r.regime in _LOADED and not is_saturated(r)]
    tpot = _scores(below, lambda r: r.metric in _TPOT).line()
    ttft = _scores(below, lambda r: r.metric == "ttft_s").line()
    share = n_answered / n_rows if n_rows else None
    rows = [
        _against("rows answered", share, "at least", 0.98, n_rows),
        *_figure("static, decode, prefill, models left out", fixed, 0.12, 0.45),
        *_figure("static, decode, prefill, chips left out", away, 0.20, 0.70),
        *_figure("offline throughput, models left out", offline, 0.15, 0.50),
        *_figure("loaded, below saturation, e2e, models left out", _whole_requests(below), 0.12),
        *_figure("loaded, below saturation, TPOT, models left out", tpot, 0.15),
        *_figure("loaded, below saturation, TTFT, models left out", ttft, 0.30),
    ]
    widths = (("TPOT", _TPOT, 1.7), ("TTFT", ("ttft_s",), 3.0))
    for name, metrics, limit in widths:
        one = _scores(models, lambda r, m=metrics: r.metric in m).line()
        what = f"interval of {name}, high / low: median"
        rows.append(_against(what, one["width"], "at most", limit, one["n_answered"], "x"))
    return rows


def _whole_requests(pairs: Unseen) -> dict[str, Any]:
    """Score ttft + (osl - 1) x time per token of the runs that state both."""
    runs: dict[int, dict[str, tuple[Row, Prediction]]] = defaultdict(dict)
    for row, prediction in pairs:
        if row.status == OK and prediction.status == OK and row.run is not None:
            kind = "token" if row.metric in _TPOT else row.metric
            runs[id(row.run)][kind] = (row, prediction)
    numbers = []
    for metrics in runs.values():
        if "ttft_s" in metrics and "token" in metrics:
            (first, told), (later, told_later) = metrics["ttft_s"], metrics["token"]
            n_later = max((first.run.osl if first.run else 1) or 1, 1) - 1
            measured = (first.value or 0) + n_later * (later.value or 0)
            predicted = [
                getattr(told, end) + n_later * getattr(told_later, end)
                for end in ("value", "low", "high")
            ]
            numbers.append([measured, *predicted])
    return line(*np.array(numbers, dtype=np.float64).reshape(-1, 4).T)


def coverage_targets(pairs: Unseen) -> list[dict[str, Any]]:
    """Coverage of the 80% intervals: overall, and of each regime and chip with 30 rows or more.

    Returns
    -------
    list of dict   ``group``, ``coverage``, ``low``, ``high`` (what is asked), ``n_rows``, ``met``.
    """
    scores = _scores(pairs, lambda _: True)
    groups = [("all rows", scores.line(), 0.72, 0.88)]
    for by in ("regime", "chip"):
        for name in scores.names(by):
            one = scores.line(scores.where(**{by: name}))
            if one["n_answered"] >= FEWEST_ROWS:
                groups.append((f"{by} {name}", one, 0.65, 0.95))
    return [
        {
            "group": name,
            "coverage": one["coverage"],
            "low": low,
            "high": high,
            "n_rows": one["n_answered"],
            "met": one["coverage"] is not None and low <= one["coverage"] <= high,
        }
        for name, one, low, high in groups
    ]


def by_family(chips: Unseen) -> list[dict[str, Any]]:
    """Score each family of chips, every chip predicted from its kin; fixed batches only."""
    rows = []
    for name in FAMILIES:
        scores = _scores(
            chips,
            lambda r, n=name: (
                r.regime in _FIXED_BATCH
                and r.run is not None
                and family(r.run.cluster.chip.id) == n
            ),
        )
        if len(scores):
            rows.append({"group": name, **scores.line()})
    return rows
