"""Whether a server had served requests before a run: the first tokens of a cold one wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from ridgeline.catalog import campaigns

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run

__all__ = ["Warmth", "warmth"]

Warmth = Literal["warm", "cold", "not stated"]

_COLD = re.compile(r"\bcold (?:server|start)|\b(?:no|without) warm-?up|\bnot warmed", re.IGNORECASE)
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
    if _WARM.search(said):
        return "warm"
    dated = [c for c in campaigns() if c.warm_since]
    own = [c for c in dated if c.is_of(run.notes)]
    if any(run.date >= c.warm_since for c in own or dated):
        return "warm"
    return "cold" if own and run.date else "not stated"
