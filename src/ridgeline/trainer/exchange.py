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
from ridgeline.steps.training_count import column
from ridgeline.trainer.state import (
    SHARDS_GRADIENTS,
    SHARDS_PARAMETERS,
    groups_of,
    layers_held,
    sum_on_stages,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.steps.training_count import TrainingCount
    from ridgeline.trainer.state import Parameters

    Floats = NDArray[np.float64]

__all__ = ["Exchanges", "exchanges"]


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
    layers = layers_held(count, layers)
    if not isinstance(on, Cluster):
        on = replace(on, effects={n: column(e) if np.ndim(e) else e for n, e in on.effects.items()})
    found: dict[str, Any] = dict.fromkeys(Exchanges._fields, 0.0)
    for experts in (False, True):
        own = [p.experts if experts else p.dense for p in parameters]
        if not any(np.ndim(one) or one for one in own):
            continue
        held = trained = sum_on_stages(own, layers)
        if not count.recipe.trains_all:
            trained = sum_on_stages(
                [p.trained_experts if experts else p.trained for p in parameters], layers
            )
        each = _of_group(count, experts, held, trained, on)
        for name, seconds in each.items():
            found[name] = found[name] + seconds
    empty = 0.0 * layers[:, :, 0]
    return Exchanges(**{name: value + empty for name, value in found.items()})


def _of_group(
    count: TrainingCount,
    experts: bool,
    held: Floats,
    trained: Floats,
    on: Calibration | Cluster,
) -> dict[str, Any]:
    """Exchanges of experts, or of all other parameters, as `Exchanges` names them."""
    size, inside, shard, shard_inside = groups_of(count, experts)
    narrow, weight = count.framework.reduce_bytes, count.weight_bytes
    zero = column(count.layout.zero)
    none, all_of_it = zero == 0, zero == SHARDS_PARAMETERS
    size, inside, shard, shard_inside = map(column, (size, inside, shard, shard_inside))
    sharded = (shard, shard_inside)
    # Shards that are copied on other ranks are added up once more between them.
    ranks = np.where(none, size, size / shard)
    ranks_inside = np.where(none, inside, np.maximum(inside / shard_inside, 1.0))

    def seconds(kind: str, payload: Floats, group: tuple[Any, Any], rows: Any) -> Any:
        return _seconds(kind, payload, group, rows, on)

    # Frozen parameters are gathered, too, where they are shared out.
    moved = held if held is trained else np.where(all_of_it, held, trained)
    gathered = seconds("all_gather", moved * weight, sharded, ~none)
    sent = trained * narrow
    scattered = seconds("reduce_scatter", sent, sharded, ~none)
    added = np.where(none, sent, sent / shard)
    summed = seconds("all_reduce", added, (ranks, ranks_inside), True)
    # Shards of gradients add up from micro-batch to micro-batch only if each reduces its own.
    # Of stages that is what the framework says: some hold a step's gradients whole.
    adds_shards = (count.framework.accumulates == "sharded") | (column(count.layout.pp) == 1)
    each = all_of_it | ((zero == SHARDS_GRADIENTS) & adds_shards)
    # Pipelines may gather once a step, and keep what they gathered.
    kept = each & count.framework.pipelines_keep_gathered & (column(count.layout.pp) > 1)
    each, every = each & ~kept, all_of_it & ~kept
    forward = np.where(every, gathered, 0.0)
    again = forward if count.framework.gathers_every_micro_batch else 0.0
    return {
        "gather_s": np.where(every, 0.0, gathered),
        "reduce_s": summed + np.where(each, 0.0, scattered),
        "each_forward_s": forward,
        "each_backward_s": again + np.where(each, scattered, 0.0),
    }


def _seconds(
    kind: str,
    payload_bytes: Floats,
    group: tuple[Any, Any],
    rows: Any,
    on: Calibration | Cluster,
) -> Any:
    """Time of one exchange on the stages of some rows; 0 elsewhere, and where nothing is sent.

    Rows are of shape (..., rows, 1), payloads of shape (rows, stages).
    """
    size, inside = group
    sends = rows & (size > 1)
    if not np.any(sends):
        return 0.0
    n_domains = size / inside
    send = Collective(kind, size, payload_bytes, n_domains, share_across(n_domains), "", inside)
    op = Op("gradients", "exchange", "network", collective=send)
    own = ideal_time_s(resources([op], on)) if isinstance(on, Cluster) else op_seconds(op, on)
    return np.where(sends & (payload_bytes > 0), own, 0.0)
