"""The calibrated reading: each piece of a step at what engines reach, and how sure that is.

Times add: pieces run one after another, then the host. Constants of kernels come from measured
operators; effects, how engines differ from their kernels, from measured engines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import constants, engine_constants, fabric_constants
from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    expert_exchange_time_s,
    shard_wire_bytes,
)
from ridgeline.steps.effects import resolve
from ridgeline.steps.ideal import wire_bytes
from ridgeline.steps.spread import Z80
from ridgeline.steps.terms import (
    LAUNCHES,
    QUANTISED,
    WIDENED,
    attention_group,
    collective_s,
    crossing_s,
    decode_s,
    engaged_collective,
    engaged_decode,
    engaged_prefill,
    engaged_product,
    prefill_s,
    prepared_share,
    product_group,
    product_s,
    row_share,
    stream_s,
    unfused_s,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.steps.work import Work

__all__ = [
    "BOUNDS",
    "Z80",
    "CalibratedStep",
    "Calibration",
    "calibration",
    "log_sigma",
    "operator_values",
    "piece_time_s",
    "step_seconds",
    "time_step",
]

#: what can bind a calibrated step: whatever has the largest share of its time
BOUNDS = ("compute", "weights", "KV", "network", "floor")

#: effects on requests, not on steps
_OF_REQUESTS = ("prompt_s", "frontend_s", "queue")
_NUDGE = 0.01
_TINY = 1e-300
#: the scatter of single steps of whole engines, in the constants, and what it is without any
_STEPS_MEASURED = "decode tpot_s"
_SCATTER = 0.2


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants of a cluster's chips, fabric and engine, ready for the laws.

    Attributes
    ----------
    values : mapping          ``product bf16`` and the like to the keyword arguments of its law.
    in_switch : bool          Whether the switch adds.
    effects : mapping         How the engine differs from its kernels. [1 or s]
    effect_sigmas : mapping   Standard deviations on the log scale.
    scatter : float           What remains on whole engines that were left out of the fit.
    """

    cluster: Cluster
    values: Mapping[str, Mapping[str, float]]
    in_switch: bool
    effects: Mapping[str, float]
    effect_sigmas: Mapping[str, float]
    scatter: float
    compute: ComputeDtype | None = None
    eager: bool = field(default=False)
    #: only sums are wanted: pieces need not say what binds them
    whole: bool = field(default=False)


def operator_values(cluster: Cluster) -> tuple[dict[str, Mapping[str, float]], bool]:
    """Constants of a cluster's kernels by group, and whether its switch adds.

    Parameters
    ----------
    cluster : Cluster   Its chip's or its family's constants, its fabric's or its kind's.
    """
    chip, fabric = constants(cluster.chip), fabric_constants(cluster)
    found: dict[str, Mapping[str, float]] = {}
    for part in ("product", "decode", "prefill"):
        found |= {f"{part} {k}": v.values for k, v in getattr(chip, part).items()}
    for part in ("collective", "exchange"):
        found |= {f"{part} {k}": v.values for k, v in getattr(fabric, part).items()}
    for name in WIDENED:
        # What such a kernel costs to start differs from engine to engine: the gap has it.
        own = found.get(f"product {name}", found["product bf16"])
        starts = {k: found["product bf16"][k] for k in ("start_s", "step_s")}
        found[f"product {name}"] = {**own, **starts}
    return found, fabric.in_switch


