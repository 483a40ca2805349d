"""Find and read TOML files: the built-in folders and the user's own."""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.errors import CatalogError, first_line
from ridgeline.files import (
    is_file,
    is_folder,
    is_regular,
    listing,
    named,
    read_text,
    resolved,
    user_config_folder,
)
from ridgeline.naming import folded, tokens
from ridgeline.shipped import kept_data, kept_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "BUILT_IN",
    "entry_id",
    "entry_ids",
    "file_of_id",
    "find_file",
    "folded",
    "folders",
    "hardware_words",
    "other_names",
    "read_toml",
    "rows_of",
    "user_folders",
]

BUILT_IN = Path(__file__).parent
#: how paths of built-in files begin: cheaper to compare than their parts, and hundreds are
_OURS = f"{BUILT_IN}{os.sep}"
_CONFIG_NAME = "ridgeline.toml"
_HARDWARE = ("chips", "clusters")
#: (R) and (TM), as drivers print them
_MARKS = re.compile(r"\((?:r|tm|c)\)|[®™]", re.IGNORECASE)
#: words that makers and drivers put around a chip's name
_MAKERS = frozenset(
    {"nvidia", "amd", "intel", "apple", "google", "cloud", "aws", "amazon", "geforce", "tesla"}
    | {"radeon", "instinct", "quadro", "gpu", "graphics", "data", "center", "accelerator", "oam"}
    | {"generation", "edition"}
)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, or say in one sentence why it cannot be read.

    Raises
    ------
    CatalogError   Missing, unreadable, too large, or no TOML.
    """
    if (found := kept_data(path)) is not None:
        return found
    text = read_text(path, "a TOML file", error=CatalogError)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise CatalogError(f"{named(path)} nests too deeply to be a record.") from None
    except ValueError as error:  # of which one is an integer of thousands of digits
        raise CatalogError(f"{named(path)} is not valid TOML: {first_line(error)}.") from None


def _config_files() -> list[Path]:
    of_user = user_config_folder()
    found = [resolved(_CONFIG_NAME), *([of_user / "ridgeline" / "config.toml"] if of_user else [])]
    return [path for path in found if is_file(path)]


def _named_folders(config: Path) -> list[Path]:
    """Folders that a config file names."""
    names = read_toml(config).get("catalog", [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise CatalogError(f'{config}: catalog = ["folder", …] is expected, the names of folders.')
    return [config.parent / n for n in names]


@cache
def user_folders() -> tuple[Path, ...]:
    """Folders of the user's own catalogue, searched before the built-in one.

    They are named by ``catalog = ["folder", …]`` in ``ridgeline.toml`` of the working directory or
    in ``~/.config/ridgeline/config.toml`` (relative to that file), and by the environment variable
    ``RIDGELINE_CATALOG`` (separated like PATH). Each holds ``chips/``, ``clusters/``, ``models/``.

    Returns
    -------
    tuple of Path

    Raises
    ------
    CatalogError   A named folder does not exist, or the config file is broken.
    """
    found = [Path(p) for p in os.environ.get("RIDGELINE_CATALOG", "").split(os.pathsep) if p]
    for config in _config_files():
        found += _named_folders(config)
    for folder in found:
        if not is_folder(folder):
            raise CatalogError(
                f"The catalogue folder {named(folder)} does not exist, is not a folder or may not "
                "be opened."
            )
    return tuple(found)


def folders(kind: str) -> list[Path]:
    """All folders of one kind of entry (``chips``, ``clusters``, ``models``), user's first."""
    return [f / kind for f in (*user_folders(), BUILT_IN) if is_folder(f / kind)]


@cache
def index(kind: str) -> dict[str, Path]:
    """Map the folded id of every entry to its file; the user's entries win.

    Raises
    ------
    CatalogError   Two files of a folder have the same id.
    """
    found: dict[str, Path] = {}
    for folder in folders(kind):
        own: dict[str, Path] = {}
        for path in listing(folder, ".toml", CatalogError):
            name = _key(entry_id(path))
            if own.setdefault(name, path) is not path:
                raise CatalogError(
                    f"{named(own[name])} and {named(path)} have the same id, {entry_id(path)!r}: "
                    "give one of them another."
                )
        found = own | found
    return found


