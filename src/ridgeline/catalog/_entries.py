"""Look up chips, clusters, models and sources by name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ridgeline.catalog._names import without_host
from ridgeline.catalog._store import (
    BUILT_IN,
    entry_ids,
    file_of_id,
    find_file,
    hardware_words,
    read_toml,
)
from ridgeline.errors import CatalogError, SpecError, did_you_mean
from ridgeline.files import exists
from ridgeline.formats import folded
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.record import Record
from ridgeline.specs.shown import shown

if TYPE_CHECKING:
    from ridgeline.specs.model import Model

__all__ = [
    "MachineNamed",
    "chip",
    "cluster",
    "loaded",
    "machine_named",
    "model",
    "node_of",
    "sources",
]

R = TypeVar("R", bound=Record)

_SEVERAL = re.compile(r"([1-9]\d{0,5}) ?[xX×] ?([a-zA-Z].*|.+\.toml)")


def _find(kind: str, name: str, hint: str) -> Path:
    path = find_file(kind, name)
    if path is None:
        one = kind.removesuffix("s")
        known = entry_ids(kind)
        raise CatalogError(f"There is no {one} {name!r}.{_near(name, known)} {hint}")
    return path


@cache
def loaded(cls: type[R], path: Path) -> R:
    """The record in a file; a cluster with the chip that it names."""
    data: dict[str, Any] = read_toml(path)
    if cls is Cluster and isinstance(data.get("chip"), str):
        data["chip"] = _chip_beside(data["chip"], path)
    return cls.parse(data, where=path.name)


def _chip_beside(name: str, cluster_file: Path) -> Chip:
    """A cluster's chip: of the catalogue, or a file beside the cluster's, by name or by its id."""
    folder = cluster_file.parent
    if name.endswith(".toml"):
        return loaded(Chip, folder / name)
    if find_file("chips", name) is None and (beside := file_of_id(folder, name)) is not None:
        return loaded(Chip, beside)
    hint = (
        f"{cluster_file.name} names it: no file beside it has that id, and 'ridgeline chips' lists "
        "the catalogue's."
    )
    return loaded(Chip, _find("chips", name, hint))


def _chip_entry(name: str) -> Chip:
    return loaded(
        Chip, _find("chips", name, "'ridgeline chips' lists all; a .toml file works too.")
    )


def _text(name: object, example: str) -> str:
    """A name as text; anything else is refused by what is expected."""
    if isinstance(name, str | os.PathLike):
        return os.fspath(name)
    raise SpecError(f"A name or the path of a file is expected, such as {example}, not "
                    f"{shown(name)}.")  # fmt: skip


def chip(name: str) -> Chip:
    """Return the chip of an id, an alias or a TOML file; of a cluster, the chip it is made of.

    Parameters
    ----------
    name : str   ``h200-sxm``, ``H200``, ``my-chip.toml``, or a cluster such as ``gb200-nvl72``.

    Raises
    ------
    CatalogError   Unknown; suggests near names.
    SpecError      A file that is no valid chip.
    """
    name = _text(name, "'h100-sxm'")
    made_of = find_file("clusters", name) if find_file("chips", name) is None else None
    return _chip_entry(name) if made_of is None else loaded(Cluster, made_of).chip


def cluster(name: str) -> Cluster:
    """Return the cluster of an id, an alias or a TOML file; of a chip, its standard node.

    Parameters
    ----------
    name : str   ``gb200-nvl72``, ``hgx-h100``, ``my-cluster.toml``, or a chip such as ``h200-sxm``.

    Raises
    ------
    CatalogError   Unknown; suggests near names of clusters and chips.
    SpecError      A file that is no valid cluster.
    """
    return machine_named(name).cluster


@dataclass(frozen=True, slots=True)
class MachineNamed:
    """What a machine's name means.

    Attributes
    ----------
    cluster : Cluster        A chip's standard node, in as many domains as are named.
    is_chip : bool           A chip was named alone: how many is open.
    n_chips : int or None    Chips that were named: ``8xh100-sxm`` is eight; None for all of a
                             cluster, or where the number is open.
    """

    cluster: Cluster
    is_chip: bool = False
    n_chips: int | None = None


def machine_named(name: str) -> MachineNamed:
    """Find a machine, and how much of it is meant.

    ``hgx-h100`` is a cluster, used whole; ``4xhgx-h100`` four of its scale-up domains, joined by
    its scale-out network; ``h100-sxm`` a chip, in a number to be chosen; ``8xh100-sxm`` eight.

    Parameters
    ----------
    name : str   As `cluster` takes it.

    Raises
    ------
    CatalogError   Unknown; suggests near names of clusters and chips.
    SpecError      A file that is no valid cluster or chip, or more domains than can be joined.
    """
    name = _text(name, "'hgx-h100'")
    path = find_file("clusters", name)
    if (path is None or not exists(path)) and (several := _SEVERAL.fullmatch(name)):
        return _several(int(several[1]), machine_named(several[2]), name)
    if path is not None and not (name.endswith(".toml") and _is_chip_file(path)):
        return MachineNamed(loaded(Cluster, path))
    if path is not None or find_file("chips", name) is not None:
        return MachineNamed(node_of(chip(name)), is_chip=True)
    known = [*entry_ids("clusters"), *entry_ids("chips")]
    raise CatalogError(
        f"There is no chip or cluster {name!r}.{_near(name, known)} "
        "'ridgeline chips' lists all; a .toml file works too."
    )


def _near(name: str, known: list[str]) -> str:
    """Near names of machines, if need be without the maker's words around a chip's name."""
    return did_you_mean(name, known) or did_you_mean(" ".join(hardware_words(name)), known)


def _several(n: int, one: MachineNamed, name: str) -> MachineNamed:
    found = one.cluster
    if not one.is_chip:
        return MachineNamed(found.replaced({"n_domains": n * found.n_domains}, where=name))
    n_domains = -(-n // found.domain_size)
    if n_domains > 1 and found.domain_size > 1:
        found = found.replaced({"n_domains": n_domains}, where=name)
    return MachineNamed(found, n_chips=n)


def _is_chip_file(path: Path) -> bool:
    data = read_toml(path)
    return "memory" in data and "chip" not in data


def node_of(found: Chip) -> Cluster:
    """Return the standard node of a chip; the chip by itself where it names none."""
    if not found.node:
        return Cluster(id=found.id, name=found.name, chip=found)
    path = find_file("clusters", found.node)
    if path is None:
        raise CatalogError(f"{found.id}: its standard node {found.node!r} is not in the catalogue.")
    # The chip may be a user's variant of the one the node was described with.
    return loaded(Cluster, path).model_copy(update={"chip": found})


def _model_of(path: Path) -> Model:
    from ridgeline.specs.model import Model  # noqa: PLC0415  (a list of chips needs none)

    return loaded(Model, path)


def model(name: str, *, fetch: bool = False) -> Model:
    """Return the model of a HuggingFace id, a TOML record, a ``config.json`` or a checkpoint.

    Parameters
    ----------
    name : str
        Catalogue id (``deepseek-ai/DeepSeek-V3``, or its unique last part), or the path of a
        ``config.json``, of a folder that holds one and perhaps its weights, of a ``.gguf`` file, or
        of a model record in TOML.
    fetch : bool
        Read the config of a HuggingFace id, and the headers of its weights, from the hub; of a
        repository of GGUF files ``org/name:Q4_K_M``. Without it nothing touches the network.

    Raises
    ------
    CatalogError        Unknown; suggests near names.
    ConfigError         A config.json that is broken or not understood, or cannot be fetched.
    MissingExtraError   What reads a .gguf file, or the hub's client, is not installed.
    """
    name = _text(name, "'Qwen/Qwen3-8B'")
    if fetch and not exists(name):
        from ridgeline.readers import read_hub  # noqa: PLC0415  (entries need no readers)

        return read_hub(name)

    plain = without_host(name)
    if not plain:
        raise CatalogError("The name of a model is blank; 'ridgeline models' lists all.")
    known = find_file("models", plain)
    if name.endswith(".json") or (known is None and (exists(name) or _is_gguf_path(name))):
        from ridgeline.readers import read_checkpoint  # noqa: PLC0415  (entries need no readers)

        return read_checkpoint(Path(name))
    if known is not None:
        return _spelled(_model_of(known), plain)
    from ridgeline.catalog._copies import model_named  # noqa: PLC0415  (few names are no entries)

    return model_named(name, _model_of)


def _is_gguf_path(name: str) -> bool:
    """A path of a GGUF file, there or not; a mere file name may mean a copy of a known model."""
    return name.endswith(".gguf") and Path(name).name != name


def _spelled(record: Model, name: str) -> Model:
    """The record under the id that was asked for, where that is a checkpoint of the same shape."""
    wanted = folded(name)
    other = next((a for a in record.aliases if "/" in a and folded(a) == wanted), None)
    if other is None:
        return record
    notes = f"{record.notes} Has the shape of {record.id}.".strip()
    return record.model_copy(
        update={"id": other, "name": other.rpartition("/")[2], "notes": notes, "aliases": ()}
    )


@cache
def sources() -> dict[str, dict[str, Any]]:
    """All citations of the built-in catalogue: id -> title, publisher, date, kind, url."""
    return read_toml(BUILT_IN / "sources.toml")
