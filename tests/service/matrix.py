"""Scenarios of `matrix.toml`: what is asked, and what is expected of it.

>>> from matrix import cases
>>> len(cases()) >= 48
True
>>> [case.name for case in cases(reading="ideal", arrival="closed")]
['ideal-llama-70b-h100-tp8-closed-1']

In a test::

    @pytest.mark.parametrize("case", cases(reading="calibrated", arrival="closed"), ids=name_of)
    def test_closed(case: Case) -> None:
        found = ask(case.model_record, case.cluster_record, case.layout_record, ...)
        case.check(ttft_s=found.ttft_s, requests_per_s=found.requests_per_s)
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model

__all__ = ["Case", "Degrees", "Memory", "cases", "name_of", "named"]

PATH = Path(__file__).with_name("matrix.toml")
#: how near the hand arithmetic of bytes is to a count of every vector
MEMORY_TOLERANCE = 1e-3
#: how near a lattice of half-octaves is to one of 65 points
#: numbers that grow with the time of a step, and those that fall
TIMES = frozenset({"ttft_s", "tpot_s", "e2e_s", "step_s", "usd_per_request", "usd_per_mtok"})
RATES = frozenset({"requests_per_s", "output_tokens_per_s"})


@dataclass(frozen=True, slots=True)
class Degrees:
    """Degrees of parallelism: ``replicas * pp * attn_dp * tp`` chips."""

    replicas: int = 1
    pp: int = 1
    attn_dp: int = 1
    tp: int = 1
    ep: int = 1

    @property
    def n_chips(self) -> int:
        return self.replicas * self.pp * self.attn_dp * self.tp

    @property
    def record(self) -> Layout:
        return Layout(**{f.name: getattr(self, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Memory:
    """What a chip holds, by hand: see the header of `matrix.toml`. [bytes]"""

    weight_bytes_per_chip: float
    tokens_kept: float
    cache_bytes_per_sequence_per_chip: float
    tolerance: float = MEMORY_TOLERANCE


@dataclass(frozen=True)
class Case:
    """One scenario; loads and rates are of the whole system. SI units.

    Attributes
    ----------
    layout : Degrees or None            None where `prefill` and `decode` are pools of their own.
    concurrency, rate_per_s, batch : number or None   The one that `arrival` is about.
    tolerance : float                   Of `expected`, relative. [1]
    stage_imbalance : float             Not in `expected`: see the header of `matrix.toml`. [1]
    max_sequences : int or None         Sequences that the engine is told to make room for.
    mesh : bool                         The tensor-parallel group lies on part of a mesh.
    expected : mapping of name to number, or to bool (`saturated`) or str (`bottleneck`)
    memory : Memory or None             None where no shape was typed in.
    """

    name: str
    reading: str
    model: str
    machine: str
    n_domains: int
    n_chips: int
    engine: str
    version: str
    era: str
    arrival: str
    isl: int
    osl: int
    prefix_hit: float
    n_requests: int
    exact_lengths: bool
    usd_per_chip_hour: float
    tolerance: float
    expected: dict[str, Any]
    layout: Degrees | None = None
    prefill: Degrees | None = None
    decode: Degrees | None = None
    weights: str = ""
    kv: str = ""
    concurrency: float | None = None
    rate_per_s: float | None = None
    batch: float | None = None
    max_sequences: int | None = None
    stage_imbalance: float = 1.0
    mesh: bool = False
    memory: Memory | None = None

    @property
    def disaggregated(self) -> bool:
        """Whether prefill and decode have chips of their own."""
        return self.layout is None

    @property
    def replicas(self) -> int:
        """Copies of the model that serve requests whole; 1 for pools."""
        return self.layout.replicas if self.layout else 1

    @property
    def load_per_replica(self) -> float | None:
        """Concurrency, rate or batch of one replica; None where memory alone decides."""
        loads = (x for x in (self.concurrency, self.rate_per_s, self.batch) if x is not None)
        load = next(loads, None)
        return None if load is None else load / self.replicas

    @cached_property
    def model_record(self) -> Model:
        """The model of the catalogue, in the scenario's formats."""
        return _model(self.model, self.weights, self.kv)

    @cached_property
    def cluster_record(self) -> Cluster:
        """The machine of the catalogue, in as many domains as are used."""
        return _cluster(self.machine, self.n_domains)

    @property
    def layout_record(self) -> Layout:
        """The layout, with its replicas."""
        assert self.layout is not None, f"{self.name} has pools: see prefill and decode"
        return self.layout.record

    def bounds(self, name: str, tolerance: float | None = None) -> tuple[float, float]:
        """Between what a number of `expected` may lie.

        Uneven stages make the times of lower bounds `stage_imbalance` longer: it is not in what is
        expected of those.
        """
        within = self.tolerance if tolerance is None else tolerance
        wanted: float = self.expected[name]
        slower = 1.0 if self.reading == "calibrated" else self.stage_imbalance
        if name in TIMES:
            wanted *= slower
        elif name in RATES:
            wanted /= slower
        return wanted * (1 - within), wanted * (1 + within)

    def check(self, tolerance: float | None = None, /, **found: Any) -> None:
        """Compare numbers with what is expected; names are those of `expected`.

        Parameters
        ----------
        tolerance : float or None   Relative, instead of the scenario's own.

        Raises
        ------
        AssertionError   Names every value that is off.
        """
        wrong = []
        for name, value in found.items():
            wanted = self.expected[name]
            if isinstance(wanted, bool | str):
                if value != wanted:
                    wrong.append(f"{name} is {value!r}, expected {wanted!r}")
                continue
            low, high = self.bounds(name, tolerance)
            if not low <= float(value) <= high:
                wrong.append(f"{name} is {float(value):.6g}, expected {low:.6g} to {high:.6g}")
        assert not wrong, f"{self.name}: " + "; ".join(wrong)

    def check_memory(self, weight_bytes: float, cache_bytes_per_sequence: float) -> None:
        """Compare what the fullest chip holds, caches of `memory.tokens_kept` tokens. [bytes]"""
        assert self.memory is not None, f"{self.name} has no memory by hand"
        for name, value in (
            ("weight_bytes_per_chip", weight_bytes),
            ("cache_bytes_per_sequence_per_chip", cache_bytes_per_sequence),
        ):
            wanted = getattr(self.memory, name)
            assert math.isclose(float(value), wanted, rel_tol=self.memory.tolerance), (
                f"{self.name}: {name} is {float(value):,.0f}, expected {wanted:,.0f}"
            )


