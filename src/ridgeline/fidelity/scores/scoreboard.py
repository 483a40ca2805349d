"""How near predictions come to measurements: errors, bias, coverage and width, by group."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import catalog
from ridgeline.errors import CatalogError
from ridgeline.fidelity.runs import OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.runs import Prediction, Row

__all__ = ["BY", "Scores", "line"]

WITHIN = 0.20

#: what rows can be grouped by, beside all of them
BY: dict[str, Callable[[Row], str]] = {
    "source": lambda r: r.source,
    "chip": lambda r: r.chip,
    "regime": lambda r: r.regime,
    "metric": lambda r: r.metric,
    "model": lambda r: r.run.model.id if r.run else "",
    "engine": lambda r: r.run.engine if r.run else "",
    "era": lambda r: _era(r.run.engine, r.run.engine_version, r.run.date) if r.run else "",
}


@lru_cache(maxsize=4096)
def _era(engine: str, version: str, date: str) -> str:
    """Era of the catalogue's engines or frameworks; one that it lacks by its name."""
    for look_up in (catalog.engine, catalog.framework):
        with suppress(CatalogError):
            return look_up(engine).era(version, date).id if engine else ""
    return engine


@dataclass(frozen=True)
class _Chunk:
    codes: NDArray[np.int32]  # rows x groupings
    measured: NDArray[np.float64]
    predicted: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def coded(self, again: Sequence[NDArray[np.int32]]) -> _Chunk:
        """Return the same rows under other codes, of each grouping by its present ones."""
        codes = [new[old] for new, old in zip(again, self.codes.T, strict=True)]
        return replace(self, codes=np.stack(codes, axis=1))


