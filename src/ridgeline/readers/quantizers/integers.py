"""Integer formats with a scale per group: GPTQ, AWQ, auto-round, bitsandbytes, HQQ, MLX and kin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.formats import mean_bits
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.fields import (
    bits_of,
    everything,
    grouped,
    integer,
    number,
    table,
    texts,
    wide,
)
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = [
    "auto_round", "bitnet", "bitsandbytes", "eetq", "experts_int8", "gptq", "gptq_24", "hqq",
    "int8", "marlin", "metal", "mlx", "qqq", "quanto", "sinq",
]  # fmt: skip

_KEPT = "modules_to_not_convert"
_DEFAULT_GROUP = 128
_WIDE = 16


def _gptq_format(config: Mapping[str, Any]) -> Stored:
    """Packed integers with scales and, whether symmetric or not, packed zero points."""
    bits = bits_of(config, "bits", "w_bit")
    return Stored(integer(bits, number(config, "group_size", "q_group_size"), offset="zp"))


def gptq(config: Mapping[str, Any]) -> Scheme:
    """GPTQ and AWQ: also ``quantize_config.json`` and ``quant_config.json``."""
    main = _gptq_format(config)
    excluded = [*texts(config, _KEPT)]
    own: list[tuple[str, Stored | None]] = []
    for pattern, change in table(config, "dynamic").items():
        if pattern.startswith("-:"):
            excluded.append(f"re:{pattern[2:]}")
        elif isinstance(change, Mapping):
            changed = _gptq_format({**config, **change})
            own.append((f"re:{pattern.removeprefix('+:')}", changed))
    only = config.get("modules_in_block_to_quantize")
    chosen = _flat(only) if only else ("Linear",)
    head = main if config.get("lm_head") is True else None
    # Whatever ``dynamic`` says: the embedding never, and the head only where ``lm_head`` says so.
    ends = Group(Names(("embed_tokens",) if head else ("embed_tokens", "lm_head")), None)
    groups = (ends, *grouped(own), Group(Names(chosen), main))
    return Scheme(groups, Names(excluded), head=head)


def marlin(config: Mapping[str, Any]) -> Scheme:
    """Marlin's own format: 4-bit symmetric integers without zero points."""
    stored = integer(bits_of(config, "bits", default=4), number(config, "group_size", default=-1))
    return everything(stored, config, _KEPT)


def gptq_24(config: Mapping[str, Any]) -> Scheme:
    """Two of four weights kept, and two bits that say which per kept one."""
    bits = bits_of(config, "bits", "weight_bits", default=4)
    group = number(config, "group_size", default=_DEFAULT_GROUP)
    scale = 16 / group if group is not None and group > 0 else 0
    return everything(mean_bits("w4a16", bits / 2 + 1 + scale), config, _KEPT)


