# pyright: reportMissingImports=false
"""The layers: the published two-function block and the lecture's one-function form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import nn

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible.arguments import taken_apart
from ridgeline.mixing.reversible.rounds import Pair, Round, stored_round, undone_round

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FeistelLayer", "HasRounds", "ReversibleBlock", "check_halves"]


@runtime_checkable
class HasRounds(Protocol):
    """What a reversible sequence is made of."""

    def rounds(self, name: str) -> tuple[Round, ...]:
        """Feistel rounds in the order of the forward pass."""
        ...


def check_halves(first: Any, second: Any) -> None:
    """Refuse a pair that cannot be added to each other.

    Raises
    ------
    SpecError   Not floating-point tensors of one shape, dtype and device.
    """
    for name, half in (("first", first), ("second", second)):
        if not (isinstance(half, torch.Tensor) and half.is_floating_point()):
            kind = half.dtype if isinstance(half, torch.Tensor) else type(half).__name__
            raise SpecError(f"The {name} half is {kind}; a floating-point tensor is expected.")
    for what in ("shape", "dtype", "device"):
        a, b = getattr(first, what), getattr(second, what)
        if a != b:
            a, b = (tuple(a), tuple(b)) if what == "shape" else (a, b)
            raise SpecError(
                f"The halves differ in {what}: {a} and {b}. A reversible layer adds one half's "
                "function to the other; give two halves that are alike."
            )


def _keywords(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _run(layer: HasRounds, step: Any, pair: Pair, args: Any, kwargs: Any, order: int) -> Pair:
    check_halves(*pair)
    arguments, extras = taken_apart(args, kwargs)
    for r in layer.rounds(type(layer).__name__)[::order]:
        pair = step(r, pair, extras, arguments, None)
    return pair


class ReversibleBlock(nn.Module):
    r"""The reversible residual block: two submodules, each added to the other's half.

    .. math:: y_1 = x_1 + F(x_2), \qquad y_2 = x_2 + G(y_1)

    with the inverse x2 = y2 - G(y1), x1 = y1 - F(x2). Called by itself it stores activations as any
    module does; `ReversibleSequence` is what does without.

    Parameters
    ----------
    f, g : nn.Module                 Any modules that keep their input's shape.
    f_keywords, g_keywords : names   Which keyword arguments of a call each takes, such as
                                     ``["mask"]`` for attention and ``[]`` for a feed-forward
                                     layer; None: all. Extra positional arguments go to both.

    References
    ----------
    .. [1] Gomez, Ren, Urtasun and Grosse, "The Reversible Residual Network", 2017, eq. 6 to 8.

    Examples
    --------
    >>> block = ReversibleBlock(nn.Identity(), nn.Identity())
    >>> block(torch.tensor([1.0]), torch.tensor([2.0]))  # 1 + 2, then 2 + 3
    (tensor([3.]), tensor([5.]))
    >>> block.inverse(torch.tensor([3.0]), torch.tensor([5.0]))
    (tensor([1.]), tensor([2.]))
    """

    def __init__(
        self,
        f: nn.Module,
        g: nn.Module,
        *,
        f_keywords: Iterable[str] | None = None,
        g_keywords: Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        self.f, self.g = f, g
        self.f_keywords, self.g_keywords = _keywords(f_keywords), _keywords(g_keywords)

    def rounds(self, name: str) -> tuple[Round, ...]:
        """F reads the second half and G the first: two Feistel rounds."""
        return (
            Round(self.f, f"{name}.f", self.f_keywords, swap_in=True),
            Round(self.g, f"{name}.g", self.g_keywords, swap_out=True),
        )

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, *args: Any, **kwargs: Any) -> Pair:
        """(y1, y2) of (x1, x2)."""
        return _run(self, stored_round, (x1, x2), args, kwargs, 1)

    def inverse(self, y1: torch.Tensor, y2: torch.Tensor, *args: Any, **kwargs: Any) -> Pair:
        """(x1, x2) of (y1, y2), up to rounding; for functions that draw no random numbers."""
        return _run(self, undone_round, (y1, y2), args, kwargs, -1)


class FeistelLayer(nn.Module):
    r"""The lecture's one-function form: a residual connection from two layers back.

    .. math:: (x, y) \to (y + f(x),\; x)

    Unrolled, layer n + 1 is layer n - 1 plus f of layer n. It is a round of a Feistel cipher with
    addition in the place of exclusive or.

    Parameters
    ----------
    f : nn.Module      Any module that keeps its input's shape.
    keywords : names   Which keyword arguments of a call f takes; None: all.

    References
    ----------
    .. [1] The lecture, ch. 7 (claims C7-02 and C7-03).

    Examples
    --------
    >>> layer = FeistelLayer(nn.Identity())
    >>> layer(torch.tensor([1.0]), torch.tensor([2.0]))
    (tensor([3.]), tensor([1.]))
    """

    def __init__(self, f: nn.Module, *, keywords: Iterable[str] | None = None) -> None:
        super().__init__()
        self.f = f
        self.keywords = _keywords(keywords)

    def rounds(self, name: str) -> tuple[Round, ...]:
        """One Feistel round."""
        return (Round(self.f, f"{name}.f", self.keywords),)

    def forward(self, x: torch.Tensor, y: torch.Tensor, *args: Any, **kwargs: Any) -> Pair:
        """(y + f(x), x)."""
        return _run(self, stored_round, (x, y), args, kwargs, 1)

    def inverse(self, x: torch.Tensor, y: torch.Tensor, *args: Any, **kwargs: Any) -> Pair:
        """(x, y) of a layer's outputs, up to rounding; for functions without random numbers."""
        return _run(self, undone_round, (x, y), args, kwargs, -1)
