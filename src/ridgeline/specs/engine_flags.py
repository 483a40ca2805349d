"""How serving engines are told a layout."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ridgeline.specs.record import Record

__all__ = ["EngineFlag", "EngineFlags", "FlagSource"]


class EngineFlag(Record):
    """One flag.

    Attributes
    ----------
    value : str    Quantity that goes with it; one that is true makes a bare flag.
    unless : int, float, str or None   Left out where the quantity is this.
    """

    flag: str
    value: str
    unless: int | float | str | None = None
    note: str = ""


class FlagSource(Record):
    """Where a flag was read."""

    title: str
    url: str
    retrieved: str


class EngineFlags(Record):
    """The flags of one engine.

    Attributes
    ----------
    versions : str   That the flags hold for, as far as was read.
    launch : str     Command before the flags, with a place for ``{model}``.
    spreads : str    Over how many chips experts can be spread: ``all or none`` of a stage, or any
                     of its ``divisors``.
    nodes : str      What a replica over several nodes needs besides.
    """

    name: str
    versions: str
    launch: str
    spreads: Literal["all or none", "divisors"]
    nodes: str
    flags: tuple[EngineFlag, ...] = Field(min_length=1)
    kv_formats: dict[str, str]
    sources: tuple[FlagSource, ...] = Field(min_length=1)
