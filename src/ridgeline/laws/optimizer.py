r"""What optimizers keep of a parameter, and read and write of it in a step."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["OPTIMIZERS", "Optimizer", "newton_schulz_flops_per_param", "update_bytes_per_param"]

_FP32_BYTES = 4
#: matrix iterations that make a gradient orthogonal
_ITERATIONS = 5


class Optimizer(NamedTuple):
    """An optimizer's memory of one parameter.

    Attributes
    ----------
    state_bytes : float   Besides weight, master copy and gradient. [bytes]
    orthogonal : bool     It multiplies whole matrices by themselves.
    """

    state_bytes: float
    orthogonal: bool = False


#: AdamW: two moments of 4 bytes (of 1 with scales for 256 values); Adafactor: a row and a column a
#: matrix, which is nothing beside it, no first moment; Muon, SGD: one moment
OPTIMIZERS: dict[str, Optimizer] = {
    "adamw": Optimizer(8.0),
    "adamw-8bit": Optimizer(2 + 2 * 4 / 256),
    "adafactor": Optimizer(0.0),
    "muon": Optimizer(4.0, orthogonal=True),
    "sgd": Optimizer(4.0),
}


def update_bytes_per_param(
    state_bytes: Any, gradient_bytes: Any, weight_bytes: Any, master: bool
) -> Any:
    r"""Bytes an optimizer's pass moves for one parameter.

    .. math:: g + 2 \cdot 4 + 2 s + [\text{master}]\,w

    Parameters
    ----------
    state_bytes : array      s, read and written. [bytes]
    gradient_bytes : array   g, read. [bytes]
    weight_bytes : array     w, written where a master copy of 4 bytes is kept beside. [bytes]
    master : bool            Else weights of 4 bytes are all there is.

    Returns
    -------
    array   [bytes]

    References
    ----------
    .. [1] Derived.

    Examples
    --------
    AdamW with gradients of 4 bytes and weights of 2:

    >>> update_bytes_per_param(8.0, 4.0, 2.0, True)
    30.0
    """
    return gradient_bytes + 2 * _FP32_BYTES + 2 * state_bytes + weight_bytes * master


def newton_schulz_flops_per_param(smaller_side: Any) -> Any:
    r"""FLOPs at most that Muon spends on one parameter of a matrix.

    .. math:: 5\,(4 m + 2 m^2 / n) \le 30\,m

    Parameters
    ----------
    smaller_side : array   m, of a matrix m x n. [1]

    Returns
    -------
    array   [FLOP]

    References
    ----------
    .. [1] K. Jordan, "Muon: an optimizer for hidden layers", 2024: five iterations of
       X <- a X + (b A + c A A) X with A = X X^T.

    Examples
    --------
    >>> newton_schulz_flops_per_param(4096.0)
    122880.0
    """
    return _ITERATIONS * 6 * smaller_side
