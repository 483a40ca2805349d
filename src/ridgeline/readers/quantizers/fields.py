"""Fields that quantisers' tables have in common, and the names of the formats they state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.formats import dtype, mean_bits
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = [
    "bits_of",
    "everything",
    "grouped",
    "integer",
    "number",
    "table",
    "texts",
    "wide",
]

_LINEAR = ("Linear",)


def texts(config: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Names under the first of the keys that is there."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        values = list(value) if isinstance(value, (list, tuple, Mapping)) else [value]
        if not all(isinstance(v, str) for v in values):
            raise ConfigError(f"{key} is {shown(value)}, and a list of module names is expected.")
        return tuple(values)
    return ()


def number(config: Mapping[str, Any], *keys: str, default: int | None = None) -> int | None:
    """A whole number under the first of the keys that is there."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{key} is {shown(value)}, and a whole number is expected.")
        return value
    return default


def bits_of(config: Mapping[str, Any], *keys: str, default: int | None = None) -> int:
    """Bits per weight of an integer format, 1 to 8."""
    bits = number(config, *keys, default=default)
    if bits is None or not 1 <= bits <= 8:
        raise ConfigError(
            f"{keys[0]} is {shown(bits)}; a number of bits per weight, 1 to 8, is expected."
        )
    return bits


def table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A nested table; empty where the key is absent."""
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {shown(value)}, and a table is expected.")
    return value


def integer(bits: int, group: int | None, *, weight_only: bool = True, offset: str = "") -> str:
    """Name the integer format of so many bits.

    Parameters
    ----------
    bits : int
    group : int or None    Weights that share a scale; none or below 1: an output channel.
    weight_only : bool     Whether activations keep 16 bits.
    offset : str           ``zp``: a zero point of as many bits per group; ``affine``: a 16-bit one.
    """
    if group is not None and (group == 0 or group < -1):
        raise ConfigError(f"group_size is {group}; -1 or a number of weights is expected.")
    if group is None or group < 1:
        if bits == 8:
            return "w8a16" if weight_only else "int8"
        name = f"int{bits}-channel"
    else:
        name = f"int{bits}-g{group}{offset and f'-{offset}'}"
    if weight_only:
        return dtype(name).id
    return mean_bits("int8" if bits == 8 else "w4a8", dtype(name).bits)


def wide(bits: object) -> bool:
    """Whether an entry of its own says that a module keeps 16 bits or more."""
    return isinstance(bits, (int, float)) and bits >= 16


def everything(stored: str | Stored, config: Mapping[str, Any], *keys: str, **more: Any) -> Scheme:
    """All linear modules in one format, without those listed under the keys."""
    one = stored if isinstance(stored, Stored) else Stored(stored)
    return Scheme((Group(Names(_LINEAR), one),), Names(texts(config, *keys)), **more)


def grouped(entries: Iterable[tuple[str, Stored | None]]) -> tuple[Group, ...]:
    """Names by their format, in the order in which formats are first met."""
    found: dict[Stored | None, list[str]] = {}
    for name, stored in entries:
        found.setdefault(stored, []).append(name)
    return tuple(Group(Names(names), stored) for stored, names in found.items())
