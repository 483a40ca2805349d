# pyright: reportMissingImports=false
"""A stack of reversible layers that keeps its output and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.mixing.reversible.arguments import taken_apart
from ridgeline.mixing.reversible.blocks import HasRounds, check_halves
from ridgeline.mixing.reversible.grid import check_grid, on_grid
from ridgeline.mixing.reversible.rounds import (
    Call,
    Pair,
    Round,
    Tape,
    reversible_round,
    stored_round,
    undone_round,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ReversibleSequence"]


class ReversibleSequence(nn.Module):
    """Reversible layers one after the other; the backward pass reconstructs every input.

    A drop-in module: one tensor in, split into halves along `split_dim`, and one out; or a pair in
    and a pair out. Further positional and keyword arguments go to every layer, tensors among them
    get gradients. Randomness, autocast and batch statistics are replayed as they were.

    Parameters
    ----------
    layers : iterable          `ReversibleBlock` and `FeistelLayer`, mixed as you like.
    split_dim : int            Dimension that is halved; the pair's halves keep their shape.
    store_activations : bool   True computes the same function with stored activations, to compare.
    fraction_bits : int        Round what is added to multiples of 2^-fraction_bits, so that sums
                               are exact and inputs come back to the bit; gradients pass through the
                               rounding. Needs fp32 or fp64 halves within 2^(24 or 53 -
                               fraction_bits), which is checked. None: plain floats.
    keeps_random : bool        False spares two reads of the generator's state a round; for
                               functions that draw nothing.

    Raises
    ------
    SpecError   At the call, for halves that differ, functions that change shape or write in place,
                keywords nobody takes; in the backward pass, if what it needs was overwritten.

    Notes
    -----
    The backward pass computes each function once more: 8 N D FLOPs where 6 N D are usual. Second
    derivatives are refused. Under `torch.compile` the stack itself runs uncompiled, a graph break;
    `compile_functions` compiles what is inside. Functions must give the same output when run again
    on the same input; reading what other code changes in between breaks that.

    References
    ----------
    .. [1] Gomez, Ren, Urtasun and Grosse, "The Reversible Residual Network", 2017, algorithm 1.

    Examples
    --------
    >>> from ridgeline.mixing.reversible import FeistelLayer
    >>> stack = ReversibleSequence([FeistelLayer(nn.Tanh()) for _ in range(100)])
    >>> x = torch.linspace(-1, 1, 6, dtype=torch.float64)
    >>> bool(torch.allclose(stack.inverse(stack(x)), x, atol=1e-12))
    True
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        *,
        split_dim: int = -1,
        store_activations: bool = False,
        fraction_bits: int | None = None,
        keeps_random: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.split_dim = split_dim
        self.store_activations = store_activations
        self.fraction_bits = fraction_bits
        self.keeps_random = keeps_random
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, HasRounds):
                raise SpecError(
                    f"layers[{i}] is {type(layer).__name__}; ReversibleBlock or FeistelLayer is "
                    "expected. Wrap a module that keeps its input's shape in FeistelLayer."
                )

    def rounds(self) -> tuple[Round, ...]:
        """All Feistel rounds in the order of the forward pass."""
        named = ((f"layers[{i}]", layer) for i, layer in enumerate(self.layers))
        return tuple(r for name, layer in named for r in layer.rounds(name))  # pyright: ignore

    def compile_functions(self, **options: Any) -> ReversibleSequence:
        """Compile each function in place; `options` are those of `torch.compile`."""
        for r in self.rounds():
            r.function.compile(**options)
        return self

    def forward(self, x: torch.Tensor | Pair, *args: Any, **kwargs: Any) -> Any:
        """Output of the stack, in the form of its input."""
        pair = self._halves(x)
        pair = (on_grid(pair[0], self.fraction_bits), on_grid(pair[1], self.fraction_bits))
        run: Any = self._run  # the decorator hides its parameters
        pair = run(pair, args, kwargs)
        self._check_range(pair)
        return torch.cat(pair, self.split_dim) if isinstance(x, torch.Tensor) else pair

    def inverse(self, y: torch.Tensor | Pair, *args: Any, **kwargs: Any) -> Any:
        """Input of the stack from its output, up to rounding (exactly, with `fraction_bits`).

        For functions that draw no random numbers, or in eval mode.
        """
        pair = self._halves(y)
        rounds = self.rounds()
        self._check_keywords(rounds, kwargs)
        arguments, extras = taken_apart(args, kwargs)
        for r in reversed(rounds):
            pair = undone_round(r, pair, extras, arguments, self.fraction_bits)
        return torch.cat(pair, self.split_dim) if isinstance(y, torch.Tensor) else pair

    @torch.compiler.disable
    def _run(self, pair: Pair, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pair:
        rounds = self.rounds()
        self._check_keywords(rounds, kwargs)
        arguments, extras = taken_apart(args, kwargs)
        if self.store_activations or not torch.is_grad_enabled():
            for r in rounds:
                pair = stored_round(r, pair, extras, arguments, self.fraction_bits)
            return pair
        tape = Tape()
        for i, r in enumerate(rounds):
            is_last = i == len(rounds) - 1
            call = Call(r, arguments, len(extras), self.fraction_bits, self.keeps_random, is_last)
            pair = reversible_round(call, tape, pair, extras)
        return pair

    def _halves(self, x: Any) -> Pair:
        if isinstance(x, torch.Tensor):
            size = x.shape[self.split_dim] if x.dim() else 1
            if size % 2:
                raise SpecError(
                    f"Dimension {self.split_dim} of shape {tuple(x.shape)} has odd length {size}; "
                    "two halves are needed. Pad it, choose another split_dim, or give a pair."
                )
            x = torch.chunk(x, 2, self.split_dim)
        if not (isinstance(x, tuple | list) and len(x) == 2):
            raise SpecError(f"A tensor or a pair of tensors is expected, not {type(x).__name__}.")
        check_halves(x[0], x[1])
        self._check_dtype(x[0].dtype)
        return x[0], x[1]

    def _check_dtype(self, dtype: torch.dtype) -> None:
        if self.fraction_bits is not None and dtype not in (torch.float32, torch.float64):
            raise SpecError(
                f"fraction_bits needs halves in float32 or float64, not {dtype}: the grid must fit "
                "into the significand. Keep the halves in float32 and run the functions under "
                "autocast."
            )

    def _check_range(self, pair: Pair) -> None:
        if self.fraction_bits is not None:
            for name, half in zip(("first", "second"), pair, strict=True):
                check_grid(half, self.fraction_bits, f"The {name} half of the output")

    def _check_keywords(self, rounds: tuple[Round, ...], kwargs: dict[str, Any]) -> None:
        known = [r.keywords for r in rounds]
        if not rounds or None in known:
            return
        names = frozenset().union(*(k for k in known if k is not None))
        for name in kwargs:
            if name not in names:
                raise SpecError(
                    f"No layer takes the keyword {name!r}.{did_you_mean(name, names)} Name it in "
                    "f_keywords, g_keywords or keywords of the layers that do."
                )
