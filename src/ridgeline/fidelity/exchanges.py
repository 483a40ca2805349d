"""Readers of measurements between chips: collectives, and experts' dispatch and combine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline import catalog
from ridgeline.fidelity.fitting import Measured
from ridgeline.fidelity.tables import Table, newest, read_table, stacked
from ridgeline.laws.collectives import (
    all_reduce_wire_bytes,
    all_reduce_wire_bytes_in_switch,
    shard_wire_bytes,
)
from ridgeline.laws.experts import destinations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ridgeline.specs.cluster import PeerAccess

__all__ = ["FABRICS", "Fabric", "read_exchanges"]


class Fabric(NamedTuple):
    """A fabric measured: on which systems, and which clusters of the catalogue have it.

    On PCIe also on which machines: those whose peer-to-peer copies work, or the one whose do not.
    """

    systems: tuple[str, ...]
    kind: str
    generation: str
    min_domain: int = 2
    max_domain: int = 10**9
    in_switch: bool = False
    peer_access: PeerAccess = "direct"

    @property
    def family(self) -> str:
        """Which fabrics it is pooled with."""
        return self.kind if self.peer_access == "direct" else f"{self.kind}-{self.peer_access}"


FABRICS = {
    "nvlink3": Fabric(("a100_sxm",), "switch", "NVLink 3"),
    "nvlink4": Fabric(("h100_sxm", "h200_sxm"), "switch", "NVLink 4", in_switch=True),
    "nvlink5": Fabric(("b200_sxm", "b300_sxm"), "switch", "NVLink 5", 2, 8, in_switch=True),
    "nvl72": Fabric(("gb200", "gb300"), "switch", "NVLink 5", 9, in_switch=True),
    "pcie4": Fabric(("l40s",), "pcie", "PCIe 4.0"),
    "pcie4-broken": Fabric(("l40s",), "pcie", "PCIe 4.0", peer_access="broken"),
    "pcie5": Fabric(("rtx_pro_6000_server",), "pcie", "PCIe 5.0 x16"),
    "pcie5-x8": Fabric(("b60",), "pcie", "PCIe 5.0 x8"),
}

_COLLECTIVES = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "alltoall": "all_to_all",
}

#: a framework's all-reduce whose floor is this many times the best one's fell back to the library
_FALLBACK = 3.0
_SMALL_MESSAGE_BYTES = 4096

_HIDDEN = 7168
_TOP_K = 8
#: bytes of one value on its way: values, and a scale of 4 bytes to 128 where DeepEP sends fp8
_EP_BYTES = {"bfloat16": 2.0, "fp8": 1.0, "nvfp4": 4.5 / 8}
_DEEPEP_DISPATCH_BYTES = 1 + 4 / 128
_DEEPEP_COMBINE_BYTES = 2.0
_GPUS_A_NODE = 8
#: the bulk kernels at the number of multiprocessors engines give them
_BULK_SMS = (20.0, 24.0)
#: on 8 nodes the bulk kernels as collected fall to half the network's rate
_BULK_NODES = 4


def read_exchanges(folder: Path, systems: Mapping[str, str]) -> list[Measured]:
    """Read collectives and expert exchanges of all fabrics.

    Parameters
    ----------
    folder : Path
    systems : mapping   Name of a system in the tables to the id of a chip.

    Returns
    -------
    list of Measured   `place` is the id of a fabric, `dtype` the operation.
    """
    link = {s: catalog.node_of(catalog.chip(c)).link or np.nan for s, c in systems.items()}
    return [
        *_library(folder, link),
        *_frameworks(folder, link),
        *_nvl72(folder, link["gb200"]),
        *_deepep(folder, link["h100_sxm"]),
    ]


def _collective(fabric: str, name: str, rows: Table, link: dict, engine: Any) -> Measured:
    n, message = rows["n_gpus"], rows["bytes"]
    if not name.startswith("all_reduce"):
        wire = shard_wire_bytes(message, n)
    elif FABRICS[fabric].in_switch:
        wire = all_reduce_wire_bytes_in_switch(message, n)
    else:
        wire = all_reduce_wire_bytes(message, n)
    return Measured(
        component="collective",
        place=fabric,
        dtype=name,
        inputs={
            "wire_bytes": np.asarray(wire),
            "n_chips": n,
            "link_bytes_per_s": np.array([link[s] for s in rows["system"]]),
        },
        time_s=rows["latency_us"] * 1e-6,
        engine=engine,
        shape=np.array([f"{b:.0f}" for b in message]),
        point=np.array(
            [f"{s} {i:g} {b:.0f}" for s, i, b in zip(rows["system"], n, message, strict=True)]
        ),
        scored=np.ones(len(rows), dtype=bool),
    )


def _library(folder: Path, link: dict) -> list[Measured]:
    table = read_table(
        folder,
        "nccl_curve.csv",
        ["system", "lib", "version", "op", "dtype"],
        ["n_gpus", "bytes", "latency_us"],
    )
    # The column is in bytes already (the collection counted elements of two bytes).
    table = table.where(table["dtype"] == "half")
    pcie = _pcie(folder)
    table = _with_hosts(table, pcie.where(pcie["lib"] == "nccl"), ["system", "lib"])
    found = []
    for fabric, about in FABRICS.items():
        for op, name in _COLLECTIVES.items():
            rows = table.where(np.isin(table["system"], about.systems) & (table["op"] == op))
            rows = newest(_on_machines(rows, about), ["system", "op", "n_gpus", "bytes"])
            if len(rows):
                engine = np.char.add(np.char.add(rows["lib"], " "), rows["version"])
                found.append(_collective(fabric, name, rows, link, engine))
    return found


def _pcie(folder: Path) -> Table:
    """Collectives on PCIe machines, with what is known of each machine, in the others' columns."""
    table = read_table(
        folder,
        "pcie_collectives.csv.gz",
        ["op", "system", "backend", "version", "mode", "host"],
        ["num_gpus", "bytes", "latency_us"],
    )
    same = ("op", "system", "version", "mode", "host", "bytes", "latency_us")
    return Table(
        {c: table[c] for c in same} | {"lib": table["backend"], "n_gpus": table["num_gpus"]}
    )


