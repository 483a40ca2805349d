"""The laws that time ops: one table, read by single steps, by batches of steps and by `--explain`.

A law takes an op (or columns of many), its inputs (constants of the kernel and rates of the chip,
from `kernels.platform`) and the engine's effects, and gives seconds. Every argument may be a number
or an array, so that one step and a ledger of many thousands are timed by the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.kernels.grouped import experts_parts, experts_s
from ridgeline.kernels.rates import capped, clock_kept, of_format
from ridgeline.laws._namespace import maximum, minimum, where
from ridgeline.laws.attention_core import (
    decode_attention_time_s,
    matrix_row_share,
    prefill_attention_time_s,
)
from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    collective_time_s,
    crossing_time_s,
    expert_exchange_time_s,
    shard_wire_bytes,
)
from ridgeline.laws.gemm import product_time_s, stream_time_s
from ridgeline.laws.network import group_rate_bytes_per_s, peer_rate_bytes_per_s
from ridgeline.steps.ideal import wire_bytes
from ridgeline.steps.op import Collective

__all__ = ["BULK", "CONSTANTS", "LAWS", "LINKS", "PARTS", "Law", "host_s"]

Inputs = Mapping[str, Any]
Effects = Mapping[str, Any]

#: components of a step's time, and what can be its bottleneck: arithmetic of GEMMs, reading of
#: weights, attention (cached entries and states read, and what is computed on them), network, and
#: overhead (launches, passes between kernels, the host)
PARTS = ("compute", "weights", "attention", "network", "overhead")

_TINY = 1e-300

#: constants each law takes from its group of measured kernels
CONSTANTS = {
    "gemm": ("start_s", "step_s", "compute_efficiency", "memory_efficiency"),
    "experts": (
        "start_s", "held_s", "compute_efficiency", "memory_efficiency", "activation_efficiency",
    ),
    "decode": ("start_s", "merge_s", "item_s", "memory_efficiency"),
    "prefill": (
        "start_s", "key_step_s", "compute_efficiency", "half_keys", "memory_efficiency",
    ),
    "stream": ("start_s", "memory_efficiency"),
    "collective": ("start_s", "hop_s", "fill_s", "link_efficiency", "doubling_efficiency"),
    "exchange": ("start_s", "hop_s", "token_s", "link_efficiency", "scale_out_efficiency"),
}  # fmt: skip
#: second set of constants of a law, where libraries choose between two kernels by size
BULK = "bulk_"
#: rates and shape of the network that collectives take
LINKS = ("link", "link_per_peer", "scale_out", "domain_size", "in_switch", "no_link", "no_out")


@dataclass(frozen=True, slots=True)
class Law:
    """How one kind of op is timed.

    Attributes
    ----------
    text : str          The law, for `--explain`.
    needs : tuple       Effects it depends on.
    reads : tuple       Fields of the op, or of its collective, that it takes; `repeat` besides.
    time_s : callable   ``(op, inputs, effects)`` to seconds per repetition. [s]
    parts_s : callable  The same to seconds by component. [s]
    """

    text: str
    needs: tuple[str, ...]
    reads: tuple[str, ...]
    time_s: Callable[[Any, Inputs, Effects], Any]
    parts_s: Callable[[Any, Inputs, Effects], dict[str, Any]]


# --- GEMMs


def _gemm_constants(x: Inputs, e: Effects) -> dict[str, Any]:
    widened = x["widened"]
    compute = clock_kept(e) * e["port"] * of_format(x, e) * where(widened, e["wo_compute"], 1.0)
    memory = e["memory"] * where(widened, e["wo_memory"], 1.0)
    return {
        "start_s": x["start_s"] + e["gap_s"],
        "step_s": x["step_s"],
        "compute_efficiency": capped(x["compute_efficiency"], compute),
        "memory_efficiency": capped(x["memory_efficiency"], memory),
    }


def _unfused_s(op: Any, x: Inputs, reach: Any, e: Effects) -> Any:
    """Time of passes over a GEMM's inputs and outputs that are not fused with it. [s]"""
    reach = capped(reach, e["memory"])
    each = stream_time_s(e["unfused"], x["bandwidth"], start_s=0.0, memory_efficiency=reach)
    return op.activation_bytes * each