@cache
def _model(name: str, weights: str, kv: str) -> Model:
    record = catalog.model(name)
    if weights:
        record = catalog.stored_as(record, weights)
    return record.with_kv_dtype(catalog.dtype(kv).id) if kv else record


@cache
def _cluster(name: str, n_domains: int) -> Cluster:
    record = catalog.cluster(name)
    return record.replaced({"n_domains": n_domains}, where=name) if n_domains > 1 else record


@cache
def _all() -> tuple[Case, ...]:
    found = []
    for entry in tomllib.loads(PATH.read_text())["case"]:
        for name in ("layout", "prefill", "decode"):
            if name in entry:
                entry[name] = Degrees(**entry[name])
        if "memory" in entry:
            entry["memory"] = Memory(**entry["memory"])
        found.append(Case(**entry))
    return tuple(found)


def cases(
    *,
    reading: str | None = None,
    arrival: str | None = None,
    disaggregated: bool | None = None,
    with_memory: bool | None = None,
    uneven: bool | None = None,
    mesh: bool | None = None,
) -> tuple[Case, ...]:
    """Scenarios in the order of the file; None asks for either.

    Parameters
    ----------
    reading : str or None          ``calibrated``, ``ideal`` or ``blackboard``.
    arrival : str or None          ``closed``, ``open``, ``offline`` or ``fixed``.
    disaggregated : bool or None   Whether prefill and decode have chips of their own.
    with_memory : bool or None     Whether bytes per chip are given.
    uneven : bool or None          Whether pipeline stages hold unequal numbers of layers.
    mesh : bool or None            Whether a group lies on part of a mesh.
    """
    wanted = {
        "reading": reading,
        "arrival": arrival,
        "disaggregated": disaggregated,
        "with_memory": with_memory,
        "uneven": uneven,
        "mesh": mesh,
    }

    def has(case: Case, name: str) -> Any:
        if name == "with_memory":
            return case.memory is not None
        return case.stage_imbalance > 1 if name == "uneven" else getattr(case, name)

    return tuple(
        case
        for case in _all()
        if all(want is None or has(case, name) == want for name, want in wanted.items())
    )


def named(name: str) -> Case:
    """The scenario of that name."""
    return next(case for case in _all() if case.name == name)


def name_of(case: Case) -> str:
    """For the `ids` of a parametrized test."""
    return case.name
