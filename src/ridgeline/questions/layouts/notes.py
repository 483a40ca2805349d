"""What a careful reader should know about the machines of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.power import power_words
from ridgeline.questions.serving.words import (
    engine_words,
    extrapolation_words,
    link_words,
    vector_words,
)

if TYPE_CHECKING:
    from ridgeline.questions.layouts.ranking import Search

__all__ = ["cluster_notes"]


def cluster_notes(search: Search) -> list[str]:
    """Price, power, and what is estimated of a cluster's chip."""
    cluster = search.candidates.base.cluster
    name, chip = cluster.name, cluster.chip
    said = [*([search.too_few] if search.too_few else []), *search.notes]
    said.append(_rent(search, name))
    said += engine_words(search.candidates.base)
    said += extrapolation_words(search.candidates.base)
    said += link_words(search.candidates.base, search.candidates.arrays)
    said += vector_words(search.candidates.base)
    said += power_words(cluster)
    guessed = [p for p, source in chip.sources.items() if source.kind in ("estimate", "leak")]
    used = [p for p in guessed if p.startswith(("memory", "peak"))]
    if used:
        said.append(f"Estimated, not published: {chip.name} {', '.join(used)}.")
    return said


def _rent(search: Search, name: str) -> str:
    price = search.price
    if price is None:
        return f"No price is known for {name}: give one in USD per chip-hour (--price)."
    return f"{name}: {price_words(price)}."
