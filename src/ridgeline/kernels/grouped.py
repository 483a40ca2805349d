"""The law that times products of experts, under an engine's effects: a row of `kernels.laws`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.kernels.rates import capped, clock_kept, of_format
from ridgeline.laws._namespace import maximum
from ridgeline.laws.experts import padded_tokens
from ridgeline.laws.gemm import grouped_products_time_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    Inputs = Mapping[str, Any]
    Effects = Mapping[str, Any]

__all__ = ["experts_parts", "experts_s"]

_TINY = 1e-300


def _constants(x: Inputs, e: Effects) -> dict[str, Any]:
    """Grouped GEMMs are written in languages that compile for any vendor: no library is ported."""
    memory = e["memory"] * e["expert"]
    compute = clock_kept(e) * e["expert"] * of_format(x, e)
    return {
        "start_s": x["start_s"] + x["launches"] * e["gap_s"],
        "held_s": x["held_s"],
        "compute_efficiency": capped(x["compute_efficiency"], compute),
        "memory_efficiency": capped(x["memory_efficiency"], memory),
        "activation_efficiency": capped(x["activation_efficiency"], memory),
    }


def _filled_flops(op: Any, x: Inputs) -> Any:
    """Tokens of an expert fill whole tiles. [FLOP]"""
    return op.flops * padded_tokens(op.m, x["tile"]) / maximum(op.m, _TINY)


def experts_s(op: Any, x: Inputs, e: Effects) -> Any:
    """One grouped product of a layer's experts. [s]"""
    return grouped_products_time_s(
        _filled_flops(op, x),
        op.weight_bytes,
        op.activation_bytes,
        op.held,
        x["peak"],
        x["bandwidth"],
        **_constants(x, e),
    )


def experts_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    """The same by component: passes over activations are overhead. [s]"""
    v = _constants(x, e)
    compute = _filled_flops(op, x) / (v["compute_efficiency"] * x["peak"])
    memory = op.weight_bytes / (v["memory_efficiency"] * x["bandwidth"])
    body = (compute**2 + memory**2) ** 0.5
    share = compute**2 / maximum(body**2, _TINY)
    overhead = experts_s(op, x, e) - body
    return {"overhead": overhead, "compute": body * share, "weights": body * (1 - share)}
