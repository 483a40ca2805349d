"""Tiers of a network: chips in a domain, domains in a pod, pods on a spine.

A cluster is a nest of tiers. The innermost tier joins chips (NVLink, Infinity Fabric, ICI); each
further tier joins units of the one below it (domains by a leaf switch, pods by a spine). A tier's
`size` counts the units it joins, so the chips of a cluster are the product of all sizes:

==========  ====================  ====  ==========  ==============================
tier        what it joins         size  kind        link (one way, per chip)
==========  ====================  ====  ==========  ==============================
0, domain   chips                 8     switch      450 GB/s (NVLink 4)
1, pod      domains               32    infiniband  50 GB/s (one NDR port per GPU)
2, spine    pods                  16    infiniband  50 GB/s, oversubscription 2
==========  ====================  ====  ==========  ==============================

that is 8 x 32 x 16 = 4,096 chips. Chips communicate over the innermost tier that contains all of
them; `link` and `oversubscription` of that tier set the rate, by the laws in `laws/network.py`.

A tier of any kind has two rates. `link` is what one chip sends over all of its links together.
`link_per_peer` is what it sends to a single peer. Behind a switch the two are equal, and
`link_per_peer` stays None. In a mesh each peer has a link of its own: an MI300X sends 448 GB/s to
its seven peers together, but 64 GB/s to one of them, so that a group of two has a seventh of the
rate of a group of eight.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.quantities import BytesPerSecond, PositiveCount, Seconds
from ridgeline.specs.record import Sourced

__all__ = ["ScaleOutKind", "Tier", "TierKind", "check_link_rates"]

#: networks between domains; ``pcie`` joins bridged groups of cards in one host
ScaleOutKind = Literal["ethernet", "infiniband", "pcie"]

#: how the units of a tier are joined: `Cluster` says what each kind means
TierKind = Literal[
    "switch", "mesh", "torus", "ring", "pcie", "bridge", "ethernet", "infiniband", "none"
]


class Tier(Sourced):
    """One level of a network: equal units joined by one kind of link.

    Attributes
    ----------
    size : int
        Units of the tier below that this tier joins; chips for the innermost tier.
    kind : str
        How they are joined; ``none`` for a tier of one unit without links.
    name : str
        What people call it, such as ``NVLink 4`` or ``spine``.
    link : B/s
        *One-way* rate of one chip over this tier, summed over its links.
    link_per_peer : B/s
        One-way rate of one chip to a single peer, where that is less than `link`; else None.
    latency_s : s
        One way, from chip to chip across this tier, without the transfer itself.
    oversubscription : number
        Rate of the links down over the rate of the links up: 2 leaves each chip half of `link`
        when all of them send across the tier at once; 1 is non-blocking.
    """

    size: PositiveCount
    kind: TierKind = "none"
    name: str = ""
    link: BytesPerSecond | None = None
    link_per_peer: BytesPerSecond | None = None
    latency_s: Seconds | None = None
    oversubscription: float = Field(default=1.0, ge=1, le=1e3)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size > 1 and (self.link is None or self.kind == "none"):
            raise ValueError("a tier that joins several units needs a kind and its link rate.")
        check_link_rates(self.link, self.link_per_peer)
        return self


def check_link_rates(link: float | None, link_per_peer: float | None) -> None:
    """Refuse a rate to one peer that has no sum, or exceeds it.

    Parameters
    ----------
    link, link_per_peer : float or None   One-way rates of one chip. [B/s]

    Raises
    ------
    ValueError   Says which of the two to change.
    """
    if link_per_peer is None:
        return
    if link is None:
        raise ValueError("link_per_peer needs link, the sum over all peers.")
    if link_per_peer > link * 1.001:
        raise ValueError("link_per_peer cannot exceed link, the sum over all peers.")
