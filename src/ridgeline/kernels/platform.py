"""Which kernel times an op on a cluster: the law, its group of constants, its flags. Only here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import constants, fabric_constants
from ridgeline.catalog import dtype as dtype_of
from ridgeline.kernels.laws import BULK, CONSTANTS
from ridgeline.specs.cluster import MOST_CARDS
from ridgeline.steps.machine import compute_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.specs.chip import Chip, ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.steps.op import Key

__all__ = ["OUTSIDE", "Kernel", "Platform", "gemm_group"]

#: formats whose engines quantise the input in a pass before the GEMM
QUANTISED = ("fp8", "fp8-block", "nvfp4", "int8")
#: formats widened to 16 bits on the way to the GEMM
WIDENED = ("w8a16", "w4a16")
#: kernels that an elementwise op stands for: a norm on each side of a sublayer
_LAUNCHES = 2
#: arithmetic of so many bits: effects of an engine on GEMMs
_EIGHT_BIT, _FOUR_BIT = ("fp8", "fp8-block", "int8"), ("nvfp4", "mxfp4")
#: kernels of a product of experts (route, gather, multiply, add up) where they were not timed with
#: what lies between them
_LAUNCHES_EXPERTS = 4
#: of experts in a format that no kernel of theirs was measured in, the nearest that one was
_LIKE = {"int8": "fp8", "w8a16": "w4a16"}
#: floats of 4 bits with a shared exponent
_MX = ("mxfp4", "mxfp4-wo")
_BF16_BYTES = 2
#: rows that matrix units multiply at least
_TILE_ROWS = 16
_ONE_BYTE_BITS = 8
#: phases in which queries are many
_WHOLE_SEQUENCES = ("prefill", "forward", "input_gradient")
#: whose share of the peak decode attention reaches with full matrix units
_MATRIX = "prefill bf16"
#: whose latency and share of the network a collective has between domains
OUTSIDE = "exchange dispatch_bulk"
#: whose latency and share of the link it has between groups of cards in one host
_ON_A_BUS = "all_reduce_graph"


@dataclass(frozen=True, slots=True)
class Kernel:
    """How one op is timed on a cluster.

    Attributes
    ----------
    law : str            Name in `kernels.laws.LAWS`.
    groups : tuple       Groups of constants, the first choice first: ``product bf16``.
    inputs : mapping     What the law takes besides the op and the effects: numbers (or arrays where
                         a cluster's field holds one).
    """

    law: str
    groups: tuple[str, ...]
    inputs: Mapping[str, Any]


def gemm_group(dtype: str, chip: Chip, compute: ComputeDtype | None = None) -> tuple[str, Any]:
    """Which GEMMs constants are of, by storage format and arithmetic, and the peak. [FLOP/s]

    Raises
    ------
    InfeasibleError   The chip cannot multiply the format.
    """
    stored = dtype_of(dtype)
    if stored.base:  # of a mixture, the format that most of it is in
        stored = dtype_of(stored.base)
    kind = compute_dtype(stored, chip, compute)
    if kind in ("fp4", "int8"):
        name = "nvfp4" if kind == "fp4" else "int8"
    elif kind == "fp8":
        name = "fp8-block" if stored.id == "fp8-block" else "fp8"
    else:
        name = "bf16" if stored.bits >= 16 else "w8a16" if stored.bits > 6 else "w4a16"
    return name, chip.peak[kind]


def _prepared_bytes(group: str, dtype: str) -> float:
    """Bytes moved to prepare one input value: read as bf16, written back narrower. [bytes]"""
    if group not in QUANTISED:
        return 0.0
    return _BF16_BYTES + min(dtype_of(dtype).bits, _ONE_BYTE_BITS) / _ONE_BYTE_BITS


@dataclass(frozen=True)
class Platform:
    """A cluster with the constants of its chip's and its fabric's kernels.

    Attributes
    ----------
    cluster : Cluster       Numeric fields may hold arrays.
    compute : str or None   Run every GEMM in this arithmetic instead of its format's own.
    """

    cluster: Cluster
    compute: ComputeDtype | None = None
    _known: dict[Key, Kernel] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def constants(self) -> dict[str, Mapping[str, float]]:
        """Constants by group: of the chip or its family, of the fabric or its kind."""
        chip, fabric = constants(self.cluster.chip), fabric_constants(self.cluster)
        found: dict[str, Mapping[str, float]] = {}
        for part in ("product", "experts", "decode", "prefill"):
            found |= {f"{part} {k}": v.values for k, v in getattr(chip, part).items()}
        for part in ("collective", "exchange"):
            found |= {f"{part} {k}": v.values for k, v in getattr(fabric, part).items()}
        cards = self.cluster.domain_size * self.cluster.n_domains
        if self.cluster.scale_out_kind == "pcie" and np.all(cards <= MOST_CARDS):
            found[OUTSIDE] = {**found[OUTSIDE], **self._over_the_bus()}
        for name in WIDENED:
            # What such a kernel costs to start differs from engine to engine: the gap has it.
            own = found.get(f"product {name}", found["product bf16"])
            starts = {k: found["product bf16"][k] for k in ("start_s", "step_s")}
            found[f"product {name}"] = {**own, **starts}
        return found

    def _over_the_bus(self) -> dict[str, float]:
        """How bridged groups of cards exchange over their host's PCIe, as cards on it do."""
        bus = self.cluster.model_copy(update={"fabric": "pcie", "fabric_name": "PCIe"})
        pcie = fabric_constants(bus).collective[_ON_A_BUS].values
        same = {name: pcie[name] for name in ("start_s", "hop_s")}
        return {**same, "scale_out_efficiency": pcie["link_efficiency"]}

    @cached_property
    def in_switch(self) -> bool:
        """Whether the switch adds up all-reduces."""
        return fabric_constants(self.cluster).in_switch

    def kernel(self, key: Key) -> Kernel:
        """The kernel of an op.

        Raises
        ------
        InfeasibleError   The chip cannot multiply the format.
        """
        if key not in self._known:
            self._known[key] = self._choose(key)
        return self._known[key]

    def _choose(self, key: Key) -> Kernel:
        if key.kind == "gemm":
            return self._experts(key) if key.part == "experts" else self._gemm(key)
        if key.kind == "elementwise":
            return self._stream("stream", _LAUNCHES)
        if key.kind == "exchange":
            return self._network(key)
        if key.part == "recurrent":
            return self._stream("state", 1)
        return self._attention(key)

    def _gemm(self, key: Key) -> Kernel:
        name, peak = gemm_group(key.dtype, self.cluster.chip, self.compute)
        group = f"product {name}" if f"product {name}" in self.constants else "product bf16"
        inputs = {
            **self._picked(group, "gemm"),
            "peak": peak,
            "bandwidth": self._bandwidth,
            "prepared": _prepared_bytes(name, key.dtype),
            "eight_bit": float(name in _EIGHT_BIT),
            "four_bit": float(name in _FOUR_BIT),
            "widened": float(name in WIDENED),
        }
        return Kernel("gemm", (group,), inputs)

    def _experts(self, key: Key) -> Kernel:
        """Kernels of experts have constants of their own, and a format more: mxfp4."""
        chip = self.cluster.chip
        name, peak = gemm_group(key.dtype, chip, self.compute)
        stored = dtype_of(key.dtype)
        if (stored.base or stored.id) in _MX and name == "nvfp4":
            # Kernels take its inputs in mxfp8, and so at the rate of that.
            name, peak = "mxfp4", peak if self.compute else chip.peak.get("fp8", peak)
        elif (stored.base or stored.id) in _MX and name == "w4a16":
            name = "mxfp4-wo"
        group = f"experts {_LIKE.get(name, name)}"
        group = group if group in self.constants else "experts bf16"
        timed = constants(chip).experts[group.removeprefix("experts ")].n_points > 0
        inputs = {
            **self._picked(group, "experts"),
            "launches": 1.0 if timed else float(_LAUNCHES_EXPERTS),
            "peak": peak,
            "bandwidth": self._bandwidth,
            "eight_bit": float(name in _EIGHT_BIT),
            "four_bit": float(name in _FOUR_BIT),
            "tile": float(_TILE_ROWS if chip.matrix_units else 1),
        }
        return Kernel("experts", (group,), inputs)

    def _attention(self, key: Key) -> Kernel:
        wide = dtype_of(key.dtype).bits >= 16
        _, peak = gemm_group(key.dtype, self.cluster.chip, self.compute)
        shared = {"peak": peak, "bandwidth": self._bandwidth}
        if key.phase in _WHOLE_SEQUENCES:
            group = "prefill bf16" if wide else "prefill bf16-kv-fp8"
            law = "backward" if key.phase == "input_gradient" else "prefill"
            return Kernel(law, (group,), {**self._picked(group, "prefill"), **shared})
        group = "decode bf16" if wide else "decode fp8"
        inputs = {
            **self._picked(group, "decode"),
            **shared,
            "matrix": self.constants[_MATRIX]["compute_efficiency"],
            "dtype_bytes": dtype_of(key.dtype).bits / 8,
            "vector_share": self.cluster.chip.peak.get("fp32", 0.0) / peak,
            "vectors": float(not self.cluster.chip.matrix_units),
        }
        return Kernel("decode", (group, _MATRIX), inputs)

    def _stream(self, law: str, launches: int) -> Kernel:
        inputs = self._picked("product bf16", "stream")
        return Kernel(law, (), {**inputs, "bandwidth": self._bandwidth, "launches": launches})

    def _network(self, key: Key) -> Kernel:
        if key.collective == "all_to_all":
            groups = (f"exchange {key.side}", f"exchange {key.side}_bulk")
            inputs = self._picked(groups[0], "exchange")
            inputs |= {f"{BULK}{k}": v for k, v in self._picked(groups[1], "exchange").items()}
            return Kernel("exchange", groups, {**inputs, **self._links})
        if key.collective == "all_reduce":
            law, groups = "all_reduce", ("collective all_reduce_graph", "collective all_reduce")
        elif key.collective == "hop":
            law, groups = "p2p", ("collective all_gather",)
        else:
            law, groups = "shards", (f"collective {key.collective}",)
        inputs = self._picked(groups[0], "collective")
        if len(groups) > 1:
            inputs |= {f"{BULK}{k}": v for k, v in self._picked(groups[1], "collective").items()}
        outside = self._picked(OUTSIDE, "exchange")
        inputs |= {f"out_{k}": v for k, v in outside.items()}
        return Kernel(law, groups, {**inputs, **self._links})

    def _picked(self, group: str, law: str) -> dict[str, Any]:
        values = self.constants[group]
        return {name: values[name] for name in CONSTANTS[law]}

    @property
    def _bandwidth(self) -> Any:
        return self.cluster.chip.memory.bandwidth

    @cached_property
    def _links(self) -> dict[str, Any]:
        """The network as collectives see it; a link that is not there is flagged."""
        c = self.cluster
        link = c.link if c.link is not None else c.scale_out
        per_peer = c.link_per_peer if c.link is not None else None
        return {
            "link": 1.0 if link is None else link,
            "link_per_peer": math.inf if per_peer is None else per_peer,
            "scale_out": 1.0 if c.scale_out is None else c.scale_out / c.oversubscription,
            "domain_size": c.domain_size * 1.0,
            "in_switch": float(self.in_switch),
            "no_link": float(link is None),
            "no_out": float(c.scale_out is None),
        }
