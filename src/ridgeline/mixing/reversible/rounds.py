# pyright: reportMissingImports=false
"""The Feistel round, the atom of every reversible layer, and its gradient without stored inputs.

A round takes a pair (a, b) to (b + f(a), a). Given the outcome, a is there to read and
b = outcome - f(a): nothing is asked of f, which need not be invertible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible.grid import on_grid
from ridgeline.mixing.reversible.replay import (
    Replay,
    autocast_state,
    drawn,
    random_state,
    uncached_autocast,
)

if TYPE_CHECKING:
    from torch import nn

    from ridgeline.mixing.reversible.arguments import Arguments

__all__ = ["Pair", "Round", "reversible_round", "stored_round", "undone_round"]

Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Round:
    """One application of f within a layer.

    Attributes
    ----------
    function : nn.Module          f.
    name : str                    For messages: ``blocks[3].f``.
    keywords : frozenset or None  Which keyword arguments f takes; None: all.
    swap_in, swap_out : bool      Read or leave the pair the other way round.
    """

    function: nn.Module
    name: str
    keywords: frozenset[str] | None = None
    swap_in: bool = False
    swap_out: bool = False


@dataclass(slots=True)
class Tape:
    """The pair that the backward pass has got back to; one a forward pass."""

    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """All of a round's call but its tensors."""

    round: Round
    arguments: Arguments
    n_extras: int
    fraction_bits: int | None
    keeps_random: bool
    is_last: bool


def _swapped(pair: Pair, swap: bool) -> Pair:
    return (pair[1], pair[0]) if swap else pair


def _changed(name: str, what: str) -> SpecError:
    return SpecError(
        f"{name} changed {what} in place; a reversible layer needs it unchanged. "
        "Use the out-of-place form: inplace=False, x = x + y instead of x += y."
    )


def delta(
    r: Round,
    a: torch.Tensor,
    extras: tuple[torch.Tensor, ...],
    arguments: Arguments,
    fraction_bits: int | None,
) -> torch.Tensor:
    """f(a) in the dtype of the stream and on the grid, if there is one; checked.

    Raises
    ------
    SpecError   f changed its input in place, or gives another shape than it took.
    """
    args, kwargs = arguments.filled(extras, r.keywords)
    version = None if a.is_inference() else a._version
    try:
        z = r.function(a, *args, **kwargs)
    except RuntimeError as error:
        if "leaf Variable that requires grad is being used in an in-place" in str(error):
            raise _changed(r.name, "its input") from error
        raise
    if version is not None and a._version != version:
        raise _changed(r.name, "its input")
    if not isinstance(z, torch.Tensor):
        raise SpecError(
            f"{r.name} returned {type(z).__name__}; one tensor of its input's shape is expected. "
            "Wrap it in a module that returns only the tensor to add."
        )
    if z.shape != a.shape:
        raise SpecError(
            f"{r.name} turned shape {tuple(a.shape)} into {tuple(z.shape)}; a reversible layer "
            "adds it to the other half, so the shape must stay. Project back inside the module."
        )
    return on_grid(z.to(a.dtype), fraction_bits)


def stored_round(
    r: Round, pair: Pair, extras: tuple[torch.Tensor, ...], arguments: Arguments, bits: int | None
) -> Pair:
    """Apply a round as any layer is: autograd stores what it wants."""
    a, b = _swapped(pair, r.swap_in)
    with uncached_autocast(autocast_state(a.device)):
        c = b + delta(r, a, extras, arguments, bits)
    return _swapped((c, a), r.swap_out)


def undone_round(
    r: Round, pair: Pair, extras: tuple[torch.Tensor, ...], arguments: Arguments, bits: int | None
) -> Pair:
    """Inputs of a round from its outputs."""
    c, a = _swapped(pair, r.swap_out)
    with uncached_autocast(autocast_state(a.device)):
        b = c - delta(r, a, extras, arguments, bits)
    return _swapped((a, b), r.swap_in)


def reversible_round(call: Call, tape: Tape, pair: Pair, extras: tuple[torch.Tensor, ...]) -> Pair:
    """Apply a round and keep neither its input nor anything f computed."""
    parameters = tuple(p for p in call.round.function.parameters() if p.requires_grad)
    return _ReversibleRound.apply(call, tape, parameters, *pair, *extras, *parameters)


