"""Exchanges: hand numbers, one chip costs nothing, never faster than the wire."""

from __future__ import annotations

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    all_reduce_wire_bytes_one_shot,
    collective_time_s,
    expert_exchange_time_s,
    shard_wire_bytes,
)

NCCL = {
    "start_s": 4e-6,
    "hop_s": 1.7e-6,
    "fill_s": 2.8e-6,
    "link_efficiency": 0.75,
    "doubling_efficiency": 0.9,
}
EXPERTS = {
    "start_s": 1e-6,
    "hop_s": 5e-6,
    "token_s": 1e-8,
    "link_efficiency": 0.6,
    "scale_out_efficiency": 0.95,
}
LINK, OUT = 450e9, 50e9

chips = st.integers(2, 4096)
bytes_ = st.floats(1, 1e12)
shares = st.floats(0.01, 1)


@pytest.mark.parametrize(
    "wire",
    [
        shard_wire_bytes,
        all_reduce_wire_bytes,
        all_reduce_wire_bytes_one_shot,
        all_reduce_wire_bytes_in_switch,
    ],
)
def test_one_chip_sends_nothing(wire) -> None:
    assert float(wire(1e9, 1)) == 0


def test_bytes_on_paper() -> None:
    assert shard_wire_bytes(800.0, 8) == 700
    assert all_reduce_wire_bytes(800.0, 8) == 1400
    assert all_reduce_wire_bytes_one_shot(800.0, 8) == 5600
    assert all_reduce_wire_bytes_in_switch(800.0, 8) == 900
    assert all_reduce_wire_bytes_in_switch(800.0, 2) == 800


@given(bytes_, chips)
def test_algorithms_in_order(message, n) -> None:
    ring = all_reduce_wire_bytes(message, n)
    assert shard_wire_bytes(message, n) < ring
    assert float(all_reduce_wire_bytes_in_switch(message, n)) <= ring
    assert ring <= all_reduce_wire_bytes_one_shot(message, n) * (1 + 1e-12)


def test_time_on_paper() -> None:
    constants = NCCL | {"link_efficiency": 1.0, "doubling_efficiency": 0.5}
    t = collective_time_s(LINK * 1e-6, 4, LINK, **constants)
    # Two microseconds of wire at half the rate; root of 2.8 x 2 square microseconds, twice.
    assert float(t) == pytest.approx(1e-6 * (4 + 3 * 1.7 + 2 + 2 * (2.8 * 2) ** 0.5))


def test_one_chip_takes_no_time() -> None:
    assert float(collective_time_s(0.0, 1, LINK, **NCCL)) == 0
    assert float(expert_exchange_time_s(64.0, 1, 0.0, 0.0, LINK, OUT, **EXPERTS)) == 0


@given(bytes_, chips, shares, shares)
def test_never_faster_than_the_wire(wire, n, e, c) -> None:
    constants = NCCL | {"link_efficiency": e, "doubling_efficiency": c}
    assert float(collective_time_s(wire, n, LINK, **constants)) >= wire / LINK


@given(bytes_, bytes_, chips, shares, shares)
def test_experts_wait_for_the_slower_wire(inside, outside, n, e, eo) -> None:
    constants = EXPERTS | {"link_efficiency": e, "scale_out_efficiency": eo}
    t = float(expert_exchange_time_s(64.0, n, inside, outside, LINK, OUT, **constants))
    assert t >= max(inside / LINK, outside / OUT)


@given(bytes_, chips, st.floats(1, 10), st.integers(0, 100))
def test_more_bytes_or_chips_are_never_faster(wire, n, f, more) -> None:
    base = float(collective_time_s(wire, n, LINK, **NCCL)) * (1 - 1e-12)
    assert float(collective_time_s(wire * f, n, LINK, **NCCL)) >= base
    assert float(collective_time_s(wire, n + more, LINK, **NCCL)) >= base
    base = float(expert_exchange_time_s(64.0, n, wire, wire, LINK, OUT, **EXPERTS)) * (1 - 1e-12)
    more_t = expert_exchange_time_s(64.0 * f, n + more, wire * f, wire * f, LINK, OUT, **EXPERTS)
    assert float(more_t) >= base


def test_long_messages_reach_the_link_efficiency() -> None:
    t = float(collective_time_s(1e15, 2, LINK, **NCCL))
    assert 1e15 / LINK / t == pytest.approx(0.75, rel=1e-3)


def test_arrays_of_any_library_agree_with_scalars() -> None:
    n = [1.0, 2.0, 8.0]
    one = [float(collective_time_s(1e6 * (x - 1), x, LINK, **NCCL)) for x in n]
    two = [float(expert_exchange_time_s(64.0, x, 1e6, 1e5, LINK, OUT, **EXPERTS)) for x in n]
    for array in (np.asarray(n), strict.asarray(n)):
        t = collective_time_s(1e6 * (array - 1), array, LINK, **NCCL)
        assert [float(x) for x in t] == pytest.approx(one)
        t = expert_exchange_time_s(64.0, array, 1e6, 1e5, LINK, OUT, **EXPERTS)
        assert [float(x) for x in t] == pytest.approx(two)
        wire = all_reduce_wire_bytes_in_switch(8.0, array)
        assert [float(x) for x in wire] == [0.0, 8.0, 9.0]
