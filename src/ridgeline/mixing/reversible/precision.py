# pyright: reportMissingImports=false
"""How well inputs come back, and what that does to gradients, by precision and depth."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ridgeline.laws.reversible import reconstruction_error
from ridgeline.mixing.reversible.fixed_point import (
    fixed_point_forward,
    fixed_point_inverse,
    to_fixed,
)
from ridgeline.mixing.reversible.gpt import PreNormBlock, stack_of
from ridgeline.mixing.reversible.grid import on_grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ridgeline.mixing.reversible.adapter import ReversibleStack
    from ridgeline.mixing.reversible.rounds import Pair

__all__ = ["ARITHMETICS", "gradient_errors", "reconstruction_errors"]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Precision of the stream between layers, and of the functions."""

    stream: torch.dtype
    functions: torch.dtype
    fraction_bits: int | None = None

    @property
    def unit_roundoff(self) -> float:
        """Half the machine epsilon of the stream; 0 where sums are exact."""
        return 0.0 if self.fraction_bits else torch.finfo(self.stream).eps / 2


#: name in every table and picture -> what it is
ARITHMETICS: dict[str, Arithmetic] = {
    "fp64": Arithmetic(torch.float64, torch.float64),
    "fp32": Arithmetic(torch.float32, torch.float32),
    "bf16": Arithmetic(torch.bfloat16, torch.bfloat16),
    "fp32 stream, bf16 functions": Arithmetic(torch.float32, torch.bfloat16),
    "fixed point, bf16 functions": Arithmetic(torch.float32, torch.bfloat16, 16),
}

#: the integer form, and its bits after the binary point
_INTEGERS, _INTEGER_BITS = "int64, bf16 functions", 32


def _stack(
    n_blocks: int, kind: str, d_model: int, how: Arithmetic, seed: int, branch_scale: float = 1.0
) -> ReversibleStack:
    torch.manual_seed(seed)
    blocks: list[Any] = [
        PreNormBlock(d_model, max(1, d_model // 32), 4 * d_model) for _ in range(n_blocks)
    ]
    with torch.no_grad():
        for block in blocks:
            for last in (block.attention.out, block.feedforward[3]):
                last.weight.mul_(branch_scale)
    stack: Any = stack_of(blocks, kind)
    stack.sequence.fraction_bits = how.fraction_bits
    return stack.to(how.stream)


def _autocast(how: Arithmetic, device: torch.device) -> Any:
    if how.functions == how.stream:
        return nullcontext()
    return torch.autocast(device.type, dtype=how.functions)


def _input(d_model: int, n_tokens: int, how: Arithmetic, seed: int) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed + 1)
    return torch.randn(1, n_tokens, d_model, generator=source, dtype=torch.float64).to(how.stream)


def _relative(got: torch.Tensor, true: torch.Tensor) -> float:
    got, true = got.detach().double(), true.detach().double()
    return (torch.linalg.vector_norm(got - true) / torch.linalg.vector_norm(true)).item()


def reconstruction_errors(
    depths: Iterable[int],
    *,
    d_model: int = 64,
    n_tokens: int = 64,
    branch_scale: float = 1.0,
    n_trials: int = 4,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Error of the input that comes back from a random reversible transformer.

    Parameters
    ----------
    depths : iterable of int   Numbers of blocks.
    d_model, n_tokens : int    Shape of the stream.
    branch_scale : float       Multiplies what each branch adds: 1 as initialised; more stands for
                               a trained net's steeper branches. [1]
    n_trials : int             Random nets and inputs, whose mean square is taken.
    device : torch.device
    seed : int                 Of weights and input.

    Returns
    -------
    list of dict   ``arithmetic``, ``n_blocks``, ``error`` (relative, root mean square),
                   ``predicted_error`` (`reconstruction_error` at gain 1), ``is_exact`` (to the
                   bit), the integer form among them.
    """
    device = torch.device(device)
    rows = []
    for n in depths:
        for name in (*ARITHMETICS, _INTEGERS):
            trials = [
                _trial(name, n, d_model, n_tokens, branch_scale, device, seed + i)
                for i in range(n_trials)
            ]
            errors = [_relative(half, true) for back, true in trials for half in back]
            how = ARITHMETICS.get(name)
            u = 0.0 if how is None else how.unit_roundoff
            rows.append(
                {
                    "arithmetic": name,
                    "n_blocks": n,
                    "error": math.hypot(*errors) / math.sqrt(len(errors)),
                    "predicted_error": float(reconstruction_error(u, 2 * n)),
                    "is_exact": all(torch.equal(h, true) for back, true in trials for h in back),
                }
            )
    return rows


def _trial(
    name: str,
    n: int,
    d_model: int,
    n_tokens: int,
    branch_scale: float,
    device: torch.device,
    seed: int,
) -> tuple[Pair, torch.Tensor]:
    """What comes back of an input, and the input."""
    how = ARITHMETICS.get(name, ARITHMETICS["bf16"])
    stack = _stack(n, "reversible", d_model, how, seed, branch_scale)
    sequence = stack.to(device).sequence
    if name == _INTEGERS:
        x = _input(d_model, n_tokens, ARITHMETICS["fp64"], seed).to(device)
        whole = to_fixed(x, _INTEGER_BITS)
        options: Any = {"fraction_bits": _INTEGER_BITS, "dtype": how.functions}
        pair = fixed_point_forward(sequence, (whole, whole), **options)
        return fixed_point_inverse(sequence, pair, **options), whole
    x = _input(d_model, n_tokens, how, seed).to(device)
    with torch.no_grad(), _autocast(how, device):
        back = sequence.inverse(sequence((x, x)))
    return back, on_grid(x, how.fraction_bits)


def gradient_errors(
    depths: Iterable[int],
    *,
    d_model: int = 64,
    n_tokens: int = 64,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> list[dict[str, Any]]:
    """What reconstruction does to gradients, beside what the precision itself does.

    Returns
    -------
    list of dict   ``arithmetic``, ``n_blocks``; ``from_reconstruction``: relative difference of all
                   parameters' gradients between the reversible stack and the same stack with stored
                   activations; ``from_precision``: between the latter and fp64.
    """
    device = torch.device(device)
    rows = []
    for n in depths:
        true = _gradient(
            n, "reversible-stored", d_model, n_tokens, ARITHMETICS["fp64"], device, seed
        )
        for name, how in ARITHMETICS.items():
            stored = _gradient(n, "reversible-stored", d_model, n_tokens, how, device, seed)
            back = _gradient(n, "reversible", d_model, n_tokens, how, device, seed)
            rows.append(
                {
                    "arithmetic": name,
                    "n_blocks": n,
                    "from_reconstruction": _relative(back, stored),
                    "from_precision": _relative(stored, true),
                }
            )
    return rows


def _gradient(
    n: int,
    kind: str,
    d_model: int,
    n_tokens: int,
    how: Arithmetic,
    device: torch.device,
    seed: int,
) -> torch.Tensor:
    stack = _stack(n, kind, d_model, how, seed).to(device)
    x = _input(d_model, n_tokens, how, seed).to(device)
    with _autocast(how, device):
        y = stack(x)
    # Against a fixed direction, so that no gradient vanishes by symmetry.
    (y * _input(d_model, n_tokens, how, seed + 7).to(device)).sum().backward()
    grads = [p.grad for p in stack.parameters() if p.grad is not None]
    return torch.cat([g.double().flatten() for g in grads])
