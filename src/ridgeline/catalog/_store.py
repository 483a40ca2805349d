"""Find and read TOML files: the built-in folders and the user's own."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from ridgeline.errors import CatalogError

__all__ = ["BUILT_IN", "find_file", "folded", "folders", "read_toml", "user_folders"]

BUILT_IN = Path(__file__).parent
_CONFIG_NAME = "ridgeline.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, or say in one sentence why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CatalogError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise CatalogError(f"{path} is a folder; a TOML file is expected.") from None
    except UnicodeDecodeError:
        raise CatalogError(f"{path} is not a text file; a TOML file is expected.") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path} is not valid TOML: {error}.") from None
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.") from None


def folded(name: str) -> str:
    """Fold what people type alike: case, underscores and spaces."""
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


def _config_files() -> list[Path]:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [Path.cwd() / _CONFIG_NAME, home / "ridgeline" / "config.toml"]


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
        if config.is_file():
            named = read_toml(config).get("catalog", [])
            named = [named] if isinstance(named, str) else named
            found += [config.parent / str(n) for n in named]
    for folder in found:
        if not folder.is_dir():
            raise CatalogError(f"The catalogue folder {folder} does not exist or is not a folder.")
    return tuple(found)


def folders(kind: str) -> list[Path]:
    """All folders of one kind of entry (``chips``, ``clusters``, ``models``), user's first."""
    return [f / kind for f in (*user_folders(), BUILT_IN) if (f / kind).is_dir()]


@cache
def index(kind: str) -> dict[str, Path]:
    """Map the folded file name of every entry to its file; the user's entries win."""
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(folded(path.stem), path)
    return found


@cache
def aliases(kind: str) -> dict[str, Path]:
    """Map every folded alias to the file that claims it. Reads all files of that kind."""
    return {
        folded(alias): path
        for path in index(kind).values()
        for alias in read_toml(path).get("aliases", ())
    }


def find_file(kind: str, name: str) -> Path | None:
    """Resolve an id, an alias or the path of a TOML file; None where nobody knows it."""
    if name.endswith(".toml"):
        return Path(name)
    key = folded(name.replace("/", "__"))
    return index(kind).get(key) or aliases(kind).get(key)
