"""Read ``quantization_config`` and ``hf_quant_config.json``: which module is stored in what format.

Bits include scales: ``int4`` is 4 bits with a 16-bit scale per 128 weights, ``int4-g32`` per 32.
bitsandbytes' 4-bit blocks of 64 with a 32-bit scale are 4.5 bits, as ``int4-g32``; with double
quantisation 4.13, as ``int4``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.quantizers import METHODS, method_of, modelopt

if TYPE_CHECKING:
    from ridgeline.readers.scheme import Scheme

__all__ = ["scheme_of"]

_ALGO_KEYS = ("quant_algo", "kv_cache_quant_algo", "config_groups")


def scheme_of(config: object, beside: Mapping[str, Any] | None = None) -> Scheme | None:
    """Read how the weights are quantised; None where they are not.

    Parameters
    ----------
    config : object   The value of ``quantization_config``.
    beside : mapping or None   A parsed ``hf_quant_config.json``, which goes first.

    Raises
    ------
    ConfigError   An unknown method, or fields that do not hold.
    """
    if beside is not None:
        inner = beside.get("quantization", beside)
        if isinstance(inner, Mapping) and any(inner.get(key) for key in _ALGO_KEYS):
            return modelopt(inner)
    if config is None or config in ({}, ""):
        return None
    if not isinstance(config, Mapping):
        raise ConfigError(f"quantization_config is {shown(config)}, and a table is expected.")
    method = method_of(config)
    reader = METHODS.get(method)
    if reader is None:
        raise ConfigError(
            f"quantization_config: the method {shown(method)} is not known."
            f"{did_you_mean(method, METHODS)} Known are {', '.join(METHODS)}. Remove the table "
            "to read the model in its unquantised format."
        )
    return reader(config)
