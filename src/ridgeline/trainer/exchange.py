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
from ridgeline.trainer.state import groups_of, layers_held, sum_on_stages

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.steps.training_count import TrainingCount
    from ridgeline.trainer.state import Parameters

    Floats = NDArray[np.float64]

__all__ = ["Exchanges", "exchanges"]

_SHARDS_GRADIENTS, _SHARDS_PARAMETERS = 2, 3


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
    zero = np.broadcast_to(np.asarray(count.layout.zero), layers.shape[:1])
    layers = layers_held(count, layers)
    found: dict[str, Any] = dict.fromkeys(Exchanges._fields, 0.0)
    for experts in (False, True):
        held = sum_on_stages([p.experts if experts else p.dense for p in parameters], layers)
        if not np.any(held):
            continue
        trained = sum_on_stages(
            [p.trained_experts if experts else p.trained for p in parameters], layers
        )
        for name, seconds in _of_group(count, experts, held, trained, zero, on).items():
            found[name] = found[name] + seconds
    empty = np.zeros(layers.shape[:2])
    return Exchanges(**{name: value + empty for name, value in found.items()})


def _of_group(
    count: TrainingCount,
    experts: bool,
    held: Floats,
    trained: Floats,
    zero: NDArray[Any],
    on: Calibration | Cluster,
) -> dict[str, Any]:
    """Exchanges of experts, or of all other parameters, as `Exchanges` names them."""
    size, inside, shard, shard_inside = groups_of(count, experts)
    narrow, weight = count.framework.reduce_bytes, count.weight_bytes
    whole = (size, inside)
    sharded = (shard, shard_inside)
    copies = (size / shard, np.maximum(inside / shard_inside, 1.0))
    none, all_of_it = zero == 0, zero == _SHARDS_PARAMETERS
    some = ~none & ~all_of_it

    def seconds(kind: str, payload: Floats, group: tuple[Any, Any], rows: NDArray[Any]) -> Any:
        return _seconds(kind, payload, group, rows, on)

    every = seconds("all_gather", held * weight, sharded, all_of_it)
    scattered = seconds("reduce_scatter", trained * narrow, sharded, ~none)
    # Shards that are copied on other ranks are added up once more between them.
    between = seconds("all_reduce", trained * narrow / column(shard), copies, ~none)
    again = every if count.framework.gathers_every_micro_batch else 0.0
    # Where shards of gradients add up from micro-batch to micro-batch, each reduces its own.
    adds_shards = count.framework.accumulates == "sharded"
    each = (all_of_it | ((zero == _SHARDS_GRADIENTS) & adds_shards))[:, None]
    # Pipelines may gather once a step, and keep what they gathered.
    kept = each & count.framework.pipelines_keep_gathered & (column(count.layout.pp) > 1)
    each = each & ~kept
    return {
        "gather_s": seconds("all_gather", trained * weight, sharded, some)
        + np.where(kept, every, 0.0),
        "reduce_s": seconds("all_reduce", trained * narrow, whole, none)
        + between
        + np.where(each, 0.0, scattered),
        "each_forward_s": np.where(kept, 0.0, every),
        "each_backward_s": np.where(kept, 0.0, again) + np.where(each, scattered, 0.0),
    }


def _seconds(
    kind: str,
    payload_bytes: Floats,
    group: tuple[Any, Any],
    rows: NDArray[Any],
    on: Calibration | Cluster,
) -> Any:
    """Time of one exchange on the stages of some rows; 0 elsewhere, and where nothing is sent."""
    size, inside = (np.broadcast_to(np.asarray(x, dtype=float), rows.shape) for x in group)
    row, stage = np.nonzero((rows & (size > 1))[:, None] & (payload_bytes > 0))
    if not row.size:
        return 0.0
    n_domains = size[row] / inside[row]
    send = Collective(
        kind, size[row], payload_bytes[row, stage], n_domains, share_across(n_domains), "",
        inside[row],
    )  # fmt: skip
    op = Op("gradients", "exchange", "network", collective=send)
    if isinstance(on, Cluster):
        seconds = np.asarray(ideal_time_s(resources([op], on)))
    else:
        seconds = np.asarray(op_seconds(op, _at_rows(on, row, len(rows))))
    found = np.zeros((*seconds.shape[:-1], *payload_bytes.shape))
    found[..., row, stage] = seconds
    return found


def _at_rows(cal: Calibration, row: NDArray[Any], n_rows: int) -> Calibration:
    """Effects that differ from row to row, at the rows wanted."""
    effects: dict[str, Any] = dict(cal.effects)
    for name, value in effects.items():
        if np.ndim(value) and np.shape(value)[-1] == n_rows > 1:
            effects[name] = value[..., row]
    return replace(cal, effects=effects)
