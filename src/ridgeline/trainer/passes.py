"""Seconds of the passes of one micro-batch through a pipeline stage, told apart by channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.kernels.calibration import op_seconds
from ridgeline.layers import block_layers
from ridgeline.specs.cluster import Cluster
from ridgeline.steps.alike import identity, likeness
from ridgeline.steps.ideal import ideal_time_s, resources
from ridgeline.steps.kept import products_again, share_again
from ridgeline.steps.training_ops import (
    CHANNELS,
    Pieces,
    beside_weights,
    block_pieces,
    channel_of,
    embedding_pieces,
    head_pieces,
)
from ridgeline.trainer.stages import stage_layers
from ridgeline.trainer.state import sum_on_stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.specs.training import Overlap
    from ridgeline.steps.op import Op
    from ridgeline.steps.training_count import TrainingCount

    Floats = NDArray[np.float64]

__all__ = ["PASSES", "StagePasses", "exposed_s", "layers_on_stages", "on_stages", "pieces_of"]

#: what a stage does for a micro-batch: `again` is what the backward pass computes a second time
PASSES = ("forward", "input_gradient", "weight_gradient", "again")
#: schedules that run a forward beside a backward pass, so that tokens of one travel to experts
#: while the other computes
_PAIRS = ("dualpipe", "dualpipev")
#: of a pass: its seconds by channel, then the seconds a host takes to launch its kernels
_ROWS = (*CHANNELS, "launch")


def pieces_of(count: TrainingCount) -> list[Pieces]:
    """Ops of each kind of layer, then of the embedding, then of the head."""
    blocks = [block_pieces(count, block) for block in count.model.blocks]
    return [*blocks, embedding_pieces(count), head_pieces(count)]


def layers_on_stages(count: TrainingCount, n_rows: int) -> Floats:
    """How many layers of each kind, and whether embedding and head, a stage has.

    Returns
    -------
    array of shape (rows, stages, kinds + 2)   Stages that a row does not have hold nothing.
    """
    pp, vp = count.layout.pp, count.layout.vp
    stages, chunks = (np.sort(np.unique_values(x)) for x in (pp, vp))
    kinds = len(count.model.blocks)
    # Rows of as many stages and chunks are alike. Sums are over stages of one kind at a time: these
    # lie side by side.
    each = np.zeros((kinds + 2, stages.size * chunks.size, int(stages[-1])))
    head = _head_layers(count) if count.framework.splits == "work" else None
    for like, (p, v) in enumerate(product(stages.astype(int), chunks.astype(int))):
        each[:kinds, like, :p] = stage_layers(
            count.model, int(p), 2 if count.folded else int(v), head, folded=count.folded
        ).T
        each[kinds, like, 0] = 1.0
        # Folded stages run down and up again: the first one has both ends of the model.
        each[kinds + 1, like, 0 if count.folded else p - 1] = 1.0
    like = np.searchsorted(stages, pp) * chunks.size + np.searchsorted(chunks, vp)
    if isinstance(like, np.ndarray | np.integer):
        return np.moveaxis(np.take(each, np.broadcast_to(like, (n_rows,)), axis=1), 0, -1)
    return np.take_along_axis(np.moveaxis(each, 0, -1), like[:, None, None], axis=0)


def _head_layers(count: TrainingCount) -> float:
    """Work of the head over that of a layer on the mean."""
    model = count.model
    own = sum(
        block.repeat * sum(p.active * p.k * p.n for layer in layers for p in layer.products)
        for block in model.blocks
        for layers in (block_layers(block, model.d_model),)
    )
    table: Any = model.vocab_size * model.d_model  # type: ignore[operator]
    return table * sum(b.repeat for b in model.blocks) / own


@dataclass(frozen=True)
class StagePasses:
    """Passes of one micro-batch on each stage.

    Attributes
    ----------
    busy_s : mapping    Pass to the chip's time, exchanges that nothing hides among it, an array of
                        shape (..., rows, stages). [s]
    launch_s : mapping  Pass to the host's time to launch its kernels. [s]
    timed : list        Of each kind of layer: by pass, seconds by channel and of launches.
    layers : array      See `layers_on_stages`.
    again : array       Of a stage's layers, the share that is computed again.
    """

    busy_s: dict[str, Floats]
    launch_s: dict[str, Floats]
    timed: list[list[list[Any]]]
    layers: Floats
    again: Any

    def channel_s(self, name: str, channel: str) -> Floats:
        """Of a pass, the seconds of a channel. [s]"""
        row = CHANNELS.index(channel)
        i = PASSES.index(name)
        share = self.again if name == "again" else 1.0
        return sum_on_stages([kind[i][row] for kind in self.timed], self.layers) * share

    def at_stage_s(self, stage: Any) -> dict[str, Any]:
        """Seconds by channel of the passes of one stage in each row, none computed again. [s]

        Parameters
        ----------
        stage : array of int of shape (..., rows)
        """
        rows = np.arange(self.layers.shape[0])
        held = np.moveaxis(self.layers[rows, stage], -1, 0)
        found: dict[str, Any] = {}
        for row, channel in enumerate(CHANNELS):
            each = [sum(kind[i][row] for i in range(len(PASSES) - 1)) for kind in self.timed]
            found[channel] = sum(n * v for n, v in zip(held, each, strict=True))
        return found

    def pass_s(self, name: str) -> Any:
        """Of a pass: the chip's time, or the host's where that is longer. [s]"""
        busy, launch = self.busy_s[name], self.launch_s[name]
        chip, host = busy * busy, launch * launch
        # As the fourth root of a sum of fourth powers: about the larger of the two.
        return np.sqrt(np.sqrt(chip * chip + host * host))

    @cached_property
    def forward_s(self) -> Any:
        """[s]"""
        return self.pass_s("forward")

    @cached_property
    def input_gradient_s(self) -> Any:
        """With what is computed again. [s]"""
        own = self.pass_s("input_gradient")
        none = not np.ndim(self.again) and not self.again
        return own if none else own + self.pass_s("again")

    @cached_property
    def weight_gradient_s(self) -> Any:
        """[s]"""
        return self.pass_s("weight_gradient")


def on_stages(
    count: TrainingCount, pieces: Sequence[Pieces], layers: Floats, on: Calibration | Cluster
) -> StagePasses:
    """Time the passes of a micro-batch on every stage.

    Parameters
    ----------
    count : TrainingCount
    pieces : sequence of Pieces   See `pieces_of`.
    layers : array                See `layers_on_stages`.
    on : Calibration or Cluster   A cluster: at datasheet peaks, all resources overlapped.
    """
    timer = on if isinstance(on, Cluster) else _Timer(on)
    timed = [_timed(count, piece, timer) for piece in pieces]
    busy: dict[str, Floats] = {}
    launch: dict[str, Floats] = {}
    again = share_again(count, layers)
    for i, name in enumerate(PASSES):
        # Channels are added up before stages are: sums over stages are the larger ones.
        busy[name] = sum_on_stages([sum(kind[i][:-1]) for kind in timed], layers)
        launch[name] = sum_on_stages([kind[i][-1] for kind in timed], layers)
    busy["again"], launch["again"] = busy["again"] * again, launch["again"] * again
    return StagePasses(busy, launch, timed, layers, again)


class _Timer:
    """Times ops under a calibration, equal ones once: layers have many exchanges alike."""

    def __init__(self, cal: Calibration) -> None:
        self.cal = cal
        # With the op, which holds the arrays that it is known by.
        self._known: dict[Any, tuple[Op, Any]] = {}

    def seconds(self, op: Op) -> Any:
        """All repetitions of an op together. [s]"""
        key = (likeness(op), identity(op.repeat))
        if key not in self._known:
            self._known[key] = op, op_seconds(op, self.cal)
        return self._known[key][1]


def _timed(count: TrainingCount, piece: Pieces, on: _Timer | Cluster) -> list[list[Any]]:
    """Seconds by pass and row of `_ROWS`."""
    again: Iterable[Op] = piece.forward if piece.is_layer else ()
    if count.recipe.recompute == "selective":
        again = piece.core
    elif count.recipe.recompute == "products":
        again = products_again(again)
    passes = (piece.forward, piece.input_gradient, piece.weight_gradient, again)
    if isinstance(on, Cluster):
        return [_at_peak(ops, on) for ops in passes]
    return [_calibrated(count, ops, on) for ops in passes]


def _calibrated(count: TrainingCount, ops: Iterable[Op], timer: _Timer) -> list[Any]:
    cal = timer.cal
    found: dict[str, Any] = dict.fromkeys(_ROWS, 0.0)
    n = n_sums = 0
    waits_not = count.hides("tp_backward")
    beside: Any = 0.0
    for op in ops:
        channel, seconds = channel_of(op), timer.seconds(op)
        n += 1
        n_sums += channel == "tp"
        if channel == "tp" and beside_weights(op):
            own, other = _parted(waits_not, seconds)
            beside, found[channel] = beside + own, found[channel] + other
        else:
            found[channel] = found[channel] + seconds
    computing = sum(found[c] for c in CHANNELS[:4])
    windows: dict[Overlap, Any] = {
        "tp": found["products"],
        "cp": found["attention"],
        "ep": computing,
    }
    for group, window in windows.items():
        share, hides = cal.effects[f"{group}_exposed"], count.hides(group)
        if group == "ep" and count.recipe.schedule in _PAIRS:
            share, hides = 0.0, True
        found[group] = exposed_s(found[group], window, share, hides)
    found["tp"] = found["tp"] + np.maximum(beside - found["products"], 0.0)
    found["launch"] = n * cal.effects["launch_s"] + n_sums * _exchange_launch_s(count, cal)
    return [found[row] for row in _ROWS]


def _parted(which: Any, seconds: Any) -> tuple[Any, Any]:
    """Seconds where something holds, and where it does not."""
    if np.ndim(which):
        return np.where(which, seconds, 0.0), np.where(which, 0.0, seconds)
    return (seconds, 0.0) if which else (0.0, seconds)


def _exchange_launch_s(count: TrainingCount, cal: Calibration) -> Any:
    """Host time of one exchange between tensor-parallel ranks beside its launch. [s]

    Hosts of a group wait for each other; where pipeline stages send beside it they drift apart.
    """
    tp, staged = count.layout.tp, count.layout.pp > 1
    drift = cal.effects["drift_s"] * np.log2(tp) * staged
    return (tp > 1) * (cal.effects["exchange_launch_s"] + drift)


def exposed_s(exchange_s: Any, window_s: Any, share: Any, hides: bool) -> Any:
    """Of exchanges, what no arithmetic hides: at least what is longer than the arithmetic. [s]

    Parameters
    ----------
    exchange_s, window_s : array   Exchanges, and arithmetic that they may run beside. [s]
    share : array                  That is exposed all the same. [1]
    hides : bool or array          Whether the two run side by side.
    """
    if not np.ndim(hides) and not hides:
        return exchange_s
    exposed = np.maximum(exchange_s * np.minimum(share, 1.0), exchange_s - window_s)
    return np.where(hides, exposed, exchange_s) if np.ndim(hides) else exposed


def _at_peak(ops: Sequence[Op], cluster: Cluster) -> list[Any]:
    """All resources side by side: the busiest decides, and its seconds stand under products."""
    if not ops:
        return [0.0] * len(_ROWS)
    busiest = ideal_time_s(resources(ops, cluster))
    return [busiest, *[0.0] * (len(_ROWS) - 1)]
