"""Cards on PCIe: how far another machine's links may be from the measured ones', and words for it.

Kernels are a chip's and a fabric's; how cards reach each other over PCIe is a machine's: its
switches, sockets, and whether its driver lets them. One machine of each kind was measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import fabric_constants

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster

__all__ = ["between_machines_sigma", "peer_access_words"]

#: half-width of an 80% interval, in standard deviations
_Z80 = 1.2816
#: times a byte crosses host memory on its way between cards: written and read
_STAGED = 2.0
_GROUP = "all_reduce_graph"


def between_machines_sigma(cluster: Cluster) -> Any:
    r"""Standard deviation of ln of the rate between cards on PCIe, from machine to machine. [1]

    .. math:: \sigma^2 = \left(\sigma_c \log_2 \tfrac{n}{2}\right)^2
              + \left[\text{host}\right] \left(\frac{\ln 2}{2 z}\right)^2

    Parameters
    ----------
    cluster : Cluster   Numeric fields may hold arrays.

    Returns
    -------
    array   0 on other fabrics.

    Notes
    -----
    The share c of the rate that each doubling of cards leaves differs between the measured machines
    by sigma_c. Through host memory an 80% interval from half of the rate to all of it: each byte is
    written and read there. Eight RTX 5090 without peer access reach 28 GB/s, four 35 GB/s
    (NVIDIA/nccl issue 1639): eight RTX PRO 6000 with it 24, four 26 to 30.

    Examples
    --------
    >>> from ridgeline.catalog import cluster
    >>> between_machines_sigma(cluster("hgx-h100"))
    0.0
    >>> bool(between_machines_sigma(cluster("l40s-8")) > 0.3)
    True
    """
    if cluster.fabric != "pcie":
        return 0.0
    constants = fabric_constants(cluster).collective[_GROUP]
    doublings = np.maximum(np.log2(cluster.domain_size / 2), 0.0)
    staged = math.log(_STAGED) / (2 * _Z80) if cluster.peer_access == "host" else 0.0
    return np.hypot(constants.sigmas["doubling_efficiency"] * doublings, staged)


def peer_access_words(cluster: Cluster) -> str:
    """What is assumed where cards cannot reach each other's memory; blank where they can.

    Parameters
    ----------
    cluster : Cluster

    Examples
    --------
    >>> from ridgeline.catalog import cluster
    >>> peer_access_words(cluster("l40s-8"))
    ''
    """
    if cluster.fabric != "pcie" or cluster.peer_access == "direct":
        return ""
    if cluster.peer_access == "broken":
        return (
            f"Peer-to-peer copies of {cluster.name} are taken to collapse across its switches "
            "(peer_access broken), as on the one such machine measured: 20, 5 and 2 GB/s on 2, 4 "
            "and 8 cards with PCIe 4.0"
        )
    return (
        f"The cards of {cluster.name} cannot copy to each other directly (peer_access host): "
        "collectives cross host memory, at the rate of direct copies or down to half of it"
    )
