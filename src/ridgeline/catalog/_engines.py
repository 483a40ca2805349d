"""Look up engines and the constants of whole engines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ridgeline.catalog._store import BUILT_IN, folded, index, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.formats import dtype
from ridgeline.specs.assumptions import Assumptions
from ridgeline.specs.campaign import Campaign
from ridgeline.specs.constants import EngineConstants
from ridgeline.specs.effects import EffectKind
from ridgeline.specs.engine import Engine
from ridgeline.specs.scheduling import Scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.chip import Chip
    from ridgeline.specs.model import Model

__all__ = [
    "assumptions",
    "campaigns",
    "effect_kinds",
    "engine",
    "engine_constants",
    "engines",
    "scheduling",
    "training_constants",
    "training_effect_kinds",
    "usual_engine",
]


@cache
def engines() -> dict[str, Engine]:
    """All engines of the catalogue, by id."""
    records = [Engine.parse(read_toml(p), where=p.name) for p in index("engines").values()]
    return {record.id: record for record in sorted(records, key=lambda r: r.id)}


@cache
def _by_name() -> dict[str, Engine]:
    return {folded(n): e for e in engines().values() for n in (e.id, *e.names)}


@cache
def engine(name: str = "current") -> Engine:
    """Return an engine by id or by how tables call it.

    Parameters
    ----------
    name : str   ``vllm``, ``trtllm``; ``current`` is the mean of the newest.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    found = _by_name().get(folded(name))
    if found is None:
        known = sorted(engines())
        raise CatalogError(
            f"There is no engine {name!r}.{did_you_mean(name, known)} Known are {', '.join(known)}."
        )
    return found


def usual_engine(model: Model, chip: Chip) -> tuple[Engine, str]:
    """Return the engine to model where none is named, and why it is not the servers' usual one.

    Parameters
    ----------
    model : Model   Weights in a format of one engine (GGUF) mean that engine.
    chip : Chip     A chip that the servers' engines do not run on, or were not measured on, names
                    its own.

    Returns
    -------
    tuple of Engine and str   A sentence; empty for the usual engine, the mean of the newest.
    """
    stored = dtype(model.weight_dtype)
    if stored.engine:
        found = engine(stored.engine)
        return found, f"The engine is {found.name}, which {stored.id} weights are made for."
    if chip.engine:
        found = engine(chip.engine)
        # MLX's own formats: its record says whose times stand for it.
        stands = f" {engine('mlx').notes}" if stored.id.endswith("-affine") else ""
        return found, f"The engine is {found.name}, which is what runs on {chip.name}.{stands}"
    return engine(), ""


def engine_constants(chosen: str | Path | EngineConstants | None = None) -> EngineConstants:
    """Return the constants of whole engines, as `ridgeline calibrate` wrote them.

    Parameters
    ----------
    chosen : path, EngineConstants or None   A file of somebody's own, or a record; None for those
                                             of the catalogue.

    Raises
    ------
    CatalogError   No such file, no TOML, TOML of something else, or constants for other effects
                   than there are now.
    SpecError      Constants with fields that they do not have.
    """
    if chosen is None:
        return _shipped("engines")
    if isinstance(chosen, EngineConstants):
        return chosen
    return _constants_of(Path(chosen), "engines", effect_kinds(), "whole engines")


def training_constants(chosen: str | Path | EngineConstants | None = None) -> EngineConstants:
    """Return the constants of training frameworks, as `ridgeline calibrate` wrote them.

    Parameters
    ----------
    chosen : path, EngineConstants or None   A file of somebody's own, or a record; None for those
                                             of the catalogue.

    Raises
    ------
    CatalogError, SpecError   As `engine_constants`.
    """
    if chosen is None:
        return _shipped("training")
    if isinstance(chosen, EngineConstants):
        return chosen
    return _constants_of(Path(chosen), "training", training_effect_kinds(), "training frameworks")


def _constants_of(
    path: Path, kind: str, effects: Mapping[str, EffectKind], words: str
) -> EngineConstants:
    """Constants in a file, checked to be of these effects."""
    data = read_toml(path)
    other = "training" if kind == "engines" else "engines"
    if "effects" not in data or data.get("id") == other:
        raise CatalogError(
            f"{path.name} holds no constants of {words}: a file that ridgeline calibrate FILE... "
            "--out wrote is expected, of tables of such runs."
        )
    found = EngineConstants.parse(data, where=path.name)
    shipped = _shipped(kind).effects
    known, own = effects.keys(), found.effects
    lacks = sorted(known & shipped.keys() - own.keys())
    strange = sorted(own.keys() - known - shipped.keys())
    if lacks or strange:
        what = [f"it lacks {', '.join(lacks)}"] * bool(lacks)
        what += [f"there is no {', '.join(strange)} any more"] * bool(strange)
        raise CatalogError(
            f"{path.name} has no constants of {words} as this release has them: "
            f"{' and '.join(what)}. Fit again: ridgeline calibrate FILE... --out {path.name}."
        )
    return found


@cache
def _shipped(kind: str) -> EngineConstants:
    path = index("engine_constants").get(kind)
    if path is None:
        return EngineConstants(id=kind)
    return EngineConstants.parse(read_toml(path), where=path.name)


@cache
def assumptions() -> Assumptions:
    """What is taken for granted of a run where its table is silent."""
    path = BUILT_IN / "assumptions.toml"
    return Assumptions.parse(read_toml(path), where=path.name)


@cache
def effect_kinds() -> Mapping[str, EffectKind]:
    """What is expected of each effect of whole engines before any is measured, by name."""
    path = BUILT_IN / "effects.toml"
    return {n: EffectKind.parse(x, f"{path.name}, {n}") for n, x in read_toml(path).items()}


@cache
def training_effect_kinds() -> Mapping[str, EffectKind]:
    """What is expected of each effect of training frameworks before any is measured, by name."""
    path = BUILT_IN / "training_effects.toml"
    return {n: EffectKind.parse(x, f"{path.name}, {n}") for n, x in read_toml(path).items()}


@cache
def scheduling() -> Scheduling:
    """How clients load a server and engines share it, where nobody says."""
    path = BUILT_IN / "scheduling.toml"
    return Scheduling.parse(read_toml(path), where=path.name)


@cache
def campaigns() -> tuple[Campaign, ...]:
    """Benchmarks whose launch scripts are known."""
    path = BUILT_IN / "campaigns.toml"
    return tuple(Campaign.parse(x, where=path.name) for x in read_toml(path)["campaign"])
