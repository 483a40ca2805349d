"""Derivatives over GF(2): what differential cryptanalysis looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.mixing.ciphers.bits import cells_from_bits, every_block, random_bits

if TYPE_CHECKING:
    from ridgeline.mixing.ciphers.bits import Bits

__all__ = [
    "Cipher",
    "ddt",
    "differential_probability",
    "differential_uniformity",
    "distinct_differences",
]


class Cipher(Protocol):
    """What can be studied."""

    @property
    def name(self) -> str:
        """For tables and messages."""
        ...

    @property
    def n_bits(self) -> int:
        """Block size."""
        ...

    @property
    def n_rounds(self) -> int:
        """Rounds."""
        ...

    @property
    def n_key_bits(self) -> int:
        """Of the master key."""
        ...

    def round_keys(self, keys: Bits) -> np.ndarray:
        """Round keys of master keys."""
        ...

    def states(self, blocks: Bits, keys: Bits) -> list[Bits]:
        """The block before the first round and after each."""
        ...

    def states_with(self, blocks: Bits, round_keys: np.ndarray) -> list[Bits]:
        """The same, for round keys made beforehand."""
        ...


def ddt(sbox: np.ndarray) -> np.ndarray:
    r"""Differential distribution table: how often input difference d gives output difference e.

    .. math:: N(d, e) = \#\{x : S(x \oplus d) \oplus S(x) = e\}

    Parameters
    ----------
    sbox : array of int   2^n values below 2^m; n and m up to 12 or so.

    Returns
    -------
    array of int   Shape (2^n, 2^m); each row sums to 2^n.

    Raises
    ------
    SpecError   The length is no power of two, or a value is negative.

    References
    ----------
    .. [1] Biham and Shamir, "Differential Cryptanalysis of DES-like Cryptosystems", 1991.

    Examples
    --------
    >>> ddt(np.array([0, 1, 3, 2]))  # x ^ (x >> 1) is linear: one difference a row
    array([[4, 0, 0, 0],
           [0, 4, 0, 0],
           [0, 0, 0, 4],
           [0, 0, 4, 0]])
    """
    sbox = np.asarray(sbox)
    size = len(sbox)
    if size < 2 or size & (size - 1) or sbox.min() < 0:
        raise SpecError(f"An S-box has 2^n values from 0 up; this one has {size}.")
    n_out = 1 << int(sbox.max()).bit_length()
    x = np.arange(size)
    rows = [np.bincount(sbox[x ^ d] ^ sbox, minlength=n_out) for d in range(size)]
    return np.stack(rows)


def differential_uniformity(sbox: np.ndarray) -> int:
    """Largest entry of the table for a difference that is not zero: 2 is best, 2^n is linear.

    References
    ----------
    .. [1] Nyberg, "Differentially uniform mappings for cryptography", 1993: 4 for the reciprocal in
       GF(2^n), n even, from which the S-box of AES is made.

    Examples
    --------
    >>> from ridgeline.mixing.ciphers.spn import PRESENT_SBOX, aes_sbox
    >>> differential_uniformity(aes_sbox()), differential_uniformity(PRESENT_SBOX)
    (4, 4)
    """
    return int(ddt(sbox)[1:].max())


def distinct_differences(values: np.ndarray, difference: int) -> int:
    """How many values f(x ^ d) ^ f(x) takes over all x: 1 for every linear map.

    Examples
    --------
    >>> distinct_differences(np.array([0, 1, 3, 2]), 1)
    1
    """
    return int(np.count_nonzero(ddt(values)[difference]))


def differential_probability(
    cipher: Cipher, source: np.random.Generator, *, n_keys: int = 4
) -> np.ndarray:
    """Probability of the likeliest output difference after each round, over every block.

    For each input difference of one bit: the largest share of blocks with the same output
    difference; the largest of these over the differences, the mean over keys.

    Parameters
    ----------
    cipher : Cipher        Of at most 20 bits, all of whose blocks are enciphered.
    source : Generator     Of keys.
    n_keys : int

    Returns
    -------
    array   (n_rounds + 1,); 1 where the derivative is the same everywhere. Of a random permutation
            of 16 bits it is about 2e-4. [1]

    Raises
    ------
    SpecError   The block is too large.
    """
    if cipher.n_bits > 20:
        raise SpecError(
            f"{cipher.name} has 2^{cipher.n_bits} blocks; up to 2^20 can be enciphered one and all."
        )
    blocks, n = every_block(cipher.n_bits), cipher.n_bits
    x = np.arange(2**n)
    best = np.zeros((n_keys, cipher.n_rounds + 1))
    for k in range(n_keys):
        key = random_bits(source, 1, cipher.n_key_bits)
        for i, state in enumerate(cipher.states(blocks, key)):
            numbers = cells_from_bits(state, n)[:, 0]
            counts = [np.bincount(numbers[x ^ (1 << b)] ^ numbers).max() for b in range(n)]
            best[k, i] = max(counts) / 2**n
    return best.mean(axis=0)
