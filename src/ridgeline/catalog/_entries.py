"""Look up chips, clusters, models and sources by name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

from ridgeline.catalog._copies import model_named
from ridgeline.catalog._names import without_host
from ridgeline.catalog._store import (
    BUILT_IN,
    entry_id,
    file_of_id,
    find_file,
    hardware_words,
    index,
    read_toml,
)
from ridgeline.errors import CatalogError, SpecError, did_you_mean
from ridgeline.files import exists
from ridgeline.formats import folded
from ridgeline.specs.chip import Chip
from ridgeline.specs.cluster import Cluster
from ridgeline.specs.constants import ChipConstants, FabricConstants
from ridgeline.specs.model import Model
from ridgeline.specs.record import Record
from ridgeline.specs.shown import shown

__all__ = [
    "MachineNamed",
    "chip",
    "cluster",
    "constants",
    "entry_ids",
    "fabric_constants",
    "family_of",
    "machine_named",
    "model",
    "node_of",
    "sources",
]

R = TypeVar("R", bound=Record)

_SEVERAL = re.compile(r"([1-9]\d{0,5}) ?[xX×] ?([a-zA-Z].*|.+\.toml)")


def entry_ids(kind: str) -> list[str]:
    """Ids of all entries of a kind.

    Parameters
    ----------
    kind : str   ``chips``, ``clusters`` or ``models``.

    Returns
    -------
    list of str   Sorted; models as ``org/name``.
    """
    return sorted((entry_id(path) for path in index(kind).values()), key=str.casefold)


def _find(kind: str, name: str, hint: str) -> Path:
    path = find_file(kind, name)
    if path is None:
        one = kind.removesuffix("s")
        known = entry_ids(kind)
        raise CatalogError(f"There is no {one} {name!r}.{_near(name, known)} {hint}")
    return path


@cache
def _load(cls: type[R], path: Path) -> R:
    data: dict[str, Any] = read_toml(path)
    if cls is Cluster and isinstance(data.get("chip"), str):
        data["chip"] = _chip_beside(data["chip"], path)
    return cls.parse(data, where=path.name)


def _chip_beside(name: str, cluster_file: Path) -> Chip:
    """A cluster's chip: of the catalogue, or a file beside the cluster's, by name or by its id."""
    folder = cluster_file.parent
    if name.endswith(".toml"):
        return _load(Chip, folder / name)
    if find_file("chips", name) is None and (beside := file_of_id(folder, name)) is not None:
        return _load(Chip, beside)
    hint = (
        f"{cluster_file.name} names it: no file beside it has that id, and 'ridgeline chips' lists "
        "the catalogue's."
    )
    return _load(Chip, _find("chips", name, hint))


def _chip_entry(name: str) -> Chip:
    return _load(Chip, _find("chips", name, "'ridgeline chips' lists all; a .toml file works too."))


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
    return _chip_entry(name) if made_of is None else _load(Cluster, made_of).chip


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
        return MachineNamed(_load(Cluster, path))
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
    return _load(Cluster, path).model_copy(update={"chip": found})


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
        return _spelled(_load(Model, known), plain)
    return model_named(name, partial(_load, Model))


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


def family_of(found: Chip) -> str:
    """Chips whose constants stand for one another: a vendor's, by kind of memory.

    Examples
    --------
    >>> family_of(chip("h20")), family_of(chip("rtx-4090")), family_of(chip("mi300x"))
    ('nvidia-hbm', 'nvidia-gddr', 'amd-hbm')
    """
    letters = "".join(takewhile(str.isalpha, found.memory.technology))
    return f"{found.vendor}-{letters}".casefold()


def constants(found: Chip) -> ChipConstants:
    """Constants of the calibrated laws for a chip: its own, else its family's, else all there are.

    Kinds of chips that launch no kernels (wafers, chips of SRAM, TPUs, CPUs) have constants of
    their kind in place of those of all, which are GPUs'. Looked up for each component and format by
    itself; ``level`` of each group says which it is, and the wider ones have wider sigmas.

    Parameters
    ----------
    found : Chip

    Raises
    ------
    SpecError   A file of constants that does not hold.
    """
    family = family_of(found)
    kind = f"kind-{found.kind}"
    base = kind if kind in index("constants") else "all"
    records = _constants_of("constants", ChipConstants, (base, family, found.id))
    parts = {
        part: {k: v for record in records for k, v in getattr(record, part).items()}
        for part in ("product", "experts", "decode", "prefill")
    }
    return ChipConstants(id=found.id, family=family, **parts)


def widest_constants() -> ChipConstants:
    """Constants of all chips that were measured, which stand for any chip of no measured family."""
    (record,) = _constants_of("constants", ChipConstants, ("all",))
    return record


def _of_size(constants: FabricConstants, found: Cluster) -> bool:
    """Whether constants are of domains as large as a cluster's, which may be an array of sizes."""
    least = most = found.domain_size
    if not isinstance(least, int | float):
        import numpy as np  # noqa: PLC0415  (lists of the catalogue do without)

        least, most = np.min(least), np.max(least)
    if constants.min_domain <= least and most <= constants.max_domain:
        return True
    if least <= constants.max_domain and constants.min_domain <= most:
        raise SpecError(
            f"Domains of {least:g} to {most:g} chips were measured apart: on {constants.id} those "
            f"of {constants.min_domain:g} to {constants.max_domain:g}. Ask for the sizes one by "
            "one, or for the ideal reading, which knows no measurements."
        )
    return False


def fabric_constants(found: Cluster) -> FabricConstants:
    """Constants of exchanges on a cluster's fabric: its generation's, its kind's, or all there are.

    Parameters
    ----------
    found : Cluster

    Raises
    ------
    SpecError   A file of constants that does not hold; sizes of domains in an array that were
                measured apart.
    """
    # Through host memory cards are as fast as directly, give or take what `spread` gives.
    access = "broken" if found.peer_access == "broken" else "direct"
    known = [_load(FabricConstants, p) for p in index("constants/fabrics").values()]
    fits = [
        f
        for f in known
        if f.generation
        and (f.kind, f.peer_access) == (found.fabric, access)
        and found.fabric_name.startswith(f.generation)
        and _of_size(f, found)
    ]
    # The longest name that fits says most.
    own = max(fits, key=lambda f: len(f.generation), default=None)
    kind = (found.fabric, *([f"{found.fabric}-{access}"] if access != "direct" else []))
    names = ("all", *kind, *([own.id] if own else []))
    records = _constants_of("constants/fabrics", FabricConstants, names)
    parts = {
        part: {k: v for record in records for k, v in getattr(record, part).items()}
        for part in ("collective", "exchange")
    }
    return records[-1].model_copy(update=parts)


def _constants_of(kind: str, cls: type[R], names: tuple[str, ...]) -> list[R]:
    """Records of those names that exist, widest first."""
    paths = (index(kind).get(name) for name in names)
    return [_load(cls, path) for path in paths if path is not None]


@cache
def sources() -> dict[str, dict[str, Any]]:
    """All citations of the built-in catalogue: id -> title, publisher, date, kind, url."""
    return read_toml(BUILT_IN / "sources.toml")
