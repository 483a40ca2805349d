"""What the whole-engine model must show, and whether it does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable  # noqa: TC003  (of tables of callables)
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.fidelity.engines.starts import read_starts
from ridgeline.fidelity.engines.starts import scores as scores_of_starts
from ridgeline.fidelity.runs import OK
from ridgeline.fidelity.scores.scoreboard import Scores
from ridgeline.fidelity.scores.splits import FAMILIES, family
from ridgeline.fidelity.warmth import warmth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.fidelity.runs import Prediction, Row
    from ridgeline.fidelity.scores.limits import Verdict
    from ridgeline.fidelity.scores.splits import Unseen

__all__ = [
    "ASKED",
    "Asked",
    "against",
    "answered_share",
    "by_family",
    "coverage_targets",
    "is_broken",
    "is_saturated",
    "promised",
    "score",
    "targets",
]

FEWEST_ROWS = 30
_FIXED_BATCH = ("static", "decode", "prefill")
_LOADED = ("closed", "open")
_QUEUED = ("offline", "slo")
_THROUGHPUT = ("output_tokens_per_s", "output_tokens_per_s_per_chip", "total_tokens_per_s")
_TPOT = ("tpot_s", "itl_s")
_ACHIEVED = re.compile(r"achieved (\d+(?:\.\d+)?) req/s")
#: an offered rate that is met to less than this is beyond what the engine can serve
_MET = 0.85
_ANSWERED = 0.99
_WIDEST_TPOT = 1.7
_RIGHT = 0.90
_OVERALL, _EACH = (0.74, 0.88), (0.65, 0.92)
_BROKEN = re.compile(r"\bbroken\b", re.IGNORECASE)


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


def is_broken(row: Row) -> bool:
    """Whether the source itself marks the row as broken; such rows need no answer."""
    notes = row.run.notes if row.run else {}
    return any(_BROKEN.search(f"{key} {value}") for key, value in notes.items())


@dataclass(frozen=True, slots=True)
class Asked:
    """An error that is asked of a kind of rows.

    Attributes
    ----------
    rows : str         Which rows, for people.
    keep : callable    Whether a row is one.
    left_out : str     What was left out of the fit: one of `ridgeline.fidelity.scores.LEAVE_OUT`.
    median, p90 : float or None   At most; None for what is only reported.
    """

    rows: str
    keep: Callable[[Row], bool]
    left_out: str
    median: float | None = None
    p90: float | None = None

    @property
    def figure(self) -> str:
        """Its name."""
        return f"{self.rows}, {self.left_out} left out"


def _tpot(row: Row) -> bool:
    return row.regime == "closed" and row.metric in _TPOT


def _first(state: str) -> Callable[[Row], bool]:
    """TTFT below saturation of servers in a state."""

    def keep(row: Row) -> bool:
        served = row.metric == "ttft_s" and row.regime in _LOADED and row.run is not None
        return served and not is_saturated(row) and row.run is not None and warmth(row.run) == state

    return keep


def _fixed(row: Row) -> bool:
    return row.regime in _FIXED_BATCH and row.metric != "memory_bytes"


#: what is asked; a median or p90 that is None is reported
ASKED: tuple[Asked, ...] = (
    Asked("closed loop, TPOT", _tpot, "models", 0.12, 0.45),
    Asked("closed loop, TPOT", _tpot, "dates", 0.15, 0.45),
    Asked("closed loop, TPOT", _tpot, "pairs"),
    Asked("open loop, ITL", lambda r: r.regime == "open" and r.metric in _TPOT, "models", 0.12),
    Asked("TTFT below saturation, warm servers", _first("warm"), "models", 0.18),
    Asked("TTFT below saturation, cold servers", _first("cold"), "models"),
    Asked("TTFT below saturation, warm or cold not stated", _first("not stated"), "models"),
    Asked("99th percentile of TTFT", lambda r: r.metric == "ttft_p99_s", "models"),
    Asked(
        "99th percentile of TTFT under latency limits",
        lambda r: r.metric == "ttft_p99_s" and r.regime == "slo",
        "models",
        0.50,
    ),
    Asked(
        "offline and limited throughput",
        lambda r: r.metric in _THROUGHPUT and r.regime in _QUEUED,
        "models",
        0.13,
    ),
    Asked("fixed batches", _fixed, "models", 0.10),
    Asked("fixed batches", _fixed, "chips", 0.15),
)


def score(unseen: Sequence[Unseen], keep: Callable[[Row], bool] = lambda _: True) -> Scores:
    """The scoreboard of the rows that are kept."""
    chosen = [one for one in unseen if keep(one.row)]
    found = Scores()
    found.add([one.row for one in chosen], [one.prediction for one in chosen])
    return found


def against(
    figure: str,
    value: float | None,
    limit: float | None,
    n_rows: int,
    *,
    at_least: bool = False,
    unit: str = "%",
) -> dict[str, Any]:
    """A figure beside what is asked of it; with nothing asked it is reported, and `met` is None."""
    word = "at least" if at_least else "at most"
    met: bool | None = None
    if limit is not None:
        met = value is not None and (value >= limit if at_least else value <= limit)
    return {
        "figure": figure, "value": value, "word": word, "limit": limit, "unit": unit, "met": met,
        "n_rows": n_rows,
    }  # fmt: skip


def start_figures() -> list[dict[str, Any]]:
    """What is asked of memory at start: each server of the shipped table left out in turn."""
    tried = [row for row in read_starts() if row.engine.start is not None]
    found = scores_of_starts(tried)
    off = [math.exp(s.off_by) - 1 for s in found if math.isfinite(s.off_by)]
    false = sum(s.is_false_fit for s in found)
    return [
        against(
            "room for caches at start, each server left out: median", median(off), 0.08, len(off)
        ),
        against("servers that do not start, predicted to", false / len(found), 0.0, len(found)),
    ]


def targets(
    unseen: Mapping[str, Sequence[Unseen]],
    rows: Sequence[Row] = (),
    fitted: Sequence[Prediction] = (),
    verdicts: Sequence[Verdict] = (),
) -> list[dict[str, Any]]:
    """Every figure asked for.

    Parameters
    ----------
    unseen : mapping of str to sequence of Unseen
        What was predicted with models, chips, pairs or dates left out of the fit; a figure of what
        is missing here is left out.
    rows, fitted : sequence   All rows, and what constants fitted to all of them say; none where
                              the share of answers is not asked for.
    verdicts : sequence       On latency limits, with models left out.

    Returns
    -------
    list of dict   ``figure``, ``value``, ``word`` (at most, at least), ``limit``, ``unit``,
                   ``met`` (None where nothing is asked), ``n_rows``.
    """
    found = [answered_share(rows, fitted)] if rows else []
    for asked in ASKED:
        if asked.left_out not in unseen:
            continue
        one = score(unseen[asked.left_out], asked.keep).line()
        n = one["n_answered"]
        if n or asked.median is not None:
            found.append(against(f"{asked.figure}: median", one["median"], asked.median, n))
        if n:
            found.append(against(f"{asked.figure}: p90", one["p90"], asked.p90, n))
    if verdicts:
        share = float(np.mean([one.right for one in verdicts]))
        what = "latency limits kept or not at the measured rate, models left out: share right"
        found.append(against(what, share, _RIGHT, len(verdicts), at_least=True))
    if "models" in unseen:
        known = [one for one in unseen["models"] if one.pair_known]
        one = score(known, lambda r: r.metric in _TPOT).line()
        what = "interval of TPOT where engine and chip were measured together, high / low: median"
        found.append(against(what, one["width"], _WIDEST_TPOT, one["n_answered"], unit="x"))
    return found


def answered_share(rows: Sequence[Row], fitted: Sequence[Prediction]) -> dict[str, Any]:
    """Share of rows with an answer; rows that their source marks as broken are not asked for."""
    pairs = zip(rows, fitted, strict=True)
    wanted = [p.status == OK for r, p in pairs if p.status == OK or not is_broken(r)]
    share = float(np.mean(wanted)) if wanted else None
    return against("rows answered", share, _ANSWERED, len(wanted), at_least=True)


def coverage_targets(unseen: Sequence[Unseen]) -> list[dict[str, Any]]:
    """Coverage of the 80% intervals: overall, and of each regime, chip, engine and era.

    Groups of 30 rows or more.

    Returns
    -------
    list of dict   ``group``, ``coverage``, ``low``, ``high`` (what is asked), ``n_rows``, ``met``,
                   ``width``.
    """
    scores = score(unseen)
    groups = [("all rows", scores.line(), _OVERALL)]
    for by in ("regime", "chip", "engine", "era"):
        for name in scores.names(by):
            one = scores.line(scores.where(**{by: name}))
            if one["n_answered"] >= FEWEST_ROWS:
                groups.append((f"{by} {name or 'not stated'}", one, _EACH))
    return [
        {
            "group": name,
            "coverage": one["coverage"],
            "low": low,
            "high": high,
            "n_rows": one["n_answered"],
            "met": one["coverage"] is not None and low <= one["coverage"] <= high,
            "width": one["width"],
        }
        for name, one, (low, high) in groups
    ]


#: what configurations nobody measured may lack
_UNMEASURED = {
    "models": "the model",
    "pairs": "the engine on the chip",
    "chips": "the chip",
    "dates": "everything after a date",
}

_QUESTIONS: dict[str, Callable[[Row], bool]] = {
    "time per output token under load": lambda r: r.metric in _TPOT and r.regime in _LOADED,
    "time to first token, warm servers below saturation": _first("warm"),
    "highest throughput, limited or not": (
        lambda r: r.metric in _THROUGHPUT and r.regime in _QUEUED
    ),
    "a fixed batch": _fixed,
}


def promised(unseen: Mapping[str, Sequence[Unseen]]) -> list[dict[str, Any]]:
    """Errors and intervals for configurations that nobody measured.

    Returns
    -------
    list of dict   ``question``, ``unmeasured`` and what `scoreboard.line` gives; without those that
                   no row answers.
    """
    found = [
        {"question": question, "unmeasured": words, **score(unseen[what], keep).line()}
        for question, keep in _QUESTIONS.items()
        for what, words in _UNMEASURED.items()
        if what in unseen
    ]
    return [row for row in found if row["n_answered"]]


def by_family(chips: Sequence[Unseen]) -> list[dict[str, Any]]:
    """Score each family of chips, every chip predicted from its kin; fixed batches only."""
    rows = []
    for name in FAMILIES:
        scores = score(
            chips,
            lambda r, n=name: (
                _fixed(r) and r.run is not None and family(r.run.cluster.chip.id) == n
            ),
        )
        if len(scores):
            rows.append({"group": name, **scores.line()})
    return rows
