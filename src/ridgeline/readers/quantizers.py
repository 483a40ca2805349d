"""Read what each quantiser writes into a config: one function a method."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.scheme import Scheme

__all__ = ["METHODS", "method_of", "modelopt"]


def method_of(config: Mapping[str, Any]) -> str:
    """Name the method of a ``quantization_config``.

    Parameters
    ----------
    config : mapping

    Raises
    ------
    ConfigError   It does not say.
    """
    method = config.get("quant_method")
    if isinstance(method, str):
        return method.lower()
    if method is not None:
        raise ConfigError(f"quant_method is {shown(method)}, and a name is expected.")
    if config.get("load_in_4bit") or config.get("load_in_8bit"):
        return "bitsandbytes"
    if "quant_algo" in config:
        return "modelopt"
    if "config_groups" in config:
        return "compressed-tensors"
    raise ConfigError("quantization_config does not say its quant_method.")


# ------------------------------------------------------------------ fields


def _texts(config: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Names under the first of the keys that is there."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        values = list(value) if isinstance(value, (list, tuple, Mapping)) else [value]
        if not all(isinstance(v, str) for v in values):
            raise ConfigError(f"{key} is {shown(value)}, and a list of module names is expected.")
        return tuple(values)
    return ()


def _number(config: Mapping[str, Any], *keys: str, default: int | None = None) -> int | None:
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{key} is {shown(value)}, and a whole number is expected.")
        return value
    return default


def _bits(config: Mapping[str, Any], *keys: str, default: int | None = None) -> int:
    bits = _number(config, *keys, default=default)
    if bits is None or not 1 <= bits <= 16:
        raise ConfigError(
            f"{keys[0]} is {shown(bits)}; a number of bits a weight, 1 to 16, is expected."
        )
    return bits


def _integer(bits: int, group: int | None, *, weight_only: bool = True) -> str:
    """Name the integer format of so many bits with a scale per group of weights."""
    plain = group is None or group <= 0
    if bits == 8 and plain:
        return "w8a16" if weight_only else "int8"
    if plain:
        group = 128
    return "int4" if (bits, group) == (4, 128) else f"int{bits}-g{group}"


def _all(dtype: str, config: Mapping[str, Any], *keys: str, **more: Any) -> Scheme:
    return Scheme(groups=((("Linear",), dtype),), excluded=_texts(config, *keys), **more)


# ------------------------------------------------------------------ methods


def _fp8(config: Mapping[str, Any]) -> Scheme:
    dtype = "fp8-block" if config.get("weight_block_size") else "fp8"
    return _all(dtype, config, "modules_to_not_convert", "ignored_layers", "ignore")


def _mxfp4(config: Mapping[str, Any]) -> Scheme:
    experts = ("re:.*experts.*",)
    excluded = _texts(config, "modules_to_not_convert", "ignored_layers")
    return Scheme(groups=((experts, "mxfp4"),), excluded=excluded)


def _gptq(config: Mapping[str, Any]) -> Scheme:
    dtype = _integer(_bits(config, "bits", "w_bit"), _number(config, "group_size", "q_group_size"))
    excluded = [*_texts(config, "modules_to_not_convert")]
    groups: list[tuple[tuple[str, ...], str]] = []
    dynamic = config.get("dynamic") or {}
    if not isinstance(dynamic, Mapping):
        raise ConfigError(f"dynamic is {shown(dynamic)}, and a table of patterns is expected.")
    for pattern, change in dynamic.items():
        if pattern.startswith("-:"):
            excluded.append(f"re:{pattern[2:]}")
        elif isinstance(change, Mapping):
            both = {**config, **change}
            own = _integer(_bits(both, "bits"), _number(both, "group_size"))
            groups.append(((f"re:{pattern.removeprefix('+:')}",), own))
    only = config.get("modules_in_block_to_quantize")
    chosen = _flat(only) if only else ("Linear",)
    main = (chosen, dtype)
    head = dtype if config.get("lm_head") is True else None
    return Scheme(groups=(*groups, main), excluded=tuple(excluded), head=head)


def _flat(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(name for inner in value for name in _flat(inner))
    raise ConfigError(f"{shown(value)} is not a module name; lists of names are expected.")


def _auto_round(config: Mapping[str, Any]) -> Scheme:
    extra = config.get("extra_config") or {}
    if not isinstance(extra, Mapping):
        raise ConfigError(f"extra_config is {shown(extra)}, and a table is expected.")
    kept = [n for n, c in extra.items() if isinstance(c, Mapping) and (c.get("bits") or 16) > 8]
    scheme = _gptq(config)
    return Scheme(groups=scheme.groups, excluded=(*scheme.excluded, *kept), head=scheme.head)


def _bitsandbytes(config: Mapping[str, Any]) -> Scheme:
    skip = "llm_int8_skip_modules"
    if config.get("load_in_8bit"):
        return _all("int8", config, skip)
    dtype = "int4" if config.get("bnb_4bit_use_double_quant") else "int4-g32"
    return _all(dtype, config, skip)


def _compressed_tensors(config: Mapping[str, Any]) -> Scheme:
    groups = config.get("config_groups")
    if not isinstance(groups, Mapping) or not groups:
        raise ConfigError("compressed-tensors needs config_groups: a table of groups of modules.")
    found: list[tuple[tuple[str, ...], str]] = []
    for name, group in groups.items():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(weights, Mapping):
            raise ConfigError(f"config_groups.{name} is {shown(group)}; it lacks a table weights.")
        dtype = _compressed_format(weights, weight_only=not group.get("input_activations"))
        found.append((_texts(group, "targets") or ("Linear",), dtype))
    # Groups that name modules go before those that mean all.
    found.sort(key=lambda entry: "Linear" in entry[0])
    named = [d for targets, d in found if "lm_head" in targets]
    return Scheme(
        groups=tuple(found),
        excluded=_texts(config, "ignore"),
        head=named[0] if named else None,
        kv_dtype=_kv_scheme(config.get("kv_cache_scheme")),
    )


def _compressed_format(weights: Mapping[str, Any], *, weight_only: bool) -> str:
    bits = _bits(weights, "num_bits", default=8)
    group = _number(weights, "group_size")
    kind = weights.get("type", "int")
    if kind == "int":
        return _integer(bits, group, weight_only=weight_only)
    if kind != "float" or bits not in {4, 8}:
        raise ConfigError(f"weights of type {shown(kind)} with {bits} bits are not known.")
    if bits == 4:
        return "mxfp4" if group == 32 else "nvfp4"
    if group == 32:
        return "mxfp8"
    return "fp8-block" if weights.get("strategy") == "block" else "fp8"


def _kv_scheme(scheme: object) -> str | None:
    if scheme is None or scheme == {}:
        return None
    if not isinstance(scheme, Mapping):
        return _kv_format(scheme)
    bits = _bits(scheme, "num_bits", default=8)
    floating = scheme.get("type", "float") == "float"
    return {(8, True): "fp8", (8, False): "int8", (4, True): "nvfp4"}.get((bits, floating), "int4")


def _kv_format(algo: object) -> str | None:
    if algo is None:
        return None
    names = {"FP8": "fp8", "NVFP4": "nvfp4", "INT8": "int8", "NONE": None, "AUTO": None}
    if isinstance(algo, str) and algo.upper() in names:
        return names[algo.upper()]
    raise ConfigError(
        f"the cache's format {shown(algo)} is not known; known are {', '.join(names)}."
    )


_ALGOS = {
    "FP8": "fp8",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8",
    "FP8_PB_WO": "fp8-block",
    "FP8_PB_REAL": "fp8-block",
    "FP8_BLOCK_SCALES": "fp8-block",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "NVFP4_SVDQUANT": "nvfp4",
    "W4A16_NVFP4": "nvfp4",
    "W4A8_NVFP4_FP8": "nvfp4",
    "MXFP4": "mxfp4",
    "W4A8_MXFP4_FP8": "mxfp4",
    "W4A16_MXFP4": "mxfp4",
    "MXFP8": "mxfp8",
    "W4A16_AWQ": "int4",
    "W4A8_AWQ": "int4",
    "INT4_AWQ": "int4",
    "W8A16": "w8a16",
    "W8A8_SQ": "int8",
    "W8A8_SQ_PER_CHANNEL": "int8",
    "INT8_SQ": "int8",
}


def _algo(name: object, where: str) -> str:
    if isinstance(name, str) and name.upper() in _ALGOS:
        return _ALGOS[name.upper()]
    near = did_you_mean(name, _ALGOS) if isinstance(name, str) else ""
    raise ConfigError(f"{where} {shown(name)} is not known.{near} Known are {', '.join(_ALGOS)}.")


def modelopt(config: Mapping[str, Any]) -> Scheme:
    """Read NVIDIA modelopt's table, of ``config.json`` or of ``hf_quant_config.json``.

    Parameters
    ----------
    config : mapping

    Raises
    ------
    ConfigError   An unknown algorithm.
    """
    algo = config.get("quant_algo")
    kv = config.get("kv_cache_quant_algo")
    kv_dtype = _kv_format(kv) if kv is not None else _kv_scheme(config.get("kv_cache_scheme"))
    excluded = _texts(config, "exclude_modules", "ignore")
    layers = config.get("quantized_layers")
    if layers:
        if not isinstance(layers, Mapping):
            raise ConfigError(f"quantized_layers is {shown(layers)}, and a table is expected.")
        return Scheme(_by_layer(layers), excluded, kv_dtype=kv_dtype)
    if algo is None and "config_groups" in config:
        return _compressed_tensors(config)
    if algo is None or algo in ("NONE", "NO_QUANT"):
        return Scheme(((("re:(?!)",), "fp8"),), kv_dtype=kv_dtype)  # only the cache
    return Scheme(((("Linear",), _algo(algo, "quant_algo")),), excluded, kv_dtype=kv_dtype)


def _by_layer(layers: Mapping[str, Any]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Group the modules of a mixed checkpoint by format, the commonest format first."""
    groups: dict[str, list[str]] = {}
    for name, entry in layers.items():
        algo = entry.get("quant_algo") if isinstance(entry, Mapping) else entry
        groups.setdefault(_algo(algo, f"{name}: quant_algo"), []).append(name)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return tuple((tuple(names), dtype) for dtype, names in ordered)


