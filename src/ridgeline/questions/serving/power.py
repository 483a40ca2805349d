"""What a chip draws, as well as the catalogue knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster

__all__ = ["power_w"]


def power_w(cluster: Cluster) -> tuple[float | None, str]:
    """Power of a chip and what it is of: at the wall where the cluster knows it, else the chip's.

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    (float or None, str)   [W]
    """
    if cluster.allin_power_per_chip is not None:
        return cluster.allin_power_per_chip, "at the wall, with host, network and cooling"
    if cluster.chip.tdp is not None:
        return cluster.chip.tdp, "thermal design power of the chip alone"
    return None, "unknown"
