"""Time of one kind of piece: operator constants and engine effects put into the laws.

Every argument may be a number or an array, so that a single step and a ledger of many thousands
are timed by the same lines. `v` are the constants of the law, `e` the effects of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.attention_core import (
    decode_attention_time_s,
    matrix_row_share,
    prefill_attention_time_s,
)
from ridgeline.laws.collectives import collective_time_s, crossing_time_s
from ridgeline.laws.experts import padded_tokens
from ridgeline.laws.gemm import product_time_s, stream_time_s
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.chip import Chip, ComputeDtype

__all__ = [
    "LAUNCHES",
    "QUANTISED",
    "WIDENED",
    "attention_group",
    "collective_s",
    "crossing_s",
    "decode_s",
    "engaged_collective",
    "engaged_decode",
    "engaged_prefill",
    "engaged_product",
    "prefill_s",
    "prepared_share",
    "product_group",
    "product_s",
    "row_share",
    "stream_s",
    "unfused_s",
]

#: formats whose engines quantise the input in a pass before the product
QUANTISED = ("fp8", "fp8-block", "nvfp4", "int8")
#: formats widened to 16 bits on the way to the product
WIDENED = ("w8a16", "w4a16")
#: kernels of a piece: experts are routed, gathered, multiplied and added up again; elementwise
#: pieces stand for a norm on each side of a sublayer
LAUNCHES = {"gemm": 1, "experts": 4, "attention": 1, "elementwise": 2}
_BF16_BYTES = 2
_ONE_BYTE_BITS = 8


def product_group(dtype: str, chip: Chip, compute: ComputeDtype | None = None) -> tuple[str, float]:
    """Which products constants are of, by storage format and arithmetic, and the peak. [FLOP/s]

    Raises
    ------
    InfeasibleError   The chip cannot multiply the format.
    """
    stored = dtype_of(dtype)
    kind = compute or compute_dtype(stored, chip)
    if kind in ("fp4", "int8"):
        name = "nvfp4" if kind == "fp4" else "int8"
    elif kind == "fp8":
        name = "fp8-block" if dtype == "fp8-block" else "fp8"
    else:
        name = "bf16" if stored.bits >= 16 else "w8a16" if stored.bits > 6 else "w4a16"
    return name, chip.peak[kind]


def prepared_share(group: str, dtype: str) -> float:
    """Bytes moved to prepare one input value: read as bf16, written back narrower. [bytes]"""
    if group not in QUANTISED:
        return 0.0
    return _BF16_BYTES + min(dtype_of(dtype).bits, _ONE_BYTE_BITS) / _ONE_BYTE_BITS


def attention_group(name: str, dtype: str) -> str:
    """Which attention the constants are of: by phase and format of the cache."""
    wide = dtype_of(dtype).bits >= 16
    if name.endswith("_prefill"):
        return "prefill bf16" if wide else "prefill bf16-kv-fp8"
    return "decode bf16" if wide else "decode fp8"


def _reach(efficiency: Any, *factors: Any) -> Any:
    """An efficiency under effects: never above one."""
    for factor in factors:
        efficiency = efficiency * factor
    return minimum(efficiency, 1.0)


def engaged_product(
    v: Mapping[str, Any], e: Mapping[str, Any], *, narrow: Any, widened: Any, expert: Any
) -> dict[str, Any]:
    """Constants of a product inside an engine.

    Parameters
    ----------
    v, e : mapping     Constants of `product_time_s`; effects.
    narrow, widened, expert : array of bool   What the product is.
    """
    launches = where(expert, LAUNCHES["experts"], LAUNCHES["gemm"])
    # Grouped products are written in languages that compile for any vendor: no library is ported.
    port = where(expert, 1.0, e["port"])
    compute = e["compute"] * port * where(narrow, e["narrow"], 1.0)
    compute = compute * where(widened, e["wo_compute"], 1.0) * where(expert, e["expert"], 1.0)
    memory = e["memory"] * where(widened, e["wo_memory"], 1.0)
    return {
        "start_s": v["start_s"] + launches * e["gap_s"],
        "step_s": v["step_s"],
        "compute_efficiency": _reach(v["compute_efficiency"], compute),
        "memory_efficiency": _reach(v["memory_efficiency"], memory),
    }


def product_s(
    piece: Any, v: Mapping[str, Any], peak: Any, bandwidth: Any, *, prepared: Any, expert: Any
) -> Any:
    """Time of a product; experts' tokens fill whole tiles. [s]"""
    padding = where(expert, padded_tokens(piece.m) / maximum(piece.m, 1e-300), 1.0)
    return product_time_s(
        piece.flops * padding,
        piece.weight_bytes + piece.activation_bytes,
        piece.k,
        peak,
        bandwidth,
        prepare_bytes=piece.m * piece.k * piece.count * prepared,
        **v,
    )


