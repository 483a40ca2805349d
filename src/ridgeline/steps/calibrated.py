"""The calibrated reading: each piece of a step at what good engines reach, and how sure that is.

Times add: pieces run one after another, then the host. Constants come from the catalogue, fitted on
measured operators; nothing here is fitted to whole steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import constants, engine, fabric_constants
from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.attention_core import decode_attention_time_s, prefill_attention_time_s
from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    collective_time_s,
    expert_exchange_time_s,
    shard_wire_bytes,
)
from ridgeline.laws.gemm import product_time_s, stream_time_s
from ridgeline.steps.ideal import wire_bytes
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import FittedGroup
    from ridgeline.steps.work import Work

__all__ = [
    "BOUNDS",
    "Z80",
    "CalibratedStep",
    "Calibration",
    "calibration",
    "log_sigma",
    "piece_time_s",
    "time_step",
]

#: what can bind a calibrated step: whatever has the largest share of its time
BOUNDS = ("compute", "weights", "KV", "network", "floor")

#: formats whose engines quantise the input in a pass before the product
_QUANTISED = ("fp8", "fp8-block", "nvfp4", "int8")
_BF16_BYTES = 2
_ONE_BYTE_BITS = 8
_NUDGE = 0.01
_TINY = 1e-300
#: half-width of an 80 % interval, in standard deviations
Z80 = 1.2816


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants of a cluster's chips and fabric, by group, ready for the laws.

    Attributes
    ----------
    values : mapping    ``product bf16`` and the like to the keyword arguments of its law.
    groups : mapping    The same names to the fitted groups, for sigmas and scatter.
    host_s : float      Time a step waits for the host. [s]
    """

    cluster: Cluster
    values: Mapping[str, Mapping[str, float]]
    groups: Mapping[str, FittedGroup]
    in_switch: bool
    host_s: float
    host_sigma: float
    release_scatter: float
    compute: ComputeDtype | None = None


def calibration(cluster: Cluster, compute: ComputeDtype | None = None) -> Calibration:
    """Look up a cluster's constants: its chip's or its family's, its fabric's or its kind's.

    Parameters
    ----------
    cluster : Cluster
    compute : str or None   Run every product in this arithmetic.
    """
    chip, fabric = constants(cluster.chip), fabric_constants(cluster)
    groups: dict[str, FittedGroup] = {}
    for part in ("product", "decode", "prefill"):
        groups |= {f"{part} {k}": v for k, v in getattr(chip, part).items()}
    for part in ("collective", "exchange"):
        groups |= {f"{part} {k}": v for k, v in getattr(fabric, part).items()}
    host = engine()
    low, high = host.sources["host_s"].low, host.sources["host_s"].high
    spread = math.log(high / low) / (2 * Z80) if low and high else 0.0
    return Calibration(
        cluster=cluster,
        values={name: group.values for name, group in groups.items()},
        groups=groups,
        in_switch=fabric.in_switch,
        host_s=host.host_s,
        host_sigma=spread,
        release_scatter=host.release_scatter,
        compute=compute,
    )


@dataclass(frozen=True, slots=True)
class CalibratedStep:
    """One step, its parts by what binds, and how sure it is.

    Attributes
    ----------
    time_s : array         [s]
    parts_s : mapping      `BOUNDS` to their share of the time; they add up to it. [s]
    """

    time_s: Any
    parts_s: dict[str, Any]

    @property
    def bound(self) -> Any:
        """Code of the largest part. [1]"""
        return np.stack(np.broadcast_arrays(*self.parts_s.values())).argmax(axis=0)


def time_step(pieces: Sequence[Work], cal: Calibration) -> CalibratedStep:
    """Time the pieces of a step one by one and add them up.

    Parameters
    ----------
    pieces : sequence of Work
    cal : Calibration

    Raises
    ------
    InfeasibleError   The chip cannot multiply a format.
    """
    parts: dict[str, Any] = dict.fromkeys(BOUNDS, 0.0)
    parts["floor"] = cal.host_s
    for piece in pieces:
        for name, seconds in _KINDS[piece.kind](piece, cal).items():
            parts[name] = parts[name] + piece.repeat * seconds
    # Small shapes first: over a grid of many axes only the last additions are as large as it.
    ordered = sorted(parts.values(), key=np.size)
    return CalibratedStep(sum(ordered), parts)


def piece_time_s(piece: Work, cal: Calibration) -> Any:
    """Time of one piece, all its repetitions together. [s]"""
    return piece.repeat * sum(_KINDS[piece.kind](piece, cal).values())


