"""Exchanges of gradients and parameters between data-parallel ranks, once a step or more often."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ridgeline.kernels.calibration import op_seconds
from ridgeline.laws.parallel import share_across
from ridgeline.specs.cluster import Cluster
from ridgeline.steps.ideal import ideal_time_s, resources
from ridgeline.steps.op import Collective, Op
from ridgeline.training.state import groups_of, sum_on_stages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.steps.training_count import TrainingCount
    from ridgeline.training.state import Parameters

    Floats = NDArray[np.float64]

__all__ = ["Exchanges", "exchanges"]

_SHARDS_PARAMETERS = 3
_SHARDS_GRADIENTS = 2
#: on their way, parameters in the width they are multiplied from
_WEIGHT_BYTES = 2.0


class Exchanges(NamedTuple):
    """Seconds on each stage, nothing hidden; arrays of shape (..., rows, stages). [s]

    Attributes
    ----------
    gather_s, reduce_s : array   Once a step: parameters, beside the first micro-batch's forward
                                 pass; gradients, beside the last one's backward pass.
    each_forward_s, each_backward_s : array   Beside those passes of every micro-batch.
    """

    gather_s: Any
    reduce_s: Any
    each_forward_s: Any
    each_backward_s: Any


def exchanges(
    count: TrainingCount,
    parameters: list[Parameters],
    layers: Floats,
    on: Calibration | Cluster,
) -> Exchanges:
    """Time what data-parallel ranks exchange of each stage's parameters.

    Parameters
    ----------
    count : TrainingCount
    parameters : list of Parameters   Of each kind: see `state.parameters_of`.
    layers : array                    See `passes.layers_on_stages`.
    on : Calibration or Cluster       A cluster: at datasheet peaks.
    """
    zero = np.asarray(count.layout.zero)[..., None]
    gather = reduce = every_gather = every_reduce = np.zeros(layers.shape[:2])
    for experts in (False, True):
        held = sum_on_stages([p.experts if experts else p.dense for p in parameters], layers)
        trained = sum_on_stages(
            [p.trained_experts if experts else p.trained for p in parameters], layers
        )
        if not np.any(held):
            continue
        size, inside, shard, shard_inside = groups_of(count, experts)
        narrow = count.framework.reduce_bytes
        over = _Over(on, _column(size), _column(inside))
        sharded = _Over(on, _column(shard), _column(shard_inside))
        copies = _Over(on, _column(size / shard), _column(np.maximum(inside / shard_inside, 1.0)))
        summed = over.time_s("all_reduce", trained * narrow)
        scattered = sharded.time_s("reduce_scatter", trained * narrow)
        # Shards that are copied on other ranks are added up once more between them.
        between = copies.time_s("all_reduce", trained * narrow / _column(shard))
        gathered = sharded.time_s("all_gather", trained * _WEIGHT_BYTES)
        all_of_it = sharded.time_s("all_gather", held * _WEIGHT_BYTES)
        once = np.where(zero == 0, summed, scattered + between)
        reduce = reduce + np.where(zero >= _SHARDS_PARAMETERS, between, once)
        gather = gather + np.where((zero > 0) & (zero < _SHARDS_PARAMETERS), gathered, 0.0)
        every_gather = every_gather + np.where(zero == _SHARDS_PARAMETERS, all_of_it, 0.0)
        every_reduce = every_reduce + np.where(zero == _SHARDS_PARAMETERS, scattered, 0.0)
    again = every_gather if count.framework.gathers_every_micro_batch else 0.0
    return Exchanges(gather, reduce, every_gather, again + every_reduce)


def _column(value: Any) -> Any:
    return np.asarray(value, dtype=float)[..., None]


class _Over(NamedTuple):
    """A group of ranks on a machine."""

    on: Calibration | Cluster
    size: Any
    inside: Any

    def time_s(self, kind: str, payload_bytes: Any) -> Any:
        n_domains = self.size / self.inside
        send = Collective(
            kind, self.size, payload_bytes, n_domains, share_across(n_domains), "", self.inside
        )
        op = Op("gradients", "exchange", "network", collective=send)
        if isinstance(self.on, Cluster):
            return ideal_time_s(resources([op], self.on))
        # One of nothing takes no time, whatever it takes to start.
        there = (np.asarray(payload_bytes) > 0) & (np.asarray(self.size) > 1)
        return np.where(there, op_seconds(op, _spread(self.on)), 0.0)


def _spread(cal: Calibration) -> Calibration:
    """Effects with an axis more, for stages."""
    effects: dict[str, Any] = {
        n: np.asarray(v)[..., None] if np.ndim(v) else v for n, v in cal.effects.items()
    }
    return replace(cal, effects=effects)
