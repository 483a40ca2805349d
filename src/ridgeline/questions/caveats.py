"""What a careful reader should know about the inputs of any question about a model on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price

__all__ = ["input_caveats"]


def input_caveats(model: Model, cluster: Cluster, price: Price | None) -> list[str]:
    """Numbers that are estimated, a price that nobody knows, and notes of the model's record.

    Parameters
    ----------
    model : Model
    cluster : Cluster
    price : Price or None
    """
    notes = []
    guessed = [p for p, s in cluster.chip.sources.items() if s.kind in ("estimate", "leak")]
    used = [p for p in guessed if p.startswith(("memory", "peak"))]
    if used:
        notes.append(f"Estimated, not published: {cluster.chip.name} {', '.join(used)}.")
    if price is None:
        notes.append(
            f"No price is known for {cluster.name}: give one with --price, in USD per chip-hour."
        )
    if model.notes:
        notes.append(model.notes)
    return notes
