"""Formats whose bits are an average or the size of a code: EXL2, EXL3, AQLM, VPTQ, HIGGS, GGUF."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ridgeline.errors import CatalogError, ConfigError
from ridgeline.formats import dtype
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.fields import bits_of, everything, grouped, number, table, texts
from ridgeline.readers.scheme import Scheme, Stored

__all__ = ["aqlm", "exl2", "exl3", "gguf", "higgs", "vptq"]

_KEPT = "modules_to_not_convert"
_VALUE_BITS = 16
#: types of a file that are no format of their own
_GGUF_ALIASES = {"f16": "fp16", "f32": "fp32", "all_f32": "fp32", "mostly_f16": "fp16"}


def exl2(config: Mapping[str, Any]) -> Scheme:
    """EXL2: an average over the linear modules, and the head's own."""
    return _exl("exl2", config)


def exl3(config: Mapping[str, Any]) -> Scheme:
    """EXL3: an average over the linear modules, and the head's own."""
    return _exl("exl3", config)


def _exl(generation: str, config: Mapping[str, Any]) -> Scheme:
    head = config.get("head_bits")
    main = _of_bits(generation, config.get("bits"))
    kept = None if head is None or head == _VALUE_BITS else Stored(_of_bits(generation, head))
    return everything(main, config, _KEPT, head=kept)


def _of_bits(generation: str, bits: object) -> str:
    if isinstance(bits, bool) or not isinstance(bits, (int, float)) or not 1 <= bits <= 16:
        raise ConfigError(f"bits is {shown(bits)}; bits per weight such as 4.25 are expected.")
    return f"{generation}_{bits:g}bpw"


def _least(config: Mapping[str, Any], key: str, default: int, most: int) -> int:
    value = number(config, key, default=default)
    if value is None or not 1 <= value <= most:
        raise ConfigError(f"{key} is {shown(value)}; a whole number from 1 to {most} is expected.")
    return value


def aqlm(config: Mapping[str, Any]) -> Scheme:
    """AQLM: codes for groups of weights, and codebooks of their own for each matrix."""
    books = _least(config, "num_codebooks", 1, 16)
    code = _least(config, "nbits_per_codebook", 16, 24)
    group = _least(config, "in_group_size", 8, 256) * _least(config, "out_group_size", 1, 256)
    book_bits = books * 2**code * group * _VALUE_BITS
    stored = Stored(f"aqlm_{books * code / group:g}bpw", book_bits)
    return everything(stored, config, "linear_weights_not_to_quantize", _KEPT)


def higgs(config: Mapping[str, Any]) -> Scheme:
    """HIGGS: codes of so many bits per weight, a 16-bit scale per group."""
    bits = bits_of(config, "bits", default=4)
    group = _least(config, "group_size", 256, 65536)
    return everything(f"higgs_{bits + _VALUE_BITS / group:g}bpw", config, _KEPT)


def gguf(config: Mapping[str, Any]) -> Scheme:
    """GGUF: the type of the file, which gives each part a type of its own."""
    stated = config.get("quant_type", config.get("gguf_type", config.get("file_type")))
    name = stated.lower().removeprefix("mostly_") if isinstance(stated, str) else None
    try:
        found = None if name is None else dtype(_GGUF_ALIASES.get(name, name))
    except CatalogError:
        found = None
    wide = found is not None and found.id in ("bf16", "fp16", "fp32")
    if found is None or not (wide or re.match(r"i?q\d|tq\d|mxfp4", found.id)):
        raise ConfigError(
            f"a GGUF type such as Q4_K_M is expected as quant_type, not {shown(stated)}."
        )
    return everything(found.id, config, _KEPT, head=Stored(found.id))


def vptq(config: Mapping[str, Any]) -> Scheme:
    """VPTQ: codes for vectors of weights and for what is left, a table of sizes per module."""
    own = dict(table(config, "config_for_layers")) | dict(table(config, "shared_layer_config"))
    if not own:
        raise ConfigError("vptq needs config_for_layers: a table of sizes by module.")
    groups = grouped((name, _vptq_format(name, entry)) for name, entry in own.items())
    return Scheme(groups, Names(texts(config, _KEPT)))


def _vptq_format(name: str, entry: object) -> Stored:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"vptq's sizes of {name} are {shown(entry)}; a table is expected.")
    if entry.get("outlier_size"):
        raise ConfigError(
            f"vptq's {name}: outlier_size is {shown(entry['outlier_size'])}; columns with codes of "
            "their own are not described."
        )
    vector = _second(entry, "vector_lens", 1, 256)
    codes = _second(entry, "num_centroids", 2, 2**24)
    left = _second(entry, "num_res_centroids", -1, 2**24)
    books = number(entry, "group_num", default=1) or 1
    rest = math.ceil(math.log2(left)) if left > 1 else 0
    bits = (math.ceil(math.log2(codes)) + rest) / vector
    return Stored(f"vptq_{bits:.6g}bpw", books * (codes + max(left, 0)) * vector * _VALUE_BITS)


def _second(entry: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """The second of a pair: the first is of columns that stand out."""
    pair = entry.get(key)
    value = pair[1] if isinstance(pair, (list, tuple)) and len(pair) == 2 else None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(
            f"vptq's {key} is {shown(pair)}; a pair is expected whose second number is from "
            f"{least} to {most}."
        )
    return value
