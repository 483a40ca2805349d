"""Floating-point formats: FP8, the block-scaled ones, NVIDIA's modelopt and AMD's quark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.formats import mean_bits
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.compressed import compressed_tensors, kv_scheme
from ridgeline.readers.quantizers.fields import (
    everything,
    grouped,
    integer,
    number,
    table,
    texts,
)
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = [
    "fp8", "fp_quant", "mistral", "modelopt", "mxfp4", "mxfp8", "nvfp4", "quark", "w4afp8",
]  # fmt: skip

_KEPT = ("modules_to_not_convert", "ignored_layers")


def fp8(config: Mapping[str, Any]) -> Scheme:
    """8-bit floats with a scale per block of weights, per channel or per matrix.

    Where modelopt has narrowed some modules of such a checkpoint (``quantized_layers``), what it
    ignored stays in 8 bits.
    """
    block = config.get("weight_block_size")
    main = "fp8-block" if block else "fp8"
    if isinstance(block, (list, tuple)) and list(block) == [1, 32]:
        main = "mxfp8"
    narrowed = table(config, "quantized_layers")
    keys = _KEPT if narrowed else (*_KEPT, "ignore")
    scheme = everything(main, config, *keys)
    groups = (*_by_layer(narrowed), *scheme.groups)
    return Scheme(groups, scheme.excluded, kv_dtype=_fp8_cache(config))


def _fp8_cache(config: Mapping[str, Any]) -> str | None:
    """The cache: ``static`` of AutoFP8 and old quark exports stands for 8-bit floats."""
    scheme = config.get("kv_cache_scheme")
    return "fp8" if scheme in ("static", "dynamic") else kv_scheme(scheme)


def w4afp8(config: Mapping[str, Any]) -> Scheme:
    """Experts in integers of 4 bits, the other linear modules in 8-bit floats by blocks."""
    group = number(config, "group_size", default=128)
    if group is None or group < 1:
        raise ConfigError(f"group_size is {shown(group)}; a number of weights is expected.")
    experts = Group(Names(("*.experts.*",)), Stored(mean_bits("w4a8", 4 + 16 / group)))
    rest = Group(Names(("Linear",)), Stored("fp8-block"))
    return Scheme((experts, rest), Names(texts(config, *_KEPT, "ignore")))


def mistral(config: Mapping[str, Any]) -> Scheme:
    """The table ``quantization`` of Mistral's ``params.json``: 8-bit floats."""
    found = config.get("qformat_weight")
    if found != "fp8_e4m3":
        raise ConfigError(f"qformat_weight is {shown(found)}; fp8_e4m3 is the format known there.")
    return everything("fp8", config)


def mxfp8(config: Mapping[str, Any]) -> Scheme:
    """8-bit floats with a shared exponent per 32."""
    return everything("mxfp8", config, *_KEPT, "ignore")


def mxfp4(config: Mapping[str, Any]) -> Scheme:
    """gpt-oss: experts alone, a shared exponent per 32 values of 4 bits."""
    experts = Group(Names(("*.experts.*",)), Stored("mxfp4"))
    return Scheme((experts,), Names(texts(config, *_KEPT)))


def nvfp4(config: Mapping[str, Any]) -> Scheme:
    """NVIDIA's 4-bit floats for all linear modules."""
    return everything("nvfp4", config, *_KEPT, "exclude_modules", "ignore")


def fp_quant(config: Mapping[str, Any]) -> Scheme:
    """FP-Quant: names the format it multiplies in."""
    found = config.get("forward_dtype", "nvfp4")
    if found not in ("mxfp4", "nvfp4"):
        raise ConfigError(f"forward_dtype {shown(found)}: known are mxfp4 and nvfp4.")
    return everything(str(found), config, *_KEPT)


# ------------------------------------------------------------------ modelopt

