"""The price per chip-hour, as a dated record."""

from __future__ import annotations

import re
from datetime import date as Date  # noqa: N812  (the field below is called date)
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ridgeline.clock import today
from ridgeline.specs.quantities import UsdPerHour
from ridgeline.specs.record import Record, SourceKind, _iso_date

__all__ = ["Price", "PriceBasis", "PriceDate"]

PriceBasis = Literal[
    "spot", "on-demand", "contract", "rental-3yr",
    "own-tco-hyperscaler", "own-tco-neocloud", "derived", "user",
]  # fmt: skip

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_OLD_DAYS = 365


def _price_date(value: object) -> object:
    """An ISO date to the day, the month or the year; blank for none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _iso_date(value)
    if text == "":
        return text
    try:
        _last_day(str(text))
    except ValueError:
        raise ValueError("a date such as 2026-11-27, 2026-11 or 2026 is expected") from None
    return text


def _last_day(text: str) -> Date:
    """The last day that a date to the day, month or year may mean."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day = (int(part) if part else None for part in found.groups())
    assert year is not None
    if day is not None:
        return Date(year, month or 12, day)
    month = month or 12
    Date(year, month, 1)  # refuses a month that there is not
    first_of_next = Date(year + month // 12, month % 12 + 1, 1)
    return Date.fromordinal(first_of_next.toordinal() - 1)


#: a date of a price: as text, to the day, the month or the year
PriceDate = Annotated[str, BeforeValidator(_price_date)]


class Price(Record):
    """Price of one chip for one hour.

    Prices are a series: a new price is a new record with its date, never an edit.
    """

    usd_per_chip_hour: UsdPerHour
    basis: PriceBasis = "user"
    date: PriceDate = Field(default="", description="ISO year[-month[-day]].")
    low: UsdPerHour | None = None
    high: UsdPerHour | None = None
    source: str = ""
    kind: SourceKind | None = None
    note: str = ""

    @property
    def is_recalled(self) -> bool:
        """Whether it is from memory, and not from a list or an index."""
        return self.kind == "recalled"

    def is_old(self, on: Date | None = None) -> bool:
        """Whether it is more than a year old.

        Parameters
        ----------
        on : date or None   The day it is looked at; None for today.

        Examples
        --------
        >>> price = Price(usd_per_chip_hour=2.99, date="2024-10")
        >>> price.is_old(Date(2025, 10, 31)), price.is_old(Date(2025, 11, 1))
        (False, True)
        """
        return bool(self.date) and ((on or today()) - _last_day(self.date)).days > _OLD_DAYS