def _one_gemm_s(op: Any, x: Inputs, v: Inputs) -> Any:
    return product_time_s(
        op.flops,
        op.weight_bytes + op.activation_bytes,
        op.k,
        x["peak"],
        x["bandwidth"],
        prepare_bytes=op.m * (op.k * op.count * x["prepared"]),
        **v,
    )


def _gemm_s(op: Any, x: Inputs, e: Effects) -> Any:
    v = _gemm_constants(x, e)
    return _one_gemm_s(op, x, v) + _unfused_s(op, x, v["memory_efficiency"], e)


def _gemm_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    v = _gemm_constants(x, e)
    passes = _unfused_s(op, x, v["memory_efficiency"], e)
    overhead = v["start_s"] + v["step_s"] * op.k
    compute = op.flops / (v["compute_efficiency"] * x["peak"])
    memory = op.weight_bytes / (v["memory_efficiency"] * x["bandwidth"])
    # What is above the overhead is shared out as the two add in it: by their squares.
    body = _one_gemm_s(op, x, v) - overhead
    share = compute**2 / maximum(compute**2 + memory**2, _TINY)
    return {"overhead": overhead + passes, "compute": body * share, "weights": body * (1 - share)}


# --- attention


def _decode_constants(x: Inputs, e: Effects) -> dict[str, Any]:
    return {
        "start_s": x["start_s"] + e["gap_s"],
        "merge_s": x["merge_s"],
        "item_s": x["item_s"],
        "memory_efficiency": capped(x["memory_efficiency"], e["memory"], e["decode_attention"]),
    }


def _decode_compute_s(op: Any, x: Inputs, e: Effects) -> Any:
    """Arithmetic at the share of the matrix units that the queries of a cached entry fill. [s]"""
    entries = maximum(op.kv_bytes / x["dtype_bytes"], _TINY)
    # Vectors run at the whole peak where there are no matrix units to leave idle.
    filled = where(x["vectors"], 1.0, matrix_row_share(op.flops / (2 * entries), x["vector_share"]))
    reach = capped(x["matrix"], e["compute"], e["port"], e["decode_compute"])
    return op.flops / (reach * x["peak"] * filled)


def _decode_s(op: Any, x: Inputs, e: Effects) -> Any:
    return decode_attention_time_s(
        op.kv_bytes,
        op.n,
        op.k,
        x["bandwidth"],
        compute_s=_decode_compute_s(op, x, e),
        **_decode_constants(x, e),
    )


def _decode_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    reach = _decode_constants(x, e)["memory_efficiency"]
    memory = op.kv_bytes / (reach * x["bandwidth"])
    core = (memory**2 + _decode_compute_s(op, x, e) ** 2) ** 0.5
    return {"overhead": _decode_s(op, x, e) - core, "attention": core}


def _prefill_constants(x: Inputs, e: Effects) -> dict[str, Any]:
    compute = (clock_kept(e), e["port"], e["prefill_attention"])
    return {
        "start_s": x["start_s"] + e["gap_s"],
        "key_step_s": x["key_step_s"],
        "half_keys": x["half_keys"],
        "compute_efficiency": capped(x["compute_efficiency"], *compute),
        "memory_efficiency": capped(x["memory_efficiency"], e["memory"]),
    }


def _prefill_s(op: Any, x: Inputs, e: Effects) -> Any:
    keys = maximum(op.k, 1.0)
    return prefill_attention_time_s(
        op.flops, op.kv_bytes, keys, x["peak"], x["bandwidth"], **_prefill_constants(x, e)
    )


def _prefill_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    v = _prefill_constants(x, e)
    overhead = v["start_s"] + v["key_step_s"] * op.k
    return {"overhead": overhead, "attention": _prefill_s(op, x, e) - overhead}


def _backward_s(op: Any, x: Inputs, e: Effects) -> Any:
    return _prefill_s(op, x, _of_backward(e))


def _backward_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    return _prefill_parts(op, x, _of_backward(e))


def _of_backward(e: Effects) -> Effects:
    """Its kernels reach less of the peak: five products share the chip's registers, not two."""
    return {**e, "prefill_attention": e["prefill_attention"] * e["attention_backward"]}


# --- passes that only move bytes


def _stream_s(op: Any, x: Inputs, e: Effects) -> Any:
    return stream_time_s(
        op.kv_bytes + op.activation_bytes,
        x["bandwidth"],
        start_s=x["launches"] * (x["start_s"] + e["gap_s"]),
        memory_efficiency=capped(x["memory_efficiency"], e["memory"]),
    )


