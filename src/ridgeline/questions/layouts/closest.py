"""Where limits are met by nothing: what comes closest, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.questions.layouts.load import limit_words
from ridgeline.questions.layouts.words import listed, seconds, sequences, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.questions.layouts.ranking import Search
    from ridgeline.specs.limits import Limits

__all__ = ["closest_rows", "missing"]

Row = dict[str, Any]
_MEMORY = 2


def _overshoot(search: Search, limits: Limits) -> np.ndarray:
    """The worst ratio of a time to its limit at each point that fits; inf where it does not."""
    worst = np.zeros(search.result.shape)
    for name, _, limit in limit_words(limits):
        worst = np.maximum(worst, search.result[f"{name}_s"] / limit)
    cannot = np.isin(search.result.infeasible, list(range(1, _MEMORY + 1)))
    return np.where(cannot, np.inf, worst)


def closest_rows(searches: Sequence[Search], limits: Limits, n: int = 3) -> list[Row]:
    """The layouts whose worst limit is missed by least, each at its best batch."""
    found = []
    for search in searches:
        worst = _overshoot(search, limits)
        best = worst.argmin(axis=1)
        least = worst[np.arange(len(best)), best]
        found += [(float(least[i]), search, i, best[i]) for i in np.flatnonzero(np.isfinite(least))]
    closest = sorted(found, key=lambda point: point[0])[:n]
    return [search.row(i, j) | {"overshoot": w} for w, search, i, j in closest]


def missing(searches: Sequence[Search], limits: Limits) -> list[str]:
    """Say of each limit what is possible at all, and what the closest layout misses."""
    if not closest_rows(searches, limits, 1):
        return [_nothing_fits(searches)]
    said = ["No layout meets the limits."]
    for name, told, limit in limit_words(limits):
        lowest = [
            float(np.where(np.isfinite(_overshoot(s, limits)), s.result[f"{name}_s"], np.inf).min())
            for s in searches
        ]
        verb = "cannot be met" if min(lowest) > limit else "can be met alone"
        said.append(f"{told} of {seconds(limit)} {verb}: {seconds(min(lowest))} is the least.")
    (row,) = closest_rows(searches, limits, 1)
    over = [
        f"{told} {seconds(row[f'{name}_s'])} ({_over(row[f'{name}_s'] / limit)})"
        for name, told, limit in limit_words(limits)
    ]
    said.append(
        f"Closest comes {row['layout']} on {row['cluster']}, {row['batch']:,.0f} in flight per "
        f"replica: {listed(over)}."
    )
    return said


def _over(ratio: float) -> str:
    return f"{times(ratio)} the limit" if ratio > 1 else "kept"


def _nothing_fits(searches: Sequence[Search]) -> str:
    """Of batches that memory has no room for: the most that it has."""
    search = max(searches, key=lambda s: float(s.candidates.fits.max()))
    i = int(search.candidates.fits.argmax())
    least = float(search.result["batch"].min())
    return (
        f"No layout has room for a batch of {least:,.0f} in one replica: "
        f"{sequences(search.candidates.fits[i])} are the most, with {search.candidates.name(i)} on "
        f"{search.key}."
    )
