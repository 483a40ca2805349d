"""Look up the options that start an engine, or what deploys it, as priced."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.errors import CatalogError
from ridgeline.naming import nearest
from ridgeline.specs.engine_flags import Deployment, Device, Devices, EngineFlags

if TYPE_CHECKING:
    from ridgeline.specs.chip import Chip

__all__ = [
    "deployment",
    "deployments",
    "device_of",
    "engine_flags",
    "engines_with_flags",
    "known_flags",
]

#: other names that engines go by
_ALIASES = {
    "trtllm": "tensorrt-llm",
    "trt-llm": "tensorrt-llm",
    "tensorrt_llm": "tensorrt-llm",
    "trtllm-serve": "tensorrt-llm",
    "llamacpp": "llama.cpp",
    "llama-cpp": "llama.cpp",
    "llama-server": "llama.cpp",
    "llmd": "llm-d",
}


@cache
def _engines() -> dict[str, EngineFlags]:
    folder = BUILT_IN / "engine_flags"
    order = ("vllm", "sglang", "tensorrt-llm", "llama.cpp")
    return {
        name: EngineFlags.parse(
            {"id": name} | read_toml(folder / f"{name}.toml"), where=f"{name}.toml"
        )
        for name in order
    }


@cache
def _deployments() -> dict[str, Deployment]:
    folder = BUILT_IN / "deployments"
    return {
        name: Deployment.parse(read_toml(folder / f"{name}.toml"), where=f"{name}.toml")
        for name in ("dynamo", "llm-d", "kserve")
    }


def engines_with_flags() -> list[str]:
    """Ids of the engines whose options are known."""
    return list(_engines())


def deployments() -> list[str]:
    """Ids of the tools whose manifests are known."""
    return list(_deployments())


def known_flags(name: str) -> str:
    """Return the id of an engine or a deployment tool.

    Parameters
    ----------
    name : str   Id or another name: ``vllm``, ``trtllm``, ``dynamo``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.

    Examples
    --------
    >>> known_flags("TRTLLM"), known_flags("llama-server")
    ('tensorrt-llm', 'llama.cpp')
    """
    wanted = name.strip().casefold()
    found = _ALIASES.get(wanted, wanted)
    engines, tools = engines_with_flags(), deployments()
    if found not in (*engines, *tools):
        picks = nearest(wanted[:64], [*engines, *tools, *_ALIASES], 3)
        ids = dict.fromkeys(_ALIASES.get(pick, pick) for pick in picks)
        near = f" Did you mean {' or '.join(map(repr, ids))}?" if ids else ""
        raise CatalogError(
            f"There are no flags of an engine {name!r}.{near} There are {', '.join(engines)}, "
            f"and the manifests {', '.join(tools)}."
        )
    return found


def engine_flags(engine: str) -> EngineFlags:
    """Return the options of an engine.

    Parameters
    ----------
    engine : str   ``vllm``, ``sglang``, ``tensorrt-llm`` or ``llama.cpp``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    found = known_flags(engine)
    if found not in _engines():
        raise CatalogError(
            f"{_deployments()[found].name} is no engine. There are {', '.join(_engines())}."
        )
    return _engines()[found]


def deployment(name: str) -> Deployment:
    """Return the manifest of a deployment tool.

    Parameters
    ----------
    name : str   ``dynamo``, ``llm-d`` or ``kserve``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    """
    found = known_flags(name)
    if found not in _deployments():
        raise CatalogError(f"{found} is an engine. Manifests: {', '.join(_deployments())}.")
    return _deployments()[found]


@cache
def _devices() -> tuple[Device, ...]:
    return Devices.parse(read_toml(BUILT_IN / "devices.toml"), where="devices.toml").devices


def device_of(chip: Chip) -> Device:
    """What schedulers and processes call a chip: without names where none are known.

    Parameters
    ----------
    chip : Chip
    """
    for device in _devices():
        if device.vendor == chip.vendor and chip.kind in device.kinds:
            return device
    return Device(vendor=chip.vendor, kinds=(chip.kind,))
