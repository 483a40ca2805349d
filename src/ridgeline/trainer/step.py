"""One optimizer step: its time, where it goes, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.errors import SpecError
from ridgeline.kernels.calibration import op_seconds
from ridgeline.kernels.spread import Z80, log_variance
from ridgeline.laws._namespace import floats
from ridgeline.laws.optimizer import (
    OPTIMIZERS,
    newton_schulz_flops_per_param,
    update_bytes_per_param,
)
from ridgeline.laws.schedules import SCHEDULES
from ridgeline.specs.cluster import Cluster
from ridgeline.steps.counts import counts
from ridgeline.steps.ideal import ideal_time_s, resources
from ridgeline.steps.kept import kept_on_stages
from ridgeline.steps.machine import compute_dtype
from ridgeline.steps.op import Op
from ridgeline.steps.training_count import column
from ridgeline.steps.training_ops import stage_hop
from ridgeline.trainer.exchange import Exchanges, exchanges
from ridgeline.trainer.passes import (
    StagePasses,
    exposed_s,
    on_stages,
    pieces_of,
)
from ridgeline.trainer.pipeline import schedule_s
from ridgeline.trainer.state import on_stages_sharded, parameters_of
from ridgeline.trainer.utilization import passes_over_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.steps.training_ops import Pieces
    from ridgeline.trainer.job import TrainingJob

    Floats = NDArray[np.float64]

#: of the lower bounds
_NO_EFFECTS = {"micro_batch_s": 0.0, "straggler": 0.0, "host_s": 0.0, "pp_exposed": 1.0}

#: rate of a host's memory for each chip over that chip's link to it: 77 GB/s of DDR5 beside PCIe 5
#: at 64 GB/s in a DGX H100, 51 of DDR4 beside PCIe 4 at 32 in a DGX A100 (16 channels, 8 chips)
_HOST_MEMORY = 1.4

__all__ = [
    "PARTS", "TimedJob", "TrainingStep", "job_bound_s", "job_seconds", "job_step",
]  # fmt: skip

#: what the time of a step is told apart by, in the order of a waterfall
PARTS = (
    "products", "experts", "attention", "elementwise", "recompute", "tp", "cp", "ep", "launch",
    "hops", "bubble", "dp", "optimizer", "offload", "host", "stragglers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One optimizer step; arrays have a row for each job.

    Attributes
    ----------
    time_s : array       [s]
    parts_s : mapping    By `PARTS`: they add up to the time. [s]
    passes : StagePasses or None   Of one micro-batch on each stage; None for the blackboard.
    stage : array        The slowest stage, whose passes the parts are of. [1]
    low_s, high_s : array or None   The 80% interval, where it was wanted. [s]
    """

    time_s: Any
    parts_s: dict[str, Any]
    passes: StagePasses | None
    stage: Any
    low_s: Any = None
    high_s: Any = None

    @property
    def bubble_share(self) -> Any:
        """Of the time, what stages wait for each other. [1]"""
        return self.parts_s["bubble"] / self.time_s


def job_step(job: TrainingJob, interval: bool = False) -> TrainingStep:
    """Time one optimizer step.

    Parameters
    ----------
    job : TrainingJob   Its numbers may be 1-D arrays, a row each.
    interval : bool     Add the 80% interval, where the reading has one.

    Raises
    ------
    InfeasibleError   The chip cannot multiply a format.
    """
    if job.reading == "blackboard":
        return _on_the_blackboard(job)
    timed = TimedJob(job)
    found = timed.step()
    if not interval or job.reading != "calibrated":
        return found

    def time_of(cal: Calibration) -> Any:
        return TimedJob(job.under(cal), timed).time_s

    sigma = log_variance(job.calibration, time_of, found.time_s) ** 0.5
    reach = np.exp(Z80 * np.hypot(sigma, job.scatter("step_time_s")))
    return replace(found, low_s=found.time_s / reach, high_s=found.time_s * reach)