class Scores:
    """Measured and predicted numbers of rows, held as columns: some 60 bytes a row."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, int]] = {by: {} for by in BY}
        self._chunks: list[_Chunk] = []
        self._joined: _Chunk | None = None

    def __len__(self) -> int:
        return sum(len(c.measured) for c in self._chunks)

    def merged(self, other: Scores) -> Scores:
        """Return the scores of these rows and then those; associative, and neither is changed."""
        found = Scores()
        found._names = {by: dict(names) for by, names in self._names.items()}
        again = [
            np.array([known.setdefault(name, len(known)) for name in theirs], dtype=np.int32)
            for known, theirs in zip(found._names.values(), other._names.values(), strict=True)
        ]
        found._chunks = [*self._chunks, *(chunk.coded(again) for chunk in other._chunks)]
        return found

    def add(self, rows: Sequence[Row], predictions: Sequence[Prediction]) -> None:
        """Take rows with their predictions, in the same order.

        Rows and predictions that are not ``ok`` count as not answered.
        """
        codes = np.empty((len(rows), len(BY)), dtype=np.int32)
        for column, (by, name) in zip(codes.T, BY.items(), strict=True):
            known = self._names[by]
            column[:] = [known.setdefault(one, len(known)) for one in map(name, rows)]
        numbers = np.array(
            [_numbers(row, prediction) for row, prediction in zip(rows, predictions, strict=True)],
            dtype=np.float64,
        ).reshape(-1, 4)
        self._chunks.append(_Chunk(codes, *numbers.T))
        self._joined = None

    @property
    def _all(self) -> _Chunk:
        if self._joined is None:
            empty = _Chunk(np.empty((0, len(BY)), np.int32), *np.empty((4, 0)))
            parts = self._chunks or [empty]
            numbers = (
                np.concatenate([getattr(c, name) for c in parts])
                for name in ("measured", "predicted", "low", "high")
            )
            self._joined = _Chunk(np.concatenate([c.codes for c in parts]), *numbers)
            self._chunks = [self._joined]
        return self._joined

    def where(self, **wanted: str | Sequence[str]) -> NDArray[np.bool_]:
        """Rows of those groups: ``where(regime=("static", "decode"), chip="h100-sxm")``."""
        chosen = np.ones(len(self), dtype=bool)
        for by, names in wanted.items():
            listed = (names,) if isinstance(names, str) else names
            codes = [self._names[by][n] for n in listed if n in self._names[by]]
            chosen &= np.isin(self._all.codes[:, list(BY).index(by)], codes)
        return chosen

    def names(self, by: str) -> list[str]:
        """The groups of one grouping, in order of their names."""
        return sorted(self._names[by])

    def log_ratio(self) -> NDArray[np.float64]:
        """ln(predicted / measured) of each row; NaN where it is not answered."""
        return np.log(self._all.predicted / self._all.measured)

    def line(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """One line of the scoreboard for the chosen rows, see `line`."""
        a = self._all
        mask = np.ones(len(self), dtype=bool) if chosen is None else chosen
        return line(a.measured[mask], a.predicted[mask], a.low[mask], a.high[mask])

    def board(self, by: Sequence[str] = ("source", "chip", "regime", "metric")) -> list[dict]:
        """The scoreboard: all rows, then the groups of each grouping.

        Returns
        -------
        list of dict   ``by`` and ``group``, and what `line` gives.
        """
        rows = [{"by": "all", "group": "all rows", **self.line()}]
        for one in by:
            rows += [
                {"by": one, "group": name, **self.line(self.where(**{one: name}))}
                for name in self.names(one)
            ]
        return rows

    def points(self, at_most: int = 5000) -> list[dict[str, Any]]:
        """Answered rows for a picture, evenly thinned to a number that can be drawn."""
        a = self._all
        answered = np.flatnonzero(np.isfinite(a.predicted) & np.isfinite(a.measured))
        if len(answered) > at_most:
            answered = answered[np.linspace(0, len(answered) - 1, at_most).astype(int)]
        words = {by: list(known) for by, known in self._names.items()}
        return [
            {
                **{by: words[by][a.codes[i, j]] for j, by in enumerate(BY)},
                "measured": float(a.measured[i]),
                "predicted": float(a.predicted[i]),
                "low": float(a.low[i]),
                "high": float(a.high[i]),
            }
            for i in answered
        ]


def _numbers(row: Row, prediction: Prediction) -> tuple[float, float, float, float]:
    if row.value is None or row.status != OK:
        return math.nan, math.nan, math.nan, math.nan
    if prediction.status != OK or not prediction.value > 0:
        return row.value, math.nan, math.nan, math.nan
    return row.value, prediction.value, prediction.low, prediction.high


def line(
    measured: NDArray[np.float64],
    predicted: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> dict[str, Any]:
    """Score some rows.

    Parameters
    ----------
    measured, predicted, low, high : array   NaN where there is no number.

    Returns
    -------
    dict
        ``n_rows``; ``n_answered``; ``median`` and ``p90`` of exp|ln(predicted / measured)| - 1;
        ``bias``, the median of ln(predicted / measured): above 0 is too much; ``within_20``, the
        share of rows whose error is at most 20%; ``coverage``, the share of measurements inside
        their interval; ``width``, the median of high / low. None where no row is answered.

    Examples
    --------
    >>> import numpy as np
    >>> one = line(np.array([1.0, 1.0]), np.array([1.1, 0.8]), np.array([0.9, 0.7]),
    ...            np.array([1.3, 0.9]))
    >>> round(one["median"], 3), one["within_20"], one["coverage"]
    (0.175, 0.5, 0.5)
    """
    answered = np.isfinite(predicted) & np.isfinite(measured)
    found: dict[str, Any] = {"n_rows": len(measured), "n_answered": int(answered.sum())}
    if not answered.any():
        return found | dict.fromkeys(
            ("median", "p90", "bias", "within_20", "coverage", "width"), None
        )
    m, p, lo, hi = (x[answered] for x in (measured, predicted, low, high))
    ratio = np.log(p / m)
    error = np.expm1(np.abs(ratio))
    with np.errstate(over="ignore"):  # of intervals that say nothing
        width = float(np.median(hi / lo))
    return found | {
        "median": float(np.median(error)),
        "p90": float(np.quantile(error, 0.9)),
        "bias": float(np.median(ratio)),
        "within_20": float(np.mean(error <= WITHIN)),
        "coverage": float(np.mean((lo <= m) & (m <= hi))),
        "width": width,
    }
