"""The readings of a decode step that a serving question can be asked in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ridgeline.grid import logspace
from ridgeline.laws.memory import largest_batch, memory_needed_bytes
from ridgeline.steps import BOUNDS, balance, chip_capacity_bytes, decode_step
from ridgeline.steps.calibrated import BOUNDS as CALIBRATED_BOUNDS
from ridgeline.steps.calibrated import Z80, calibration, log_sigma, piece_time_s, time_step
from ridgeline.steps.ideal import BOUNDS as IDEAL_BOUNDS
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.memory import memory_per_chip
from ridgeline.steps.tokens import decode
from ridgeline.steps.work import work

if TYPE_CHECKING:
    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps import Balance, Counts, Machine
    from ridgeline.steps.work import Work

__all__ = ["BlackboardReading", "CalibratedReading", "IdealReading", "Reading", "Times"]


@dataclass(frozen=True, slots=True)
class Times:
    """A step and its parts over batch and context; `bound` is a code into the reading's bounds.

    `at_peak_s` is its FLOPs at the datasheet peak, for MFU; `floor_s` is launches and host; `low_s`
    to `high_s` is the 80 % interval, where there is one.
    """

    time_s: Any
    compute_s: Any
    weight_fetch_s: Any
    kv_fetch_s: Any
    network_s: Any
    bound: Any
    at_peak_s: Any
    floor_s: Any = 0.0
    low_s: Any = None
    high_s: Any = None


class Reading(Protocol):
    """How a step is timed."""

    @property
    def name(self) -> str:
        """What the reading is called."""
        ...

    @property
    def bounds(self) -> tuple[str, ...]:
        """What can bind a step, by code."""
        ...

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step."""
        ...

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Count what the fullest chip holds."""
        ...

    def landmarks(self, context: float) -> Balance:
        """Find where the regimes meet."""
        ...


@dataclass(frozen=True, slots=True)
class BlackboardReading:
    """The lecture's forms: all chips as one, ``max(compute, weights + KV)``."""

    counts: Counts
    machine: Machine
    name: str = "blackboard"
    bounds: tuple[str, ...] = BOUNDS

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step: see `ridgeline.steps.decode_step`."""
        s = decode_step(self.counts, self.machine, batch, context)
        c = s.compute_s
        return Times(s.time_s, c, s.weight_fetch_s, s.kv_fetch_s, 0.0, s.bound, c)

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Weights and caches, spread evenly."""
        kept = self.counts.cache_bytes(context)
        needed = memory_needed_bytes(self.counts.weight_bytes, batch, kept)
        return needed / self.machine.n_chips

    def landmarks(self, context: float) -> Balance:
        """In closed form: see `ridgeline.steps.balance`."""
        return balance(self.counts, self.machine, context)


@dataclass(frozen=True, slots=True)
class IdealReading:
    """All of the step's work under a layout, at datasheet peaks, overlapping perfectly."""

    model: Model
    counts: Counts
    machine: Machine
    layout: Layout
    compute: ComputeDtype | None = None
    name: str = "ideal"
    bounds: tuple[str, ...] = IDEAL_BOUNDS

    def pieces(self, batch: Any, context: Any) -> tuple[Work, ...]:
        """Count the work of a decode step of one replica."""
        groups = [decode(batch / self.layout.replicas, context)]
        domain = self.machine.cluster.domain_size
        return work(self.model, self.layout, groups, domain_size=domain)

    def time_s(self, batch: Any, context: Any) -> Any:
        """Time a decode step, without its parts. [s]"""
        pieces = self.pieces(batch, context)
        return combine_ideal(resources(pieces, self.machine.cluster, self.compute)).time_s

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step: the work of the fullest chip, its busiest resource."""
        pieces = self.pieces(batch, context)
        step = combine_ideal(resources(pieces, self.machine.cluster, self.compute))
        r = step.resources
        network = np.maximum(r.scale_up_s, r.scale_out_s)
        c = r.compute_s
        return Times(step.time_s, c, r.weights_s, r.kv_s, network, step.bound, c)

    def memory_bytes_per_chip(self, batch: Any, context: Any) -> Any:
        """Weights and caches of the fullest chip, replicas of them included."""
        held = memory_per_chip(self.model, self.layout, context)
        per_replica = batch / self.layout.replicas
        return memory_needed_bytes(held.weights_bytes, per_replica, held.cache_bytes_per_sequence)

    def landmarks(self, context: float) -> Balance:
        """By looking: the first batch of a fine row at which compute binds."""
        held = memory_per_chip(self.model, self.layout, context)
        capacity = chip_capacity_bytes(self.machine.cluster.chip)
        fits = largest_batch(capacity, held.weights_bytes, held.cache_bytes_per_sequence)
        return replace(
            balance(self.counts, self.machine, context),
            latency_floor_s=float(self.step(1.0, context).time_s),
            batch=self._compute_bound_from(context),
            batch_without_kv=self._compute_bound_from(1.0),
            largest_batch=float(fits) * self.layout.replicas,
        )

    def _compute_bound_from(self, context: float) -> float:
        row = logspace(1, 2**24, per_octave=8)
        hits = np.flatnonzero(self.step(row, context).bound == 0)
        return float(row[hits[0]]) if hits.size else float("inf")


@dataclass(frozen=True, slots=True)
class CalibratedReading(IdealReading):
    """The same work at what good engines reach, with an interval."""

    name: str = "calibrated"
    bounds: tuple[str, ...] = CALIBRATED_BOUNDS

    def time_s(self, batch: Any, context: Any) -> Any:
        """Time a decode step, without its parts and interval. [s]"""
        cal = calibration(self.machine.cluster, self.compute)
        return time_step(self.pieces(batch, context), cal).time_s

    def timed_pieces(self, batch: float, context: float) -> list[tuple[Work, float]]:
        """Every piece of one step with the seconds it takes, all its repetitions together."""
        cal = calibration(self.machine.cluster, self.compute)
        return [(p, float(piece_time_s(p, cal))) for p in self.pieces(batch, context)]

    def step(self, batch: Any, context: Any) -> Times:
        """Time a decode step piece by piece: see `ridgeline.steps.calibrated`."""
        pieces = self.pieces(batch, context)
        cal = calibration(self.machine.cluster, self.compute)
        step = time_step(pieces, cal)
        reach = np.exp(Z80 * log_sigma(pieces, cal, step))
        parts = step.parts_s
        return Times(
            time_s=step.time_s,
            compute_s=parts["compute"],
            weight_fetch_s=parts["weights"],
            kv_fetch_s=parts["KV"],
            network_s=parts["network"],
            bound=step.bound,
            at_peak_s=resources(pieces, self.machine.cluster, self.compute).compute_s,
            floor_s=parts["floor"],
            low_s=step.time_s / reach,
            high_s=step.time_s * reach,
        )
