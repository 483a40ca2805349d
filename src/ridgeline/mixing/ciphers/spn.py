"""Substitution-permutation networks: S-boxes, a linear mix and a key, round after round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.mixing.ciphers.bits import Bits, bits_from_cells, cells_from_bits, check_bits
from ridgeline.mixing.ciphers.galois import matrix_product, multiply, reciprocal

__all__ = ["PRESENT_SBOX", "SPN", "aes128", "aes_sbox", "present80", "small_aes"]

Mix = Callable[[np.ndarray], np.ndarray]

#: published: Bogdanov et al. 2007, table 1
PRESENT_SBOX: Final = np.array([int(c, 16) for c in "c56b90ad3ef84712"])


@dataclass(frozen=True)
class SPN:
    """A substitution-permutation network on cells as wide as its S-box.

    A key is added, then each round substitutes, mixes and adds a key. Unlike a Feistel cipher it
    runs backwards only if every part does.

    Attributes
    ----------
    name : str
    n_cells : int             Cells of the block.
    sbox : array              A permutation of 0 .. 2^w - 1; w bits are a cell.
    mix, unmix : callable     Linear, of cells (n, n_cells), and its inverse.
    n_rounds : int
    n_key_bits : int          Of the master key.
    schedule : callable       Master keys -> round keys (n, n_rounds + 1, n_cells); None: the master
                              key is all round keys.
    last_mix, last_unmix : callable or None   Of the last round, if another.

    Raises
    ------
    SpecError   The S-box is no permutation, or the key does not divide.
    """

    name: str
    n_cells: int
    sbox: np.ndarray
    mix: Mix
    unmix: Mix
    n_rounds: int
    n_key_bits: int
    schedule: Callable[[Bits], np.ndarray] | None = None
    last_mix: Mix | None = None
    last_unmix: Mix | None = None

    def __post_init__(self) -> None:
        size = len(self.sbox)
        if size & (size - 1) or size < 2 or sorted(self.sbox.tolist()) != list(range(size)):
            raise SpecError(
                f"{self.name}: the S-box is no permutation of 0 to 2^w - 1, so nothing could be "
                "decrypted."
            )
        needed = (self.n_rounds + 1) * self.n_bits
        if self.schedule is None and self.n_key_bits != needed:
            raise SpecError(
                f"{self.name}: without a schedule the key has {needed} bits, "
                f"{self.n_rounds} + 1 of a block; not {self.n_key_bits}."
            )

    @property
    def width(self) -> int:
        """Bits a cell."""
        return len(self.sbox).bit_length() - 1

    @property
    def n_bits(self) -> int:
        """Bits a block."""
        return self.n_cells * self.width

    def round_keys(self, keys: Bits) -> np.ndarray:
        """Round keys (n, n_rounds + 1, n_cells) of master keys."""
        keys = check_bits("The key", keys, self.n_key_bits)
        if self.schedule is not None:
            return self.schedule(keys)
        cells = cells_from_bits(keys, self.width)
        return cells.reshape(len(keys), self.n_rounds + 1, self.n_cells)

    def states(self, blocks: Bits, keys: Bits) -> list[Bits]:
        """The block before the first round and after each."""
        return self.states_with(blocks, self.round_keys(keys))

    def states_with(self, blocks: Bits, round_keys: np.ndarray) -> list[Bits]:
        """The same, for round keys made beforehand."""
        blocks = check_bits("The block", blocks, self.n_bits)
        cells = cells_from_bits(blocks, self.width) ^ round_keys[:, 0]
        states = [blocks]
        for i in range(1, self.n_rounds + 1):
            mix = self.last_mix if i == self.n_rounds and self.last_mix else self.mix
            cells = mix(self.sbox[cells]) ^ round_keys[:, i]
            states.append(bits_from_cells(cells, self.width))
        return states

    def encrypt(self, blocks: Bits, keys: Bits) -> Bits:
        """The block after the last round."""
        return self.states(blocks, keys)[-1]

    def decrypt(self, blocks: Bits, keys: Bits) -> Bits:
        """The block that encrypts to this one."""
        blocks = check_bits("The block", blocks, self.n_bits)
        round_keys, inverse = self.round_keys(keys), np.argsort(self.sbox)
        cells = cells_from_bits(blocks, self.width)
        for i in range(self.n_rounds, 0, -1):
            unmix = self.last_unmix if i == self.n_rounds and self.last_unmix else self.unmix
            cells = inverse[unmix(cells ^ round_keys[:, i])]
        return bits_from_cells(cells ^ round_keys[:, 0], self.width)


def _shift(n_rows: int, n_columns: int) -> np.ndarray:
    """Where each cell comes from: row r moves r columns to the left; cells run down columns."""
    column, row = np.divmod(np.arange(n_rows * n_columns), n_rows)
    return row + n_rows * ((column + row) % n_columns)


def _mix_columns(cells: np.ndarray, matrix: np.ndarray, modulus: int) -> np.ndarray:
    columns = cells.reshape(len(cells), -1, len(matrix))
    return matrix_product(columns, matrix, modulus).reshape(cells.shape)


@cache
def aes_sbox() -> np.ndarray:
    """The S-box of AES, derived: the reciprocal in GF(2^8), then an affine map of its bits.

    References
    ----------
    .. [1] FIPS 197, "Advanced Encryption Standard", sec. 5.1.1.

    Examples
    --------
    >>> f"{aes_sbox()[0x53]:02x}"  # the standard's example
    'ed'
    """
    inverse = reciprocal(np.arange(256), 0x11B)
    out = np.full(256, 0x63)
    for shift in range(5):
        out ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
    return out


_AES_MATRIX: Final = np.array([[2, 3, 1, 1], [1, 2, 3, 1], [1, 1, 2, 3], [3, 1, 1, 2]])
_AES_INVERSE: Final = np.array([[14, 11, 13, 9], [9, 14, 11, 13], [13, 9, 14, 11], [11, 13, 9, 14]])


def aes128(n_rounds: int = 10) -> SPN:
    """AES with a key of 128 bits: bytes in a square, rows shifted, columns mixed.

    Parameters
    ----------
    n_rounds : int   10 in the standard; fewer to look at its parts.

    References
    ----------
    .. [1] FIPS 197, "Advanced Encryption Standard", 2001.

    Examples
    --------
    >>> from ridgeline.mixing.ciphers.bits import bits_from_hex, hex_from_bits
    >>> block = bits_from_hex("00112233445566778899aabbccddeeff")
    >>> key = bits_from_hex("000102030405060708090a0b0c0d0e0f")
    >>> hex_from_bits(aes128().encrypt(block, key)[0])  # appendix C.1
    '69c4e0d86a7b0430d8cdb78070b4c55a'
    """
    shift = _shift(4, 4)
    unshift = np.argsort(shift)
    return SPN(
        name="AES-128",
        n_cells=16,
        sbox=aes_sbox(),
        mix=lambda c: _mix_columns(c[:, shift], _AES_MATRIX, 0x11B),
        unmix=lambda c: _mix_columns(c, _AES_INVERSE, 0x11B)[:, unshift],
        last_mix=lambda c: c[:, shift],
        last_unmix=lambda c: c[:, unshift],
        n_rounds=n_rounds,
        n_key_bits=128,
        schedule=lambda keys: _aes_schedule(keys, n_rounds),
    )


def _aes_schedule(keys: Bits, n_rounds: int) -> np.ndarray:
    words = list(cells_from_bits(keys, 8).reshape(len(keys), 4, 4).swapaxes(0, 1))
    constant = 1
    for i in range(4, 4 * (n_rounds + 1)):
        t = words[i - 1]
        if i % 4 == 0:
            t = aes_sbox()[np.roll(t, -1, axis=1)]
            t[:, 0] ^= constant
            constant = int(multiply(np.array(constant), np.array(2), 0x11B))
        words.append(words[i - 4] ^ t)
    return np.stack(words, axis=1).reshape(len(keys), n_rounds + 1, 16)


def small_aes(n_rounds: int = 8, sbox: np.ndarray = PRESENT_SBOX) -> SPN:
    """AES in small: 16 bits as two by two cells of 4, with its row shifts and column mixing.

    Small enough to look at every block. Round keys are independent.

    Parameters
    ----------
    n_rounds : int
    sbox : array   Of 16; the identity makes it linear.

    References
    ----------
    .. [1] Cid, Murphy and Robshaw, "Small Scale Variants of the AES", 2005: the shape and the
       matrix; the S-box is PRESENT's.
    """
    shift = _shift(2, 2)
    matrix = np.array([[3, 2], [2, 3]])
    return SPN(
        name="small AES",
        n_cells=4,
        sbox=sbox,
        mix=lambda c: _mix_columns(c[:, shift], matrix, 0x13),
        unmix=lambda c: _mix_columns(c, matrix, 0x13)[:, shift],
        n_rounds=n_rounds,
        n_key_bits=16 * (n_rounds + 1),
    )


def present80(n_rounds: int = 31) -> SPN:
    """PRESENT with a key of 80 bits: 16 S-boxes of 4 bits, then every bit to its place.

    References
    ----------
    .. [1] Bogdanov et al., "PRESENT: An Ultra-Lightweight Block Cipher", 2007.

    Examples
    --------
    >>> from ridgeline.mixing.ciphers.bits import hex_from_bits
    >>> zeros = np.zeros((1, 144), dtype=np.uint8)
    >>> hex_from_bits(present80().encrypt(zeros[:, :64], zeros[:, :80])[0])  # appendix I
    '5579c1387b228445'
    """
    # Bit i, counted from the least significant, goes to 16 i mod 63; here the most comes first.
    place = np.array([63 if i == 63 else 16 * i % 63 for i in range(64)])
    goes_to = 63 - place[::-1]
    comes_from = np.argsort(goes_to)
    return SPN(
        name="PRESENT-80",
        n_cells=16,
        sbox=PRESENT_SBOX,
        mix=lambda c: cells_from_bits(bits_from_cells(c, 4)[:, comes_from], 4),
        unmix=lambda c: cells_from_bits(bits_from_cells(c, 4)[:, goes_to], 4),
        n_rounds=n_rounds,
        n_key_bits=80,
        schedule=lambda keys: _present_schedule(keys, n_rounds),
    )


def _present_schedule(keys: Bits, n_rounds: int) -> np.ndarray:
    register, out = keys.copy(), []
    for i in range(1, n_rounds + 2):
        out.append(cells_from_bits(register[:, :64], 4))
        register = np.roll(register, -61, axis=1)
        top = PRESENT_SBOX[cells_from_bits(register[:, :4], 4)]
        register[:, :4] = bits_from_cells(top, 4)
        register[:, 60:65] ^= bits_from_cells(np.array([i]), 5)
    return np.stack(out, axis=1)
