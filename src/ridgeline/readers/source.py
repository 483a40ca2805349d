"""Read a config file from disk, and refuse what is none in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ridgeline.errors import ConfigError, first_line
from ridgeline.files import exists, is_file, is_folder, listing, named, read_text
from ridgeline.readers.quantization import SIDECARS

__all__ = ["Source", "load"]

_CONFIG = "config.json"
_ORIGINAL = "params.json"


class Source:
    """A parsed config: `raw`, what to call it (`where`), quantisers' files beside it by name."""

    def __init__(
        self, raw: dict[str, Any], where: str, path: Path | None = None, quant: Any = None
    ) -> None:
        self.raw = raw
        self.where = where
        self.path = path
        self.quant = quant


def load(source: object) -> Source:
    """Read a config from a file, from a folder that holds one, or take it already parsed.

    Parameters
    ----------
    source : path, text or mapping

    Returns
    -------
    Source

    Raises
    ------
    ConfigError   Missing, unreadable, not text, not JSON, or no object.
    """
    if isinstance(source, Mapping):
        return Source({str(k): v for k, v in source.items()}, "the config")
    if not isinstance(source, (str, Path)):
        raise ConfigError(
            f"A config is read from a path or a mapping, not from {type(source).__name__}."
        )
    path = _config_path(Path(source))
    raw = _object(path)
    return Source(raw, str(path), path, _sidecars(path))


def _sidecars(path: Path) -> dict[str, dict[str, Any]]:
    """Files beside a config in which quantisers write, by name."""
    if path.name != _CONFIG:
        return {}
    found = {name: path.parent / name for name in SIDECARS}
    return {name: _object(beside) for name, beside in found.items() if is_file(beside)}


def _config_path(path: Path) -> Path:
    if is_folder(path):
        return _config_in(path)
    if not exists(path):
        raise ConfigError(
            f"{named(path)}: there is no such file. Give the path of a model's {_CONFIG}, or of "
            "the folder that holds it."
        )
    return path


def _config_in(folder: Path) -> Path:
    for name in (_CONFIG, _ORIGINAL):
        if is_file(folder / name):
            return folder / name
    held = [p.name for p in listing(folder, ".json", ConfigError)][:3]
    hint = f" It holds {', '.join(held)}: name one of these." if held else ""
    raise ConfigError(f"{folder} is a folder without a {_CONFIG}.{hint}")


def _object(path: Path) -> dict[str, Any]:
    text = read_text(path, f"a {_CONFIG}", error=ConfigError)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}. "
            "Is the file cut off? Fetch it again."
        ) from None
    except RecursionError:
        raise ConfigError(f"{path} nests too deeply to be a {_CONFIG}.") from None
    except ValueError as error:  # an integer of thousands of digits
        raise ConfigError(f"{path} cannot be read as JSON: {first_line(error)}.") from None
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path} holds a JSON {_json_name(data)}; a model's config is an object: "
            '{"model_type": …, "hidden_size": …}.'
        )
    return data


def _json_name(data: object) -> str:
    names = {list: "array", str: "string", bool: "truth value", type(None): "null"}
    return names.get(type(data), "number")