def job_seconds(job: TrainingJob) -> Any:
    """Time of one optimizer step alone, which effects may give leading axes to. [s]"""
    if job.reading == "blackboard":
        return _on_the_blackboard(job).time_s
    return TimedJob(job).time_s


def job_bound_s(job: TrainingJob) -> Any:
    """What one optimizer step takes at least: as it is where no stage waits for another. [s]

    Parameters
    ----------
    job : TrainingJob   Its numbers may be 1-D arrays, a row each.

    Notes
    -----
    No timeline is run. Under 1F1B it is the step's time less its bubble and hops.
    """
    if job.reading == "blackboard":
        return _on_the_blackboard(job).parts_s["products"]
    return _NeverWaits(job).time_s


class TimedJob:
    """A job being timed; what several parts ask for is kept, and what is counted of a like one."""

    def __init__(self, job: TrainingJob, like: TimedJob | None = None) -> None:
        self.job = job
        self.count = job.count
        self.pieces: list[Pieces] = like.pieces if like else pieces_of(self.count)
        self.layers: Floats = like.layers if like else job.layers
        self.on = job.calibration if job.reading == "calibrated" else job.cluster
        self.effects = job.calibration.effects if job.reading == "calibrated" else _NO_EFFECTS

    @cached_property
    def passes(self) -> StagePasses:
        """Of a micro-batch on each stage."""
        return on_stages(self.count, self.pieces, self.layers, self.on)

    @cached_property
    def parameters(self) -> list[Any]:
        """Of each kind of layer, before they are sharded."""
        return parameters_of(self.count)

    @cached_property
    def micro_batches(self) -> Any:
        """Of a rank in a step. [1]"""
        return floats(self.job.micro_batches)

    @cached_property
    def hop_s(self) -> Any:
        """From one stage to the next, what is not hidden. [s]"""
        if np.all(self.job.layout.pp == 1):
            return 0.0
        seconds = seconds_of(stage_hop(self.count), self.on)
        hides, share = self.count.hides("pp"), np.minimum(self.effects["pp_exposed"], 1.0)
        if np.ndim(hides):
            return seconds * np.where(hides, share, 1.0)
        return seconds * (share if hides else 1.0)

    @cached_property
    def pipeline_s(self) -> Any:
        """All micro-batches through all stages and back. [s]"""
        p, layout = self.passes, self.job.layout
        each = self.effects["micro_batch_s"]
        return schedule_s(
            self.job.schedule,
            layout.pp,
            self.micro_batches,
            layout.vp,
            p.forward_s + column(each),
            p.input_gradient_s,
            p.weight_gradient_s,
            self.hop_s,
        )

    @cached_property
    def busy_s(self) -> Any:
        """Of each stage, for all micro-batches. Shape (..., rows, stages). [s]"""
        p, each = self.passes, self.effects["micro_batch_s"]
        one = p.forward_s + p.input_gradient_s + p.weight_gradient_s
        one = one + column(each) * (one > 0)
        return column(self.micro_batches) * self._both_ways(one)

    @cached_property
    def mirror(self) -> Any:
        """The stage whose layers a chip has besides, where a copy of the model runs each way."""
        stages = np.arange(self.layers.shape[1])
        pp = np.broadcast_to(np.asarray(self.job.layout.pp, dtype=int), (self.job.n_rows,))
        other = pp[:, None] - 1 - stages
        return np.where(other >= 0, other, stages)

    def _both_ways(self, values: Any) -> Any:
        """Of a micro-batch on each chip: half of them pass its own stage, half the mirrored one."""
        if SCHEDULES[self.job.schedule].n_copies == 1:
            return values
        other = np.broadcast_to(self.mirror, values.shape)
        return (values + np.take_along_axis(values, other, axis=-1)) / 2

    @cached_property
    def stage(self) -> Any:
        """The slowest stage."""
        return np.argmax(self.busy_s, axis=-1)

    @cached_property
    def sent(self) -> Exchanges:
        """Exchanges between data-parallel ranks."""
        return exchanges(self.count, self.parameters, self.layers, self.on)

    def exposed(self, exchange_s: Any, window_s: Any) -> Any:
        """Of exchanges between data-parallel ranks, what the passes beside them do not hide. [s]"""
        hides = self.count.hides("dp")
        hides = column(hides) > 0 if np.ndim(hides) else hides
        return exposed_s(exchange_s, window_s, column(self.effects["dp_exposed"]), hides)

    @cached_property
    def data_s(self) -> Any:
        """What exchanges between data-parallel ranks add, on the stage where it is most. [s]"""
        sent = self.sent
        if self.job.reading != "calibrated":
            every = column(self.micro_batches) * (sent.each_forward_s + sent.each_backward_s)
            whole = np.max(sent.gather_s + sent.reduce_s + every, axis=-1)
            return np.maximum(whole - self.pipeline_s, 0.0)
        p = self.passes
        forward, backward = p.forward_s, p.input_gradient_s + p.weight_gradient_s
        once = self.exposed(sent.gather_s, forward) + self.exposed(sent.reduce_s, backward)
        every = self.exposed(sent.each_forward_s, forward)
        every = every + self.exposed(sent.each_backward_s, backward)
        return np.max(once + column(self.micro_batches) * every, axis=-1)

    @cached_property
    def optimizer_s(self) -> tuple[Any, Any]:
        """The pass over its state on the fullest stage, and over the host's link. [s]"""
        held = np.max(on_stages_sharded(self.count, self.parameters, self.layers), axis=-1)
        own = OPTIMIZERS[self.job.recipe.optimizer]
        framework = self.count.framework
        weight = 0.0 if not framework.master else self.count.weight_bytes
        moved = update_bytes_per_param(
            own.state_bytes, framework.gradient_bytes, weight, framework.master
        )
        flops = newton_schulz_flops_per_param(self.count.model.d_model) if own.orthogonal else 0.0
        op = Op(
            "optimizer",
            "gemm" if own.orthogonal else "elementwise",
            "optimizer",
            dtype="bf16" if own.orthogonal else "",
            m=self.count.model.d_model,
            n=self.count.model.d_model,
            k=self.count.model.d_model,
            flops=flops * held,
            kv_bytes=0.0 if own.orthogonal else held * moved,
            activation_bytes=held * moved if own.orthogonal else 0.0,
            phase="optimizer",
        )
        if "optimizer" not in self.job.recipe.offload:
            return seconds_of(op, self.on), 0.0
        # Gradients go to the host and weights come back, beside the update in its memory.
        link = self._host_link
        sent = max(framework.gradient_bytes, self.count.weight_bytes) / link
        return 0.0, held * max(sent, moved / (_HOST_MEMORY * link))

    @property
    def _host_link(self) -> float:
        """Rate between a chip and its host. [bytes/s]"""
        if not self.job.cluster.host_link:
            raise SpecError(
                f"{self.job.cluster.id} has no host_link, the rate between a chip and its host, "
                "which offload needs: give it in the cluster's record, or leave offload out."
            )
        return self.job.cluster.host_link

    @cached_property
    def activations_offload_s(self) -> Any:
        """Activations sent to the host and back, as far as no arithmetic hides it. [s]"""
        if "activations" not in self.job.recipe.offload:
            return 0.0
        link = self._host_link
        kept = kept_on_stages(self.count, self.layers) / link
        p = self.passes
        hidden = np.maximum(kept - p.forward_s, 0.0)
        back = np.maximum(kept - p.input_gradient_s - p.weight_gradient_s, 0.0)
        return np.max(column(self.micro_batches) * (hidden + back), axis=-1)

    @cached_property
    def straggler_share(self) -> Any:
        """What the slowest of many adds. [1]"""
        n_domains = np.ceil(self.job.n_chips / self.job.cluster.domain_size)
        return self.effects["straggler"] * np.log2(np.maximum(n_domains, 1.0))

    @cached_property
    def time_s(self) -> Any:
        """[s]"""
        return self._unshared_s * (1 + self.straggler_share)

    @cached_property
    def _unshared_s(self) -> Any:
        update, link = self.optimizer_s
        own = self.pipeline_s + self.data_s + update + link + self.activations_offload_s
        return own + self.effects["host_s"]

    def step(self) -> TrainingStep:
        """The step with its parts."""
        stage = self.stage
        m = self.micro_batches

        def here(values: Any) -> Any:
            shown = np.broadcast_to(values, self.busy_s.shape)
            return np.take_along_axis(self._both_ways(shown), stage[..., None], axis=-1)[..., 0]

        p = self.passes
        parts = {channel: m * seconds for channel, seconds in p.at_stage_s(stage).items()}
        if SCHEDULES[self.job.schedule].n_copies > 1:
            other = np.take_along_axis(
                np.broadcast_to(self.mirror, self.busy_s.shape), stage[..., None], axis=-1
            )[..., 0]
            mirrored = p.at_stage_s(other)
            parts = {name: (own + m * mirrored[name]) / 2 for name, own in parts.items()}
        parts["recompute"] = m * here(p.busy_s["again"])
        busy = np.take_along_axis(self.busy_s, stage[..., None], axis=-1)[..., 0]
        parts["launch"] = busy - sum(parts.values())
        hops = 2 * (np.asarray(self.job.layout.pp) - 1) * self.hop_s
        parts["hops"] = np.minimum(hops, np.maximum(self.pipeline_s - busy, 0.0))
        # Stages that never wait leave what rounding leaves.
        parts["bubble"] = np.maximum(self.pipeline_s - busy - parts["hops"], 0.0)
        parts["dp"] = self.data_s
        parts["optimizer"], link = self.optimizer_s
        parts["offload"] = link + self.activations_offload_s
        parts["host"] = self.effects["host_s"] + 0.0 * self.time_s
        parts["stragglers"] = self._unshared_s * self.straggler_share
        whole = {name: np.asarray(parts[name]) + 0.0 * self.time_s for name in PARTS}
        return TrainingStep(self.time_s, whole, p, stage)


