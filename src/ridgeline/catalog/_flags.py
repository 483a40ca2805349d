"""Look up how engines are told a layout."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.engine_flags import EngineFlags

__all__ = ["engine_flags", "engines_with_flags"]


@cache
def _all() -> dict[str, EngineFlags]:
    path = BUILT_IN / "engine_flags.toml"
    return {
        name: EngineFlags.parse(data, where=f"{path.name}, {name}")
        for name, data in read_toml(path).items()
    }


def engines_with_flags() -> list[str]:
    """Ids of the engines whose flags are known."""
    return list(_all())


def engine_flags(engine: str) -> EngineFlags:
    """Return the flags of an engine.

    Parameters
    ----------
    engine : str   ``vllm`` or ``sglang``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    known = _all()
    if engine.casefold() not in known:
        raise CatalogError(
            f"There are no flags of an engine {engine!r}.{did_you_mean(engine, known)} "
            f"There are {' and '.join(known)}."
        )
    return known[engine.casefold()]
