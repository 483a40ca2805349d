"""What a chip-hour costs, as a dated record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ridgeline.specs.quantities import UsdPerHour
from ridgeline.specs.record import Record, SourceKind, _iso_date

__all__ = ["Price", "PriceBasis"]

PriceBasis = Literal[
    "spot", "on-demand", "contract", "rental-3yr",
    "own-tco-hyperscaler", "own-tco-neocloud", "derived", "user",
]  # fmt: skip


class Price(Record):
    """Price of one chip for one hour.

    Prices are a series: a new price is a new record with its date, never an edit.
    """

    usd_per_chip_hour: UsdPerHour
    basis: PriceBasis = "user"
    date: Annotated[str, BeforeValidator(_iso_date)] = Field(
        "", description="ISO year[-month[-day]]."
    )
    low: UsdPerHour | None = None
    high: UsdPerHour | None = None
    source: str = ""
    kind: SourceKind | None = None
    note: str = ""
