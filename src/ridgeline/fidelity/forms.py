"""The laws as things to fit: which arguments are measured, which constants are sought and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ridgeline.fidelity.fitting import Form
from ridgeline.laws.attention_core import decode_attention_time_s, prefill_attention_time_s
from ridgeline.laws.collectives import collective_time_s, expert_exchange_time_s
from ridgeline.laws.gemm import grouped_products_time_s, product_time_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORMS", "NUISANCES"]

_EFFICIENCY = (0.75, 0.03, 1.0)
_CACHE = (1.5, 0.3, 10.0)
#: no kernel measured on any chip starts sooner than this, in a graph or not
_FLOOR_S = (4e-6, 1.5e-6, 2e-4)


def _of(law: Callable[..., Any]) -> Callable[[Mapping[str, Any], Mapping[str, float]], Any]:
    """Call a law whose argument names are those of the columns and constants."""
    return lambda inputs, constants: law(**inputs, **constants)


def _with_cache(law: Callable[..., Any]) -> Callable[[Mapping[str, Any], Mapping[str, float]], Any]:
    """Read marked rows at `cache_gain` times the bandwidth: found, and then forgotten."""

    def predict(inputs: Mapping[str, Any], constants: Mapping[str, float]) -> Any:
        known = {k: v for k, v in inputs.items() if k != "cached"}
        own = {k: v for k, v in constants.items() if k not in NUISANCES}
        gain = 1 + (constants["cache_gain"] - 1) * inputs["cached"]
        known["bandwidth_bytes_per_s"] = inputs["bandwidth_bytes_per_s"] * gain
        return law(**known, **own)

    return predict


#: sought with the others and not kept
NUISANCES = ("cache_gain",)

#: component -> form; a lower bound is where a constant no longer matters on any chip
FORMS: dict[str, Form] = {
    "product": Form(
        {
            "start_s": _FLOOR_S,
            "step_s": (5e-10, 1e-12, 1e-7),
            "compute_efficiency": _EFFICIENCY,
            "memory_efficiency": _EFFICIENCY,
            "cache_gain": _CACHE,
        },
        _with_cache(product_time_s),
        # One engine quantises inputs in kernels of its own, which a served model fuses away.
        majority=True,
    ),
    "experts": Form(
        {
            "start_s": (1e-5, 1.5e-6, 2e-4),
            "held_s": (1e-8, 1e-11, 1e-6),
            "compute_efficiency": _EFFICIENCY,
            "memory_efficiency": _EFFICIENCY,
            "activation_efficiency": (0.3, 0.03, 1.0),
        },
        _of(grouped_products_time_s),
        # Engines choose between kernels of their own and others'; see what is left out.
        majority=True,
    ),
    "decode": Form(
        {
            "start_s": (1e-5, 1.5e-6, 2e-4),
            "merge_s": (1e-6, 1e-9, 1e-4),
            "item_s": (3e-9, 1e-12, 1e-6),
            "memory_efficiency": _EFFICIENCY,
            "cache_gain": _CACHE,
        },
        _with_cache(decode_attention_time_s),
    ),
    "prefill": Form(
        {
            "start_s": (1e-5, 1.5e-6, 2e-4),
            "key_step_s": (1e-8, 1e-11, 1e-6),
            "compute_efficiency": _EFFICIENCY,
            "half_keys": (300.0, 1.0, 1e4),
        },
        _of(prefill_attention_time_s),
    ),
    "collective": Form(
        {
            "start_s": (5e-6, 5e-7, 1e-3),
            "hop_s": (1e-6, 1e-8, 1e-4),
            "fill_s": (1e-6, 1e-9, 1e-3),
            "link_efficiency": _EFFICIENCY,
            "doubling_efficiency": (0.9, 0.05, 1.0),
        },
        _of(collective_time_s),
    ),
    "exchange": Form(
        {
            "start_s": (1e-5, 5e-7, 1e-3),
            "hop_s": (1e-6, 1e-9, 1e-4),
            "token_s": (1e-9, 1e-12, 1e-6),
            "link_efficiency": _EFFICIENCY,
            "scale_out_efficiency": _EFFICIENCY,
        },
        _of(expert_exchange_time_s),
    ),
}
