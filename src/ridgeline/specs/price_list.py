"""Prices that somebody gives: rents of chips and machines, from a TOML file or as a list."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date as Date  # noqa: N812  (a field below is called date)
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import Field, model_validator

from ridgeline.clock import today
from ridgeline.errors import SpecError, did_you_mean, first_line
from ridgeline.files import named, read_text
from ridgeline.specs.fields import Choice, Text, shown
from ridgeline.specs.option_record import OptionRecord
from ridgeline.specs.price import Price, PriceBasis, PriceDate
from ridgeline.specs.quantities import UsdPerHour
from ridgeline.specs.record import Record

__all__ = ["PriceList", "Rent"]

_EXPECTED = "the name of a TOML file of prices, or a list of rents,"


class Rent(OptionRecord):
    """What a chip, or each chip of a cluster, rents for: a line of a price list.

    Attributes
    ----------
    machine : str   Id or alias of a chip, for every machine made of it, or of a cluster.
    """

    usd_per_chip_hour: UsdPerHour
    machine: Annotated[str, Text("the id of a chip or cluster, such as hgx-h200,")]
    basis: Annotated[PriceBasis, Choice(get_args(PriceBasis))] = "on-demand"
    date: PriceDate = Field(description="ISO year[-month[-day]].")
    source: Annotated[str, Text("where the price was read")]
    low: UsdPerHour | None = None
    high: UsdPerHour | None = None
    note: Annotated[str, Text("a remark", empty=True)] = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.date:
            raise ValueError("date: a date such as 2026-11-27, 2026-11 or 2026 is expected.")
        if Date.fromisoformat(f"{self.date}-01-01"[:10]) > today():
            raise ValueError(f"date: {self.date} has not come yet.")
        if self.low is not None and self.low > self.usd_per_chip_hour:
            raise ValueError("low is above the price.")
        if self.high is not None and self.high < self.usd_per_chip_hour:
            raise ValueError("high is below the price.")
        return self

    @property
    def price(self) -> Price:
        """The price, as of somebody's own list."""
        return Price(**self.model_dump(exclude={"machine"}), kind="user")


class PriceList(Record):
    """Rents that somebody gives: see the page on prices.

    Attributes
    ----------
    rent : tuple of Rent
    name : str   Of the file, for messages.
    """

    rent: tuple[Rent, ...] = Field(min_length=1)
    name: str = ""

    @staticmethod
    def expected() -> str:
        """What is read, for messages."""
        return _EXPECTED

    @classmethod
    def of(cls, value: object) -> Self:
        """Read a list of prices.

        Parameters
        ----------
        value : PriceList, str, Path, mapping or sequence   A list, the name of a TOML file, its
                contents, or its rents.

        Raises
        ------
        SpecError   It cannot be read; says which rent is wrong.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str | Path) and str(value).strip():
            path = Path(str(value).strip())
            return cls._checked(_contents(path), path.name)
        if isinstance(value, Mapping):
            return cls._checked(value, str(value.get("name", "")))
        if isinstance(value, list | tuple):
            return cls._checked({"rent": value}, "")
        raise SpecError(f"{_EXPECTED} is expected, not {shown(value)}.")

    @classmethod
    def _checked(cls, data: Mapping[str, Any], name: str) -> Self:
        """Read rents one by one: each problem is a sentence that says which rent has it."""
        start = f"{name}: " if name else ""
        rents = data.get("rent")
        unknown = sorted(str(k) for k in data if k not in ("rent", "name"))
        if unknown:
            near = did_you_mean(unknown[0], ["rent"])
            raise SpecError(f"{start}there is no {unknown[0]} in a list of prices.{near}")
        if not isinstance(rents, list | tuple) or not rents:
            raise SpecError(
                f"{start}a list of rents is expected, each with machine, usd_per_chip_hour, basis, "
                "date and source."
            )
        read = [
            rent if isinstance(rent, Rent) else Rent.read(rent, str, f"{start}rent {n}, ")
            for n, rent in enumerate(rents, 1)
        ]
        return cls(rent=tuple(read), name=name)

    def __repr__(self) -> str:
        return f"PriceList({len(self.rent)} rents{f' of {self.name}' if self.name else ''})"

    def __str__(self) -> str:
        return repr(self)

    def plain(self) -> dict[str, Any]:
        """In JSON types."""
        return self.model_dump(mode="json", exclude_none=True)


def _contents(path: Path) -> dict[str, Any]:
    text = read_text(path, "a TOML file of prices", error=SpecError)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{named(path)} nests too deeply to be a list of prices.") from None
    except ValueError as error:
        raise SpecError(f"{named(path)} is not valid TOML: {first_line(error)}.") from None
    return data
