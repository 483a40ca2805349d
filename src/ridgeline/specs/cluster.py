"""Chips wired together: scale-up domain, links, scale-out, host, and what an hour costs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.chip import Chip
from ridgeline.specs.price import Price
from ridgeline.specs.quantities import BytesPerSecond, PositiveCount, Usd, Watts
from ridgeline.specs.record import Sourced

__all__ = ["Cluster", "FabricKind"]

#: switch: full rate to any peer; mesh: shared over all peers; torus and ring: neighbours
FabricKind = Literal["switch", "mesh", "torus", "ring", "pcie", "bridge", "none"]


class Cluster(Sourced):
    """A number of equal chips in equal scale-up domains.

    Attributes
    ----------
    domain_size : int
        Chips joined by the fast fabric (8 on HGX, 72 on NVL72, 1 where there is none).
    n_domains : int
        Domains, joined by scale-out.
    link : B/s
        *One-way* scale-up rate of one chip, summed over its links.
    link_per_peer : B/s
        One-way rate to a single peer, where that is less (a mesh or a torus is not a switch).
    scale_out : B/s
        One-way network rate of one chip.
    host_link : B/s
        One-way rate between one chip and its host's memory.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    chip: Chip
    domain_size: PositiveCount = 1
    n_domains: PositiveCount = 1
    fabric: FabricKind = "none"
    fabric_name: str = ""
    link: BytesPerSecond | None = None
    link_per_peer: BytesPerSecond | None = None
    scale_out: BytesPerSecond | None = None
    host_link: BytesPerSecond | None = None
    allin_power_per_chip: Watts | None = Field(
        default=None,
        description="Power at the wall for one chip with its share of host, network, cooling.",
    )
    purchase_per_chip: Usd | None = None
    prices: tuple[Price, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.domain_size > 1 and (self.link is None or self.fabric == "none"):
            raise ValueError("a domain of several chips needs a fabric and its link rate.")
        if self.link and self.link_per_peer and self.link_per_peer > self.link * 1.001:
            raise ValueError("link_per_peer cannot exceed link, the sum over all peers.")
        if self.n_domains > 1 and self.scale_out is None:
            raise ValueError("several domains need a scale_out rate to join them.")
        return self