def _stream_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    return {"overhead": _stream_s(op, x, e)}


def _state_parts(op: Any, x: Inputs, e: Effects) -> dict[str, Any]:
    overhead = x["launches"] * (x["start_s"] + e["gap_s"])
    return {"overhead": overhead, "attention": _stream_s(op, x, e) - overhead}


# --- network


def _send_of(op: Any, collective: str) -> Collective:
    """The exchange of an op, or of columns of them."""
    if isinstance(getattr(op, "collective", None), Collective):
        return op.collective
    return Collective(collective, op.group, op.payload_bytes, op.n_domains, op.share_across)


def _collective_constants(x: Inputs, e: Effects, prefix: str) -> dict[str, Any]:
    return {
        "start_s": x[f"{prefix}start_s"] * e["latency"],
        "hop_s": x[f"{prefix}hop_s"] * e["latency"],
        "fill_s": x[f"{prefix}fill_s"],
        "link_efficiency": capped(x[f"{prefix}link_efficiency"], e["link"]),
        "doubling_efficiency": x[f"{prefix}doubling_efficiency"],
    }


def _across_s(send: Collective, x: Inputs, e: Effects) -> Any:
    """What leaves the domain comes after, at the network's rate, with its latency. [s]

    What many groups at once leave of that rate is an effect of training frameworks alone.
    """
    if not send.crosses:
        return 0.0
    _, across = wire_bytes(send, x["domain_size"])
    return crossing_time_s(
        across,
        send.n_domains,
        x["scale_out"],
        start_s=x["out_start_s"],
        hop_s=x["out_hop_s"],
        scale_out_efficiency=capped(x["out_scale_out_efficiency"], e.get("network", 1.0)),
        n_phases=2 if send.kind == "all_reduce" else 1,
    )


def _reachable(seconds: Any, send: Collective, x: Inputs) -> Any:
    """Forever where chips exchange over a link that is not there."""
    if not np.any(x["no_link"]) and not np.any(x["no_out"]):
        return seconds
    missing = (send.group > 1) * x["no_link"] + (send.n_domains > 1) * (send.group > 1) * x[
        "no_out"
    ]
    return where(missing > 0, float("inf"), seconds)


def _all_reduce_s(op: Any, x: Inputs, e: Effects) -> Any:
    send = _send_of(op, "all_reduce")
    inside = send.members(x["domain_size"])
    rate = group_rate_bytes_per_s(inside, x["link"], x["link_per_peer"])
    ring = all_reduce_wire_bytes(send.payload_bytes, inside)
    added = all_reduce_wire_bytes_in_switch(send.payload_bytes, inside)
    wire = where(x["in_switch"], added, ring)
    times = [
        collective_time_s(wire, inside, rate, **_collective_constants(x, e, prefix))
        for prefix in ("", BULK)
    ]
    return _reachable(minimum(*times) + _across_s(send, x, e), send, x)


def _shards_s(op: Any, x: Inputs, e: Effects) -> Any:
    send = _send_of(op, "all_gather")
    inside = send.members(x["domain_size"])
    rate = group_rate_bytes_per_s(inside, x["link"], x["link_per_peer"])
    wire = shard_wire_bytes(send.payload_bytes, inside)
    time = collective_time_s(wire, inside, rate, **_collective_constants(x, e, ""))
    return _reachable(time + _across_s(send, x, e), send, x)


def _p2p_s(op: Any, x: Inputs, e: Effects) -> Any:
    send = _send_of(op, "hop")
    inside = send.members(x["domain_size"])
    rate = peer_rate_bytes_per_s(x["link"], x["link_per_peer"])
    wire = send.payload_bytes * (1 - send.share_across)
    time = collective_time_s(wire, inside, rate, **_collective_constants(x, e, ""))
    return _reachable(time + _across_s(send, x, e), send, x)


def _expert_exchange_s(op: Any, x: Inputs, e: Effects) -> Any:
    """Across domains engines choose between two kernels by size; inside one there is one."""
    send = _send_of(op, "all_to_all")
    inside, across = wire_bytes(send, x["domain_size"])
    rate = group_rate_bytes_per_s(send.members(x["domain_size"]), x["link"], x["link_per_peer"])
    times = [
        expert_exchange_time_s(
            op.m,
            send.group,
            inside,
            across if send.crosses else 0.0,
            rate,
            x["scale_out"],
            **{n: x[f"{prefix}{n}"] for n in CONSTANTS["exchange"]},
        )
        for prefix in (("", BULK) if send.crosses else ("",))
    ]
    faster = where(send.n_domains > 1, minimum(*times), times[0]) if send.crosses else times[0]
    return _reachable(faster, send, x)


