"""Each component law once with units on its inputs: a time comes out, bytes where bytes are due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pint
import pytest

from ridgeline.laws import attention_core, collectives, gemm

if TYPE_CHECKING:
    from collections.abc import Callable

u = pint.UnitRegistry()
u.define("flop = [flop]")

BYTE, S = 1.0 * u.byte, 1e-6 * u.second
RATE, PEAK = 3.35e12 * u.byte / u.second, 989e12 * u.flop / u.second
PRODUCT = {"start_s": S, "step_s": S, "compute_efficiency": 0.8, "memory_efficiency": 0.9}
DECODE = {"start_s": S, "merge_s": S, "item_s": S, "memory_efficiency": 0.9}
PREFILL = {
    "start_s": S,
    "key_step_s": S,
    "compute_efficiency": 0.6,
    "half_keys": 400,
    "memory_efficiency": 0.9,
}
RING = {
    "start_s": S,
    "hop_s": S,
    "fill_s": S,
    "link_efficiency": 0.7,
    "doubling_efficiency": 0.9,
}
EXPERTS = {
    "start_s": S,
    "hop_s": S,
    "token_s": S,
    "link_efficiency": 0.7,
    "scale_out_efficiency": 0.9,
}

TABLE: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
    (gemm.product_flops, (8, 8, 8), {}, ""),
    (gemm.product_bytes, (8, 8, 8, BYTE, BYTE, BYTE), {}, "byte"),
    (
        gemm.product_time_s,
        (1e9 * u.flop, 1e6 * u.byte, 8192, PEAK, RATE),
        PRODUCT | {"prepare_bytes": 1e3 * u.byte},
        "second",
    ),
    (gemm.stream_time_s, (BYTE, RATE), {"start_s": S, "memory_efficiency": 0.9}, "second"),
    (
        attention_core.decode_attention_time_s,
        (BYTE, 8, 4096, RATE),
        DECODE | {"compute_s": S},
        "second",
    ),
    (
        attention_core.prefill_attention_time_s,
        (1e9 * u.flop, BYTE, 2048, PEAK, RATE),
        PREFILL,
        "second",
    ),
    (collectives.shard_wire_bytes, (BYTE, 8), {}, "byte"),
    (collectives.all_reduce_wire_bytes, (BYTE, 8), {}, "byte"),
    (collectives.all_reduce_wire_bytes_one_shot, (BYTE, 8), {}, "byte"),
    (collectives.all_reduce_wire_bytes_in_switch, (BYTE, 8), {}, "byte"),
    (collectives.collective_time_s, (BYTE, 8, RATE), RING, "second"),
    (
        collectives.expert_exchange_time_s,
        (64, 16, BYTE, BYTE, RATE, RATE),
        EXPERTS,
        "second",
    ),
]


@pytest.mark.parametrize(
    ("law", "inputs", "constants", "unit"), TABLE, ids=[t[0].__name__ for t in TABLE]
)
def test_unit(law, inputs, constants, unit) -> None:
    value = u.Quantity(law(*inputs, **constants))
    assert value.dimensionality == u.parse_units(unit).dimensionality


def test_wrong_units_do_not_pass() -> None:
    with pytest.raises(pint.DimensionalityError):
        gemm.product_time_s(1e9 * u.byte, BYTE, 8192, PEAK, RATE, **PRODUCT)
