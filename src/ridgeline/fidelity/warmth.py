"""Whether a server had served requests before a run: the first tokens of a cold one wait."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run

__all__ = ["WARM_SINCE", "Warmth", "warmth"]

Warmth = Literal["warm", "cold", "not stated"]

#: from this day on the public benchmark that most served runs come from sends requests before it
#: measures (SemiAnalysis InferenceX, its launch scripts)
WARM_SINCE = "2026-01-21"
_COLD = re.compile(r"\bcold\b|\bno warm-?up", re.IGNORECASE)
_WARM = re.compile(r"\bwarm(?:ed)?\b|\bafter warm-?up", re.IGNORECASE)
_OF_THE_BENCHMARK = re.compile(r"\bInferenceX run\b", re.IGNORECASE)


def warmth(run: Run) -> Warmth:
    """Read it off the notes, else off the date.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        ``warm``: the notes say so, or the run is dated from 2026-01-21 on. ``cold``: the notes say
        so, or it is a run of InferenceX dated before. Else ``not stated``.
    """
    said = "; ".join(f"{key} {value}" for key, value in run.notes.items())
    if _COLD.search(said):
        return "cold"
    if _WARM.search(said) or run.date >= WARM_SINCE:
        return "warm"
    if run.date and _OF_THE_BENCHMARK.search(said):
        return "cold"
    return "not stated"