def _peak(piece: Work, cal: Calibration) -> tuple[ComputeDtype, float]:
    kind = cal.compute or compute_dtype(dtype_of(piece.dtype), cal.cluster.chip)
    return kind, cal.cluster.chip.peak[kind]


def _product_group(piece: Work, cal: Calibration) -> str:
    """Which products the constants are of: by storage format and the arithmetic it runs in."""
    kind, _ = _peak(piece, cal)
    bits = dtype_of(piece.dtype).bits
    if kind in ("fp4", "int8"):
        name = "nvfp4" if kind == "fp4" else "int8"
    elif kind == "fp8":
        name = "fp8-block" if piece.dtype == "fp8-block" else "fp8"
    else:
        name = "bf16" if bits >= 16 else "w8a16" if bits > 6 else "w4a16"
    key = f"product {name}"
    return key if key in cal.values else "product bf16"


def _gemm(piece: Work, cal: Calibration) -> dict[str, Any]:
    group = _product_group(piece, cal)
    values = cal.values[group]
    _, peak = _peak(piece, cal)
    bandwidth = cal.cluster.chip.memory.bandwidth
    quantised = group.removeprefix("product ") in _QUANTISED
    # The input is read as bf16 and written back narrower before the product.
    narrow = min(dtype_of(piece.dtype).bits, _ONE_BYTE_BITS) / _ONE_BYTE_BITS
    prepared = piece.m * piece.k * piece.count * (_BF16_BYTES + narrow) if quantised else 0.0
    total = product_time_s(
        piece.flops,
        piece.weight_bytes + piece.activation_bytes,
        piece.k,
        peak,
        bandwidth,
        prepare_bytes=prepared,
        **values,
    )
    floor = values["start_s"] + values["step_s"] * piece.k
    compute = piece.flops / (values["compute_efficiency"] * peak)
    memory = piece.weight_bytes / (values["memory_efficiency"] * bandwidth)
    return _split(total, floor, compute, memory, "weights")


def _split(total: Any, floor: Any, compute_s: Any, memory_s: Any, memory: str) -> dict[str, Any]:
    """Share out what is above the floor as the two add in it: by their squares."""
    body = total - floor
    squares = maximum(compute_s**2 + memory_s**2, _TINY)
    share = compute_s**2 / squares
    return {"floor": floor, "compute": body * share, memory: body * (1 - share)}


def _attention(piece: Work, cal: Calibration) -> dict[str, Any]:
    bandwidth = cal.cluster.chip.memory.bandwidth
    if piece.part == "recurrent":
        values = cal.values["product bf16"]
        total = stream_time_s(
            piece.kv_bytes,
            bandwidth,
            start_s=values["start_s"],
            memory_efficiency=values["memory_efficiency"],
        )
        return {"floor": values["start_s"], "KV": total - values["start_s"]}
    _, peak = _peak(piece, cal)
    group = _attention_group(piece)
    if group.startswith("prefill"):
        return _prefill(piece, cal, peak, group)
    values = cal.values[group]
    reach = cal.values["prefill bf16"]["compute_efficiency"]
    compute = piece.flops / (reach * peak)
    total = decode_attention_time_s(
        piece.kv_bytes, piece.n, piece.k, bandwidth, compute_s=compute, **values
    )
    memory = piece.kv_bytes / (values["memory_efficiency"] * bandwidth)
    floor = total - (memory**2 + compute**2) ** 0.5
    return _split(total, floor, compute, memory, "KV")


def _attention_group(piece: Work) -> str:
    """Which attention the constants are of: by phase and format of the cache."""
    wide = dtype_of(piece.dtype).bits >= 16
    if piece.name.endswith("_prefill"):
        return "prefill bf16" if wide else "prefill bf16-kv-fp8"
    return "decode bf16" if wide else "decode fp8"


def _prefill(piece: Work, cal: Calibration, peak: float, group: str) -> dict[str, Any]:
    values = cal.values[group]
    bandwidth = cal.cluster.chip.memory.bandwidth
    total = prefill_attention_time_s(
        piece.flops, piece.kv_bytes, maximum(piece.k, 1.0), peak, bandwidth, **values
    )
    floor = values["start_s"] + values["key_step_s"] * piece.k
    compute = piece.flops / (values["compute_efficiency"] * peak)
    memory = piece.kv_bytes / (values["memory_efficiency"] * bandwidth)
    return _split(total, floor, compute, memory, "KV")


def _elementwise(piece: Work, cal: Calibration) -> dict[str, Any]:
    values = cal.values["product bf16"]
    total = stream_time_s(
        piece.activation_bytes,
        cal.cluster.chip.memory.bandwidth,
        start_s=2 * values["start_s"],
        memory_efficiency=values["memory_efficiency"],
    )
    return {"floor": total}


