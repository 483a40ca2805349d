"""Time steps of many layouts at once: the only place here that knows how a reading works."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import engine as engine_named
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.laws.stages import stage_imbalance
from ridgeline.questions.serving.readings import Assumptions
from ridgeline.steps import chip_capacity_bytes
from ridgeline.steps.calibrated import BOUNDS, Z80, calibration, log_sigma, piece_time_s, time_step
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.machine import compute_dtype
from ridgeline.steps.memory import memory_per_chip
from ridgeline.steps.spread import input_log_variance
from ridgeline.steps.tokens import decode
from ridgeline.steps.work import work

if TYPE_CHECKING:
    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.memory import MemoryPerChip
    from ridgeline.steps.tokens import Group
    from ridgeline.steps.work import Work

__all__ = ["READINGS", "StepTimes", "Timer", "reach"]

#: the readings that see layouts
READINGS = ("ideal", "calibrated")


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One step and where its time goes; arrays broadcast over layouts and batches.

    Attributes
    ----------
    time_s : array      [s]
    parts_s : mapping   What binds to its share of the time: they add up in the calibrated reading;
                        in the ideal one they overlap. [s]
    bound : array       Code into `BOUNDS`.
    multiply_s, read_s : array   FLOPs and bytes of weights and KV at the chip's peaks. [s]
    """

    time_s: Any
    parts_s: dict[str, Any]
    bound: Any
    multiply_s: Any
    read_s: Any


@dataclass(frozen=True)
class Timer:
    """A model on a cluster, read one way.

    Attributes
    ----------
    reading : str   One of `READINGS`.
    compute : str or None   Run every product in this arithmetic.
    assume : Assumptions    Drafts, skewed experts, format of hidden states.
    engine : Engine or None   Whose effects, share of memory and token budget; None: of today.
    """

    model: Model
    cluster: Cluster
    reading: str = "calibrated"
    compute: ComputeDtype | None = None
    assume: Assumptions = field(default_factory=Assumptions)
    engine: Engine | None = None

    def __post_init__(self) -> None:
        if self.reading not in READINGS:
            raise SpecError(
                f"Layouts are read as {' or '.join(READINGS)}, not {self.reading!r}."
                f"{did_you_mean(self.reading, READINGS)}"
            )

    @cached_property
    def _calibration(self) -> Any:
        return calibration(self.cluster, self.compute, self.settings.id)

    def pieces(self, layout: Layout, group: Group) -> tuple[Work, ...]:
        """Count the work of a step of one replica; a bound takes experts as evenly hit."""
        return work(
            self.model,
            layout,
            [group],
            domain_size=self.cluster.domain_size,
            activation_dtype=self.assume.activation_dtype,
            popularity_cv=self.assume.popularity_cv,
            gather_up_to=0 if self.reading == "ideal" else self.settings.gather_up_to,
            even=self.reading == "ideal",
        )

    def decode(self, batch: Any, context: Any) -> Group:
        """Sequences that decode, with the drafts assumed."""
        return decode(batch, context, self.assume.drafts)

    def step(self, layout: Layout, group: Group) -> StepTimes:
        """Time a step of one replica, at its fullest stage's pace; anything may hold arrays."""
        pieces = self.pieces(layout, group)
        used = resources(pieces, self.cluster, self.compute)
        if self.reading == "calibrated":
            timed = time_step(pieces, self._calibration)
            parts = timed.parts_s
        else:
            timed = combine_ideal(used)
            network = np.maximum(used.scale_up_s, used.scale_out_s)
            each = (used.compute_s, used.weights_s, used.kv_s, network, 0.0)
            parts = dict(zip(BOUNDS, each, strict=True))
        pace = self.pace(layout)
        parts = {name: seconds * pace for name, seconds in parts.items()}
        at_peak = (used.compute_s, used.weights_s + used.kv_s)
        return StepTimes(timed.time_s * pace, parts, timed.bound, *at_peak)

    def pace(self, layout: Layout) -> Any:
        """How much longer a step takes because stages hold whole layers."""
        return stage_imbalance(sum(b.repeat for b in self.model.blocks), layout.pp)

    def log_sigma(self, layout: Layout, group: Group) -> Any:
        """Standard deviation of ln(time); 0 for the ideal reading, which is a bound."""
        if self.reading != "calibrated":
            return 0.0
        pieces, cal = self.pieces(layout, group), self._calibration
        step = time_step(pieces, cal)

        def time_of(cluster: Cluster) -> Any:
            return time_step(pieces, replace(cal, cluster=cluster)).time_s

        inputs = input_log_variance(self.cluster, time_of, step.time_s)
        return (log_sigma(pieces, cal, step) ** 2 + inputs) ** 0.5

    def timed_pieces(self, layout: Layout, group: Group) -> list[tuple[Work, float]]:
        """Every piece of one step with its seconds, all repetitions together; peaks if ideal."""
        pieces, pace = self.pieces(layout, group), self.pace(layout)
        if self.reading == "calibrated":
            return [(p, float(piece_time_s(p, self._calibration) * pace)) for p in pieces]
        alone = [combine_ideal(resources([p], self.cluster, self.compute)).time_s for p in pieces]
        return [(p, float(s * pace)) for p, s in zip(pieces, alone, strict=True)]

    def arithmetics(self, layout: Layout, group: Group) -> list[ComputeDtype]:
        """What the products of a step run in, fastest first."""
        chip = self.cluster.chip
        stored = {p.dtype for p in self.pieces(layout, group) if p.dtype}
        used: set[ComputeDtype] = {self.compute or compute_dtype(dtype_of(d), chip) for d in stored}
        return sorted(used, key=lambda k: -chip.peak[k])

    @cached_property
    def token_budget(self) -> int:
        """New tokens of a prefill step on each rank. [tokens]"""
        return self.settings.token_budget

    @property
    def settings(self) -> Engine:
        """How the engine is set up."""
        return self.engine or engine_named()

    @property
    def capacity_bytes(self) -> float:
        """Memory of a chip that a program can use. [bytes]"""
        return chip_capacity_bytes(self.cluster.chip)

    def memory(self, layout: Layout, context: Any) -> MemoryPerChip:
        """Count what the fullest chip holds: of a bound, weights and caches alone."""
        drafts = self.assume.has_drafts
        if self.reading == "ideal":
            return memory_per_chip(self.model, layout, context, drafts=drafts)
        return memory_per_chip(
            self.model,
            layout,
            context,
            cluster=self.cluster,
            engine=self.settings,
            drafts=drafts,
        )


def reach(sigma: Any) -> Any:
    """Factor from the middle of an 80 % interval to its ends."""
    return np.exp(Z80 * np.asarray(sigma))
