"""Number and kind of chips in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster

__all__ = ["machine_words"]


def machine_words(cluster: Cluster, n_chips: int) -> str:
    """The cluster where whole domains of it are used, else number and kind of chips.

    Parameters
    ----------
    cluster : Cluster
    n_chips : int
    """
    domains, rest = divmod(n_chips, cluster.domain_size)
    if cluster.domain_size > 1 and not rest:
        return cluster.name if domains == 1 else f"{domains:,} x {cluster.name}"
    chip = cluster.chip.name
    return f"{n_chips:,} x {chip}" if n_chips > 1 else chip
