"""One replica: the chips that hold one copy of a model. The only thing that times a step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import engine as engine_named
from ridgeline.errors import SpecError
from ridgeline.kernels.calibration import calibration, op_seconds, two_batches
from ridgeline.kernels.spread import Z80, log_variance
from ridgeline.laws.stages import stage_imbalance
from ridgeline.replica.readings import reading_named
from ridgeline.specs.load import EXPERT_LOAD_CV
from ridgeline.steps.counting import ExpertRules
from ridgeline.steps.counts import counts
from ridgeline.steps.ideal import combine_ideal, resources
from ridgeline.steps.machine import chip_capacity_bytes, compute_dtype
from ridgeline.steps.memory import MemoryPerChip, memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica.readings import Reading, StepTime
    from ridgeline.specs.chip import ComputeDtype
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.counts import Counts
    from ridgeline.steps.op import Op, StepOps
    from ridgeline.steps.tokens import Group

__all__ = ["Formats", "Replica"]


@dataclass(frozen=True, slots=True)
class Formats:
    """Number formats besides those of the stored weights and caches, which the model's record has.

    Attributes
    ----------
    compute : str or None   Run every GEMM in this arithmetic; None for each format's own.
    activations : str       Of hidden states.
    """

    compute: ComputeDtype | None = None
    activations: str = "bf16"


@dataclass(frozen=True)
class Replica:
    """A model on chips, laid out, under an engine, in one reading.

    Any numeric field of the records may hold an array (see `steps.bind`), and so may the groups of
    a step: everything broadcasts.

    Attributes
    ----------
    model, cluster : Model, Cluster
    layout : Layout          Degrees; `replicas` says how many such replicas there are. The
                             blackboard reads ``pp x attn_dp x tp`` as chips seen as one.
    engine : Engine          How the engine is set up. Its effects are those of `version`.
    version : str            Release of the engine; empty for the newest.
    formats : Formats
    reading : str            ``blackboard``, ``ideal`` or ``calibrated``.
    expert_load_cv : array   How unevenly experts are chosen: standard deviation over mean. [1]
    constants : EngineConstants or None   Of whole engines; None for those of the catalogue.
    fitted : Calibration or None   Constants and effects ready for the laws; None for those that
                                   follow from the engine and `constants`.
    """

    model: Model
    cluster: Cluster
    layout: Layout
    engine: Engine = field(default_factory=engine_named)
    version: str = ""
    formats: Formats = Formats()
    reading: str = "calibrated"
    expert_load_cv: Any = EXPERT_LOAD_CV
    constants: EngineConstants | None = None
    fitted: Calibration | None = None

    def __post_init__(self) -> None:
        if not self.how.whole and not self.model.blocks:
            raise SpecError(
                f"{self.model.id} is known by its counts alone: only the blackboard can read it. "
                "Give its config.json for the others."
            )

    @cached_property
    def how(self) -> Reading:
        """The reading: how to count, how to time."""
        return reading_named(self.reading)

    @cached_property
    def counts(self) -> Counts:
        """What the model weighs, remembers and multiplies."""
        return counts(self.model)

    @cached_property
    def calibration(self) -> Calibration:
        """Constants of the kernels and effects of the engine."""
        if self.fitted is not None:
            return self.fitted
        return calibration(
            self.cluster,
            self.formats.compute,
            self.engine.id,
            self.version,
            self.model.weight_dtype,
            self.constants,
        )

    @cached_property
    def expert_rules(self) -> ExpertRules:
        """What the engine does about experts on many chips."""
        return ExpertRules.of(self.engine, self.engine.era(self.version))

    @property
    def n_chips(self) -> Any:
        """Chips of one replica."""
        return self.layout.pp * self.layout.attn_dp * self.layout.tp

    @cached_property
    def stage_imbalance(self) -> Any:
        """How much longer a step takes because pipeline stages hold whole layers. [1]"""
        n_layers = sum(block.repeat for block in self.model.blocks)
        if self.how.whole or not n_layers:
            return 1.0
        return stage_imbalance(n_layers, self.layout.pp)

    def with_fitted(self, fitted: Calibration) -> Replica:
        """The same replica under other constants."""
        return replace(self, fitted=fitted, cluster=fitted.cluster)

    def as_column(self) -> Replica:
        """The same replica with degrees that are 1-D arrays as a column: batches run along rows."""
        layout = self.layout
        degrees = {n: _column_of(getattr(layout, n)) for n in type(layout).model_fields}
        return replace(self, layout=layout.model_copy(update=degrees))

    # --- time

    def ops(self, *groups: Group) -> tuple[Op, ...]:
        """Count what a step of these groups does on the fullest chip, in one batch."""
        return self.step_ops(*groups).whole

    def step_ops(self, *groups: Group) -> StepOps:
        """Count the same, and what it does in two micro-batches where an engine may split it."""
        return self.how.ops(self, groups)

    def step_sums(self, *groups: Group) -> StepOps:
        """Count what only sums over ops are wanted of: layers of like structure are stacked."""
        return self.how.sums(self, groups)

    def step(self, *groups: Group, interval: bool = False) -> StepTime:
        """Time a step and say where its time goes.

        Parameters
        ----------
        groups : Group    Sequences that decode, prompts, or both: of the whole replica.
        interval : bool   Add the 80% interval, where the reading has one.

        Raises
        ------
        InfeasibleError   The chip cannot multiply a format.
        """
        ops = self.step_sums(*groups)
        found = self.how.step(self, ops, groups)
        if not interval or not self.how.calibrated:
            return found

        def time_of(cal: Calibration) -> Any:
            return self.how.seconds(self.with_fitted(cal), ops, groups)

        sigma = log_variance(self.calibration, time_of, found.time_s) ** 0.5
        reach = np.exp(Z80 * np.hypot(sigma, self.scatter("decode", "tpot_s")))
        return replace(found, low_s=found.time_s / reach, high_s=found.time_s * reach)

    def seconds(self, *groups: Group) -> Any:
        """Time a step without its parts: what large grids take. [s]"""
        return self.how.seconds(self, self.step_sums(*groups), groups)

    def at_peak(self, *groups: Group) -> tuple[Any, Any, Any]:
        """FLOPs, bytes of weights, and bytes of KV, of a step at the chip's datasheet rates. [s]"""
        used = resources(self.step_sums(*groups).whole, self.cluster, self.formats.compute)
        return used.compute_s, used.weights_s, used.kv_s

    def host_s(self, *groups: Group) -> Any:
        """Of a step, the time that chips wait for the host; 0 for the lower bounds. [s]"""
        return self.how.host_s(self, groups)

    def op_seconds(self, *groups: Group) -> list[tuple[Op, float]]:
        """Every op of a step with its seconds, all repetitions together; else at datasheet peaks.

        The ops are those of `ops`; the host's time is not among them. Of a step in two
        micro-batches they are those of both, and exchanges take what no arithmetic hides.
        """
        step, pace = self.step_ops(*groups), self.stage_imbalance
        ops = step.whole
        if self.how.calibrated:
            cal, two = self.calibration, two_batches(step, self.calibration)
            if two is None or not two.faster:
                return [(op, float(op_seconds(op, cal, ops) * pace)) for op in ops]
            outside = [op for op in ops if not op.role]
            both = [op._replace(repeat=2 * op.repeat) for op in step.half]
            exposed = {"dispatch": two.exposed_s / two.exchange_s}
            exposed["combine"] = exposed["dispatch"]
            return [
                (op, float(op_seconds(op, cal, ops) * exposed.get(op.role, 1.0) * pace))
                for op in (*outside, *both)
            ]
        alone = [
            combine_ideal(resources([op], self.cluster, self.formats.compute)).time_s for op in ops
        ]
        return [(op, float(s * pace)) for op, s in zip(ops, alone, strict=True)]

    def arithmetics(self, *groups: Group) -> list[ComputeDtype]:
        """What the GEMMs of a step run in, fastest first."""
        chip = self.cluster.chip
        stored = {op.dtype for op in self.ops(*groups) if op.dtype}
        used: set[ComputeDtype] = {
            compute_dtype(dtype_of(d), chip, self.formats.compute) for d in stored
        }
        return sorted(used, key=lambda k: -chip.peak[k])

    def scatter(self, regime: str, metric: str) -> float:
        """Standard deviation of ln(predicted / measured) on models left out of the fit. [1]"""
        return self.calibration.scatter(regime, metric) if self.how.calibrated else 0.0

    # --- memory

    @property
    def capacity_bytes(self) -> float:
        """Memory of a chip that a program can use. [bytes]"""
        return chip_capacity_bytes(self.cluster.chip)

    def memory(self, context: Any, *, drafts: bool = False) -> MemoryPerChip:
        """What the fullest chip holds: of the lower bounds, weights and caches alone.

        Parameters
        ----------
        context : array   Tokens that a sequence keeps. [tokens]
        drafts : bool     What drafts is loaded too.
        """
        if np.ndim(context):
            return self._memory(context, drafts)
        # Many layouts are asked for what fits, what is held and what is left, all of one context.
        known = self._memories
        if (context, drafts) not in known:
            known[context, drafts] = self._memory(context, drafts)
        return known[context, drafts]

    @cached_property
    def _memories(self) -> dict[tuple[float, bool], MemoryPerChip]:
        return {}

    def _memory(self, context: Any, drafts: bool) -> MemoryPerChip:
        if self.how.whole:
            n, tally = self.n_chips, self.counts
            return MemoryPerChip(tally.weight_bytes / n, tally.cache_bytes(context) / n)
        return memory_per_chip(
            self.model,
            self.layout,
            context,
            cluster=self.cluster if self.how.calibrated else None,
            engine=self.engine if self.how.calibrated else None,
            drafts=drafts,
        )

    def max_sequences(self, context: Any, *, drafts: bool = False) -> Any:
        """Sequences of the replica that fit, not rounded; below 1 where not even one does. [1]"""
        return self.memory(context, drafts=drafts).largest_batch(self.capacity_bytes)


def _column_of(value: Any) -> Any:
    """A value of each layout as a column; a number stays one."""
    return value[:, None] if np.ndim(value) == 1 else value


def degrees(layouts: Sequence[Layout]) -> dict[str, np.ndarray]:
    """The degrees of many layouts as arrays: path of the field to 1-D array."""
    names = ("replicas", "pp", "attn_dp", "tp", "ep")
    return {f"layout.{n}": np.asarray([getattr(x, n) for x in layouts], float) for n in names}
