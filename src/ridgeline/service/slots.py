"""How many sequences a replica has room for: one rule of what an engine keeps free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model

__all__ = ["memory_slots"]


def memory_slots(
    model: Model,
    cluster: Cluster,
    layout: Layout,
    engine: Engine,
    kept: Any,
    *,
    drafts: bool = False,
) -> Any:
    """Sequences of a replica whose caches fit beside weights and what the engine needs.

    Parameters
    ----------
    kept : array   Tokens that memory must hold for each: see `Requests.kept`. [tokens]
    drafts : bool  What drafts is loaded too.

    Returns
    -------
    array   Not rounded; 0 where not even the rest fits; inf where nothing is cached. [1]
    """
    held = memory_per_chip(model, layout, kept, cluster=cluster, engine=engine, drafts=drafts)
    return held.largest_batch(chip_capacity_bytes(cluster.chip))