def entry_id(path: Path) -> str:
    """The id that a user's file states, else what its name says; built-in files have both alike.

    A file that cannot be read is known by its name: to read the entry then says why.
    """
    if os.fspath(path).startswith(_OURS):
        return path.stem.replace("__", "/")
    return _stated_id(path)


@cache
def _stated_id(path: Path) -> str:
    by_name = path.stem.replace("__", "/")
    try:
        line = re.search(r"^id\s*=.*", _head(path), re.MULTILINE)
        stated = tomllib.loads(line[0])["id"] if line else by_name
    except (CatalogError, ValueError, RecursionError):
        return by_name
    return stated if isinstance(stated, str) and stated else by_name


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


def rows_of(
    kind: str, ids: Sequence[str], row_of: Callable[[str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of a list of entries, kept between runs where all entries are the built-in ones.

    Parameters
    ----------
    kind : str              ``chips``, ``clusters`` or ``models``.
    ids : sequence of str
    row_of : callable       From an id to its row, by the entry alone.

    Returns
    -------
    list of dict   In the order of the ids.
    """
    # A cluster may be made of a user's chip.
    return [row_of(i) for i in ids] if user_folders() else kept_rows(kind, ids, row_of)


def file_of_id(folder: Path, name: str) -> Path | None:
    """The TOML file of a folder that states an id, or is named after it."""
    if is_file(named_after := folder / f"{name}.toml"):
        return named_after
    files = listing(folder, ".toml", CatalogError)
    return next((p for p in files if is_regular(p) and _key(entry_id(p)) == _key(name)), None)


@cache
def other_names(kind: str) -> dict[Path, tuple[str, ...]]:
    """Map the file of every entry to its aliases, as they are spelled there, and its own name.

    Of a user's file only the lines before its first table are looked at, and only if they speak of
    aliases: catalogues of hundreds of entries are searched in a few milliseconds.
    """
    return {path: (*_file_name(path), *_aliases_of(path)) for path in index(kind).values()}


def _file_name(path: Path) -> tuple[str, ...]:
    """The name of a file that is not named after its id."""
    by_name = path.stem.replace("__", "/")
    return () if _key(by_name) == _key(entry_id(path)) else (by_name,)


def _head(path: Path) -> str:
    """The lines before a file's first table."""
    return read_text(path, "a TOML file", error=CatalogError).partition("\n[")[0]


def _aliases_of(path: Path) -> list[str]:
    if (kept := kept_data(path)) is not None:
        return _texts(kept.get("aliases", ()))
    head = _head(path)
    begin = re.search(r"^aliases\s*=", head, re.MULTILINE)
    if begin is None:
        return []
    try:
        return _texts(tomllib.loads(head[begin.start() :])["aliases"])
    except (ValueError, RecursionError):
        return _texts(read_toml(path).get("aliases", ()))


@cache
def aliases(kind: str) -> dict[str, Path]:
    """Map every folded alias to the file that claims it; of two, the user's entry wins."""
    found: dict[str, Path] = {}
    for path, names in other_names(kind).items():
        for name in names:
            found.setdefault(_key(name), path)
    return found


def _key(name: str) -> str:
    return folded(name.replace("/", "__"))


def _texts(value: object) -> list[str]:
    """What of a list is text; the rest is refused when the entry itself is read."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def find_file(kind: str, name: str) -> Path | None:
    """Resolve an id, an alias or the path of a TOML file; None where nobody knows it."""
    if name.endswith(".toml"):
        return Path(name)
    key = _key(name)
    found = index(kind).get(key) or aliases(kind).get(key)
    if found is None and kind in _HARDWARE:
        return _by_words(kind).get(hardware_words(name))
    return found


def hardware_words(name: str) -> tuple[str, ...]:
    """Words and numbers of a machine's name, without its maker and what sort of thing it is."""
    return tuple(t for t in tokens(_MARKS.sub(" ", name)) if t not in _MAKERS)


@cache
def _by_words(kind: str) -> dict[tuple[str, ...], Path]:
    """Entries by the words of their names; those that two entries share are left out."""
    found: dict[tuple[str, ...], set[Path]] = {}
    others = other_names(kind)
    for path in index(kind).values():
        for name in (entry_id(path), *others.get(path, ())):
            found.setdefault(hardware_words(name), set()).add(path)
    return {words: next(iter(paths)) for words, paths in found.items() if words and len(paths) == 1}