class _NeverWaits(TimedJob):
    """A job whose slowest stage is busy all the time."""

    @cached_property
    def pipeline_s(self) -> Any:
        return np.max(self.busy_s, axis=-1)


def _on_the_blackboard(job: TrainingJob) -> TrainingStep:
    """6 N D at the datasheet's peak, and the bubble of the schedule. All else is ignored.

    Frozen weights have no gradient of their own: 4 N D.
    """
    macs = passes_over_weights(job) * counts(job.count.model).n_params_active
    flops = 2 * macs * job.load.seq_len * job.load.global_batch
    peak = job.cluster.chip.peak[
        compute_dtype(dtype_of(job.count.model.weight_dtype), job.cluster.chip)
    ]
    layout, m = job.layout, job.micro_batches
    each = np.asarray(flops / peak / job.n_chips / m, dtype=float) + np.zeros(job.n_rows)
    pp = np.broadcast_to(np.asarray(layout.pp), each.shape)
    stages = np.where(np.arange(int(pp.max())) < pp[:, None], each[:, None], 0.0)
    whole = schedule_s(job.schedule, pp, m, layout.vp, stages / 3, stages / 3, stages / 3, 0.0)
    parts: dict[str, Any] = {name: np.zeros(job.n_rows) for name in PARTS}
    parts["products"] = each * m
    parts["bubble"] = whole - each * m
    return TrainingStep(whole, parts, None, np.zeros(job.n_rows, dtype=int))


def seconds_of(op: Op, on: Calibration | Cluster) -> Any:
    """Time of an op under a calibration, or at a machine's datasheet peaks. [s]"""
    if isinstance(on, Cluster):
        return ideal_time_s(resources([op], on))
    return op_seconds(op, on)
