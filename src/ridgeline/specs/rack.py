"""What a rack can bear, and what the chips of a scale-up domain ask of it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ridgeline.specs.quantities import PositiveCount, Watts
from ridgeline.specs.record import Sourced

__all__ = ["Rack"]


class Rack(Sourced):
    """Physical limits of the rack that one scale-up domain is built into.

    Attributes
    ----------
    cluster : str
        Id of the cluster built so.
    power : W
        What shelves and busbar deliver.
    power_fixed, power_per_chip : W
        Switches and the rest; a chip with its share of host, memory, network and losses.
    air_cooling : W
        Heat that air takes out; of a rack cooled by water, None.
    coolant_flow_m3_per_s, coolant_rise_k : float
        Volume flow a manifold gives, and how much warmer it comes out.
    weight_kg, weight_fixed_kg, weight_per_chip_kg : float
        What frame and floor bear; switches, shelves and frame; a chip's share of its tray.
    n_links_per_chip, n_pairs_per_link, n_cables_max : int
        Copper behind the chips: links to the switches, differential pairs of a link (both ways),
        and how many fit; all None where the chips sit on one board.
    """

    id: str
    name: str
    cluster: str
    power: Watts
    power_fixed: Watts
    power_per_chip: Watts
    air_cooling: Watts | None = None
    coolant_flow_m3_per_s: float | None = Field(default=None, gt=0, le=1)
    coolant_rise_k: float | None = Field(default=None, gt=0, le=100)
    weight_kg: float = Field(gt=0, le=1e5)
    weight_fixed_kg: float = Field(gt=0, le=1e5)
    weight_per_chip_kg: float = Field(gt=0, le=1e4)
    n_links_per_chip: PositiveCount | None = None
    n_pairs_per_link: PositiveCount | None = None
    n_cables_max: PositiveCount | None = None
    notes: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        water = self.coolant_flow_m3_per_s is not None and self.coolant_rise_k is not None
        if water == (self.air_cooling is not None):
            raise ValueError("a rack is cooled by air (air_cooling) or by water (flow and rise).")
        copper = [self.n_links_per_chip, self.n_pairs_per_link, self.n_cables_max]
        if any(n is None for n in copper) != all(n is None for n in copper):
            raise ValueError("links, pairs a link and the most cables come together.")
        return self
