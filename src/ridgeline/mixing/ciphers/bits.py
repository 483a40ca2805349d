"""Blocks as arrays of bits, most significant first, and the ways to write them."""

from __future__ import annotations

import numpy as np

from ridgeline.errors import SpecError

__all__ = [
    "Bits",
    "bits_from_cells",
    "bits_from_hex",
    "cells_from_bits",
    "check_bits",
    "every_block",
    "hex_from_bits",
    "random_bits",
]

#: array of uint8 holding 0 and 1; the last axis is the block
Bits = np.ndarray


def bits_from_hex(text: str) -> Bits:
    """Bits of a hexadecimal number; blanks are ignored.

    Raises
    ------
    SpecError   Not hexadecimal.

    Examples
    --------
    >>> bits_from_hex("a 1").tolist()
    [1, 0, 1, 0, 0, 0, 0, 1]
    """
    digits = "".join(text.split())
    try:
        values = np.array([int(d, 16) for d in digits], dtype=np.uint8)
    except ValueError:
        raise SpecError(f"{text!r} is not hexadecimal: digits 0-9 and a-f are expected.") from None
    return bits_from_cells(values, 4)


def hex_from_bits(bits: Bits) -> str:
    """Write one block as hexadecimal.

    Examples
    --------
    >>> hex_from_bits(bits_from_hex("c69be9bb"))
    'c69be9bb'
    """
    return "".join(f"{v:x}" for v in cells_from_bits(bits, 4))


def bits_from_cells(cells: np.ndarray, width: int) -> Bits:
    """Spread numbers of `width` bits each into bits.

    Examples
    --------
    >>> bits_from_cells(np.array([5, 1]), 3).tolist()
    [1, 0, 1, 0, 0, 1]
    """
    shifts = np.arange(width - 1, -1, -1)
    bits = (np.asarray(cells)[..., None] >> shifts) & 1
    return bits.astype(np.uint8).reshape(*cells.shape[:-1], -1)


def cells_from_bits(bits: Bits, width: int) -> np.ndarray:
    """Gather every `width` bits into a number.

    Examples
    --------
    >>> cells_from_bits(np.array([1, 0, 1, 0, 0, 1]), 3).tolist()
    [5, 1]
    """
    groups = bits.reshape(*bits.shape[:-1], -1, width).astype(np.int64)
    return groups @ (1 << np.arange(width - 1, -1, -1))


def random_bits(source: np.random.Generator, n: int, n_bits: int) -> Bits:
    """Random blocks or keys, a row each."""
    return source.integers(0, 2, (n, n_bits), dtype=np.uint8)


def every_block(n_bits: int) -> Bits:
    """All blocks of a small size, in the order of their numbers.

    Examples
    --------
    >>> every_block(2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return bits_from_cells(np.arange(2**n_bits)[:, None], n_bits)


def check_bits(name: str, bits: Bits, n_bits: int) -> Bits:
    """Refuse what is not blocks of so many bits; a single block becomes a row.

    Raises
    ------
    SpecError   Another length, or values that are not 0 and 1.
    """
    bits = np.atleast_2d(np.asarray(bits))
    if bits.ndim != 2 or bits.shape[1] != n_bits:
        raise SpecError(f"{name} has shape {bits.shape}; (n, {n_bits}) bits are expected.")
    if bits.size and (bits.min() < 0 or bits.max() > 1):
        raise SpecError(f"{name} holds values other than 0 and 1. Use bits_from_hex for numbers.")
    return bits.astype(np.uint8)
