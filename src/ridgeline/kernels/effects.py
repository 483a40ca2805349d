"""How whole engines differ from their kernels: each effect, where it comes from, what it may be.

An effect is a product of factors over places: all, a family of chips, a chip; all, the age of an
engine, the engine, an era of it, its port to another vendor's chips. A place that was not measured
on several models leaves what they differ by to the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog import dtype, effect_kinds, engines, family_of
from ridgeline.catalog import engine as engine_of
from ridgeline.kernels.kin import spread_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ridgeline.specs.chip import Chip
    from ridgeline.specs.constants import EngineConstants, Factor
    from ridgeline.specs.effects import EffectKind
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.eras import Assumed, Era, HasEras
    from ridgeline.specs.framework import Framework

__all__ = [
    "EFFECTS",
    "NEW_PAIR",
    "Resolved",
    "assumed_at",
    "factors_of",
    "members_of",
    "resolve",
    "resolved_at",
    "resolved_over",
    "scatter_of",
    "scopes_of",
]

#: the vendor whose chips engines are written for; to others they are ported
_HOME = "nvidia"
#: levels of an engine on other vendors' chips
_PORTS = ("port", "port_chip")
#: levels at which some scopes scatter more than others, widest first
SCATTER_LEVELS = ("engine", "framework", "era", "port_chip", "chip")
#: where no measurement tells how much
_USUAL_SCATTER = 0.25
#: the scatter that an engine on a chip in a format adds where that pair was not measured
NEW_PAIR = "new pair"
_BYTE, _TWO_BYTES = 8, 16


#: every effect, as the catalogue has it
EFFECTS: Mapping[str, EffectKind] = effect_kinds()


def scopes_of(chip: Chip, engine: HasEras, era: Era, weights: str = "") -> dict[str, str]:
    """Places a run is at, by level.

    Parameters
    ----------
    chip : Chip
    engine, era : Engine or Framework, Era
    weights : str     Format of the weights; names the pair of engine and chip together with it.

    Returns
    -------
    dict of str to str
        An age only where it is known; a port only where the chip is not of the vendor engines are
        written for.
    """
    found = {
        "all": "all",
        "family": f"family {family_of(chip)}",
        "chip": f"chip {chip.id}",
        engine.kind: f"{engine.kind} {engine.id}",
        "era": f"era {era.id}",
    }
    age = (_era(era.follows) or era).age
    if age:
        found["age"] = f"age {age}"
    core = getattr(era, "core", "")
    if core:
        found["core"] = f"core {core} on {family_of(chip)}"
    if weights:
        found["pair"] = f"pair {engine.id} on {chip.id}, {_width_of(weights)}"
    vendor = chip.vendor.casefold()
    if vendor != _HOME:
        found["port"] = f"port {era.id} to {vendor}"
        found["port_chip"] = f"port {era.id} to {chip.id}"
    return found


def _width_of(weights: str) -> str:
    """Formats that run on the same units."""
    bits = dtype(weights).bits
    return "4-bit" if bits < _BYTE - 1 else "8-bit" if bits < _TWO_BYTES - 1 else "16-bit"


@dataclass(frozen=True, slots=True)
class Resolved:
    """An effect at a run's places: its value, and what is not known of it. [1 or s]"""

    value: float
    sigma: float


def resolve(
    constants: EngineConstants,
    chip: Chip,
    engine: str = "current",
    version: str = "",
) -> dict[str, Resolved]:
    """Effects of an engine on a chip.

    Parameters
    ----------
    constants : EngineConstants
    chip : Chip
    engine, version : str   Of the catalogue; ``current`` is the mean of the newest.

    Returns
    -------
    dict of str to Resolved
    """
    members = members_of(engine_of(engine), version)
    scopes = [scopes_of(chip, e, era) for e, era in members]
    return resolved_over(constants, scopes)


def resolved_over(
    constants: EngineConstants,
    scopes: Sequence[Mapping[str, str]],
    kinds: Mapping[str, EffectKind] = EFFECTS,
) -> dict[str, Resolved]:
    """Effects of a name that stands for several engines: their mean on the log scale.

    Parameters
    ----------
    constants : EngineConstants
    scopes : sequence of mapping   Of each engine: see `scopes_of`.
    kinds : mapping                Which effects.
    """
    each = [resolved_at(constants, at, kinds) for at in scopes]
    if len(each) == 1:
        return each[0]
    found = {}
    for name in kinds:
        logs = [math.log(r[name].value) for r in each]
        mean = sum(logs) / len(logs)
        between = sum((x - mean) ** 2 for x in logs) / len(logs)
        own = sum(r[name].sigma ** 2 for r in each) / len(each)
        found[name] = Resolved(math.exp(mean), (own + between) ** 0.5)
    return found