def _network(time_s: Callable[[Any, Inputs, Effects], Any]) -> Callable[..., dict[str, Any]]:
    return lambda op, x, e: {"network": time_s(op, x, e)}


_GEMM_EFFECTS = (
    "memory", "compute", "port", "fp8", "fp4", "wo_memory", "wo_compute", "unfused", "gap_s",
)  # fmt: skip
_WIRE = "start + hop (n - 1) + x + 2 sqrt(fill x),  x = w / (e b)"
_COLLECTIVE_EFFECTS = ("latency", "link")
_READING = ("memory", "gap_s")
_BYTES = ("activation_bytes", "kv_bytes")
_SENT = ("group", "payload_bytes", "n_domains", "share_across")

#: F FLOPs, B bytes, P peak, M bandwidth, k width in, E experts held, A bytes in and out, L keys,
#: K cache, n items, w bytes on the wire, b link rate of the group, T tokens
LAWS: dict[str, Law] = {
    "gemm": Law(
        "start + step k + sqrt((F / e_f P)^2 + (B / e_m M)^2)",
        _GEMM_EFFECTS, ("m", "k", "count", "flops", "weight_bytes", "activation_bytes"),
        _gemm_s, _gemm_parts,
    ),
    "experts": Law(
        "start + held E + sqrt((F / e_f P)^2 + (B / e_m M)^2) + A / e_a M",
        ("memory", "compute", "fp8", "fp4", "expert", "gap_s"),
        ("m", "flops", "weight_bytes", "activation_bytes", "held"),
        experts_s, experts_parts,
    ),
    "decode": Law(
        "start + merge log2(1 + L / 1024) + item n + sqrt((K / e_m M)^2 + (F / e_f P)^2)",
        ("memory", "compute", "port", "decode_attention", "decode_compute", "gap_s"),
        ("n", "k", "flops", "kv_bytes"),
        _decode_s, _decode_parts,
    ),
    "prefill": Law(
        "start + step L + sqrt((F (1 + h / L) / e_f P)^2 + (B / e_m M)^2)",
        ("memory", "compute", "port", "prefill_attention", "gap_s"), ("k", "flops", "kv_bytes"),
        _prefill_s, _prefill_parts,
    ),
    "backward": Law(
        "start + step L + sqrt((F (1 + h / L) / e_f P)^2 + (B / e_m M)^2)",
        ("memory", "compute", "port", "prefill_attention", "attention_backward", "gap_s"),
        ("k", "flops", "kv_bytes"),
        _backward_s, _backward_parts,
    ),
    "stream": Law("launches start + B / (e_m M)", _READING, _BYTES, _stream_s, _stream_parts),
    "state": Law("start + K / (e_m M)", _READING, _BYTES, _stream_s, _state_parts),
    "all_reduce": Law(_WIRE, _COLLECTIVE_EFFECTS, _SENT, _all_reduce_s, _network(_all_reduce_s)),
    "shards": Law(_WIRE, _COLLECTIVE_EFFECTS, _SENT, _shards_s, _network(_shards_s)),
    "p2p": Law(_WIRE, _COLLECTIVE_EFFECTS, _SENT, _p2p_s, _network(_p2p_s)),
    "exchange": Law(
        "start + hop log2(n) + token T + max(w_in / e_in b_in, w_out / e_out b_out)",
        (), ("m", *_SENT), _expert_exchange_s, _network(_expert_exchange_s),
    ),
}  # fmt: skip


def host_s(effects: Effects, sampled: Any, starting: Any, ranks: Any) -> Any:
    """Time the chips wait for the host in a step.

    Parameters
    ----------
    effects : mapping   ``host_s``, ``sequence_s``, ``prompt_s``. [s]
    sampled : array     Tokens sampled in the step, all ranks together. [1]
    starting : array    Prompts that begin in it, all ranks together. [1]
    ranks : array       Ranks of attention data parallelism, each with a host process. [1]

    Returns
    -------
    array   [s]
    """
    own = effects["sequence_s"] * sampled + effects["prompt_s"] * starting
    return effects["host_s"] + own / ranks
