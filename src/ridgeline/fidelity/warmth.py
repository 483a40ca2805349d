"""Whether a server had served requests before a run: the first tokens of a cold one wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ridgeline.catalog import campaigns

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run

__all__ = ["Warmth", "warmth"]

Warmth = Literal["warm", "cold", "not stated"]

_COLD = re.compile(r"\bcold\b|\bno warm-?up", re.IGNORECASE)
_WARM = re.compile(r"\bwarm(?:ed)?\b|\bafter warm-?up", re.IGNORECASE)


def warmth(run: Run) -> Warmth:
    """Read it off the notes, else off the date.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        ``warm``: the notes say so, or the run is dated from the day on which the public benchmark
        that most served runs come from began to send requests before it measures. ``cold``: the
        notes say so, or it is a run of that benchmark from before. Else ``not stated``.
    """
    said = "; ".join(f"{key} {value}" for key, value in run.notes.items())
    if _COLD.search(said):
        return "cold"
    dated = [c for c in campaigns() if c.warm_since]
    if _WARM.search(said) or any(run.date >= c.warm_since for c in dated):
        return "warm"
    if run.date and any(c.mark.casefold() in said.casefold() for c in dated):
        return "cold"
    return "not stated"
