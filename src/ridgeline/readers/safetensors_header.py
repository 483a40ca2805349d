"""Headers of safetensors files: names, types, shapes and bytes of tensors, without the tensors.

A file begins with the length of its header in eight bytes, then a JSON object, then the data
(https://huggingface.co/docs/safetensors). The `safetensors` package reads the same, but opens no
header without its own tensors; a few lines do, and check every number against the file.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from ridgeline.errors import ConfigError
from ridgeline.files import exists, is_file, is_regular, listing, named, read_text, reading

__all__ = ["INDEX", "SafeTensor", "files_of", "parse_header", "read_safetensors", "shards_of"]

INDEX = "model.safetensors.index.json"
_LENGTH_BYTES = 8
#: some 100 bytes per tensor; models of hundreds of experts have 100,000 tensors in many files
_MOST_HEADER_BYTES = 32_000_000
_MOST_DIMENSIONS = 16
_MOST_SHOWN = 3
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})\.safetensors")
#: bits of a value; sub-byte types hold several in a byte
_BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16,
    "BF16": 16, "I16": 16, "U16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8,
    "BOOL": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


class SafeTensor(NamedTuple):
    """A tensor of a file: its name, its type (``BF16``), its values and the bytes they take."""

    name: str
    type: str
    n_values: int
    n_bytes: int


def read_safetensors(path: str | Path) -> list[SafeTensor]:
    """Read the header of a safetensors file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ConfigError   No such file, no safetensors file, or one that is cut off.
    """
    if exists(path) and not is_regular(path):
        raise ConfigError(f"{named(path)} is not a regular file; .safetensors is expected.")
    with reading(path, "a .safetensors file", ConfigError) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        room = size - _LENGTH_BYTES
        if room < 2 or not 2 <= length <= min(room, _MOST_HEADER_BYTES):
            raise ConfigError(
                f"{named(path)} is no safetensors file, or it is cut off: it has "
                f"{size:,} bytes and says that its header takes {length:,}. Fetch it again."
            )
        text = file.read(length)
    return parse_header(text, str(named(path)), room - length)


def parse_header(text: bytes, where: str, data_bytes: int | None = None) -> list[SafeTensor]:
    """Read the JSON of a header.

    Parameters
    ----------
    text : bytes               The JSON.
    where : str                What the file is called in messages.
    data_bytes : int or None   Bytes behind the header, to be checked against. [bytes]

    Raises
    ------
    ConfigError   No such header, or tensors that lie beyond the file.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: its header is not JSON. Fetch it again.") from None
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: its header is no table of tensors. Fetch it again.")
    found = [_tensor(n, e, where) for n, e in table.items() if n != "__metadata__"]
    if data_bytes is not None and any(end > data_bytes for _, end in found):
        raise ConfigError(
            f"{where} is cut off: its tensors take {max(end for _, end in found):,} bytes, and "
            f"{data_bytes:,} are there. Fetch it again."
        )
    return [tensor for tensor, _ in found]


def _tensor(name: str, entry: Any, where: str) -> tuple[SafeTensor, int]:
    """One entry of a header, and where its data ends."""
    try:
        kind, shape = entry["dtype"], entry["shape"]
        start, end = entry["data_offsets"]
        numbers = (*shape, start, end) if len(shape) <= _MOST_DIMENSIONS else (-1,)
        whole = all(type(n) is int and 0 <= n < 2**63 for n in numbers)
        n_values, bits = math.prod(shape) if whole else -1, _BITS[kind]
    except (KeyError, TypeError, ValueError):
        raise _wrong_entry(name, where) from None
    if not whole or -(-n_values * bits // 8) != end - start:
        raise _wrong_entry(name, where)
    return SafeTensor(name, kind, n_values, end - start), end


def _wrong_entry(name: str, where: str) -> ConfigError:
    return ConfigError(f"{where}: the entry of tensor {name[:80]!r} does not hold together.")


def shards_of(index: Any, where: str) -> list[str]:
    """Names of the files that an index lists.

    Raises
    ------
    ConfigError   No index.
    """
    table = index.get("weight_map") if isinstance(index, dict) else None
    names = set(table.values()) if isinstance(table, dict) and table else {None}
    if not all(isinstance(n, str) and n == Path(n).name for n in names):
        raise ConfigError(f"{where} is no index: it has no weight_map of tensors to file names.")
    return sorted(str(n) for n in names)


def files_of(folder: Path) -> list[Path]:
    """The safetensors files of the model in a folder; none where there are none.

    Raises
    ------
    ConfigError   Files that the index lists, or that the names of others imply, are missing.
    """
    index = folder / INDEX
    if is_file(index):
        text = read_text(index, "an index of files", error=ConfigError)
        try:
            wanted = shards_of(json.loads(text), named(index))
        except (ValueError, RecursionError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{named(index)} is not valid JSON. Fetch it again.") from None
    else:
        wanted = _unlisted(folder)
    missing = [name for name in wanted if not is_file(folder / name)]
    if missing and len(missing) == len(wanted):
        return []
    if missing:
        more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
        raise ConfigError(
            f"{named(folder)} lacks {len(missing)} of the {len(wanted)} files of its weights: "
            f"{', '.join(missing[:_MOST_SHOWN])}{more}. Fetch them, or name its config.json."
        )
    return [folder / name for name in wanted]


def _unlisted(folder: Path) -> list[str]:
    """Files of a folder without an index: one model, whole or in numbered parts."""
    held = [p.name for p in listing(folder, ".safetensors", ConfigError)]
    if "model.safetensors" in held:
        return ["model.safetensors"]
    for name in held:
        if match := _PART.fullmatch(name):
            stem, count, width = match["stem"], match["count"], len(match["count"])
            numbers = range(1, min(int(count), 10_000) + 1)
            return [f"{stem}-{i:0{width}d}-of-{count}.safetensors" for i in numbers]
    return held if len(held) == 1 else [n for n in held if n.startswith("consolidated")]