_ALGOS = {
    "FP8": "fp8",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8",
    "FP8_PB_WO": "fp8-block",
    "FP8_PB_REAL": "fp8-block",
    "FP8_BLOCK_SCALES": "fp8-block",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "NVFP4_SVDQUANT": "nvfp4",
    "W4A16_NVFP4": "nvfp4-wo",
    "W4A8_NVFP4_FP8": "w4a8@4.5bpw",
    "MXFP4": "mxfp4",
    "W4A8_MXFP4_FP8": "w4a8@4.25bpw",
    "W4A8_MXFP4_MXFP8": "w4a8@4.25bpw",
    "W4A16_MXFP4": "mxfp4-wo",
    "MXFP8": "mxfp8",
    "W4A16_AWQ": "w4a16",
    "W4A8_AWQ": "w4a8",
    "INT4_AWQ": "w4a16",
    "W8A16": "w8a16",
    "W8A8_SQ": "int8",
    "W8A8_SQ_PER_CHANNEL": "int8",
    "W8A8_SQ_PER_CHANNEL_PER_TOKEN_PLUGIN": "int8",
    "INT8_SQ": "int8",
}
_UNQUANTISED = ("NONE", "NO_QUANT", "UNQUANTIZED")
_KV_ALGOS = {
    "FP8": "fp8", "FP8_AFFINE": "fp8", "NVFP4": "nvfp4", "NVFP4_AFFINE": "nvfp4", "INT8": "int8",
    "NONE": None, "AUTO": None,
}  # fmt: skip


def _algo(config: Mapping[str, Any] | Any, where: str) -> Stored:
    entry = config if isinstance(config, Mapping) else {"quant_algo": config}
    name = entry.get("quant_algo")
    if not isinstance(name, str) or name.upper() not in _ALGOS:
        near = did_you_mean(name, _ALGOS) if isinstance(name, str) else ""
        raise ConfigError(
            f"{where} {shown(name)} is not known.{near} Known are {', '.join(_ALGOS)}."
        )
    found = _ALGOS[name.upper()]
    group = number(entry, "group_size")
    if found == "w4a16" and group is not None:
        found = integer(4, group)
    if found == "w4a8" and group:
        found = mean_bits("w4a8", 4 + 16 / group)
    return Stored(found)


def _kv_algo(algo: object) -> str | None:
    if algo is None:
        return None
    if isinstance(algo, str) and algo.upper() in _KV_ALGOS:
        return _KV_ALGOS[algo.upper()]
    raise ConfigError(
        f"the cache's format {shown(algo)} is not known; known are {', '.join(_KV_ALGOS)}."
    )


def _cache_of(config: Mapping[str, Any]) -> str | None:
    algo = config.get("kv_cache_quant_algo")
    if algo is not None:
        return _kv_algo(algo)
    scheme = config.get("kv_cache_scheme")
    return kv_scheme(scheme) if isinstance(scheme, Mapping) else _kv_algo(scheme)


def modelopt(config: Mapping[str, Any]) -> Scheme:
    """Read NVIDIA modelopt's table, of ``config.json`` or of ``hf_quant_config.json``.

    Parameters
    ----------
    config : mapping

    Raises
    ------
    ConfigError   An unknown algorithm.
    """
    inner = table(config, "quantization")  # the text of hf_quant_config.json, put whole
    if inner:
        config = {**config, **inner}
    algo = config.get("quant_algo")
    kv_dtype = _cache_of(config)
    excluded = Names(texts(config, "exclude_modules", "ignore"))
    layers = table(config, "quantized_layers")
    if layers:
        return Scheme(_by_layer(layers), excluded, kv_dtype=kv_dtype)
    if algo in (None, "MIXED_PRECISION") and "config_groups" in config:
        return compressed_tensors(config)
    if algo is None or algo in _UNQUANTISED:
        return Scheme(kv_dtype=kv_dtype)  # only the cache
    main = Group(Names(("Linear",)), _algo(config, "quant_algo"))
    return Scheme((main,), excluded, kv_dtype=kv_dtype)


def _by_layer(layers: Mapping[str, Any]) -> tuple[Group, ...]:
    """Group the modules of a mixed checkpoint by format."""
    return grouped((name, _module_algo(name, entry)) for name, entry in layers.items())


