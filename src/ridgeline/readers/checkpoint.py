"""Read what people have on disk: a config, a folder of a checkpoint, or a GGUF file."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError
from ridgeline.files import is_folder, listing, named
from ridgeline.readers.hf_config import read_config
from ridgeline.readers.safetensors_header import files_of, read_safetensors
from ridgeline.readers.stored import gathered, has_attention, with_checked
from ridgeline.shipped import read_shipped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ridgeline.readers.safetensors_header import SafeTensor
    from ridgeline.specs.model import Model

__all__ = ["part_of", "read_checkpoint", "with_safetensors"]

_TABLE = Path(__file__).with_name("safetensors_parts.toml")
#: formats of tensors that hold one value in an entry
_PLAIN = {
    "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8",
}  # fmt: skip
_MOST_SHOWN = 5


def read_checkpoint(
    path: str | Path, *, id: str | None = None, assume_harmless: Collection[str] = ()
) -> Model:
    """Read a model from a file or folder.

    Parameters
    ----------
    path : str or Path
        A ``config.json``; a folder that holds one, whose safetensors headers are read where they
        lie beside it; a ``.gguf`` file, or a folder with the files of one model. Where a folder
        has a config and GGUF files only, the GGUF file is what is stored.
    id : str or None                      What to call it; None takes the file's or folder's name.
    assume_harmless : collection of str   As for `read_config`.

    Raises
    ------
    ConfigError         What is broken, incomplete or not understood.
    MissingExtraError   A .gguf file without the library that reads it.
    """
    path = Path(path)
    if is_folder(path):
        return _read_folder(path, id, assume_harmless)
    if path.suffix.casefold() == ".gguf":
        return _read_gguf(path, id)
    return read_config(path, id=id, assume_harmless=assume_harmless)


def _read_gguf(path: Path, id: str | None) -> Model:
    from ridgeline.readers.gguf_file import read_gguf  # noqa: PLC0415  (most need no GGUF)

    return read_gguf(path, id=id)


def _read_folder(folder: Path, id: str | None, assume_harmless: Collection[str]) -> Model:
    weights = files_of(folder)
    if not weights and (gguf := _gguf_of(folder)) is not None:
        return _read_gguf(gguf, id)
    model = read_config(folder, id=id, assume_harmless=assume_harmless)
    tensors = [t for path in weights for t in read_safetensors(path)]
    return with_safetensors(model, tensors) if tensors else model


def _gguf_of(folder: Path) -> Path | None:
    """The first file of the one GGUF model in a folder; a config beside it is of the original."""
    held = [p for p in listing(folder, ".gguf", ConfigError) if not p.name.startswith("mmproj")]
    first = [p for p in held if "-of-" not in p.name or "-00001-of-" in p.name]
    if len(first) > 1:
        names = ", ".join(p.name for p in first[:_MOST_SHOWN])
        more = f" and {len(first) - _MOST_SHOWN} more" if len(first) > _MOST_SHOWN else ""
        raise ConfigError(f"{named(folder)} holds several models: {names}{more}. Name one of them.")
    return first[0] if first else None


def with_safetensors(model: Model, tensors: Iterable[SafeTensor]) -> Model:
    """Check a model against the tensors of its files, and store it in their bytes.

    Parameters
    ----------
    model : Model                       As its config gives it.
    tensors : iterable of SafeTensor    Of all its files.

    Returns
    -------
    Model   Its notes say where files and config differ by more than 2%.
    """
    attention = has_attention(model)
    found = (
        (part_of(t.name, attention), _PLAIN.get(t.type, ""), t.n_values, t.n_bytes) for t in tensors
    )
    return with_checked(model, gathered(found))


@cache
def _table() -> dict[str, Any]:
    return read_shipped(_TABLE)


def _among(words: list[str], patterns: list[str]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def part_of(name: str, attention: list[bool]) -> str:
    """The part that a tensor belongs to; ``outside`` and ``mtp`` are none of the model's.

    Parameters
    ----------
    name : str                 Of the tensor, as checkpoints name it.
    attention : list of bool   Per layer of the model whether it has softmax attention.
    """
    words, rules = name.split("."), _table()
    if _among(words, rules["outside"]):
        return "outside"
    at = next(
        (i for i, w in enumerate(words[:-1]) if w in rules["layers"] and words[i + 1].isdecimal()),
        None,
    )
    layer = int(words[at + 1][:9]) if at is not None else None
    if _among(words, rules["mtp"]) or (layer is not None and layer >= len(attention)):
        return "mtp"
    if layer is None or at is None:
        return _ruled(words, rules["model"])
    rest = words[at + 2 :]
    if rest[-1:] == ["bias"]:
        return "other"
    found = _ruled(rest, rules["layer"])
    return "recurrent" if found == "attention" and not attention[layer] else found


def _ruled(words: list[str], rules: list[list[str]]) -> str:
    return next((part for pattern, part in rules if _among(words, [pattern])), "other")
