"""One decode step in the blackboard reading: the lecture's forms bound to a model and a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.memory import drain_time_s, largest_batch, worst_case_latency_s
from ridgeline.laws.roofline import (
    balance_batch_with_kv,
    compute_time_s,
    kv_fetch_time_s,
    latency_floor_s,
    step_time_s,
    weight_fetch_time_s,
)

if TYPE_CHECKING:
    from ridgeline.steps.counts import Counts
    from ridgeline.steps.machine import Machine

__all__ = ["BOUNDS", "Balance", "Step", "balance", "decode_step"]

#: what can bind a blackboard step, in the order of the codes in `Step.bound`
BOUNDS = ("compute", "weights", "KV")


@dataclass(frozen=True, slots=True)
class Step:
    """A decode step and its three parts; arrays broadcast over batch and context. [s]

    `bound` is a code into `BOUNDS`: what binds, and of the memory reads the larger.
    """

    compute_s: Any
    weight_fetch_s: Any
    kv_fetch_s: Any
    time_s: Any
    bound: Any


def _compute_s_per_sequence(counts: Counts, machine: Machine) -> float:
    """Each storage format's parameters at the rate of the arithmetic they run in. [s]"""
    return sum(
        compute_time_s(1, n, machine.multiplies_per_s[machine.compute[dtype]])
        for (_, dtype), n in counts.active.items()
    )


def decode_step(counts: Counts, machine: Machine, batch: Any, context: Any) -> Step:
    """Lower bound of a decode step, in the lecture's form ``max(compute, weights + KV)``.

    Parameters
    ----------
    counts : Counts      Of the model.
    machine : Machine    The chips that hold it.
    batch : array        Sequences in flight. [1]
    context : array      Cached tokens of each. [tokens]

    Returns
    -------
    Step   Broadcast over batch and context.

    Notes
    -----
    All weights are fetched, experts nobody asked for too: no bound for a small batch of a sparse
    model. Attention compute, networks, launches and the host are left out.
    """
    compute = batch * _compute_s_per_sequence(counts, machine)
    bandwidth = machine.bandwidth_bytes_per_s
    weights = weight_fetch_time_s(counts.weight_bytes, bandwidth)
    kv = kv_fetch_time_s(batch, counts.cache_read_bytes(context), bandwidth)
    memory_binds = np.asarray(weights + kv > compute)
    bound = np.where(memory_binds, np.where(kv > weights, 2, 1), 0)
    return Step(compute, weights, kv, step_time_s(compute, weights, kv), bound)


@dataclass(frozen=True, slots=True)
class Balance:
    """The landmarks of a model on a machine at one context.

    Attributes
    ----------
    latency_floor_s : float     All weights read once. [s]
    batch : float               Balance batch, KV included; inf where KV outruns compute. [1]
    batch_without_kv : float    The lecture's B* = R x sparsity. [1]
    context : float             Tokens where a sequence reads as long as it computes. [tokens]
    largest_batch : float       Sequences whose caches fit. [1]
    drain_s, worst_case_s : float   Full memory read once; wait one such period, ride one. [s]
    """

    latency_floor_s: float
    batch: float
    batch_without_kv: float
    context: float
    largest_batch: float
    drain_s: float
    worst_case_s: float


def balance(counts: Counts, machine: Machine, context: float) -> Balance:
    """Where the regimes of a model on a machine meet.

    Parameters
    ----------
    counts : Counts
    machine : Machine
    context : float   Cached tokens a sequence. [tokens]
    """
    bandwidth = machine.bandwidth_bytes_per_s
    floor = latency_floor_s(counts.weight_bytes, bandwidth)
    c = _compute_s_per_sequence(counts, machine)
    k = kv_fetch_time_s(1, counts.cache_read_bytes(context), bandwidth)
    chip = machine.cluster.chip
    drain = drain_time_s(chip.memory.capacity, chip.memory.bandwidth)
    fits = largest_batch(machine.capacity_bytes, counts.weight_bytes, counts.cache_bytes(context))
    return Balance(
        latency_floor_s=floor,
        batch=float(balance_batch_with_kv(floor, c, k)),
        batch_without_kv=float(balance_batch_with_kv(floor, c, 0.0)),
        context=_balance_context(counts, c * bandwidth),
        largest_batch=float(fits),
        drain_s=drain,
        worst_case_s=worst_case_latency_s(drain),
    )


_LONGEST_CONTEXT = 1e12


def _balance_context(counts: Counts, bytes_to_match: float) -> float:
    """Solve ``read(L) = c M`` by bisection: reads never shrink with L, but windows bend them."""
    low, high = 0.0, _LONGEST_CONTEXT
    if counts.cache_read_bytes(high) < bytes_to_match:
        return float("inf")
    if counts.cache_read_bytes(low) >= bytes_to_match:
        return 0.0
    for _ in range(100):
        middle = (low + high) / 2
        if counts.cache_read_bytes(middle) < bytes_to_match:
            low = middle
        else:
            high = middle
    return high