def _module_algo(name: str, entry: Any) -> Stored | None:
    algo = entry.get("quant_algo") if isinstance(entry, Mapping) else entry
    kept = isinstance(algo, str) and algo.upper() in _UNQUANTISED
    return None if kept else _algo(entry, f"{name}: quant_algo")


# ------------------------------------------------------------------ quark

_QUARK_PLAIN = {
    "fp8_e4m3": "fp8", "fp8_e5m2": "fp8", "fp8": "fp8", "int8": "int8", "uint8": "int8",
    "mxfp4": "mxfp4", "mx": "mxfp4", "fp4": "mxfp4", "fp6_e2m3": "mxfp6", "fp6_e3m2": "mxfp6",
    "mx6": "mxfp6", "bfloat16": "bf16", "float16": "fp16",
}  # fmt: skip


def _quark_weight(entry: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
    weight = entry.get("weight")
    if isinstance(weight, (list, tuple)) and weight:
        weight = weight[-1]  # quantised in steps: the last is how it is stored
    if weight is None:
        return None
    if not isinstance(weight, Mapping):
        raise ConfigError(f"{where}.weight is {shown(weight)}, and a table is expected.")
    return weight


def _quark_format(entry: Mapping[str, Any], where: str) -> Stored | None:
    weight = _quark_weight(entry, where)
    if weight is None:
        return None
    kind = str(weight.get("dtype", "")).lower()
    group = number(weight, "group_size", "block_size") if _is_grouped(weight) else None
    weight_only = not entry.get("input_tensors")
    if kind in ("int4", "uint4", "int3", "int2"):
        offset = "" if weight.get("symmetric", kind.startswith("int")) else "zp"
        found = integer(int(kind[-1]), group, weight_only=weight_only, offset=offset)
        return Stored(found)
    if kind not in _QUARK_PLAIN:
        raise ConfigError(
            f"{where}: quark's dtype {shown(weight.get('dtype'))} is not known."
            f"{did_you_mean(kind, _QUARK_PLAIN)} Known are {', '.join(_QUARK_PLAIN)}, int4, uint4."
        )
    found = _QUARK_PLAIN[kind]
    if found == "fp8" and weight.get("qscheme") == "per_block" and not weight_only:
        return Stored("fp8-block")
    if found in ("fp8", "int8") and weight_only:
        return Stored("w8a16")
    if found == "mxfp4":
        found = "nvfp4" if group == 16 else "mxfp4"
        return Stored(f"{found}-wo" if weight_only else found)
    return Stored(found)


def _is_grouped(weight: Mapping[str, Any]) -> bool:
    return weight.get("qscheme") in (None, "per_group", "per_block")


def quark(config: Mapping[str, Any]) -> Scheme:
    """AMD quark: one table for all modules, tables for named ones, a list that is left out."""
    own: list[tuple[str, Stored | None]] = []
    for name, entry in table(config, "layer_quant_config").items():
        if not isinstance(entry, Mapping):
            raise ConfigError(f"layer_quant_config.{name} is {shown(entry)}; a table is expected.")
        own.append((name, _quark_format(entry, f"layer_quant_config.{name}")))
    main = _quark_format(_of_linear(config), "global_quant_config")
    groups = grouped(own)
    if main is not None:
        groups = (*groups, Group(Names(("Linear",)), main))
    kv_dtype = _quark_cache(config)
    if not groups and kv_dtype is None:
        raise ConfigError("quark's global_quant_config has no table weight: what is quantised?")
    return Scheme(groups, Names(texts(config, "exclude")), linear_head=True, kv_dtype=kv_dtype)


def _of_linear(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table for all linear modules: that of their class goes before that of the model."""
    by_class = table(config, "layer_type_quant_config")
    own = next((by_class[name] for name in by_class if name.endswith("Linear")), None)
    return own if isinstance(own, Mapping) else table(config, "global_quant_config")


def _quark_cache(config: Mapping[str, Any]) -> str | None:
    entries = [e for e in table(config, "kv_cache_quant_config").values() if isinstance(e, Mapping)]
    for entry in entries:
        output = entry.get("output_tensors")
        if isinstance(output, Mapping):
            return "int8" if str(output.get("dtype", "")).startswith("int8") else "fp8"
    return None
