"""The header of a GGUF file: metadata and the table of tensors, read with the library `gguf`.

A file is untrusted: every length is checked against the file before it is used, and what a model's
shape does not need (the vocabulary) is skipped instead of kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ridgeline.errors import ConfigError, MissingExtraError, first_line
from ridgeline.files import exists, is_folder, is_regular, listing, named, reading

__all__ = ["GgufHeader", "GgufTensor", "read_gguf_beginning", "read_gguf_headers"]

_MAGIC = b"GGUF"
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_MOST_PARTS = 10_000
_MOST_SHOWN = 3


class GgufTensor(NamedTuple):
    """A tensor of a file: its name, its type (``q4_k``), its shape, and the bytes it takes."""

    name: str
    type: str
    shape: tuple[int, ...]
    n_bytes: int

    @property
    def n_values(self) -> int:
        """Values it holds. [1]"""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """Metadata of a model's first file, and the tensors of all its files.

    Attributes
    ----------
    path : Path               The first file.
    metadata : mapping        Keys to numbers, texts, truth values and lists of numbers; of a list
                              of texts, its length.
    tensors : tuple of GgufTensor
    """

    path: Path
    metadata: dict[str, Any]
    tensors: tuple[GgufTensor, ...]


def read_gguf_beginning(path: str | Path) -> GgufHeader:
    """Read the header of one file of which only the beginning is there.

    Raises
    ------
    ConfigError, MissingExtraError   As for `read_gguf_headers`; a header that is cut off, too.
    """
    return _read(Path(path), whole=False)


def read_gguf_headers(path: str | Path) -> GgufHeader:
    """Read the header of a GGUF file, or of all files of a model that is split.

    Parameters
    ----------
    path : str or Path   Any of the files; the others lie beside it.

    Raises
    ------
    ConfigError         No GGUF file, a cut or broken one, or a missing part.
    MissingExtraError   The library `gguf` is not installed.
    """
    path = Path(path)
    paths = _parts(path)
    headers = [_read(p) for p in paths]
    first = headers[0]
    stated = first.metadata.get("split.count", 1)
    if isinstance(stated, int) and stated > len(paths):
        raise ConfigError(
            f"{named(path)} is one of {stated} files of a model, and its name does not say which. "
            "Name it as llama.cpp splits files: model-00001-of-00002.gguf."
        )
    tensors = tuple(t for header in headers for t in header.tensors)
    total = first.metadata.get("split.tensors.count")
    if isinstance(total, int) and len(paths) > 1 and total != len(tensors):
        raise ConfigError(
            f"{named(paths[0])}: the files hold {len(tensors):,} tensors together, and the header "
            f"says {total:,}. They are not parts of one model; fetch them again."
        )
    return GgufHeader(paths[0], first.metadata, tensors)


def _parts(path: Path) -> list[Path]:
    """All files of the model that a file belongs to, in order."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    count = int(match["count"])
    numbers = range(1, min(count, _MOST_PARTS) + 1)
    wanted = [f"{match['stem']}-{i:05d}-of-{count:05d}.gguf" for i in numbers]
    held = {p.name for p in listing(path.parent or ".", ".gguf", ConfigError)}
    missing = [name for name in wanted if name not in held]
    if missing or not wanted:
        more = "…" if len(missing) > _MOST_SHOWN else ""
        raise ConfigError(
            f"{named(path)} is one of {count} files of a model; missing beside it: "
            f"{', '.join(missing[:_MOST_SHOWN])}{more}. Fetch all of them into one folder."
        )
    return [path.with_name(name) for name in wanted]


def _read(path: Path, *, whole: bool = True) -> GgufHeader:
    _check_is_gguf(path)
    try:
        from ridgeline.readers.gguf_library import header_of  # noqa: PLC0415  (an optional library)
    except ImportError:
        raise MissingExtraError("Reading a .gguf file", "gguf") from None
    try:
        metadata, tensors = header_of(path, whole=whole)
    except Exception as error:  # what the library raises on broken files varies
        raise ConfigError(
            f"{named(path)} is not a GGUF file that can be read: {first_line(error)}. Fetch it "
            "again."
        ) from None
    return GgufHeader(path, metadata, tuple(GgufTensor(*t) for t in tensors))


def _check_is_gguf(path: Path) -> None:
    """Refuse what is no regular file, and what does not begin as GGUF, before it is mapped."""
    if is_folder(path):
        raise ConfigError(f"{named(path)} is a folder; a .gguf file is expected.")
    if not exists(path):
        raise ConfigError(f"{named(path)}: there is no such file.")
    if not is_regular(path):
        raise ConfigError(f"{named(path)} is not a regular file; a .gguf file is expected.")
    with reading(path, "a .gguf file", ConfigError) as file:
        magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        what = "is empty" if not magic else "does not begin with the letters GGUF"
        raise ConfigError(f"{named(path)} {what}, so it is no GGUF file. Fetch it again.")
