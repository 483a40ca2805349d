"""Find what says how a checkpoint is quantised: a key of the config, or a file beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.quantizers import METHODS, method_of

if TYPE_CHECKING:
    from ridgeline.readers.scheme import Scheme

__all__ = ["KEYS", "SIDECARS", "quantized", "scheme_of"]

#: keys of a config under which a quantiser writes, the first that is there counts
KEYS = ("quantization_config", "compression_config", "quantization", "quant_config")
#: files beside a config in which a quantiser writes, and the method of those that name none
SIDECARS = {
    "hf_quant_config.json": "modelopt",
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
}
_ALGO_KEYS = ("quant_algo", "kv_cache_quant_algo", "config_groups", "quantized_layers")
_BY_KEY = {"compression_config": "compressed-tensors", "quantization": "mlx", "quant_config": "awq"}
_QUANTIZES = re.compile(r"quanti[sz]|^quant_|_quant$|_quant_|^w_?bits?$|weight_bits")


def quantized(
    text: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]] | None = None
) -> Scheme | None:
    """Read how the weights of a checkpoint are quantised; None where they are not.

    Parameters
    ----------
    text : mapping             The language model's config.
    beside : mapping or None   Parsed `SIDECARS` by name.

    Raises
    ------
    ConfigError   An unknown method, fields that do not hold, or a key that quantises and is not
        understood.
    """
    for key, value in text.items():
        if _QUANTIZES.search(key) and key not in KEYS and value and not isinstance(value, str):
            raise ConfigError(
                f"{key} = {shown(value)} seems to say how weights are quantised and is not "
                f"understood; {KEYS[0]} is where that is expected."
            )
    beside = beside or {}
    stated = _stated(text)
    config = text.get(stated) if stated else None
    algo = _modelopt_beside(beside.get("hf_quant_config.json"))
    own_algo = isinstance(config, Mapping) and any(config.get(k) for k in _ALGO_KEYS)
    if algo is not None and not own_algo:
        return scheme_of({**algo, "quant_method": "modelopt"})
    if stated is not None:
        return scheme_of(config, _BY_KEY.get(stated))
    for name, method in SIDECARS.items():
        table = beside.get(name)
        if table and method != "modelopt":
            return scheme_of(table, method)
    return None


def _stated(text: Mapping[str, Any]) -> str | None:
    """The key that says how the weights are quantised."""
    found = [key for key in KEYS if text.get(key)]
    first = text.get(found[0]) if found else None
    packed_for_mlx = isinstance(first, Mapping) and first.get("packing_format") == "mlx"
    if packed_for_mlx and "quantization" in found:
        return "quantization"  # the whole table; the other lacks modules with bits of their own
    return found[0] if found else None


def _modelopt_beside(file: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    inner = None if file is None else file.get("quantization", file)
    if isinstance(inner, Mapping) and any(inner.get(key) for key in _ALGO_KEYS):
        return inner
    return None


def scheme_of(config: object, method: str | None = None) -> Scheme | None:
    """Read a quantiser's table; None where it is empty.

    Parameters
    ----------
    config : object        The value of ``quantization_config``.
    method : str or None   The method, where the table does not name one.

    Raises
    ------
    ConfigError   An unknown method, or fields that do not hold.
    """
    if config is None or config in ({}, ""):
        return None
    if not isinstance(config, Mapping):
        raise ConfigError(f"quantization_config is {shown(config)}, and a table is expected.")
    name = _method(config, method)
    reader = METHODS.get(name)
    if reader is None:
        raise ConfigError(
            f"quantization_config: the method {shown(name)} is not known."
            f"{did_you_mean(name, METHODS)} Known are {', '.join(METHODS)}. Remove the table "
            "to read the model in its unquantised format."
        )
    return reader(config)


def _method(config: Mapping[str, Any], otherwise: str | None) -> str:
    try:
        return method_of(config)
    except ConfigError:
        if otherwise is None or "quant_method" in config:
            raise
        return otherwise
