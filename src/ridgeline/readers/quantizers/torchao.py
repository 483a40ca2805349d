"""torchao: a class of configuration by name, for all modules or per module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.fields import grouped, integer, mean_bits, texts
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = ["torchao"]

_DEFAULT_GROUP = 128
_ACTIVATION_GROUP = 32
_NONE = frozenset({"none", "null", ""})


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
        (name.replace("re:", "re:", 1), None if inner is None else _format(inner))
        for name, inner in by_module.items()
        if name != "_default"
    )
    main = by_module.get("_default")
    rest = () if main is None else (Group(Names(("Linear",)), _format(main)),)
    return Scheme((*own, *rest), excluded)


def _data(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    data = entry.get("_data")
    return data if isinstance(data, Mapping) else {}


def _group_size(entry: Mapping[str, Any], default: int) -> int:
    """The size of a group, as a field, within a granularity, or in the arguments of a name."""
    pending: list[Any] = [_data(entry), entry.get("quant_type_kwargs")]
    while pending:
        value = pending.pop(0)
        if not isinstance(value, Mapping):
            continue
        found = value.get("group_size")
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
        pending.extend(value.values())
    return default


def _width(entry: Mapping[str, Any], name: str) -> int:
    """Bits of the weights: in the name, else in the data (``torch.int4``, ``uint3``)."""
    data = _data(entry)
    stated = " ".join(str(_plain(data.get(k))) for k in ("weight_dtype", "dtype"))
    for text in (name.replace("intx", ""), stated.lower()):
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
    dynamic = "dynamicactivation" in name
    if "mxdynamic" in name or "nvfp4" in name:
        return Stored("nvfp4" if "nvfp4" in name else "mxfp8")
    if "float8" in name and "int4" in name:
        return Stored(mean_bits("w4a8", 4 + 32 / _group_size(entry, _DEFAULT_GROUP)))
    if "float8" in name:
        return Stored("fp8" if dynamic or "static" in name else "w8a16")
    if "int" not in name:
        raise ConfigError(f"torchao's quant_type {shown(stated)} is not known.")
    bits = _width(entry, name)
    if bits == 8:
        return Stored("int8" if dynamic else "w8a16")
    if not 2 <= bits <= 8:
        raise ConfigError(f"torchao's {shown(stated)} of {bits} bits is not known.")
    if dynamic:
        return Stored(mean_bits("w4a8", bits + 16 / _group_size(entry, _ACTIVATION_GROUP)))
    return Stored(integer(bits, _group_size(entry, _DEFAULT_GROUP), offset="affine"))
