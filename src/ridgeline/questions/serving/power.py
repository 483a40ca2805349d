"""What a chip draws: one definition for all machines, so that they can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster

__all__ = ["power_w", "power_words"]


def power_w(cluster: Cluster) -> float | None:
    """Power of a chip, of which energies of tokens are made: its thermal design power (TDP).

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    float or None   None where it is not published. [W]

    Notes
    -----
    Power at the wall, with the share of host, network and cooling, is known of few machines, so
    that it is told beside (`power_words`) and never counted: 1.5 to 2.5 times as much on servers.
    """
    return cluster.chip.tdp


def power_words(cluster: Cluster) -> list[str]:
    """What power is counted for a machine, and what it draws at the wall where that is known."""
    watts, wall = power_w(cluster), cluster.allin_power_per_chip
    if watts is None:
        return []
    beside = ""
    if wall is not None:
        beside = (
            f"; at the wall, with host, network and cooling, it draws about {wall:,.0f} W "
            f"({wall / watts:.2f} times as much)"
        )
    return [
        f"{cluster.name}: J/token and tok/s per MW count {watts:,.0f} W per chip (TDP){beside}."
    ]