def _quanto(config: Mapping[str, Any]) -> Scheme:
    formats = {"float8": "fp8", "int8": "w8a16", "int4": "int4", "int2": "int2-g128"}
    weights = config.get("weights")
    if not isinstance(weights, str) or weights not in formats:
        raise ConfigError(f"quanto's weights {shown(weights)}: known are {', '.join(formats)}.")
    return _all(formats[weights], config, "modules_to_not_convert")


def _hqq(config: Mapping[str, Any]) -> Scheme:
    table: Any = config
    for key in ("quant_config", "weight_quant_params"):
        inner = table.get(key)
        table = inner if isinstance(inner, Mapping) else table
    dtype = _integer(_bits(table, "nbits"), _number(table, "group_size", default=64))
    return _all(dtype, config, "skip_modules")


def _torchao(config: Mapping[str, Any]) -> Scheme:
    text = str(config.get("quant_type", "")).lower().replace("_", "")
    group = re.search(r"'?groupsize'?:? ?(\d+)", text)
    size = int(group[1]) if group else 128
    if "float8" in text:
        dtype = "fp8"
    elif "int4" in text or "uint4" in text:
        dtype = _integer(4, size)
    elif "int8" in text:
        dtype = "w8a16" if "weightonly" in text else "int8"
    else:
        raise ConfigError(f"torchao's quant_type {shown(config.get('quant_type'))} is not known.")
    return _all(dtype, config, "modules_to_not_convert")


