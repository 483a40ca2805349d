"""How lengths and limits of a search read in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.service.requests import Requests
    from ridgeline.specs.limits import Limits

__all__ = ["lengths_words", "limit_words"]


def lengths_words(requests: Requests) -> str:
    """The lengths in a few words."""
    if not requests.osl:
        return f"{requests.context:,.0f} tokens of context"
    cached = f", {requests.cached:,.0f} of them cached" if requests.cached else ""
    mean = "" if requests.is_fixed else " on average"
    return f"{requests.isl:,.0f} tokens in{cached}, {requests.osl:,.0f} out{mean}"


def limit_words(limits: Limits) -> Iterator[tuple[str, str, float]]:
    """Metric, its name in sentences, and the seconds of each limit there is."""
    for name, limit in limits.items():
        yield name, name.upper(), limit.seconds
