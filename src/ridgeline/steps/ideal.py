"""The ideal reading: the work at datasheet peaks with perfect overlap. A true lower bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum
from ridgeline.laws.collectives import all_reduce_wire_bytes_in_switch, shard_wire_bytes
from ridgeline.laws.network import group_rate_bytes_per_s
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.steps.op import Collective, Op

__all__ = [
    "BOUNDS",
    "IdealStep",
    "Resources",
    "combine_ideal",
    "ideal_time_s",
    "resources",
    "wire_bytes",
]

#: what can bind an ideal step, in the order of the codes in `IdealStep.bound`
BOUNDS = ("compute", "weights", "KV", "network")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one chip's step asks of each resource, at its peak. Resources add over pieces. [s]"""

    compute_s: Any
    weights_s: Any
    kv_s: Any
    scale_up_s: Any
    scale_out_s: Any


@dataclass(frozen=True, slots=True)
class IdealStep:
    """One step in the ideal reading; `bound` is a code into `BOUNDS`. [s]"""

    time_s: Any
    bound: Any
    resources: Resources


def resources(
    pieces: Sequence[Op], cluster: Cluster, compute: ComputeDtype | None = None
) -> Resources:
    """Add up what the pieces of a step ask of one chip's resources.

    Parameters
    ----------
    pieces : sequence of Op
    cluster : Cluster
    compute : str or None   Run every product in this arithmetic instead of its format's own.

    Raises
    ------
    InfeasibleError   The chip cannot multiply a format.

    Notes
    -----
    Activations are left out: they may stay on the chip. An all-reduce may be added up in the
    switch; across domains its members share what has to leave.
    """
    chip = cluster.chip
    compute_s: Any = 0
    for piece in pieces:
        if piece.dtype:
            peak = chip.peak[compute_dtype(dtype_of(piece.dtype), chip, compute)]
            compute_s = compute_s + piece.times(piece.flops) / peak
    bandwidth = chip.memory.bandwidth
    weights = sum(p.times(p.weight_bytes) for p in pieces) / bandwidth
    kv = sum(p.times(p.kv_bytes) for p in pieces) / bandwidth
    inside: Any = 0
    outside: Any = 0
    link, per_peer = cluster.link, cluster.link_per_peer
    for piece in pieces:
        if piece.collective is not None:
            within, across = wire_bytes(piece.collective, cluster.domain_size)
            members = piece.collective.members(cluster.domain_size)
            inside = inside + piece.times(_over(within, members, link, per_peer))
            outside = outside + piece.times(across)
    shared = None if cluster.scale_out is None else cluster.scale_out / cluster.oversubscription
    return Resources(compute_s, weights, kv, inside, _over(outside, 1, shared, None))


def wire_bytes(send: Collective, domain_size: Any) -> tuple[Any, Any]:
    """Bytes one chip sends over the scale-up fabric and over scale-out, at the least."""
    if send.kind == "all_reduce":
        wire = all_reduce_wire_bytes_in_switch(send.payload_bytes, send.group)
        return wire * (send.group > 1), _leaving(send, wire, domain_size)
    if send.kind in ("all_gather", "reduce_scatter"):
        wire = shard_wire_bytes(send.payload_bytes, send.group)
        return wire, _leaving(send, wire, domain_size)
    sent = send.payload_bytes * (send.group > 1)
    return sent * (1 - send.share_across), sent * send.share_across


def _leaving(send: Collective, wire: Any, domain_size: Any) -> Any:
    """A collective's bytes cross once for a whole domain, whose members share them."""
    return wire * (send.share_across / send.members(domain_size))


def _over(bytes_sent: Any, members: Any, rate: float | None, per_peer: float | None) -> Any:
    """Seconds on a link; without the link, forever as soon as anything is sent."""
    if rate is not None:
        most = group_rate_bytes_per_s(members, rate, np.inf if per_peer is None else per_peer)
        return bytes_sent / most
    return np.where(bytes_sent > 0, np.inf, 0.0)


def ideal_time_s(used: Resources) -> Any:
    """What the busiest resource takes, without saying which it is. [s]"""
    network = maximum(used.scale_up_s, used.scale_out_s)
    return maximum(maximum(used.compute_s, used.weights_s + used.kv_s), network)


def combine_ideal(used: Resources) -> IdealStep:
    """Overlap all resources perfectly: the step takes what the busiest one takes.

    Parameters
    ----------
    used : Resources

    Returns
    -------
    IdealStep
    """
    memory = used.weights_s + used.kv_s
    time = ideal_time_s(used)
    read = np.where(used.kv_s > used.weights_s, 2, 1)
    bound = np.where(used.compute_s >= time, 0, np.where(memory >= time, read, 3))
    return IdealStep(time, bound, used)
