"""compressed-tensors: groups of modules, each with its weights' and activations' arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.formats import dtype, mean_bits
from ridgeline.readers.config import shown
from ridgeline.readers.names import Names
from ridgeline.readers.quantizers.fields import bits_of, integer, number, table, texts
from ridgeline.readers.scheme import Group, Scheme, Stored

__all__ = ["compressed_tensors", "kv_scheme"]

_WORD_BITS = 32
#: ways to store integers that give each weight a byte, however few its bits
_A_BYTE_EACH = ("int-quantized", "naive-quantized")
#: classes of modules that stand for experts, where a list of targets names classes
_CLASSES = {"FusedMoE": "*.experts.*", "RoutedExperts": "*.experts.*"}


def compressed_tensors(config: Mapping[str, Any]) -> Scheme:
    """Read the table of compressed-tensors, of its older names and of sparse checkpoints.

    Raises
    ------
    ConfigError   No group, or a format that is not known.
    """
    inner = config.get("quantization_config")
    if isinstance(inner, Mapping) and "config_groups" not in config:
        config = {**config, **inner}
    share, mask = _kept_share(table(config, "sparsity_config"), config.get("format"))
    groups = config.get("config_groups")
    if groups in (None, {}) and share < 1:
        stored = Stored(mean_bits("bf16", 16 * share + mask))
        ignored = Names(texts(table(config, "sparsity_config"), "ignore"))
        return Scheme((Group(Names(("Linear",)), stored),), ignored, linear_head=True)
    if not isinstance(groups, Mapping) or not groups:
        raise ConfigError("compressed-tensors needs config_groups: a table of groups of modules.")
    found: list[Group] = []
    for name, group in groups.items():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(group, Mapping) and weights is None and group.get("input_activations"):
            continue  # the arithmetic of attention: nothing is stored
        if not isinstance(weights, Mapping):
            raise ConfigError(f"config_groups.{name} is {shown(group)}; it lacks a table weights.")
        packing = group.get("format") or config.get("format")
        stored = _format(weights, packing, weight_only=not group.get("input_activations"))
        if share < 1:
            bits = dtype(stored).bits
            stored = mean_bits(stored, bits * share + mask)
        targets = texts(group, "targets") or ("Linear",)
        found.append(Group(Names(_CLASSES.get(t, t) for t in targets), Stored(stored)))
    # Groups that name modules go before those that mean all.
    found.sort(key=lambda entry: entry.names.every)
    return Scheme(
        groups=tuple(found),
        excluded=Names(texts(config, "ignore")),
        linear_head=True,
        kv_dtype=kv_scheme(config.get("kv_cache_scheme")),
    )


def _kept_share(sparsity: Mapping[str, Any], packing: object) -> tuple[float, float]:
    """Share of the weights that is stored, and bits per weight that say which."""
    name = sparsity.get("format")
    if packing == "marlin-24":
        return 0.5, 1.0  # two bits per kept weight
    if not isinstance(name, str) or "bitmask" not in name:
        return 1.0, 0.0  # zeros are stored, or there are none
    if sparsity.get("sparsity_structure") in ("2:4", "TWO_FOUR"):
        return 0.5, 1.0
    share = sparsity.get("global_sparsity")
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise ConfigError(f"global_sparsity is {shown(share)}; a share of zeros is expected.")
    return 1 - share, 1.0


def _format(weights: Mapping[str, Any], packing: object, *, weight_only: bool) -> str:
    bits = bits_of(weights, "num_bits", default=8)
    group = number(weights, "group_size")
    kind = weights.get("type", "int")
    if kind == "int":
        offset = "zp" if weights.get("symmetric") is False else ""
        if packing in _A_BYTE_EACH:
            return integer(8, group, weight_only=weight_only, offset=offset)
        found = integer(bits, group, weight_only=weight_only, offset=offset)
        unused = _WORD_BITS / (_WORD_BITS // bits) - bits  # a word holds whole numbers of weights
        return mean_bits(dtype(found).base or found, dtype(found).bits + unused)
    if kind != "float" or bits not in {4, 8}:
        raise ConfigError(f"weights of type {shown(kind)} with {bits} bits are not known.")
    if bits == 4:
        return f"{'mxfp4' if group == 32 else 'nvfp4'}{'-wo' if weight_only else ''}"
    if group == 32:
        return "mxfp8"
    if weight_only:
        return "w8a16"
    return "fp8-block" if weights.get("strategy") == "block" else "fp8"


def kv_scheme(scheme: object) -> str | None:
    """Format of the cache: ``{"num_bits": 8, "type": "float"}``."""
    if scheme is None or scheme == {}:
        return None
    if not isinstance(scheme, Mapping):
        raise ConfigError(f"kv_cache_scheme is {shown(scheme)}, and a table is expected.")
    bits = bits_of(scheme, "num_bits", default=8)
    floating = scheme.get("type", "float") == "float"
    found = {(8, True): "fp8", (8, False): "int8", (4, True): "nvfp4", (4, False): "w4a16"}
    if (bits, floating) not in found:
        raise ConfigError(f"kv_cache_scheme of {bits} bits is not known; 8 and 4 are.")
    return found[bits, floating]
