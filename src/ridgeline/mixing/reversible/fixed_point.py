# pyright: reportMissingImports=false
"""The integer form: the halves are 64-bit integers, sums wrap, and the inverse is exact to the bit.

As in a cipher, addition modulo 2^64 can be undone whatever was added, overflow included; only what
is added comes from floating point, in any precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ridgeline.errors import SpecError
from ridgeline.mixing.reversible.arguments import taken_apart
from ridgeline.mixing.reversible.rounds import delta

if TYPE_CHECKING:
    from ridgeline.mixing.reversible.rounds import Pair, Round
    from ridgeline.mixing.reversible.sequence import ReversibleSequence

__all__ = ["fixed_point_forward", "fixed_point_inverse", "from_fixed", "to_fixed"]


def to_fixed(x: torch.Tensor, fraction_bits: int) -> torch.Tensor:
    """Nearest multiples of 2^-fraction_bits, as int64.

    Examples
    --------
    >>> to_fixed(torch.tensor([0.5, -0.3]), 4)
    tensor([ 8, -5])
    """
    return torch.round(x.double() * 2.0**fraction_bits).to(torch.int64)


def from_fixed(n: torch.Tensor, fraction_bits: int, dtype: torch.dtype) -> torch.Tensor:
    """Integers back to floats: n 2^-fraction_bits.

    Examples
    --------
    >>> from_fixed(torch.tensor([8, -5]), 4, torch.float32)
    tensor([ 0.5000, -0.3125])
    """
    return (n.double() * 2.0**-fraction_bits).to(dtype)


def fixed_point_forward(
    sequence: ReversibleSequence, pair: Pair, *, fraction_bits: int, dtype: torch.dtype
) -> Pair:
    """Run a sequence on integer halves, without gradients.

    Parameters
    ----------
    sequence : ReversibleSequence   Its functions run in `dtype`.
    pair : two int64 tensors        In units of 2^-fraction_bits, from `to_fixed`.
    fraction_bits : int             Bits after the binary point. [bit]
    dtype : torch.dtype             In which the functions are computed: bfloat16 is as exact as
                                    any, for the inverse.

    Returns
    -------
    two int64 tensors

    References
    ----------
    Derived: Z / 2^64 is a group, so x -> x + d has the inverse y -> y - d for every d.
    """
    _check_integers(pair)
    with torch.no_grad():
        for r in sequence.rounds():
            a, b = (pair[1], pair[0]) if r.swap_in else pair
            pair = (b + _added(r, a, fraction_bits, dtype), a)
            pair = (pair[1], pair[0]) if r.swap_out else pair
    return pair


def fixed_point_inverse(
    sequence: ReversibleSequence, pair: Pair, *, fraction_bits: int, dtype: torch.dtype
) -> Pair:
    """Undo `fixed_point_forward`: the very integers that went in."""
    _check_integers(pair)
    with torch.no_grad():
        for r in reversed(sequence.rounds()):
            c, a = (pair[1], pair[0]) if r.swap_out else pair
            pair = (a, c - _added(r, a, fraction_bits, dtype))
            pair = (pair[1], pair[0]) if r.swap_in else pair
    return pair


def _added(r: Round, a: torch.Tensor, fraction_bits: int, dtype: torch.dtype) -> torch.Tensor:
    arguments, extras = taken_apart((), {})
    return to_fixed(
        delta(r, from_fixed(a, fraction_bits, dtype), extras, arguments, None), fraction_bits
    )


def _check_integers(pair: Pair) -> None:
    for half in pair:
        if half.dtype != torch.int64:
            raise SpecError(f"Integer halves are int64, not {half.dtype}. Convert with to_fixed.")
