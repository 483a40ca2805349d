"""Take a checkpoint's name apart: who made it, of what model, in which format."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ridgeline.catalog._store import BUILT_IN, read_toml
from ridgeline.formats import folded
from ridgeline.naming import tokens

__all__ = ["CopyFormat", "Named", "is_narrow", "key", "loose_key", "parsed", "without_host"]

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_GGUF = (
    r"(?:ud-|i1-)?("
    r"i?q\d+-(?:[01]|k(?:-[a-z]{1,3})?|xxs|xs|s|m|nl)|tq[12]-0|bf16|f16|f32|mxfp4(?:-moe)?)"
)
_GGUF_TAG = re.compile(_GGUF)
_GGUF_END = re.compile(rf"^(.+?)[.-]{_GGUF}$")
_GGUF_NAMES = {"f16": "fp16", "f32": "fp32"}
_WIDE = ("bf16", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """The storage format of a copy, as its name states it.

    Attributes
    ----------
    dtype : str        Format of the quantised layers; blank where the name is not enough.
    method : str       How it is said.
    dtypes : mapping   Parts that differ from what engines keep wide.
    mixers : str       Format of attention and recurrent layers where one is latent or linear.
    kv : str           Format of the cache, if it is said.
    unclear : str      Why the name is not enough.
    """

    dtype: str
    method: str
    dtypes: dict[str, str] = field(default_factory=dict)
    mixers: str = ""
    kv: str = ""
    unclear: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A name taken apart.

    Attributes
    ----------
    organisation : str            Folded; blank where none is named.
    base : str                    Folded name of the model without its format.
    format : CopyFormat or None   None where the name says none.
    """

    organisation: str
    base: str
    format: CopyFormat | None = None


@cache
def _table() -> dict[str, Any]:
    return read_toml(BUILT_IN / "name_formats.toml")


@cache
def _rows() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [(re.compile(rf"^(.+?)[.-](?:{row['pattern']})$"), row) for row in _table()["format"]]


def without_host(name: str) -> str:
    """Remove the address of a hub before an id, and blanks around it."""
    text = name.strip()
    for host in _table()["hosts"]:
        if text.casefold().startswith(host):
            return text[len(host) :].strip("/")
    return text


def parsed(name: str) -> Named:
    """Take a name apart.

    Parameters
    ----------
    name : str   An id with or without organisation, tag (``:Q4_K_M``) or ``.gguf``.

    Examples
    --------
    >>> named = parsed("unsloth/Qwen3-32B-GGUF:Q4_K_M")
    >>> named.organisation, named.base, named.format.dtype
    ('unsloth', 'qwen3-32b', 'q4-k-m')
    """
    organisation, _, rest = without_host(name).rpartition("/")
    maker = folded(organisation.rpartition("/")[2])
    text, _, tag = folded(rest).partition(":")
    text = _SHARD.sub("", text.removesuffix(".gguf")) if text.endswith(".gguf") else text
    is_gguf = folded(rest).endswith(".gguf") or text.endswith("-gguf")
    text = text.removesuffix("-gguf")
    if tag and _GGUF_TAG.fullmatch(tag):
        return Named(maker, text, _gguf(tag))
    text = f"{text}-{tag}" if tag else text
    if found := _GGUF_END.match(text):
        kind = text[len(found[1]) + 1 :]
        if is_gguf or kind not in ("bf16", "f16", "f32", "mxfp4"):
            return Named(maker, found[1], _gguf(kind))
    if is_gguf:
        return Named(maker, text, _gguf(""))
    return _by_rows(maker, text)


def _gguf(kind: str) -> CopyFormat:
    if not kind:
        return CopyFormat("", "GGUF", unclear="a GGUF copy has a file per size")
    if kind.startswith("ud-"):
        unclear = "Unsloth's dynamic mixes (UD-…) differ by model; read the file itself"
        return CopyFormat("", f"GGUF {kind}", unclear=unclear)
    plain = kind.removeprefix("i1-")
    dtype = _GGUF_NAMES.get(plain, plain)
    return CopyFormat(dtype, "llama.cpp's quantiser")


def _by_rows(maker: str, text: str) -> Named:
    for pattern, row in _rows():
        match = pattern.match(text)
        if match is None or ("makers" in row and maker not in row["makers"]):
            continue
        groups = [g for g in match.groups()[1:] if g is not None]

        def filled(template: str, groups: list[str] = groups) -> str:
            return template.format(*groups)

        found = CopyFormat(
            filled(row.get("dtype", "")),
            row["method"],
            {part: filled(dtype) for part, dtype in row.get("dtypes", {}).items()},
            row.get("mixers", ""),
            row.get("kv", ""),
            row.get("unclear", ""),
        )
        return Named(maker, match[1], found)
    return Named(maker, text)


def is_narrow(name: str) -> bool:
    """Whether a name says that its weights are quantised."""
    stated = parsed(name).format
    return stated is not None and stated.dtype not in _WIDE


def key(name: str) -> tuple[str, ...]:
    """Words and numbers of a model's name, without the vendor's before it.

    Examples
    --------
    >>> key("Meta-Llama-3.1-8B") == key("llama 3.1 8b") == key("Llama-3_1-8B")
    True
    """
    found = [part for token in tokens(name) for part in token.split(".")]
    while len(found) > 1 and found[0] in _table()["vendors"]:
        del found[0]
    return tuple(found)


def loose_key(name: str) -> tuple[str, ...]:
    """Words and numbers of a model's name without those that only say how it was tuned."""
    found = key(name)
    tunings = _table()["tunings"]
    return tuple(t for i, t in enumerate(found) if i == 0 or t not in tunings)
