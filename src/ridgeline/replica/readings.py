"""The three readings: each is a way to count and a way to time, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.kernels.calibration import step_parts, step_seconds, two_batches
from ridgeline.kernels.laws import PARTS, host_s
from ridgeline.steps.ideal import BOUNDS, combine_ideal, ideal_time_s, resources
from ridgeline.steps.micro_batches import count_step, count_whole
from ridgeline.steps.op import Op, StepOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.replica.replica import Replica
    from ridgeline.steps.tokens import Group

__all__ = ["READINGS", "Reading", "StepTime", "reading_named"]


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step and where its time goes; arrays broadcast over whatever varies.

    Attributes
    ----------
    time_s : array       [s]
    parts_s : mapping    Component (`kernels.PARTS`) to seconds: they add up in the calibrated
                         reading and overlap in the other two, where attention is the reading of
                         caches and its arithmetic is in compute. [s]
    bottleneck : array   Code into `Reading.bottlenecks`: the largest component, or the resource
                         that decides. [1]
    compute_at_peak_s, read_at_peak_s : array   FLOPs, and bytes of weights and KV, at the chip's
                         datasheet rates: for MFU and MBU. [s]
    hidden_s : array     Of expert exchanges, what runs beside the arithmetic of another
                         micro-batch, and is in no part. [s]
    low_s, high_s : array or None   The 80% interval, where it was wanted. [s]
    """

    time_s: Any
    parts_s: dict[str, Any]
    bottleneck: Any
    compute_at_peak_s: Any
    read_at_peak_s: Any
    hidden_s: Any = 0.0
    low_s: Any = None
    high_s: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How to count and how to time.

    Attributes
    ----------
    whole : bool        All chips are counted as one: no layout, no networks, all weights fetched.
    even : bool         Experts' tokens fall evenly on their ranks, as a lower bound takes it.
    calibrated : bool   Ops are timed one by one by their kernels under an engine, and add up;
                        else each resource is summed at its datasheet rate, and the busiest decides.
    """

    name: Literal["blackboard", "ideal", "calibrated"]
    whole: bool
    even: bool
    calibrated: bool

    @property
    def bottlenecks(self) -> tuple[str, ...]:
        """What can be the bottleneck, by code."""
        return PARTS if self.calibrated else BOUNDS[:3] if self.whole else BOUNDS

    def ops(self, replica: Replica, groups: Sequence[Group]) -> StepOps:
        """Count what a step does, per chip."""
        return StepOps(_whole(replica, groups)) if self.whole else _laid_out(replica, groups)

    def sums(self, replica: Replica, groups: Sequence[Group]) -> StepOps:
        """The same for sums over ops: equal ones as one, layers of like structure stacked."""
        if self.whole:
            return self.ops(replica, groups)
        effects = () if replica.fitted is None else replica.fitted.effects
        return _laid_out(replica, groups, (replica.cluster, replica.engine, effects))

    def seconds(self, replica: Replica, ops: StepOps, groups: Sequence[Group]) -> Any:
        """Time counted ops, without their parts. [s]"""
        pace = replica.stage_imbalance
        if self.calibrated:
            return step_seconds(ops, replica.calibration) * pace + self.host_s(replica, groups)
        return ideal_time_s(_resources(replica, ops)) * pace

    def host_s(self, replica: Replica, groups: Sequence[Group]) -> Any:
        """Time that chips wait for the host in a step; 0 for the lower bounds. [s]"""
        if not self.calibrated:
            return 0.0
        sampled: Any = 0.0
        starting: Any = 0.0
        for group in groups:
            if group.name == "prefill":
                starting = starting + (group.n if group.starting is None else group.starting)
            else:
                sampled = sampled + group.n * group.sampled
        return host_s(replica.calibration.effects, sampled, starting, replica.layout.attn_dp)

    def step(self, replica: Replica, ops: StepOps, groups: Sequence[Group]) -> StepTime:
        """Time counted ops and say where the time goes."""
        pace, used = replica.stage_imbalance, _resources(replica, ops)
        at_peak = (used.compute_s, used.weights_s + used.kv_s)
        if not self.calibrated:
            found = combine_ideal(used)
            network = np.maximum(used.scale_up_s, used.scale_out_s)
            each = (used.compute_s, used.weights_s, used.kv_s, network, 0.0)
            parts = {name: s * pace for name, s in zip(PARTS, each, strict=True)}
            return StepTime(found.time_s * pace, parts, found.bound, *at_peak)
        two = two_batches(ops, replica.calibration)
        spent = step_parts(ops, replica.calibration, two)
        parts = {name: s * pace for name, s in spent.items()}
        parts["overhead"] = parts["overhead"] + self.host_s(replica, groups)
        # Small shapes first: over a grid of many axes only the last additions are as large as it.
        total = sum(sorted(parts.values(), key=np.size))
        largest = np.stack(np.broadcast_arrays(*parts.values())).argmax(axis=0)
        hidden = 0.0 if two is None else two.hidden_s * pace
        return StepTime(total, parts, largest, *at_peak, hidden)


READINGS: dict[str, Reading] = {
    "blackboard": Reading("blackboard", whole=True, even=True, calibrated=False),
    "ideal": Reading("ideal", whole=False, even=True, calibrated=False),
    "calibrated": Reading("calibrated", whole=False, even=False, calibrated=True),
}


def reading_named(name: str) -> Reading:
    """A reading by its name.

    Raises
    ------
    SpecError   There is none of that name; suggests a near one.
    """
    if name not in READINGS:
        raise SpecError(
            f"There is no reading {name!r}.{did_you_mean(name, READINGS)} "
            f"There are {', '.join(READINGS)}."
        )
    return READINGS[name]


def _resources(replica: Replica, ops: StepOps) -> Any:
    return resources(ops.whole, replica.cluster, replica.formats.compute)


def _laid_out(
    replica: Replica, groups: Sequence[Group], timed_by: Sequence[Any] | None = None
) -> StepOps:
    reading = replica.how
    # In a bound exchanges run beside all else anyway.
    count = count_step if reading.calibrated else count_whole
    return count(
        replica.model,
        replica.layout,
        groups,
        domain_size=replica.cluster.domain_size,
        activation_dtype=replica.formats.activations,
        expert_load_cv=replica.expert_load_cv,
        rules=replica.expert_rules,
        even=reading.even,
        timed_by=timed_by,
    )


def _whole(replica: Replica, groups: Sequence[Group]) -> tuple[Op, ...]:
    """The lecture's counts: active parameters per token, all weights once, every cache once."""
    counts, n = replica.counts, replica.n_chips
    tokens = sum(g.tokens for g in groups)
    multiplied = [
        Op(part, "gemm", part, dtype=dtype, flops=2 * n_params * tokens / n)
        for (part, dtype), n_params in counts.active.items()
    ]
    weights = Op("weights", "elementwise", "weights", weight_bytes=counts.weight_bytes / n)
    caches = [
        Op(
            f"cache_{g.name}",
            "attention",
            "attention",
            kv_bytes=g.n * (counts.cache_read_bytes(_attended(g)) / n),
            phase=g.name,
        )
        for g in groups
    ]
    return (*multiplied, weights, *caches)


def _attended(group: Group) -> Any:
    """Cached tokens that a sequence reads: of a decode step with its own, as the lecture counts."""
    return group.prefix if group.name == "prefill" else group.prefix + 1