def _with_hosts(table: Table, pcie: Table, names: Sequence[str]) -> Table:
    """A table with its rows of PCIe machines replaced by those that name the machine."""
    known = {" ".join(at) for at in zip(*(pcie[c] for c in names), strict=True)}
    others = np.array(
        [" ".join(at) not in known for at in zip(*(table[c] for c in names), strict=True)]
    )
    columns = {c: table[c] for c in table.names if c in pcie.names}
    marked = Table(columns | {"host": np.full(len(table), "healthy")})
    return stacked(marked.where(others), pcie)


def _on_machines(rows: Table, about: Fabric) -> Table:
    """Rows of machines whose peer-to-peer copies work; or of the one whose collapse.

    Two of its chips sit under one switch and are as fast as anyone's: only the software tells that
    it is this machine.
    """
    if about.peer_access == "direct":
        return rows.where(rows["host"] == "healthy")
    stack = np.char.add(np.char.add(rows["lib"], " "), rows["version"])
    return rows.where(np.isin(stack, stack[rows["host"] == "broken_fabric"]))


def _frameworks(folder: Path, link: dict) -> list[Measured]:
    table = read_table(
        folder,
        "custom_allreduce_curve.csv",
        ["system", "framework", "version", "impl"],
        ["n_gpus", "bytes", "latency_us"],
    )
    same = ("system", "version", "n_gpus", "bytes", "latency_us")
    table = Table({c: table[c] for c in same} | {"lib": table["framework"], "mode": table["impl"]})
    pcie = _pcie(folder)
    table = _with_hosts(table, pcie.where(pcie["lib"] != "nccl"), ["system"])
    eager = np.char.endswith(table["mode"], "eager")
    kept = {c: table[c] for c in (*same, "lib", "host")}
    table = Table(kept | {"mode": np.where(eager, "all_reduce_eager", "all_reduce_graph")})
    found = []
    for fabric, about in FABRICS.items():
        for mode in ("all_reduce_graph", "all_reduce_eager"):
            rows = table.where(np.isin(table["system"], about.systems) & (table["mode"] == mode))
            rows = newest(_on_machines(rows, about), ["system", "lib", "n_gpus", "bytes"])
            if mode.endswith("graph") and len(rows):
                rows = rows.where(_own_kernel(rows))
            if len(rows):
                engine = np.char.add(np.char.add(rows["lib"], " "), rows["version"])
                found.append(_collective(fabric, mode, rows, link, engine))
    return found


def _own_kernel(rows: Table) -> Any:
    """Where a framework runs a kernel of its own, not the library's, by its small-message time."""
    small = rows.where(rows["bytes"] == _SMALL_MESSAGE_BYTES)
    keys = zip(small["system"], small["n_gpus"], small["lib"], strict=True)
    floor = dict(zip(keys, small["latency_us"], strict=True))
    best: dict[tuple, float] = {}
    for (system, n, _), time in floor.items():
        best[system, n] = min(best.get((system, n), np.inf), time)
    own = [
        floor.get((s, n, f), 0.0) <= _FALLBACK * best.get((s, n), np.inf)
        for s, n, f in zip(rows["system"], rows["n_gpus"], rows["lib"], strict=True)
    ]
    return np.array(own)


