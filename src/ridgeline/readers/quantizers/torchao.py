"""torchao: a class of configuration by name, for all modules or per module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.formats import mean_bits
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.fields import grouped, integer, number, texts
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = ["torchao"]

_DEFAULT_GROUP = 128
_ACTIVATION_GROUP = 32
#: granularities of a scale that is shared by so many weights that it does not count
_PER_CHANNEL = ("PerAxis", "PerChannel", "PerRow", "PerTensor")
_MX = {"float4": "mxfp4", "fp4": "mxfp4", "fp6": "mxfp6"}


def torchao(config: Mapping[str, Any]) -> Scheme:
    """Read ``quant_type``: a name (``int4_weight_only``), or a class with its data.

    Raises
    ------
    ConfigError   A class that is not known.
    """
    stated = config.get("quant_type")
    if isinstance(stated, Mapping):
        stated = stated.get("default", stated)
    entry = stated if isinstance(stated, Mapping) else {"_type": stated, "_data": config}
    by_module = _data(entry).get("module_fqn_to_config") or _data(entry).get("fqn_to_config")
    both = bool(config.get("include_input_output_embeddings"))
    excluded = Names(texts(config, "modules_to_not_convert"))
    if not isinstance(by_module, Mapping):
        return Scheme((Group(Names(("Linear",)), _format(entry)),), excluded, whole=both)
    own = grouped(
        (name, None if inner is None else _format(inner))
        for name, inner in by_module.items()
        if name != "_default"
    )
    main = by_module.get("_default")
    rest = () if main is None else (Group(Names(("Linear",)), _format(main)),)
    return Scheme((*own, *rest), excluded)


def _data(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    data = entry.get("_data")
    return data if isinstance(data, Mapping) else {}


def _group_size(entry: Mapping[str, Any], default: int | None) -> int | None:
    """The size of a group, as a field, within a granularity, or in the arguments of a name."""
    pending: list[Any] = [_data(entry), entry.get("quant_type_kwargs")]
    while pending:
        value = pending.pop(0)
        if not isinstance(value, Mapping):
            continue
        found = value.get("group_size")
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
        if value.get("_type") in _PER_CHANNEL:
            return None
        pending.extend(value.values())
    return default


def _stated_dtype(entry: Mapping[str, Any]) -> str:
    """What the data calls the weights' type: ``torch.int4``, ``uint3``, ``float4_e2m1fn_x2``."""
    data = _data(entry)
    return " ".join(str(_plain(data.get(k))) for k in ("weight_dtype", "dtype")).lower()


def _width(entry: Mapping[str, Any], name: str) -> int:
    """Bits of the weights: in the name behind what it says of activations, else in the data."""
    own = name.rpartition("activation")[2].replace("intx", "")
    if "bit_width" in _data(entry):
        return number(_data(entry), "bit_width") or 0
    for text in (own, _stated_dtype(entry)):
        found = re.findall(r"u?int(\d)", text)
        if found:
            return int(found[-1])
    raise ConfigError(f"torchao's {shown(entry.get('_type'))} does not say the bits of weights.")


def _plain(value: object) -> object:
    return value.get("_data", value) if isinstance(value, Mapping) else value


def _format(entry: object) -> Stored:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"torchao's configuration {shown(entry)}: a table is expected.")
    stated = entry.get("_type")
    name = str(stated).lower().replace("_", "").removesuffix("config")
    weight_only = "activation" not in name
    if "nvfp4" in name:
        alone = "weightonly" in name or "WEIGHT_ONLY" in str(_data(entry).get("mm_config"))
        return Stored("nvfp4-wo" if alone else "nvfp4")
    if name.startswith("fpx"):
        return Stored(mean_bits("w8a16", _float_bits(entry)))
    if name.startswith("mx"):
        return Stored(_mx_format(entry))
    if "float8" in name and "int4" in name:
        return Stored(
            integer(4, _group_size(entry, _DEFAULT_GROUP), weight_only=False, offset="affine")
        )
    if "float8" in name:
        return Stored("w8a16" if weight_only else "fp8")
    if "int" not in name:
        raise ConfigError(f"torchao's quant_type {shown(stated)} is not known.")
    return _integer_format(entry, name, weight_only=weight_only)


def _mx_format(entry: Mapping[str, Any]) -> str:
    stated = _stated_dtype(entry)
    return next((name for word, name in _MX.items() if word in stated), "mxfp8")


def _float_bits(entry: Mapping[str, Any]) -> int:
    """Bits of a float whose exponent and mantissa are stated, with its sign."""
    kwargs = _data(entry).get("quant_type_kwargs")
    data = kwargs if isinstance(kwargs, Mapping) else _data(entry)
    exponent, mantissa = (number(data, key) for key in ("ebits", "mbits"))
    if exponent is None or mantissa is None or not 2 <= exponent + mantissa <= 7:
        raise ConfigError(
            f"torchao's {shown(entry.get('_type'))} does not say the bits of weights: ebits and "
            "mbits are expected, at most 7 together."
        )
    return 1 + exponent + mantissa


def _integer_format(entry: Mapping[str, Any], name: str, *, weight_only: bool) -> Stored:
    bits = _width(entry, name)
    if not 1 <= bits <= 8:
        raise ConfigError(f"torchao's {shown(entry.get('_type'))} of {bits} bits is not known.")
    unpacked = "intx" in name.replace("uintx", "") or name.endswith("activationint4weight")
    if unpacked and "OPAQUE" not in str(_data(entry).get("intx_packing_format")).upper():
        return Stored(_a_byte_each(entry, weight_only=weight_only))
    default = _DEFAULT_GROUP if weight_only else _ACTIVATION_GROUP
    group = _group_size(entry, None if bits == 8 else default)
    offset = "affine" if weight_only else ""
    return Stored(integer(bits, group, weight_only=weight_only, offset=offset))


def _a_byte_each(entry: Mapping[str, Any], *, weight_only: bool) -> str:
    """Integers of few bits in a byte each, a 16-bit scale and an 8-bit zero point per group."""
    base = "w8a16" if weight_only else "int8"
    group = _group_size(entry, None if weight_only else _ACTIVATION_GROUP)
    return mean_bits(base, 8 + 24 / group) if group else base
