"""Look up training frameworks."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import BUILT_IN, folded, index, read_toml
from ridgeline.errors import CatalogError, did_you_mean
from ridgeline.specs.framework import Framework
from ridgeline.specs.rl_loop import RLLoop
from ridgeline.specs.training_memory import MemoryConstants

__all__ = ["framework", "framework_of", "frameworks", "rl_loop", "training_memory"]


@cache
def frameworks() -> dict[str, Framework]:
    """All training frameworks of the catalogue, by id."""
    records = [Framework.parse(read_toml(p), where=p.name) for p in index("frameworks").values()]
    return {record.id: record for record in sorted(records, key=lambda r: r.id)}


@cache
def _by_name() -> dict[str, Framework]:
    return {folded(n): f for f in frameworks().values() for n in (f.id, *f.names)}


@cache
def framework(name: str = "current") -> Framework:
    """Return a training framework by id or by how tables call it.

    Parameters
    ----------
    name : str   ``megatron-lm``, ``NeMo``; ``current`` is the mean of the newest.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    found = _by_name().get(folded(name))
    if found is None:
        known = sorted(frameworks())
        raise CatalogError(
            f"There is no training framework {name!r}.{did_you_mean(name, known)} Known are "
            f"{', '.join(known)}."
        )
    return found


@cache
def framework_of(text: str) -> tuple[Framework, str]:
    """Return the framework that a table's cell begins with, and the release that follows.

    Parameters
    ----------
    text : str   ``NeMo 24.07``, ``MLPerf v4.1 (Dell)``, ``llm-foundry (Composer, PyTorch FSDP)``.
                 Of several names that it begins with the longest is meant.

    Raises
    ------
    CatalogError   It begins with none; suggests near names.

    Examples
    --------
    >>> found, version = framework_of("NeMo 24.07 rev3")
    >>> found.id, version, found.era(version).id
    ('nemo', '24.07 rev3', 'nemo-2024')
    """
    words = text.split()
    for n in range(len(words), 0, -1):
        found = _by_name().get(folded(" ".join(words[:n]).rstrip(",;:")))
        if found is not None:
            return found, " ".join(words[n:])
    return framework(text), ""


@cache
def training_memory() -> MemoryConstants:
    """What training frameworks hold beyond what a count of tensors tells."""
    path = BUILT_IN / "training_memory.toml"
    return MemoryConstants.parse(read_toml(path), where=path.name)


@cache
def rl_loop() -> RLLoop:
    """What a loop of reinforcement learning adds to an engine and a framework by themselves."""
    path = BUILT_IN / "rl_loop.toml"
    return RLLoop.parse(read_toml(path), where=path.name)
