# pyright: reportMissingImports=false
"""Measure memory and time of the three kinds of stack in one run, beside what the laws predict."""

from __future__ import annotations

import platform
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ridgeline.errors import SpecError
from ridgeline.laws import reversible as laws
from ridgeline.mixing.reversible.gpt import KINDS, PreNormBlock, StandardStack, stack_of
from ridgeline.mixing.reversible.live_bytes import metered
from ridgeline.mixing.reversible.precision import gradient_errors, reconstruction_errors
from ridgeline.mixing.reversible.training import loss_curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from ridgeline.charts import Chart

__all__ = ["MEASURED", "Measurement", "Shape", "device_of", "measure"]

#: the kinds that are measured, in the order of every table
MEASURED = KINDS[:3]
_BYTES = 4
#: short steps are repeated for so long, at most so many times as often as asked for
_LEAST_S, _MOST_TURNS = 1.0, 10


def _silent(what: str, done: int, of: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the blocks and of a step.

    Attributes
    ----------
    d_model, n_heads : int     Width of the stream, and heads; the feed-forward layer is 4 d_model.
    n_context, batch : int     Tokens a sequence, and sequences.
    """

    d_model: int = 128
    n_heads: int = 4
    n_context: int = 128
    batch: int = 4

    def __post_init__(self) -> None:
        for name in ("d_model", "n_heads", "n_context", "batch"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}; at least 1 is expected.")
        if self.d_model % self.n_heads:
            raise SpecError(f"d_model {self.d_model} is not divisible by {self.n_heads} heads.")

    @property
    def stream_bytes(self) -> int:
        """One stream between layers, in fp32. [bytes]"""
        return laws.stream_bytes(self.batch * self.n_context, self.d_model, _BYTES)

    @property
    def block_bytes(self) -> int:
        """What a pre-norm block stores, by count. [bytes]"""
        n_tokens = self.batch * self.n_context
        return laws.prenorm_block_activation_bytes(
            n_tokens, self.d_model, 4 * self.d_model, self.n_heads, _BYTES
        )

    @property
    def feedforward_bytes(self) -> int:
        """What its feed-forward branch stores: two vectors of d, two of 4 d, two scalars."""
        return self.batch * self.n_context * _BYTES * (2 * self.d_model + 8 * self.d_model + 2)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured and what the laws predict.

    Attributes
    ----------
    stacks : list of dict      A row a kind of stack and depth: ``kind``, ``n_blocks``,
                               ``alive_bytes``, ``peak_bytes``, ``step_s``, ``step_over_standard``,
                               each ``predicted_`` too where there is a law.
    losses : list of dict      ``kind``, ``step``, ``loss`` in nats a character.
    precision : list of dict   Of `reconstruction_errors`.
    gradients : list of dict   Of `gradient_errors`.
    about : dict               Shape, device, versions and the method.
    """

    stacks: list[dict[str, Any]]
    losses: list[dict[str, Any]]
    precision: list[dict[str, Any]]
    gradients: list[dict[str, Any]]
    about: dict[str, Any]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The rows of one kind of stack, by depth."""
        return [row for row in self.stacks if row["kind"] == kind]

    def growth(self, kind: str, column: str = "alive_bytes") -> float:
        """Of the deepest stack over the shallowest."""
        rows = self.of(kind)
        return rows[-1][column] / rows[0][column]

    def time_ratio(self, kind: str, over: str) -> float:
        """Step time of one kind over another's, the median over all depths of one run."""
        pairs = zip(self.of(kind), self.of(over), strict=True)
        return statistics.median(a["step_s"] / b["step_s"] for a, b in pairs)

    def largest_loss_difference(self) -> float:
        """Between reversible training and the same function with stored activations. [nats]"""
        by_kind = {
            kind: [r["loss"] for r in self.losses if r["kind"] == kind]
            for kind in ("reversible", "reversible-stored")
        }
        pairs = zip(by_kind["reversible"], by_kind["reversible-stored"], strict=True)
        return max((abs(a - b) for a, b in pairs), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "about": self.about,
            "stacks": self.stacks,
            "losses": self.losses,
            "precision": self.precision,
            "gradients": self.gradients,
        }

    def chart(self, name: str = "memory", *, title: str | None = None) -> Chart:
        """Draw ``memory``, ``time``, ``losses``, ``precision`` or ``gradients``."""
        from ridgeline.charts.mixing import reversible_chart  # noqa: PLC0415  (only when drawn)

        return reversible_chart(self.to_dict(), name, title=title)


def device_of(name: str) -> torch.device:
    """``auto`` is the GPU where there is one.

    Raises
    ------
    SpecError   There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(
            f"There is no device {name!r} here: {reason} Choose auto, cpu, cuda or cuda:1."
        ) from None
    return device


def measure(
    depths: Iterable[int] = (2, 4, 8, 16, 32, 48),
    *,
    shape: Shape | None = None,
    device: str = "auto",
    n_steps: int = 200,
    repeats: int = 3,
    precision_depths: Iterable[int] = (1, 2, 4, 8, 16, 32),
    progress: Callable[[str, int, int], None] = _silent,
) -> Measurement:
    """Measure stacks of every kind at every depth, train the small GPT, and undo random nets.

    Parameters
    ----------
    depths : iterable of int           Numbers of blocks.
    shape : Shape or None              Of blocks and step; None: 4 x 128 tokens, width 128.
    device : str                       ``auto``, ``cpu``, ``cuda``...
    n_steps : int                      Of training, for the losses; 0: none.
    repeats : int                      Timed steps a kind and depth, by turns, and up to ten times
                                       as many of short ones; the fastest counts.
    precision_depths : iterable of int Numbers of blocks to undo; empty: none.
    progress : callable                Told what is done: words, done, of.

    Returns
    -------
    Measurement

    Notes
    -----
    Bytes are those of one step in fp32 beyond parameters, their gradients and the input, which
    exist beforehand: ``alive_bytes`` at the end of the forward pass, ``peak_bytes`` over the whole
    step; by the allocator on a GPU, by storages elsewhere (`LiveBytes`).
    """
    shape = shape or Shape()
    depths = _depths(depths)
    where = device_of(device)
    stacks = []
    for i, n in enumerate(depths):
        progress("memory and time", i, len(depths))
        stacks += _measured_depth(n, shape, where, repeats)
    losses = _losses(n_steps, where, progress)
    depths_back = _depths(precision_depths, allow_none=True)
    progress("precision", 0, 1)
    rows_back = reconstruction_errors(depths_back, device=where)
    gradients = gradient_errors(depths_back, device=where)
    progress("precision", 1, 1)
    return Measurement(stacks, losses, rows_back, gradients, _about(shape, where, repeats))


def _depths(depths: Iterable[int], *, allow_none: bool = False) -> list[int]:
    found = sorted(set(depths))
    if (not found and not allow_none) or any(n < 1 for n in found):
        raise SpecError(f"Depths {found}: one or more numbers of blocks from 1 are expected.")
    return found


def _measured_depth(
    n: int, shape: Shape, device: torch.device, repeats: int
) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    stacks = _stacks(n, shape, device)
    x = torch.randn(shape.batch, shape.n_context, shape.d_model, device=device)
    rows = [_memory_row(n, kind, stack, x, shape) for kind, stack in stacks.items()]
    times = _times(stacks, x, repeats)
    for row in rows:
        row["step_s"] = min(times[row["kind"]])
        row["step_over_standard"] = row["step_s"] / min(times["standard"])
        n_forwards = 1 if row["kind"] == "standard" else 2
        row["predicted_step_over_standard"] = float(laws.step_time_ratio(n_forwards))
    return rows


def _times(stacks: dict[str, nn.Module], x: torch.Tensor, repeats: int) -> dict[str, list[float]]:
    """Steps by turns, so that whatever else the machine does meets all kinds alike."""
    times: dict[str, list[float]] = {kind: [] for kind in stacks}
    turns = 0
    while turns < repeats or (sum(times["standard"]) < _LEAST_S and turns < _MOST_TURNS * repeats):
        for kind, stack in stacks.items():
            times[kind].append(_timed_step(stack, x))
        turns += 1
    return times


def _segment(n: int, shape: Shape) -> int:
    best = float(laws.best_segment_layers(n, shape.block_bytes, shape.stream_bytes))
    return max(1, round(best))


def _stacks(n: int, shape: Shape, device: torch.device) -> dict[str, nn.Module]:
    """Every kind, of the same blocks: their weights and gradients take memory once."""
    with device:
        blocks: list[nn.Module] = [
            PreNormBlock(shape.d_model, shape.n_heads, 4 * shape.d_model) for _ in range(n)
        ]
    return {kind: stack_of(blocks, kind, per_segment=_segment(n, shape)) for kind in MEASURED}


def _step(stack: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """Run the forward pass and return the backward pass."""
    y = stack(x)
    return lambda: y.backward(torch.ones_like(y))


def _memory_row(
    n: int, kind: str, stack: nn.Module, x: torch.Tensor, shape: Shape
) -> dict[str, Any]:
    x = x.detach().requires_grad_()
    _step(stack, x)()  # gradients exist from here on, workspaces too
    with metered(x.device) as meter:
        backward = _step(stack, x)
        alive = meter.alive_bytes()
        backward()
        peak = meter.peak_bytes()
    predicted_alive, predicted_peak = _predicted(n, kind, shape, stack)
    return {
        "kind": kind,
        "n_blocks": n,
        "alive_bytes": alive,
        "predicted_alive_bytes": int(predicted_alive),
        "peak_bytes": peak,
        "predicted_peak_bytes": int(predicted_peak),
    }


def _predicted(n: int, kind: str, shape: Shape, stack: nn.Module) -> tuple[float, float]:
    stream, block = shape.stream_bytes, shape.block_bytes
    if kind == "standard":
        stored = laws.standard_activation_bytes(n, block)
        return stored, stored
    if isinstance(stack, StandardStack) and stack.per_segment is not None:
        k = stack.per_segment
        return (
            laws.checkpointed_activation_bytes(n, k, stream),
            laws.checkpointed_peak_bytes(n, k, block, stream),
        )
    return (
        laws.reversible_activation_bytes(n, stream, 3),
        laws.reversible_peak_bytes(n, shape.feedforward_bytes, stream),
    )


def _timed_step(stack: nn.Module, x: torch.Tensor) -> float:
    def synchronize() -> None:
        if x.device.type == "cuda":
            torch.cuda.synchronize(x.device)

    synchronize()
    start = time.perf_counter()
    _step(stack, x)()
    synchronize()
    return time.perf_counter() - start


def _losses(
    n_steps: int, device: torch.device, progress: Callable[[str, int, int], None]
) -> list[dict[str, Any]]:
    rows = []
    for kind in KINDS if n_steps else ():
        curve = loss_curve(
            kind,  # pyright: ignore[reportArgumentType]
            n_steps=n_steps,
            device=device,
            on_step=lambda done, kind=kind: progress(f"training {kind}", done, n_steps),
        )
        rows += [{"kind": kind, "step": i, "loss": float(v)} for i, v in enumerate(curve)]
    return rows


def _about(shape: Shape, device: torch.device, repeats: int) -> dict[str, Any]:
    is_gpu = device.type == "cuda"
    return {
        "d_model": shape.d_model,
        "n_heads": shape.n_heads,
        "n_context": shape.n_context,
        "batch": shape.batch,
        "stream_bytes": shape.stream_bytes,
        "block_bytes": shape.block_bytes,
        "device": torch.cuda.get_device_name(device) if is_gpu else "CPU",
        "n_threads": None if is_gpu else torch.get_num_threads(),
        "repeats": repeats,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "memory_method": "allocator" if is_gpu else "live storages",
    }
