"""Look up the options of tools that train models."""

from __future__ import annotations

from functools import cache

from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.errors import CatalogError
from ridgeline.naming import nearest
from ridgeline.specs.training_flags import TrainingFlags

__all__ = ["known_training_flags", "tools_with_training_flags", "training_flags"]

_TOOLS = ("megatron-lm", "megatron-bridge", "nemo", "torchtitan", "deepspeed", "maxtext")
#: other names that tools go by
_ALIASES = {
    "megatron": "megatron-lm",
    "megatron lm": "megatron-lm",
    "mcore": "megatron-lm",
    "bridge": "megatron-bridge",
    "nemo-run": "nemo",
    "torch-titan": "torchtitan",
    "titan": "torchtitan",
    "ds": "deepspeed",
}


@cache
def _flags(tool: str) -> TrainingFlags:
    data = read_toml(BUILT_IN / "training_flags" / f"{tool}.toml")
    return TrainingFlags.parse({"id": tool} | data, where=f"{tool}.toml")


def tools_with_training_flags() -> list[str]:
    """Ids of the tools whose options are known."""
    return list(_TOOLS)


def known_training_flags(name: str) -> str:
    """Return the id of a tool that trains models.

    Parameters
    ----------
    name : str   Id or another name: ``megatron``, ``torchtitan``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.

    Examples
    --------
    >>> known_training_flags("Megatron")
    'megatron-lm'
    """
    wanted = name.strip().casefold()
    found = _ALIASES.get(wanted, wanted)
    if found not in _TOOLS:
        picks = nearest(wanted[:64], [*_TOOLS, *_ALIASES], 3)
        ids = dict.fromkeys(_ALIASES.get(pick, pick) for pick in picks)
        near = f" Did you mean {' or '.join(map(repr, ids))}?" if ids else ""
        raise CatalogError(
            f"There are no flags of a training tool {name!r}.{near} There are {', '.join(_TOOLS)}."
        )
    return found


def training_flags(tool: str) -> TrainingFlags:
    """Return the options of a tool that trains models.

    Parameters
    ----------
    tool : str   ``megatron-lm``, ``megatron-bridge``, ``nemo``, ``torchtitan``, ``deepspeed`` or
                 ``maxtext``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    return _flags(known_training_flags(tool))