def _exl(config: Mapping[str, Any]) -> Scheme:
    generation = "exl3" if method_of(config) == "exl3" else "exl2"
    head = config.get("head_bits")
    return _all(
        _exl_format(generation, config.get("bits")),
        config,
        "modules_to_not_convert",
        head=None if head is None else _exl_format(generation, head),
    )


def _exl_format(generation: str, bits: object) -> str:
    if isinstance(bits, bool) or not isinstance(bits, (int, float)) or not 1 <= bits <= 16:
        raise ConfigError(f"bits is {shown(bits)}; bits a weight such as 4.25 are expected.")
    return f"{generation}_{bits:g}bpw"


_GGUF = re.compile(r"(i?q\d(_[a-z0-9]+)*|tq\d_\d|f16|bf16|f32)", re.IGNORECASE)


def _gguf(config: Mapping[str, Any]) -> Scheme:
    name = config.get("quant_type", config.get("gguf_type", config.get("file_type")))
    if not isinstance(name, str) or not _GGUF.fullmatch(name):
        raise ConfigError(
            f"a GGUF type such as Q4_K_M is expected as quant_type, not {shown(name)}."
        )
    dtype = {"f16": "fp16", "f32": "fp32"}.get(name.lower(), name.lower())
    return _all(dtype, config, "modules_to_not_convert", head=dtype)


METHODS: dict[str, Callable[[Mapping[str, Any]], Scheme]] = {
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "finegrained_fp8": _fp8,
    "mxfp4": _mxfp4,
    "compressed-tensors": _compressed_tensors,
    "awq": _gptq,
    "gptq": _gptq,
    "gptq_marlin": _gptq,
    "awq_marlin": _gptq,
    "auto-round": _auto_round,
    "intel/auto-round": _auto_round,
    "bitsandbytes": _bitsandbytes,
    "modelopt": modelopt,
    "modelopt_fp4": modelopt,
    "quanto": _quanto,
    "hqq": _hqq,
    "torchao": _torchao,
    "exl2": _exl,
    "exl3": _exl,
    "gguf": _gguf,
}
