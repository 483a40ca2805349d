"""Read a config file from disk, and refuse what is none in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from ridgeline.errors import ConfigError

__all__ = ["Source", "load"]

_CONFIG = "config.json"
_QUANTIZATION = "hf_quant_config.json"


class Source:
    """A parsed config: `raw`, what to call it (`where`), and a quantisation file beside it."""

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
    beside = path.parent / _QUANTIZATION
    quant = _object(beside) if path.name == _CONFIG and beside.is_file() else None
    return Source(raw, str(path), path, quant)


def _config_path(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file. Give the path of a model's {_CONFIG}, or of the "
            "folder that holds it."
        ) from None
    except (OSError, ValueError) as error:  # a name too long, a NUL byte
        raise ConfigError(f"{str(path)!r} is not a path that can be read: {error}.") from None
    if S_ISDIR(mode):
        return _config_in(path)
    return path


def _config_in(folder: Path) -> Path:
    inner = folder / _CONFIG
    if inner.is_file():
        return inner
    held = sorted(p.name for p in folder.glob("*.json"))[:3]
    hint = f" It holds {', '.join(held)}: name one of these." if held else ""
    raise ConfigError(f"{folder} is a folder without a {_CONFIG}.{hint}")


def _object(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file; a {_CONFIG} in UTF-8 is expected.") from None
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}. "
            "Is the file cut off? Fetch it again."
        ) from None
    except RecursionError:
        raise ConfigError(f"{path} nests too deeply to be a {_CONFIG}.") from None
    except ValueError as error:  # an integer of thousands of digits
        raise ConfigError(f"{path} cannot be read as JSON: {error}.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path} holds a JSON {_json_name(data)}; a model's config is an object: "
            '{"model_type": …, "hidden_size": …}.'
        )
    return data


def _json_name(data: object) -> str:
    names = {list: "array", str: "string", bool: "truth value", type(None): "null"}
    return names.get(type(data), "number")