def engaged_decode(v: Mapping[str, Any], e: Mapping[str, Any], product: Any) -> dict[str, Any]:
    """Constants of decode attention inside an engine; `product` is what bf16 products reach."""
    return {
        "start_s": v["start_s"] + e["gap_s"],
        "merge_s": v["merge_s"],
        "item_s": v["item_s"],
        "memory_efficiency": _reach(v["memory_efficiency"], e["memory"], e["decode_attention"]),
        "compute_efficiency": _reach(product, e["compute"], e["port"], e["decode_compute"]),
    }


def row_share(piece: Any, dtype_bytes: Any) -> Any:
    """Share of the matrix units that a decode step's queries fill: multiplies a cached number."""
    entries = maximum(piece.kv_bytes / dtype_bytes, 1e-300)
    return matrix_row_share(piece.flops / (2 * entries))


def decode_s(piece: Any, v: Mapping[str, Any], peak: Any, bandwidth: Any) -> Any:
    """Time of decode attention; `peak` of the part of the matrix units it fills. [s]"""
    rest = {k: x for k, x in v.items() if k != "compute_efficiency"}
    compute = piece.flops / (v["compute_efficiency"] * peak)
    return decode_attention_time_s(
        piece.kv_bytes, piece.n, piece.k, bandwidth, compute_s=compute, **rest
    )


def engaged_prefill(v: Mapping[str, Any], e: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of prefill attention inside an engine."""
    compute = (e["compute"], e["port"], e["prefill_attention"])
    return {
        **v,
        "start_s": v["start_s"] + e["gap_s"],
        "compute_efficiency": _reach(v["compute_efficiency"], *compute),
        "memory_efficiency": _reach(v["memory_efficiency"], e["memory"]),
    }


def prefill_s(piece: Any, v: Mapping[str, Any], peak: Any, bandwidth: Any) -> Any:
    """Time of prefill attention. [s]"""
    keys = maximum(piece.k, 1.0)
    return prefill_attention_time_s(piece.flops, piece.kv_bytes, keys, peak, bandwidth, **v)


def stream_s(
    n_bytes: Any, start_s: Any, efficiency: Any, bandwidth: Any, e: Mapping[str, Any], launches: Any
) -> Any:
    """Time of passes that only move bytes. [s]"""
    return stream_time_s(
        n_bytes,
        bandwidth,
        start_s=launches * (start_s + e["gap_s"]),
        memory_efficiency=_reach(efficiency, e["memory"]),
    )


def unfused_s(piece: Any, efficiency: Any, bandwidth: Any, e: Mapping[str, Any]) -> Any:
    """Time of passes over a product's inputs and outputs that are not fused with it. [s]"""
    return stream_time_s(
        piece.activation_bytes * e["unfused"],
        bandwidth,
        start_s=0.0,
        memory_efficiency=_reach(efficiency, e["memory"]),
    )


def engaged_collective(v: Mapping[str, Any], e: Mapping[str, Any]) -> dict[str, Any]:
    """Constants of a collective inside an engine."""
    return {
        **v,
        "start_s": v["start_s"] * e["latency"],
        "hop_s": v["hop_s"] * e["latency"],
        "link_efficiency": _reach(v["link_efficiency"], e["link"]),
    }


def collective_s(wire: Any, inside: Any, link: Any, v: Mapping[str, Any]) -> Any:
    """Time of a collective within a domain. [s]"""
    return collective_time_s(wire, inside, link, **v)


def crossing_s(across: Any, n_domains: Any, rate: Any, v: Mapping[str, Any], send: Any) -> Any:
    """Time of what a collective sends between domains; sums go there and back. [s]"""
    return crossing_time_s(
        across,
        n_domains,
        rate,
        start_s=v["start_s"],
        hop_s=v["hop_s"],
        scale_out_efficiency=v["scale_out_efficiency"],
        n_phases=2 if send.collective == "all_reduce" else 1,
    )
