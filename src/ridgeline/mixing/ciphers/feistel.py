"""The Feistel cipher on bits: any block size, any round function, inverted without inverting it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.mixing.ciphers.bits import Bits, bits_from_cells, check_bits

__all__ = ["Feistel", "Quadratic", "RoundFunction", "simon"]

#: (source bits, round key bits, bits to give) -> bits; a row a block
RoundFunction = Callable[[Bits, Bits, int], Bits]


@dataclass(frozen=True)
class Feistel:
    r"""A Feistel cipher: each round takes the halves (x, y) to (y ^ f(x, k), x).

    The lecture's layer over GF(2). The outcome still holds x, so y comes back as
    ``outcome ^ f(x, k)``; f may lose information, or be constant.

    Attributes
    ----------
    name : str
    n_bits : int              Block size, odd ones too: the halves then differ by a bit and take
                              turns.
    n_rounds : int
    round_function : callable (x, key, n) -> n bits.
    n_key_bits : int          Of the master key.
    schedule : callable       Master keys (n, n_key_bits) -> round keys (n, n_rounds, bits).
    n_first : int or None     Bits of x in the first round; None: the larger half.

    Examples
    --------
    >>> toy = Feistel("toy", 7, 8, Quadratic(0), 8 * 7)  # 7 bits, independent round keys
    >>> source = np.random.default_rng(0)
    >>> block, key = source.integers(0, 2, (1, 7)), source.integers(0, 2, (1, 56))
    >>> bool((toy.decrypt(toy.encrypt(block, key), key) == block).all())
    True
    """

    name: str
    n_bits: int
    n_rounds: int
    round_function: RoundFunction
    n_key_bits: int
    schedule: Callable[[Bits], Bits] | None = None
    n_first: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self._split < self.n_bits:
            raise SpecError(
                f"{self.name}: {self._split} of {self.n_bits} bits in the first half; each half "
                "needs at least one bit."
            )
        if self.schedule is None and (self.n_rounds < 1 or self.n_key_bits % self.n_rounds):
            raise SpecError(
                f"{self.name}: a key of {self.n_key_bits} bits does not divide into "
                f"{self.n_rounds} round keys. Choose a multiple, or give a schedule."
            )

    @property
    def _split(self) -> int:
        return (self.n_bits + 1) // 2 if self.n_first is None else self.n_first

    def round_keys(self, keys: Bits) -> Bits:
        """Round keys (n, n_rounds, bits) of master keys."""
        keys = check_bits("The key", keys, self.n_key_bits)
        if self.schedule is not None:
            return self.schedule(keys)
        return keys.reshape(len(keys), self.n_rounds, -1)

    def states(self, blocks: Bits, keys: Bits) -> list[Bits]:
        """The block before the first round and after each."""
        return self.states_with(blocks, self.round_keys(keys))

    def states_with(self, blocks: Bits, round_keys: Bits) -> list[Bits]:
        """The same, for round keys made beforehand."""
        blocks = check_bits("The block", blocks, self.n_bits)
        x, y = blocks[:, : self._split], blocks[:, self._split :]
        states = [blocks]
        for i in range(self.n_rounds):
            x, y = y ^ self._added(x, round_keys[:, i], y.shape[1]), x
            states.append(np.concatenate([x, y], axis=1))
        return states

    def encrypt(self, blocks: Bits, keys: Bits) -> Bits:
        """The block after the last round."""
        return self.states(blocks, keys)[-1]

    def decrypt(self, blocks: Bits, keys: Bits) -> Bits:
        """The block that encrypts to this one."""
        blocks = check_bits("The block", blocks, self.n_bits)
        round_keys = self.round_keys(keys)
        swapped = self.n_rounds % 2 == 1
        split = self.n_bits - self._split if swapped else self._split
        x, y = blocks[:, :split], blocks[:, split:]
        for i in reversed(range(self.n_rounds)):
            x, y = y, x ^ self._added(y, round_keys[:, i], x.shape[1])
        return np.concatenate([x, y], axis=1)

    def _added(self, x: Bits, key: Bits, n: int) -> Bits:
        out = self.round_function(x, key, n)
        if out.shape[1] != n:
            raise SpecError(
                f"{self.name}: the round function gave {out.shape[1]} bits; {n} are expected, "
                "the size of the half that they are added to."
            )
        return out


@dataclass(frozen=True)
class Quadratic:
    """A random round function of any size: products of two linear forms, plus a third.

    ``f(x, k) = (A x + K k) (B x + L k) + C x`` over GF(2), with random matrices; not invertible.

    Attributes
    ----------
    seed : int   Of the matrices.
    """

    seed: int

    def __call__(self, x: Bits, key: Bits, n: int) -> Bits:
        """Give n bits for each row of x and of key."""
        source = np.random.default_rng([self.seed, x.shape[1], key.shape[1], n])
        a, b, c = source.integers(0, 2, (3, x.shape[1], n))
        k, m = source.integers(0, 2, (2, key.shape[1], n))
        left, right = x @ a + key @ k, x @ b + key @ m
        return ((left * right + x @ c) & 1).astype(np.uint8)


#: constant sequences of the key schedules, by number, from the publication
_Z: Final = {
    0: "11111010001001010110000111001101111101000100101011000011100110",
    2: "10101111011100000011010010011000101000010001111110010110110011",
    3: "11011011101011000110010111100000010010001010011100110100001111",
}
#: (block, key) in bits -> word bits, key words, sequence, rounds
_SIMON: Final = {
    (32, 64): (16, 4, 0, 32),
    (64, 128): (32, 4, 3, 44),
    (128, 128): (64, 2, 2, 68),
}


def simon(n_bits: int = 32, n_key_bits: int = 64) -> Feistel:
    """Simon, a published Feistel cipher whose round function is two rotations and an AND.

    Parameters
    ----------
    n_bits, n_key_bits : int   32/64, 64/128 or 128/128. [bit]

    Raises
    ------
    SpecError   Another size.

    References
    ----------
    .. [1] Beaulieu et al., "The SIMON and SPECK Families of Lightweight Block Ciphers", 2013.

    Examples
    --------
    >>> from ridgeline.mixing.ciphers.bits import bits_from_hex, hex_from_bits
    >>> block, key = bits_from_hex("65656877"), bits_from_hex("1918111009080100")
    >>> hex_from_bits(simon().encrypt(block, key)[0])
    'c69be9bb'
    """
    if (n_bits, n_key_bits) not in _SIMON:
        sizes = [f"{b}/{k}" for b, k in _SIMON]
        raise SpecError(
            f"There is no Simon {n_bits}/{n_key_bits} here."
            f"{did_you_mean(f'{n_bits}/{n_key_bits}', sizes)} There are {', '.join(sizes)}."
        )
    word, n_words, sequence, n_rounds = _SIMON[n_bits, n_key_bits]

    def schedule(keys: Bits) -> Bits:
        return _simon_schedule(keys, word, n_words, _Z[sequence], n_rounds)

    name = f"Simon {n_bits}/{n_key_bits}"
    return Feistel(name, n_bits, n_rounds, _simon_round, n_key_bits, schedule)


def _simon_round(x: Bits, key: Bits, n: int) -> Bits:
    left = (np.roll(x, -s, axis=1) for s in (1, 8, 2))
    one, eight, two = left
    return (one & eight) ^ two ^ key


def _simon_schedule(keys: Bits, word: int, n_words: int, z: str, n_rounds: int) -> Bits:
    # The last word of the key as written is the first round's key.
    words = list(keys.reshape(len(keys), n_words, word)[:, ::-1].swapaxes(0, 1))
    ones = np.ones(word, dtype=np.uint8)
    three = bits_from_cells(np.array([3]), word)
    for i in range(n_words, n_rounds):
        t = np.roll(words[i - 1], 3, axis=1)
        if n_words == 4:
            t = t ^ words[i - 3]
        t = t ^ np.roll(t, 1, axis=1)
        constant = three.copy()
        constant[-1] ^= int(z[(i - n_words) % 62])
        words.append(words[i - n_words] ^ ones ^ t ^ constant)
    return np.stack(words[:n_rounds], axis=1)