def _exchange(piece: Work, cal: Calibration) -> dict[str, Any]:
    send = piece.send
    assert send is not None
    if cal.cluster.link is None and cal.cluster.scale_out is None:
        return {"network": np.where(np.asarray(send.group > 1), np.inf, 0.0)}
    if send.collective == "all_to_all":
        return {"network": _expert_exchange(piece, cal)}
    return {"network": _collective(piece, cal)}


def _link(cal: Calibration) -> float:
    rates = (cal.cluster.link, cal.cluster.scale_out)
    return next((r for r in rates if r is not None), math.inf)


def _expert_exchange(piece: Work, cal: Calibration) -> Any:
    send = piece.send
    assert send is not None
    within, across = wire_bytes(send, cal.cluster.domain_size)
    side = "dispatch" if piece.name == "dispatch" else "combine"
    out = _link(cal) if cal.cluster.scale_out is None else cal.cluster.scale_out
    times = [
        expert_exchange_time_s(
            piece.m, send.group, within, across, _link(cal), out, **cal.values[f"exchange {name}"]
        )
        for name in (side, f"{side}_bulk")
    ]
    # Across domains engines have two kinds of kernel and pick by the number of tokens; within one
    # only the first was measured on every fabric.
    return where(np.asarray(send.n_domains > 1), minimum(*times), times[0])


def _collective(piece: Work, cal: Calibration) -> Any:
    send = piece.send
    assert send is not None
    inside = minimum(send.group, cal.cluster.domain_size)
    if send.collective == "all_reduce":
        count = all_reduce_wire_bytes_in_switch if cal.in_switch else all_reduce_wire_bytes
        wire, names = count(send.payload_bytes, inside), ("all_reduce_graph", "all_reduce")
    elif send.collective in ("all_gather", "reduce_scatter"):
        wire, names = shard_wire_bytes(send.payload_bytes, inside), (send.collective,)
    else:
        wire, names = send.payload_bytes * (1 - send.share_across), ("all_gather",)
    times = [
        collective_time_s(wire, inside, _link(cal), **cal.values[f"collective {name}"])
        for name in names
    ]
    _, across = wire_bytes(send, cal.cluster.domain_size)
    fastest = minimum(*times) if len(times) > 1 else times[0]
    return fastest + _outside(across, send, cal)


def _outside(across: Any, send: Any, cal: Calibration) -> Any:
    """What leaves the domain comes after, at the network's rate, with its latency."""
    values = cal.values["exchange dispatch_bulk"]
    out = math.inf if cal.cluster.scale_out is None else cal.cluster.scale_out
    rate = out * values["scale_out_efficiency"]
    latency = values["start_s"] * np.asarray(send.n_domains > 1)
    return across / rate + latency


_KINDS = {
    "gemm": _gemm,
    "attention": _attention,
    "elementwise": _elementwise,
    "exchange": _exchange,
}


def log_sigma(pieces: Sequence[Work], cal: Calibration, step: CalibratedStep) -> Any:
    r"""Standard deviation of ln(time), in closed form.

    .. math:: \sigma^2 = \sum_c \left(\frac{\partial \ln t}{\partial \ln c}\,\sigma_c\right)^2
              + \sum_i \left(\frac{t_i}{t}\,s_i\right)^2 + \sigma_{release}^2

    Sensitivities to the constants by a small nudge of each; what remains of single calls (s_i) by
    their share; the scatter between releases on top, since no engine is named.

    Parameters
    ----------
    pieces, cal, step   Of `time_step`.

    Returns
    -------
    array   [1]
    """
    variance: Any = cal.release_scatter**2 + (cal.host_s / step.time_s * cal.host_sigma) ** 2
    for name, group in cal.groups.items():
        for constant, sigma in group.sigmas.items():
            value = cal.values[name][constant] * (1 + _NUDGE)
            nudged = replace(
                cal, values={**cal.values, name: {**cal.values[name], constant: value}}
            )
            moved = time_step(pieces, nudged).time_s
            slope = (moved - step.time_s) / step.time_s / _NUDGE
            variance = variance + (slope * sigma) ** 2
    for piece in pieces:
        if piece.kind in ("gemm", "attention") and piece.part != "recurrent":
            share = piece_time_s(piece, cal) / step.time_s
            variance = variance + (share * _scatter(piece, cal)) ** 2
    return variance**0.5


def _scatter(piece: Work, cal: Calibration) -> float:
    if piece.kind == "gemm":
        return cal.groups[_product_group(piece, cal)].scatter
    return cal.groups[_attention_group(piece)].scatter
