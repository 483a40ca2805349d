"""Parameters on each chip, and how data-parallel ranks share them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.schedules import SCHEDULES
from ridgeline.layers import block_layers
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.cuts import cut
from ridgeline.steps.training_count import column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.specs.blocks import Block
    from ridgeline.steps.training_count import TrainingCount

    Floats = NDArray[np.float64]

__all__ = [
    "SHARDS_GRADIENTS",
    "SHARDS_PARAMETERS",
    "SHARDS_STATE",
    "Parameters",
    "groups_of",
    "layers_held",
    "on_stages_sharded",
    "parameters_of",
    "sum_on_stages",
]

#: stages of ZeRO from which data-parallel ranks share out each
SHARDS_STATE, SHARDS_GRADIENTS, SHARDS_PARAMETERS = 1, 2, 3


@dataclass(frozen=True)
class Parameters:
    """Parameters of one layer (or embedding, or head) on a chip, before they are sharded.

    Attributes
    ----------
    dense : array      Of parts that all data-parallel ranks have. [1]
    experts : array    Of experts, which are spread over ranks. [1]
    trained : array    Of the dense ones, those with a gradient, if not all are. [1]
    trained_experts : array   [1]
    """

    dense: Any
    experts: Any
    trained: Any
    trained_experts: Any


def parameters_of(count: TrainingCount) -> list[Parameters]:
    """Of each kind of layer, then of the embedding, then of the head."""
    model, tp = count.model, count.layout.tp
    blocks = [_block(count, block) for block in model.blocks]
    width: Any = model.d_model
    table = model.vocab_size * width / tp
    positions = model.n_learned_positions * width
    last = model.n_final_norm_vectors * width
    # A tied table is held by the first and by the last stage, if those are two.
    apart = (count.layout.pp > 1) & (not count.folded)
    again = table * apart if model.tied else table
    return [*blocks, _all(count, table + positions), _all(count, again + last)]


def _all(count: TrainingCount, n: Any) -> Parameters:
    return Parameters(n, 0.0, n if count.recipe.trains_all else 0.0, 0.0)


def _block(count: TrainingCount, block: Block) -> Parameters:
    layers = block_layers(block, count.model.d_model)
    heads = getattr(block.mixer, "n_kv_heads", 1)
    dense: Any = 0.0
    experts: Any = 0.0
    thin: Any = 0.0
    for layer in layers:
        dense = dense + layer.n_vector_params
        for product in layer.products:
            if product.part == "experts":
                continue
            k, n, copies = cut(product, count.layout.tp, heads)
            dense = dense + k * n * copies
            if layer is layers.mixer:
                thin = thin + count.recipe.lora_rank * (k + n) * copies
    if isinstance(block.ffn, MixtureOfExperts):
        held = block.ffn.n_experts / count.layout.ep
        for product in layers.ffn.products:
            if product.part == "experts":
                experts = experts + held * product.k * product.n / count.expert_tp
    if count.recipe.trains_all:
        return Parameters(dense, experts, dense, experts)
    return Parameters(dense + thin, experts, thin, 0.0)


def sum_on_stages(values: Sequence[Any], layers: Floats) -> Floats:
    """What the layers of a stage have or take together. Shape (..., rows, stages).

    Parameters
    ----------
    values : sequence of array   Of one layer of each kind; a number, or of shape (..., rows).
    layers : array               See `passes.layers_on_stages`.
    """
    total: Any = None
    for kind, value in enumerate(values):
        if not np.ndim(value) and not value:
            continue
        part = layers[:, :, kind] * column(value)
        if total is not None and total.shape == part.shape:
            total += part
        else:
            total = part if total is None else total + part
    return 0.0 * layers[:, :, 0] if total is None else total


def n_copies(count: TrainingCount) -> int:
    """Copies of the model on all stages: two where a schedule runs it both ways. [1]"""
    schedule = count.recipe.schedule
    return 1 if schedule is None else SCHEDULES[schedule].n_copies


def layers_held(count: TrainingCount, layers: Floats) -> Floats:
    """Layers whose parameters a stage's chips hold: of a second copy those of the mirrored stage.

    Parameters
    ----------
    count : TrainingCount
    layers : array of shape (rows, stages, kinds + 2)   Those of the first copy.
    """
    if n_copies(count) == 1:
        return layers
    n_rows, n_stages = layers.shape[:2]
    pp = np.broadcast_to(np.asarray(count.layout.pp, dtype=int), (n_rows,))
    other = np.maximum(pp[:, None] - 1 - np.arange(n_stages), 0)
    there = layers.sum(axis=2, keepdims=True) > 0
    return layers + there * np.take_along_axis(layers, other[..., None], axis=1)


def groups_of(count: TrainingCount, experts: bool) -> tuple[Any, Any, Any, Any]:
    """Ranks that hold the same parameters and those of them in a domain; and of their shards. [1]

    Parameters
    ----------
    count : TrainingCount
    experts : bool   Of parameters of experts, else of all others.
    """
    size, inside = count.group("dp", "cp")
    if n_copies(count) > 1:
        # The rank that has the other copy is a stage away: in the domain if all stages are.
        layout = count.layout
        whole = layout.tp * layout.cp * layout.dp * layout.pp
        inside = np.where(np.asarray(whole) <= count.domain_size, inside * 2, inside)
        size = size * n_copies(count)
    if experts:
        # Ranks are folded anew: those that hold a layer's experts once are neighbours.
        apart = count.expert_chips
        size = size * count.layout.tp / apart
        domain = np.maximum(np.floor(count.domain_size / apart), 1.0)
        inside = np.minimum(size, domain)
    if count.layout.shard is None:
        return size, inside, size, inside
    shard = np.minimum(count.layout.shard, size)
    return size, inside, shard, np.minimum(inside, shard)


def on_stages_sharded(
    count: TrainingCount, parameters: list[Parameters], layers: Floats, from_zero: int = 1
) -> Floats:
    """Trained parameters that a chip holds, where ranks share them out. Shape (rows, stages). [1]

    Parameters
    ----------
    count : TrainingCount
    parameters : list of Parameters
    layers : array      See `passes.layers_on_stages`.
    from_zero : int     The stage of ZeRO from which they are: 1 for the optimizer's state.
    """
    layers = layers_held(count, layers)
    found: Any = 0.0
    for experts in (False, True):
        own = [p.trained_experts if experts else p.trained for p in parameters]
        shard = groups_of(count, experts)[2]
        ways = np.where(count.layout.zero >= from_zero, shard, 1.0)
        found = found + sum_on_stages(own, layers) / column(ways)
    return found