def _leaf(tensor: torch.Tensor, needs_grad: bool) -> torch.Tensor:
    return tensor.detach().requires_grad_(needs_grad and tensor.is_floating_point())


class _ReversibleRound(torch.autograd.Function):
    """Autograd's view of a round.

    Parameters are inputs, so that every way to ask for gradients, hooks and data-parallel wrappers
    included, finds them where they always are.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, tape: Tape, parameters: Any, *tensors: torch.Tensor) -> Pair:
        r, n = call.round, call.n_extras
        a, b = _swapped((tensors[0], tensors[1]), r.swap_in)
        extras = tensors[2 : 2 + n]
        autocast = autocast_state(a.device)
        before = random_state(a.device) if call.keeps_random else None
        # With a graph that is dropped at once: f then takes the very kernels that it will take
        # when replayed, and rounds alike.
        with torch.enable_grad(), uncached_autocast(autocast):
            z = delta(r, _leaf(a, True), extras, call.arguments, call.fraction_bits).detach()
        c = b + z
        if before is not None and not drawn(before, a.device):
            before = None
        ctx.call, ctx.tape, ctx.parameters = call, tape, parameters
        ctx.replay = Replay(a.device, before, autocast, r.function.training)
        out = _swapped((c, a), r.swap_out)
        # Saving costs no memory for tensors that live anyway, and has autograd watch them.
        ctx.save_for_backward(*extras, *parameters, *(out if call.is_last else ()))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[Any, ...]:  # pyright: ignore
        call: Call = ctx.call
        r, tape = call.round, ctx.tape
        saved = _saved(ctx)
        if call.is_last:
            tape.pair = saved[-2], saved[-1]
        c, a = _swapped(tape.pair, r.swap_out)
        grad_c, grad_a = _swapped((grads[0], grads[1]), r.swap_out)
        needs = ctx.needs_input_grad[3:]
        extras = tuple(
            _leaf(t, need)
            for t, need in zip(saved[: call.n_extras], needs[2 : 2 + call.n_extras], strict=True)
        )
        a_leaf = _leaf(a, True)
        _check_mode(ctx)
        with torch.enable_grad(), ctx.replay.restored(r.function):
            z = delta(r, a_leaf, extras, call.arguments, call.fraction_bits)
        tape.pair = _swapped((a, c - z.detach()), r.swap_in)
        inputs = (a_leaf, *extras, *ctx.parameters)
        through = _gradients(z, inputs, grad_c)
        grad_a = grad_a if through[0] is None else grad_a + through[0]
        pair = _swapped((grad_a, grad_c), r.swap_in)
        return (None, None, None, *pair, *through[1:])


def _saved(ctx: Any) -> tuple[torch.Tensor, ...]:
    try:
        return ctx.saved_tensors
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        what = "a parameter, an extra input or the output of the sequence"
        raise SpecError(
            f"{ctx.call.round.name}: {what} was changed in place between the forward and the "
            "backward pass, so the inputs cannot be reconstructed. Use the out-of-place form, and "
            "step the optimizer after backward()."
        ) from error


def _check_mode(ctx: Any) -> None:
    r: Round = ctx.call.round
    if r.function.training != ctx.replay.training:
        modes = ("eval", "train")
        raise SpecError(
            f"{r.name} was in {modes[ctx.replay.training]} mode in the forward pass and is in "
            f"{modes[r.function.training]} mode in the backward pass, which would replay another "
            "function. Call backward() before you change the mode."
        )


def _gradients(
    z: torch.Tensor, inputs: tuple[torch.Tensor, ...], grad: torch.Tensor
) -> tuple[torch.Tensor | None, ...]:
    """Vector-Jacobian products for the inputs that need one; None for the others."""
    wanted = [i for i, t in enumerate(inputs) if t.requires_grad]
    found: list[torch.Tensor | None] = [None] * len(inputs)
    if z.requires_grad and wanted:
        parts = torch.autograd.grad(z, [inputs[i] for i in wanted], grad, allow_unused=True)
        for i, part in zip(wanted, parts, strict=True):
            found[i] = part
    return tuple(found)