def _exchange(
    fabric: str, name: str, tokens: Any, n: Any, bytes_inside: Any, bytes_outside: Any,
    link: float, scale_out: float, time_s: Any, engine: Any,
) -> Measured:  # fmt: skip
    full = np.ones(len(tokens))
    rows = zip(tokens, n, bytes_inside, strict=True)
    return Measured(
        component="exchange",
        place=fabric,
        dtype=name,
        inputs={
            "n_tokens": tokens,
            "n_chips": n,
            "inside_bytes": bytes_inside,
            "outside_bytes": bytes_outside,
            "link_bytes_per_s": link * full,
            "scale_out_bytes_per_s": scale_out * full,
        },
        time_s=time_s,
        engine=engine,
        shape=np.array([f"{t:g}" for t in tokens]),
        point=np.array([f"{t:g} {i:g} {b:.0f}" for t, i, b in rows]),
        scored=np.ones(len(tokens), dtype=bool),
    )  # fmt: skip


def _nvl72(folder: Path, link: float) -> list[Measured]:
    table = read_table(
        folder,
        "gb200_nvl72_trtllm_alltoall.csv",
        ["version", "op_name", "kernel_source", "moe_dtype"],
        ["num_tokens", "moe_ep_size", "latency"],
    )
    found = []
    for op in ("dispatch", "combine", "prepare"):
        rows = table.where(table["op_name"] == f"alltoall_{op}")
        tokens, n = rows["num_tokens"], rows["moe_ep_size"]
        value = np.array([_EP_BYTES.get(str(d), np.nan) for d in rows["moe_dtype"]])
        value = {"dispatch": value, "combine": 2.0 + 0 * value, "prepare": 0 * value}[op]
        copies = destinations(_TOP_K, n) * (n - 1) / n
        sent = tokens * _HIDDEN * value * copies
        engine = np.char.add("trtllm ", rows["kernel_source"])
        time_s = rows["latency"] * 1e-3
        found.append(_exchange("nvl72", op, tokens, n, sent, 0 * sent, link, link, time_s, engine))
    return found


def _deepep(folder: Path, link: float) -> list[Measured]:
    """Two kinds on H100 (the rows of H200 repeat them): one copy an expert, one copy a node."""
    sides = ("dispatch", "combine")
    table = read_table(
        folder,
        "deepep_multinode.csv",
        ["system", "op_name", "version"],
        ["node_num", "num_token"],
        [f"{s}_{c}" for s in sides for c in ("avg_t_us", "transmit_us", "notify_us", "sms")],
    )
    table = table.where(table["system"] == "h100_sxm")
    scale_out = catalog.cluster("hgx-h100").scale_out or np.nan
    return [
        _deepep_side(table, side, link, scale_out, bulk=bulk)
        for bulk in (False, True)
        for side in sides
    ]


def _deepep_side(table: Table, side: str, link: float, scale_out: float, *, bulk: bool) -> Measured:
    rows = table.where(table["op_name"] == ("normal" if bulk else "ll"))
    if bulk:
        chosen = np.isin(rows["dispatch_sms"], _BULK_SMS) & (rows["node_num"] <= _BULK_NODES)
        rows = rows.where(chosen)
        time_us = rows[f"{side}_transmit_us"] + np.nan_to_num(rows[f"{side}_notify_us"])
    else:
        time_us = rows[f"{side}_avg_t_us"]
    nodes, tokens = rows["node_num"], rows["num_token"]
    n = nodes * _GPUS_A_NODE
    inside = (destinations(_TOP_K, n) if bulk else _TOP_K) * (n - 1) / n
    outside = (destinations(_TOP_K, nodes) if bulk else _TOP_K) * (nodes - 1) / nodes
    value = _DEEPEP_DISPATCH_BYTES if side == "dispatch" else _DEEPEP_COMBINE_BYTES
    sent = tokens * _HIDDEN * value
    return _exchange(
        "nvlink4",
        f"{side}_bulk" if bulk else side,
        tokens,
        n,
        sent * inside,
        sent * outside,
        link,
        scale_out,
        time_us * 1e-6,
        np.char.add("deepep sglang ", rows["version"]),
    )