def _flat(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(name for inner in value for name in _flat(inner))
    raise ConfigError(f"{shown(value)} is not a module name; lists of names are expected.")


#: by bits and kind: weights alone, and with activations that are as narrow
_FLOATS = {
    (4, "mx"): ("mxfp4-wo", "mxfp4"), (8, "mx"): ("mxfp8", "mxfp8"),
    (4, "nv"): ("nvfp4-wo", "nvfp4"), (8, "fp"): ("w8a16", "fp8"), (8, "fl"): ("w8a16", "fp8"),
}  # fmt: skip


def _auto_round_format(config: Mapping[str, Any]) -> Stored:
    kind = config.get("data_type", "int")
    bits = bits_of(config, "bits")
    both = (number(config, "act_bits") or 16) < 16
    if not isinstance(kind, str) or kind.startswith(("int", "uint")):
        group = number(config, "group_size")
        return Stored(integer(bits, group, weight_only=not both, offset="zp"))
    found = _FLOATS.get((bits, kind[:2]))
    if found is None:
        raise ConfigError(f"data_type {shown(kind)} of {bits} bits is not known to auto-round.")
    return Stored(found[both])


def auto_round(config: Mapping[str, Any]) -> Scheme:
    """Intel's auto-round: GPTQ's fields, and a table of modules with bits of their own."""
    if config.get("packing_format") == "mlx":
        return mlx(_plain_of(config))
    main = _auto_round_format(config)
    own: list[tuple[str, Stored | None]] = []
    for name, change in table(config, "extra_config").items():
        if not isinstance(change, Mapping):
            raise ConfigError(f"extra_config.{name} is {shown(change)}, and a table is expected.")
        kept = wide(change.get("bits"))
        own.append(
            (_auto_round_name(name), None if kept else _auto_round_format({**config, **change}))
        )
    blocks = config.get("block_name_to_quantize") or config.get("to_quant_block_names")
    names = [part for text in _flat(blocks) for part in text.split(",")] if blocks else []
    if names and not any("mtp" in name for name in names):
        own.append(("mtp", None))
    # A prefix such as model.layers; encoders of other media are listed beside it.
    whole = not names or any(re.search(r"layers$|\.h$", name.strip()) for name in names)
    main_group = Group(Names(("Linear",) if whole else names), main)
    return Scheme((*grouped(own), main_group), Names(texts(config, _KEPT)))


def _auto_round_name(name: str) -> str:
    return f"re:{name}" if any(mark in name for mark in "*\\()|[") else name


def bitsandbytes(config: Mapping[str, Any]) -> Scheme:
    """bitsandbytes: int8, or four bits with a 32-bit scale per 64, perhaps quantised itself."""
    skipped = "llm_int8_skip_modules"
    if config.get("load_in_8bit") or config.get("_load_in_8bit"):
        return everything("int8", config, skipped)
    if not (config.get("load_in_4bit") or config.get("_load_in_4bit")):
        raise ConfigError("bitsandbytes needs load_in_4bit or load_in_8bit to be true.")
    double = bool(config.get("bnb_4bit_use_double_quant"))
    return everything("nf4" if double else "nf4-single", config, skipped)


def eetq(config: Mapping[str, Any]) -> Scheme:
    """8-bit weights, 16-bit activations, a scale per channel."""
    return everything("w8a16", config, _KEPT)


def experts_int8(config: Mapping[str, Any]) -> Scheme:
    """Experts alone, in 8 bits."""
    return Scheme((Group(Names(("*.experts.*",)), Stored("w8a16")),), Names(texts(config, _KEPT)))


def bitnet(config: Mapping[str, Any]) -> Scheme:
    """Ternary weights, four in a byte; 16-bit ones where they are made ternary as they are used."""
    if config.get("quantization_mode") == "online":
        return Scheme(notes=("Stored unpacked: weights are made ternary as they are used.",))
    return everything("bitnet", config, _KEPT)


def quanto(config: Mapping[str, Any]) -> Scheme:
    """Quanto: a scale and a shift per 128 weights below 8 bits, a scale per channel at 8."""
    formats = {"float8": "w8a16", "int8": "w8a16", "int4": "int4-g128-affine",
               "int2": "int2-g128-affine"}  # fmt: skip
    weights = config.get("weights")
    if not isinstance(weights, str) or weights not in formats:
        raise ConfigError(f"quanto's weights {shown(weights)}: known are {', '.join(formats)}.")
    if config.get("activations") and weights in ("float8", "int8"):
        return everything("fp8" if weights == "float8" else "int8", config, _KEPT)
    return everything(formats[weights], config, _KEPT)


#: bits that HQQ's packing gives a weight: ten of three bits in a word, a byte where it knows none
_HQQ_PACKED = {3: 3.2, 5: 8.0, 6: 8.0, 7: 8.0}
#: an 8-bit scale with a scale and a zero point of its own for 128
_NARROW_SCALE, _NARROW_ZERO = 8 + 32 / 128, 8.0


def _hqq_format(entry: Mapping[str, Any]) -> Stored:
    inner = table(entry, "weight_quant_params") or entry
    bits = bits_of(inner, "nbits")
    group = number(inner, "group_size", default=None if "group_size" in inner else 64)
    if group is None or group < 1:
        return Stored(integer(bits, None))
    found = integer(bits, group, offset="affine")
    scale = _NARROW_SCALE if entry.get("scale_quant_params") else _WIDE
    zero = _NARROW_ZERO if entry.get("zero_quant_params") else _WIDE
    return Stored(mean_bits(found, _HQQ_PACKED.get(bits, bits) + (scale + zero) / group))


def sinq(config: Mapping[str, Any]) -> Scheme:
    """SINQ: packed as HQQ packs; its second scale per column is negligible."""
    return everything(_hqq_format(config), config, _KEPT)


def metal(config: Mapping[str, Any]) -> Scheme:
    """Integers with a 16-bit scale and offset per group, as MLX stores them."""
    return everything(_mlx_format(_plain_of(config)), config, _KEPT)


def int8(config: Mapping[str, Any]) -> Scheme:
    """Weights and activations of 8 bits, a scale per channel or per block."""
    return everything("int8", config, _KEPT, "ignored_layers", "ignore")


def qqq(config: Mapping[str, Any]) -> Scheme:
    """QQQ: 4-bit weights with 8-bit activations."""
    bits = bits_of(config, "bits", "wbits", default=4)
    stored = integer(bits, number(config, "group_size", default=-1), weight_only=False)
    return everything(stored, config, _KEPT)


def hqq(config: Mapping[str, Any]) -> Scheme:
    """HQQ: 16-bit scale and zero point per group; kinds of module may have their own bits."""
    whole = table(config, "quant_config") or config
    own = {k: v for k, v in table(config, "dynamic_config").items() if isinstance(v, Mapping)}
    if "weight_quant_params" not in whole and "nbits" not in whole:
        own |= {k: v for k, v in whole.items() if isinstance(v, Mapping)}
    groups = grouped((name, _hqq_format(entry)) for name, entry in own.items())
    if not groups or "weight_quant_params" in whole or "nbits" in whole:
        groups = (*groups, Group(Names(("Linear",)), _hqq_format(whole)))
    return Scheme(groups, Names(texts(config, "skip_modules")))


_MLX_MODES = {"mxfp4": "mxfp4-wo", "nvfp4": "nvfp4-wo", "mxfp8": "mxfp8"}


def _mlx_format(entry: Mapping[str, Any]) -> Stored:
    mode = entry.get("mode", "affine")
    if mode in _MLX_MODES:
        return Stored(_MLX_MODES[mode])
    if mode != "affine":
        raise ConfigError(f"mode {shown(mode)}: known are affine, {', '.join(_MLX_MODES)}.")
    group = number(entry, "group_size", default=64)
    return Stored(integer(bits_of(entry, "bits"), group, offset="affine"))


def mlx(config: Mapping[str, Any]) -> Scheme:
    """MLX's table ``quantization``: embedding and head, too; modules may have their own entry."""
    own: list[tuple[str, Stored | None]] = []
    for name, entry in config.items():
        if entry is False:
            own.append((name, None))
        elif isinstance(entry, Mapping):
            own.append((name, _mlx_format({**_plain_of(config), **entry})))
    main = Group(Names(("Linear",)), _mlx_format(config))
    return Scheme((*grouped(own), main), whole=True)


def _plain_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k in ("bits", "group_size", "mode")}
