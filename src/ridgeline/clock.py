"""Today's date, from one place, so that answers that speak of age can be had for any day."""

from __future__ import annotations

import os
from datetime import date

from ridgeline.errors import SpecError

__all__ = ["TODAY_VARIABLE", "today"]

#: environment variable with the date to take for today's, as 2026-11-27
TODAY_VARIABLE = "RIDGELINE_TODAY"


def today() -> date:
    """Today's date, or that of the environment variable ``RIDGELINE_TODAY``.

    Raises
    ------
    SpecError   The variable is no date.
    """
    text = os.environ.get(TODAY_VARIABLE, "").strip()
    if not text:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SpecError(
            f"{TODAY_VARIABLE}: a date such as 2026-11-27 is expected, not {text[:40]!r}."
        ) from None
