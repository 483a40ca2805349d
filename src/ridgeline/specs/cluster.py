"""Chips wired together: scale-up domain, links, scale-out, host, and what an hour costs.

`Cluster.tiers` gives the network as a list of `ridgeline.specs.network.Tier`, innermost first; the
docstring of that module explains tiers and their rates.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.chip import Chip
from ridgeline.specs.network import ScaleOutKind, Tier, TierKind, check_link_rates
from ridgeline.specs.price import Price
from ridgeline.specs.quantities import BytesPerSecond, PositiveCount, Usd, Watts
from ridgeline.specs.record import Provenance, Sourced

__all__ = ["MOST_CARDS", "Cluster", "FabricKind", "PeerAccess"]

#: how the chips of a scale-up domain are joined: `Cluster` says what each kind means
FabricKind = Literal["switch", "mesh", "torus", "ring", "pcie", "bridge", "none"]

#: how cards on PCIe reach each other's memory: `Cluster` says what each means
PeerAccess = Literal["direct", "host", "broken"]


#: cards that one host holds
MOST_CARDS = 8


class Cluster(Sourced):
    """A number of equal chips in equal scale-up domains.

    Attributes
    ----------
    domain_size : int
        Chips joined by the fast fabric (8 on HGX, 72 on NVL72, 1 where there is none).
    host_size : int
        Chips that one operating system sees, where a domain has several hosts (4 in a tray of
        NVL72); None where a domain is one host, or it is not known.
    n_domains : int
        Domains joined by scale-out.
    fabric : str
        How the chips of a domain are joined, see the notes.
    link : B/s
        *One-way* scale-up rate of one chip, summed over its links.
    link_per_peer : B/s
        One-way rate to a single peer, where that is less (a mesh or a torus is not a switch).
    peer_access : str
        How cards on PCIe reach each other's memory, see the notes.
    scale_out : B/s
        One-way network rate of one chip.
    scale_out_kind : str
        ``ethernet`` or ``infiniband``; ``pcie`` where domains are bridged groups of cards in one
        host, which reach each other over its bus (of up to 8 cards; more is taken as a network);
        None where it is not known.
    oversubscription : number
        Of scale-out: 1 is non-blocking, 2 leaves half of `scale_out` when all chips send at once.
    outer_tiers : tuple of Tier
        Further networks that join several of these (`n_domains` domains is then one pod), innermost
        first: a spine, a campus.
    host_link : B/s
        One-way rate between one chip and its host's memory.

    Notes
    -----
    Kinds of fabric, and what one chip can send:

    * ``switch``: the full `link` to any peer or group (NVSwitch, NVLink of an NVL72 rack).
    * ``mesh``: a link of its own to each peer; `link` needs all of them (MI300X, Gaudi).
    * ``torus``, ``ring``: links to neighbours only; farther peers are reached through them.
    * ``bridge``: cards plugged together in pairs, so that the one peer gets the full `link`.
    * ``pcie``: one port per chip, at its full rate to any peer. Root complexes and links between
      sockets that chips share are in the measured constants, pooled over machines.
    * ``none``: a domain of one chip.

    Peer access over PCIe:

    * ``direct``: peer-to-peer copies work between all cards.
    * ``host``: the driver has them off, as on GeForce cards; libraries copy through host memory,
      where each byte is written and read: between half of the rate and all of it.
    * ``broken``: they are on and collapse beyond one switch (isolation by ACS or an IOMMU is a
      usual cause): as on a measured machine, 20, 5 and 2 GB/s on 2, 4 and 8 cards.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    chip: Chip
    domain_size: PositiveCount = 1
    host_size: PositiveCount | None = None
    n_domains: PositiveCount = 1
    fabric: FabricKind = "none"
    fabric_name: str = ""
    link: BytesPerSecond | None = None
    link_per_peer: BytesPerSecond | None = None
    peer_access: PeerAccess = Field(
        default="direct", description="How cards on PCIe reach each other's memory."
    )
    scale_out: BytesPerSecond | None = None
    scale_out_kind: ScaleOutKind | None = None
    oversubscription: float = Field(
        default=1.0, ge=1, le=1e3, description="Of scale-out; 1 is non-blocking."
    )
    outer_tiers: tuple[Tier, ...] = ()
    host_link: BytesPerSecond | None = None
    allin_power_per_chip: Watts | None = Field(
        default=None,
        description="Power at the wall for one chip with its share of host, network, cooling.",
    )
    purchase_per_chip: Usd | None = None
    prices: tuple[Price, ...] = ()
    notes: str = ""

    def in_words(self) -> str:
        """Number and kind of chips, and what joins them."""
        return f"{self.domain_size} x {self.chip.id}, {self.fabric}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.domain_size > 1 and (self.link is None or self.fabric == "none"):
            raise ValueError("a domain of several chips needs a fabric and its link rate.")
        if self.peer_access != "direct" and self.fabric not in ("pcie", "none"):
            raise ValueError(
                f"peer_access is for cards on PCIe: a {self.fabric} has links of its own; leave it "
                "out, or set fabric to pcie."
            )
        check_link_rates(self.link, self.link_per_peer)
        if self.n_domains > 1 and self.scale_out is None:
            raise ValueError("several domains need a scale_out rate to join them.")
        if self.outer_tiers and self.scale_out is None:
            raise ValueError("outer_tiers need a scale_out rate: it is the tier below them.")
        return self

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The network, innermost tier first; at least the domain and scale-out.

        A tier that joins nothing has size 1. Fields are not validated again, so that they may be
        arrays. Scale-out of unknown kind is called a ``switch``.
        """
        unnamed: TierKind = "none" if self.scale_out is None else "switch"
        domain = Tier.model_construct(
            size=self.domain_size,
            kind=self.fabric,
            name=self.fabric_name,
            link=self.link,
            link_per_peer=self.link_per_peer,
            sources=self._sources_of(
                size="domain_size", link="link", link_per_peer="link_per_peer"
            ),
        )
        scale_out = Tier.model_construct(
            size=self.n_domains,
            kind=self.scale_out_kind or unnamed,
            name="scale-out",
            link=self.scale_out,
            oversubscription=self.oversubscription,
            sources=self._sources_of(
                size="n_domains", link="scale_out", oversubscription="oversubscription"
            ),
        )
        return domain, scale_out, *self.outer_tiers

    @property
    def chips_per_host(self) -> int:
        """Chips that one operating system sees: `host_size`, or the domain where that is None."""
        return min(self.host_size or self.domain_size, self.domain_size)

    @property
    def n_chips(self) -> int:
        """Chips in all tiers: ``domain_size * n_domains``, times the sizes of `outer_tiers`."""
        return math.prod(tier.size for tier in self.tiers)

    def _sources_of(self, **fields: str) -> dict[str, Provenance]:
        """Where the fields of a tier come from: name in the tier to name in the cluster."""
        return {
            mine: self.sources[theirs] for mine, theirs in fields.items() if theirs in self.sources
        }
