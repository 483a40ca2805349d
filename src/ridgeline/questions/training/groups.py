"""Collectives of each parallel group in a step: their bytes and seconds, hidden and exposed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.schedules import SCHEDULES
from ridgeline.steps.training_ops import channel_of, stage_hop
from ridgeline.trainer.exchange import exchanges
from ridgeline.trainer.passes import PASSES, layers_on_stages, pieces_of
from ridgeline.trainer.state import groups_of, parameters_of, sum_on_stages
from ridgeline.trainer.step import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.specs.cluster import Cluster
    from ridgeline.steps.op import Op
    from ridgeline.steps.training_ops import Pieces
    from ridgeline.trainer.job import TrainingJob
    from ridgeline.trainer.step import TrainingStep

__all__ = ["Timed", "group_rows", "ops_of_stage", "stages_of_chip"]

_NAMES = {"tp": "TP", "cp": "CP", "ep": "EP"}


@dataclass(frozen=True, slots=True)
class Timed:
    """An op of a micro-batch's pass on a stage, and how often it runs there.

    Attributes
    ----------
    op : Op
    run : str         Of `trainer.passes.PASSES`.
    n : float         Layers of the stage that have it. [1]
    seconds : float   Of all those layers, nothing hidden. [s]
    """

    op: Op
    run: str
    n: float
    seconds: float


def stages_of_chip(job: TrainingJob, stage: int) -> list[tuple[int, float]]:
    """The stages whose layers a chip runs, and the share of micro-batches that pass each.

    Parameters
    ----------
    job : TrainingJob
    stage : int         From 0. Where a copy of the model runs each way, the mirrored one besides.
    """
    if SCHEDULES[job.schedule].n_copies == 1:
        return [(stage, 1.0)]
    return [(stage, 0.5), (job.layout.pp - 1 - stage, 0.5)]


def ops_of_stage(job: TrainingJob, stage: int, on: Calibration | Cluster) -> list[Timed]:
    """The ops of one micro-batch on a stage, each with its seconds.

    Parameters
    ----------
    job : TrainingJob
    stage : int                   From 0.
    on : Calibration or Cluster   A cluster: at datasheet peaks.
    """
    count = job.count
    layers = layers_on_stages(count, 1)[0, stage]
    kinds = len(job.model.blocks)
    found = []
    for i, (piece, n) in enumerate(zip(pieces_of(count), layers, strict=True)):
        if n:
            share = _share_again(job, float(layers[:kinds].sum())) if i < kinds else 0.0
            for run, op in _passes(job, piece):
                times = n * (share if run == "again" else 1.0)
                if times:
                    found.append(Timed(op, run, times, times * _one(seconds_of(op, on))))
    return found


def _passes(job: TrainingJob, piece: Pieces) -> Iterator[tuple[str, Op]]:
    again = piece.core if job.recipe.recompute == "selective" else piece.forward
    parts = (piece.forward, piece.input_gradient, piece.weight_gradient, again)
    for run, ops in zip(PASSES, parts, strict=True):
        for op in ops:
            yield run, op


def _share_again(job: TrainingJob, n_layers: float) -> float:
    if job.recipe.recompute == "layers":
        return min(job.recipe.recompute_layers / max(n_layers, 1.0), 1.0)
    return 0.0 if job.recipe.recompute == "none" else 1.0


def group_rows(
    job: TrainingJob, step: TrainingStep, on: Calibration | Cluster
) -> list[dict[str, Any]]:
    """Each group that exchanges anything, on the slowest stage, in a whole step.

    Parameters
    ----------
    job : TrainingJob
    step : TrainingStep           Of the job.
    on : Calibration or Cluster   A cluster: at datasheet peaks.
    """
    stage = int(_one(step.stage))
    m = _one(job.micro_batches)
    shares = stages_of_chip(job, stage)
    timed = [
        replace(t, n=share * t.n, seconds=share * t.seconds)
        for s, share in shares
        for t in ops_of_stage(job, s, on)
    ]
    found = []
    for name, word in _NAMES.items():
        own = [t for t in timed if t.op.collective is not None and channel_of(t.op) == name]
        sends = [_collective(t.op) for t in own]
        widest = max(sends, key=lambda send: _one(send.group), default=None)
        if widest is None or _one(widest.group) <= 1:
            continue
        payload = sum(t.n * _one(t.op.repeat * _collective(t.op).payload_bytes) for t in own)
        assert step.passes is not None
        exposed = sum(
            share * float(step.passes.channel_s(p, name)[..., s].sum())
            for p in PASSES
            for s, share in shares
        )
        inside = _one(widest.members(job.cluster.domain_size))
        seconds = sum(t.seconds for t in own)
        found.append(
            _row(word, (_one(widest.group), inside), m * payload, m * seconds, m * exposed)
        )
    return [*found, *_stages(job, step, on), *_data(job, step, stage, on)]


def _collective(op: Op) -> Any:
    assert op.collective is not None
    return op.collective


def _stages(
    job: TrainingJob, step: TrainingStep, on: Calibration | Cluster
) -> Iterator[dict[str, Any]]:
    """Hidden states to the next stage and gradients back, of every micro-batch."""
    if job.layout.pp == 1:
        return
    op = stage_hop(job.count)
    times = 2 * _one(job.micro_batches) * job.layout.vp
    size, inside = job.count.group("pp")
    payload = times * _one(_collective(op).payload_bytes)
    exposed = _one(step.parts_s["hops"])
    yield _row("PP", (_one(size), _one(inside)), payload, times * _one(seconds_of(op, on)), exposed)


def _data(
    job: TrainingJob, step: TrainingStep, stage: int, on: Calibration | Cluster
) -> Iterator[dict[str, Any]]:
    """Gradients, and parameters that are sharded, of the stage's layers."""
    count, layout = job.count, job.layout
    if layout.dp * layout.cp == 1:
        return
    parameters, layers = parameters_of(count), layers_on_stages(count, 1)
    sent = exchanges(count, parameters, layers, on)
    m = _one(job.micro_batches)
    seconds = sent.gather_s + sent.reduce_s + m * (sent.each_forward_s + sent.each_backward_s)
    trained = sum_on_stages([p.trained + p.trained_experts for p in parameters], layers)
    held = sum_on_stages([p.dense + p.experts for p in parameters], layers)
    times = m * (2 if count.framework.gathers_every_micro_batch else 1)
    wide = (0.0, 1.0, 1.0)[layout.zero] * trained if layout.zero < _GATHERS else times * held
    reduced = (m if layout.zero == _GATHERS else 1) * trained * count.framework.reduce_bytes
    payload = float((reduced + 2.0 * wide)[0, stage])
    size, inside, *_ = groups_of(count, experts=False)
    word = "DP x CP" if layout.cp > 1 else "DP"
    exposed = _one(step.parts_s["dp"])
    yield _row(word, (_one(size), _one(inside)), payload, float(seconds[..., stage].sum()), exposed)


_GATHERS = 3


def _row(
    word: str, members: tuple[float, float], payload: float, seconds: float, exposed: float
) -> dict[str, Any]:
    size, inside = members
    return {
        "group": word,
        "size": size,
        "inside": inside,
        "payload_bytes": payload,
        "time_s": seconds,
        "hidden_s": max(seconds - exposed, 0.0),
        "exposed_s": exposed,
    }


def _one(value: Any) -> float:
    """The number of a job's only row."""
    return float(np.ravel(np.asarray(value, dtype=float))[0])
