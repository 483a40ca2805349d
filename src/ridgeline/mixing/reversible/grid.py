# pyright: reportMissingImports=false
"""Fixed-point numbers inside floats: sums of them are exact, so a layer undoes to the bit."""

from __future__ import annotations

from typing import Any

import torch

from ridgeline.errors import SpecError

__all__ = ["check_grid", "on_grid"]


class _Rounded(torch.autograd.Function):
    """Round to a multiple of 2^-bits; the gradient passes straight through."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, bits: int) -> torch.Tensor:
        return torch.round(x * 2.0**bits) * 2.0**-bits

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grads[0], None


def on_grid(x: torch.Tensor, fraction_bits: int | None) -> torch.Tensor:
    """Round to multiples of 2^-fraction_bits; None leaves the tensor as it is.

    Examples
    --------
    >>> on_grid(torch.tensor([0.3, -0.7]), 2)
    tensor([ 0.2500, -0.7500])
    """
    return x if fraction_bits is None else _Rounded.apply(x, fraction_bits)


def check_grid(x: torch.Tensor, fraction_bits: int, where: str) -> None:
    """Refuse numbers so large that sums of them are rounded off the grid.

    A float with p bits of significand holds every multiple of 2^-s up to 2^(p - s).

    Raises
    ------
    SpecError   A value is beyond that range, or not finite.
    """
    precision = round(1 - torch.log2(torch.tensor(torch.finfo(x.dtype).eps)).item())
    limit = 2.0 ** (precision - fraction_bits)
    largest = x.detach().abs().amax().item() if x.numel() else 0.0
    if not largest <= limit:
        raise SpecError(
            f"{where} holds {largest:.3g}; with fraction_bits={fraction_bits} in "
            f"{str(x.dtype).removeprefix('torch.')} sums are exact up to {limit:.3g}. "
            "Use fewer fraction bits or a wider dtype."
        )