def calibration(
    cluster: Cluster,
    compute: ComputeDtype | None = None,
    engine: str = "current",
    version: str = "",
) -> Calibration:
    """Look up the constants of a cluster and of an engine on it.

    Parameters
    ----------
    cluster : Cluster
    compute : str or None   Run every product in this arithmetic.
    engine, version : str   Of the catalogue; ``current`` is the mean of the newest engines.

    Raises
    ------
    CatalogError   An engine nobody knows.
    """
    values, in_switch = operator_values(cluster)
    fitted = engine_constants()
    effects = resolve(fitted, cluster.chip, engine, version)
    known = fitted.scatter.get(_STEPS_MEASURED)
    return Calibration(
        cluster=cluster,
        values=values,
        in_switch=in_switch,
        effects={name: r.value for name, r in effects.items()},
        effect_sigmas={name: r.sigma for name, r in effects.items()},
        scatter=known.sigma if known else _SCATTER,
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
    cal = _in_step(pieces, cal)
    parts: dict[str, Any] = dict.fromkeys(BOUNDS, 0.0)
    parts["floor"] = _host_s(pieces, cal)
    for piece in pieces:
        for name, seconds in _KINDS[piece.kind](piece, cal).items():
            parts[name] = parts[name] + piece.repeat * seconds
    # Small shapes first: over a grid of many axes only the last additions are as large as it.
    ordered = sorted(parts.values(), key=np.size)
    return CalibratedStep(sum(ordered), parts)


def step_seconds(pieces: Sequence[Work], cal: Calibration) -> Any:
    """Time a step as `time_step` does, without its parts: what large grids ask for.

    Parameters
    ----------
    pieces, cal   As in `time_step`.

    Returns
    -------
    array   [s]
    """
    cal = replace(_in_step(pieces, cal), whole=True)
    # Pieces that vary over the same axes first, so that few additions are as large as the grid.
    sums: dict[tuple[int, ...], Any] = {}
    for piece in pieces:
        seconds = piece.repeat * sum(_KINDS[piece.kind](piece, cal).values())
        shape = np.shape(seconds)
        sums[shape] = sums[shape] + seconds if shape in sums else seconds
    return sum(sorted(sums.values(), key=np.size), _host_s(pieces, cal))


def _in_step(pieces: Sequence[Work], cal: Calibration) -> Calibration:
    """No captured graph covers a step with prompts: its kernels lie further apart."""
    if cal.eager or not any(p.name.endswith("_prefill") for p in pieces):
        return cal
    gap = cal.effects["gap_s"] + cal.effects["eager_s"]
    return replace(cal, effects={**cal.effects, "gap_s": gap}, eager=True)


def _host_s(pieces: Sequence[Work], cal: Calibration) -> Any:
    """Time the chips wait for the host: a step's, and that of each sequence sampled."""
    sampled: Any = sum(p.m for p in pieces if p.name == "head")
    return cal.effects["host_s"] + cal.effects["sequence_s"] * sampled


def piece_time_s(piece: Work, cal: Calibration) -> Any:
    """Time of one piece, all its repetitions together. [s]"""
    cal = _in_step([piece], cal)
    return piece.repeat * sum(_KINDS[piece.kind](piece, cal).values())


def _gemm(piece: Work, cal: Calibration) -> dict[str, Any]:
    name, peak = product_group(piece.dtype, cal.cluster.chip, cal.compute)
    operator = cal.values.get(f"product {name}", cal.values["product bf16"])
    expert = piece.part == "experts"
    v = engaged_product(
        operator, cal.effects, narrow=name in QUANTISED, widened=name in WIDENED, expert=expert
    )
    bandwidth = cal.cluster.chip.memory.bandwidth
    prepared = prepared_share(name, piece.dtype)
    total = product_s(piece, v, peak, bandwidth, prepared=prepared, expert=expert)
    passes = unfused_s(piece, v["memory_efficiency"], bandwidth, cal.effects)
    if cal.whole:
        return {"compute": total + passes}
    floor = v["start_s"] + v["step_s"] * piece.k
    compute = piece.flops / (v["compute_efficiency"] * peak)
    memory = piece.weight_bytes / (v["memory_efficiency"] * bandwidth)
    parts = _split(total, floor, compute, memory, "weights")
    return {**parts, "floor": parts["floor"] + passes}


def _split(total: Any, floor: Any, compute_s: Any, memory_s: Any, memory: str) -> dict[str, Any]:
    """Share out what is above the floor as the two add in it: by their squares."""
    body = total - floor
    squares = maximum(compute_s**2 + memory_s**2, _TINY)
    share = compute_s**2 / squares
    return {"floor": floor, "compute": body * share, memory: body * (1 - share)}


def _attention(piece: Work, cal: Calibration) -> dict[str, Any]:
    bandwidth = cal.cluster.chip.memory.bandwidth
    product = cal.values["product bf16"]
    if piece.part == "recurrent":
        reach = product["memory_efficiency"]
        total = stream_s(piece.kv_bytes, product["start_s"], reach, bandwidth, cal.effects, 1)
        floor = product["start_s"] + cal.effects["gap_s"]
        return {"floor": floor, "KV": total - floor}
    _, peak = product_group(piece.dtype, cal.cluster.chip, cal.compute)
    group = attention_group(piece.name, piece.dtype)
    if group.startswith("prefill"):
        v = engaged_prefill(cal.values[group], cal.effects)
        total = prefill_s(piece, v, peak, bandwidth)
        floor = v["start_s"] + v["key_step_s"] * piece.k
    else:
        matrix = cal.values["prefill bf16"]["compute_efficiency"]
        v = engaged_decode(cal.values[group], cal.effects, matrix)
        peak = peak * row_share(piece, dtype_of(piece.dtype).bits / 8)
        total = decode_s(piece, v, peak, bandwidth)
        floor = None
    if cal.whole:
        return {"KV": total}
    compute = piece.flops / (v["compute_efficiency"] * peak)
    memory = piece.kv_bytes / (v["memory_efficiency"] * bandwidth)
    if floor is None:
        floor = total - (memory**2 + compute**2) ** 0.5
    return _split(total, floor, compute, memory, "KV")


def _elementwise(piece: Work, cal: Calibration) -> dict[str, Any]:
    v = cal.values["product bf16"]
    total = stream_s(
        piece.activation_bytes,
        v["start_s"],
        v["memory_efficiency"],
        cal.cluster.chip.memory.bandwidth,
        cal.effects,
        LAUNCHES["elementwise"],
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
        collective_s(
            wire,
            inside,
            _link(cal),
            engaged_collective(cal.values[f"collective {name}"], cal.effects),
        )
        for name in names
    ]
    _, across = wire_bytes(send, cal.cluster.domain_size)
    fastest = minimum(*times) if len(times) > 1 else times[0]
    return fastest + _outside(across, send, cal)


def _outside(across: Any, send: Any, cal: Calibration) -> Any:
    """What leaves the domain comes after, at the network's rate, with its latency."""
    out = math.inf if cal.cluster.scale_out is None else cal.cluster.scale_out
    return crossing_s(across, send.n_domains, out, cal.values["exchange dispatch_bulk"], send)


_KINDS = {
    "gemm": _gemm,
    "attention": _attention,
    "elementwise": _elementwise,
    "exchange": _exchange,
}


def log_sigma(pieces: Sequence[Work], cal: Calibration, step: CalibratedStep) -> Any:
    r"""Standard deviation of ln(time), in closed form.

    .. math:: \sigma^2 = \sum_c \left(\frac{\partial \ln t}{\partial \ln c}\,\sigma_c\right)^2
              + s^2

    Sensitivities to the engine's effects by a small nudge of each; what remains on whole engines
    that were left out of the fit (s) on top. A chip or an engine nobody measured has wider
    effects.

    Parameters
    ----------
    pieces, cal, step   Of `time_step`.

    Returns
    -------
    array   [1]
    """
    variance: Any = cal.scatter**2
    for name, sigma in cal.effect_sigmas.items():
        if name in _OF_REQUESTS or sigma == 0:
            continue
        nudged = {**cal.effects, name: cal.effects[name] * (1 - _NUDGE)}
        moved = time_step(pieces, replace(cal, effects=nudged)).time_s
        slope = (moved - step.time_s) / step.time_s / _NUDGE
        variance = variance + (slope * sigma) ** 2
    return variance**0.5