def members_of(
    engine: Engine | Framework, version: str = "", date: str = ""
) -> list[tuple[HasEras, Era]]:
    """The engine and era of a version or date; of a name that stands for several, each of them."""
    return [_named(name) for name in engine.stands_for] or [(engine, engine.era(version, date))]


def resolved_at(
    constants: EngineConstants,
    scopes: Mapping[str, str],
    kinds: Mapping[str, EffectKind] = EFFECTS,
) -> dict[str, Resolved]:
    """Effects of one engine (or framework, with effects of its own) at its scopes: see `resolve`.

    What an era assumes stands in place of what the fit says. An era that follows another takes that
    one's factors where it has none of its own; it is a place that was not measured all the same.
    """
    seen = frozenset(constants.seen)
    found = {}
    for name, kind in kinds.items():
        own = assumed_at(name, scopes)
        if own is not None:
            found[name] = Resolved(own.value, own.sigma)
            continue
        effect = constants.effects.get(name)
        value, variance = (1.0, 0.0) if effect else (kind.prior, 0.0)
        for level in kind.levels:
            place = scopes.get(level)
            if place is None:
                continue
            own_factor, before = factors_of(constants, name, level, place)
            factor = own_factor or before
            if factor is not None:
                value = value * factor.value
            if place not in seen and not (level in _PORTS and _before(level, place) in seen):
                variance += spread_at(kind.spread[level], effect, level, place) ** 2
        found[name] = Resolved(value, variance**0.5)
    return found


def assumed_at(effect: str, scopes: Mapping[str, str]) -> Assumed | None:
    """What an era assumes of an effect where no fit has measured it; None for nothing."""
    era = _era(scopes.get("era", "").removeprefix("era "))
    own = era.assumed.get(effect) if era else None
    return own if own and own.vendor in ("", _vendor(scopes)) else None


def factors_of(
    constants: EngineConstants, effect: str, level: str, place: str
) -> tuple[Factor | None, Factor | None]:
    """Factors of a place, and of the same place of the era that its own follows."""
    fitted = constants.effects.get(effect)
    if fitted is None:
        return None, None
    before = _before(level, place)
    return fitted.factors.get(place), None if before == place else fitted.factors.get(before)


def _vendor(scopes: Mapping[str, str]) -> str:
    """Whose chip a run is on, by its port."""
    return scopes["port"].rpartition(" to ")[2] if "port" in scopes else _HOME


def _before(level: str, place: str) -> str:
    """The same place of the era that this one follows; else the place itself."""
    if level not in ("era", *_PORTS):
        return place
    era = _era(place.partition(" ")[2].partition(" to ")[0])
    if era is None or not era.follows:
        return place
    return place.replace(f" {era.id}", f" {era.follows}", 1)


@cache
def _era(name: str) -> Era | None:
    """The era of an id; None for none."""
    known = (era for record in _records() for era in record.eras if era.id == name)
    return next(known, None) if name else None


def _named(era_id: str) -> tuple[HasEras, Era]:
    for record in _records():
        for era in record.eras:
            if era.id == era_id:
                return record, era
    record = engine_of(era_id)
    return record, record.era()


def _records() -> Iterator[HasEras]:
    """Engines, and then frameworks, which what is asked of an engine need not load."""
    yield from engines().values()
    from ridgeline.catalog import frameworks  # noqa: PLC0415

    yield from frameworks().values()


def scatter_of(
    constants: EngineConstants, regime: str, metric: str, scopes: Mapping[str, str]
) -> float:
    """Standard deviation of ln(predicted / measured) for a row at these scopes."""
    own = constants.scatter.get(f"{regime} {metric}")
    if own is None:
        alike = [s.sigma for k, s in constants.scatter.items() if k.startswith(f"{regime} ")]
        sigma = max(alike, default=_USUAL_SCATTER)
    else:
        sigma = own.sigma
    for level in SCATTER_LEVELS:
        factor = constants.scatter.get(scopes.get(level, ""))
        sigma *= factor.sigma if factor else 1.0
    new = constants.scatter.get(NEW_PAIR)
    if new is None or scopes.get("pair", "") in ("", *constants.pairs):
        return sigma
    return math.hypot(sigma, new.sigma)
