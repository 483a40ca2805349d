"""Read, predict and score tables, chunk by chunk, however long they are."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.errors import RidgelineError, bug
from ridgeline.fidelity.runs import BUG, OK, Prediction
from ridgeline.fidelity.scores.scoreboard import Scores
from ridgeline.grid import Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ridgeline.fidelity.runs import Row
    from ridgeline.fidelity.scores.predictions import PredictionLines

__all__ = [
    "SHOWN",
    "Scored",
    "answered",
    "score_chunk",
    "score_chunks",
    "shown",
    "unanswered",
]

#: rows without an answer that are remembered one by one; beyond, they are only counted
_REMEMBERED = 1000
#: rows that are remembered to be shown one by one
SHOWN = 40


@dataclass
class Scored:
    """What scoring some rows gives; of parts of them `merged` makes that of all.

    Attributes
    ----------
    scores : Scores
    unanswered : list of dict    ``table``, ``line``, ``id``, ``status``, ``reason``; the first
                                 thousand.
    by_status : Counter          Rows by status of their prediction.
    shown : list of dict         The first rows with their predictions, to be shown one by one.
    keep : int                   How many of those.
    """

    scores: Scores = field(default_factory=Scores)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    by_status: Counter[str] = field(default_factory=Counter)
    shown: list[dict[str, Any]] = field(default_factory=list)
    keep: int = SHOWN

    def merged(self, other: Scored) -> Scored:
        """Return what scoring these rows and then those gives.

        Merging is associative, exactly: parts may be joined in any order that keeps their sequence,
        wherever they were scored. ``Scored(keep=n)`` changes nothing.
        """
        both = self.by_status.copy()
        both.update(other.by_status)
        return Scored(
            self.scores.merged(other.scores),
            [*self.unanswered, *other.unanswered][:_REMEMBERED],
            both,
            [*self.shown, *other.shown][: self.keep],
            self.keep,
        )

    def add(self, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
        """Take rows with their predictions."""
        self.scores.add(rows, predictions)
        some = zip(rows[: self.keep - len(self.shown)], predictions, strict=False)
        self.shown += [shown(row, prediction) for row, prediction in some]
        for row, prediction in zip(rows, predictions, strict=True):
            self.by_status[prediction.status] += 1
            if prediction.status != OK and len(self.unanswered) < _REMEMBERED:
                self.unanswered.append(unanswered(row, prediction))


def shown(row: Row, prediction: Prediction) -> dict[str, Any]:
    """A row beside its prediction; the error where both are numbers. [SI]"""
    numbers = {
        "measured": row.value,
        "predicted": prediction.value,
        "low": prediction.low,
        "high": prediction.high,
    }
    found = {k: v if v is not None and math.isfinite(v) else None for k, v in numbers.items()}
    measured, predicted = found["measured"], found["predicted"]
    error = predicted / measured - 1 if measured and predicted is not None else None
    return {
        "table": row.table,
        "line": row.line,
        "id": row.id,
        "metric": row.metric,
        **found,
        "error": error,
        "status": prediction.status,
        "remark": " ".join(prediction.reason.split()),
    }


def unanswered(row: Row, prediction: Prediction) -> dict[str, Any]:
    """Say which row has no answer, and why."""
    return {
        "table": row.table,
        "line": row.line,
        "id": row.id,
        "status": prediction.status,
        "reason": prediction.reason,
    }


def answered(
    rows: Sequence[Row], predict: Callable[[Sequence[Row]], list[Prediction]]
) -> list[Prediction]:
    """Predict the rows that can be; the others answer with their own status and reason.

    A prediction that is not a positive number with its interval is none, whatever it says.

    Returns
    -------
    list of Prediction   One a row, in order.
    """
    good = [r for r in rows if r.status == OK]
    found = iter(_each(good, predict) if good else [])
    return [_sane(next(found)) if r.status == OK else _none(r.status, r.reason) for r in rows]


def _each(
    rows: Sequence[Row], predict: Callable[[Sequence[Row]], list[Prediction]]
) -> list[Prediction]:
    """Predict all at once; where that fails, each half by itself, down to the rows at fault."""
    try:
        return predict(rows)
    except MemoryError:
        raise
    except Exception as error:  # the last handler of a row: others are still predicted
        if len(rows) > 1:
            half = len(rows) // 2
            return _each(rows[:half], predict) + _each(rows[half:], predict)
        if isinstance(error, RidgelineError):
            return [_none("not-predicted", str(error))]
        return [_none(BUG, bug(error))]


def _none(status: str, reason: str) -> Prediction:
    return Prediction(math.nan, math.nan, math.nan, status, reason)


def _sane(one: Prediction) -> Prediction:
    if one.status != OK or 0 < one.low <= one.value <= one.high < math.inf:
        return one
    return _none("no-number", f"{one.reason} the model gave no positive number.".strip())


def score_chunk(
    rows: Sequence[Row], predict: Callable[[Sequence[Row]], list[Prediction]], keep: int = SHOWN
) -> tuple[Scored, list[Prediction]]:
    """Predict and score some rows by themselves; what comes out can be sent and merged.

    Parameters
    ----------
    rows : sequence of Row
    predict : callable   Rows to predictions; one that can be pickled, where rows go elsewhere.
    keep : int           How many rows are remembered to be shown one by one.

    Returns
    -------
    (Scored, list of Prediction)   Of these rows alone: see `Scored.merged`. One a row, in order.
    """
    predictions, outcome = answered(rows, predict), Scored(keep=keep)
    outcome.add(rows, predictions)
    return outcome, predictions


def score_chunks(
    chunks: Iterable[list[Row]],
    predict: Callable[[Sequence[Row]], list[Prediction]],
    *,
    lines: PredictionLines | None = None,
    progress: Callable[[int], None] = lambda _: None,
    keep: int = SHOWN,
    spread: Spread | None = None,
) -> Scored:
    """Predict and score rows as they come.

    Parameters
    ----------
    chunks : iterable of list of Row
    predict : callable               Rows to predictions; one that can be pickled, to be spread.
    lines : PredictionLines or None  Where predictions are written too.
    progress : callable              Told how many rows are done.
    keep : int                       How many rows are remembered to be shown one by one.
    spread : Spread or None          Where chunks are predicted; in this process by default.

    Returns
    -------
    Scored   The parts of `score_chunk`, merged in order, wherever they were made.
    """
    outcome, n_merged = Scored(keep=keep), 0
    sent: dict[int, list[Row]] = {}
    ended: dict[int, tuple[Scored, list[Prediction]]] = {}

    def jobs() -> Iterator[list[Row]]:
        for i, rows in enumerate(chunks):
            sent[i] = rows
            yield rows

    how = _How(predict, keep)
    for i, found in (spread or Spread()).run(_score_sent, how, jobs(), name="chunk"):
        ended[i] = found
        while n_merged in ended:
            part, predictions = ended.pop(n_merged)
            rows = sent.pop(n_merged)
            outcome = outcome.merged(part)
            if lines is not None:
                lines.add(rows, predictions)
            progress(len(outcome.scores))
            n_merged += 1
    return outcome


class _How(NamedTuple):
    """What scoring of all chunks has in common."""

    predict: Callable[[Sequence[Row]], list[Prediction]]
    keep: int


def _score_sent(how: _How, rows: list[Row]) -> tuple[Scored, list[Prediction]]:
    return score_chunk(rows, how.predict, how.keep)
