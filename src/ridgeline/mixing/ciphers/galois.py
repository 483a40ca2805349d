"""Arithmetic in GF(2^w): polynomials over GF(2), modulo an irreducible one."""

from __future__ import annotations

import numpy as np

__all__ = ["matrix_product", "multiply", "reciprocal"]


def multiply(a: np.ndarray, b: np.ndarray, modulus: int) -> np.ndarray:
    """Product, elementwise.

    Parameters
    ----------
    a, b : array of int   Elements, a bit a coefficient.
    modulus : int         The irreducible polynomial, of degree w.

    References
    ----------
    .. [1] FIPS 197, sec. 4.2.

    Examples
    --------
    >>> f"{int(multiply(np.array(0x57), np.array(0x83), 0x11B)):02x}"  # the standard's example
    'c1'
    """
    degree = modulus.bit_length() - 1
    out = np.zeros(np.broadcast(a, b).shape, dtype=np.int64)
    a = np.asarray(a, dtype=np.int64)
    for i in range(degree):
        out = out ^ np.where((b >> i) & 1, a, 0)
        a = a << 1
        a = np.where(a >> degree, a ^ modulus, a)
    return out


def reciprocal(a: np.ndarray, modulus: int) -> np.ndarray:
    """Elementwise a^-1, with 0 for 0: a to the power 2^w - 2.

    Examples
    --------
    >>> f"{int(reciprocal(np.array(0x53), 0x11B)):02x}"
    'ca'
    """
    power, out = a, np.ones_like(a)
    for _ in range(modulus.bit_length() - 2):
        power = multiply(power, power, modulus)
        out = multiply(out, power, modulus)
    return out


def matrix_product(columns: np.ndarray, matrix: np.ndarray, modulus: int) -> np.ndarray:
    """Each column (last axis) times the matrix, over the field."""
    out = np.zeros_like(columns)
    for j in range(matrix.shape[1]):
        out = out ^ multiply(columns[..., j, None], matrix[:, j], modulus)
    return out
