"""Avalanche: how much of the output changes for one input bit, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.mixing.ciphers.bits import random_bits

if TYPE_CHECKING:
    from ridgeline.mixing.ciphers.differential import Cipher

__all__ = ["Avalanche", "avalanche"]


@dataclass(frozen=True)
class Avalanche:
    """What flipping each input bit does.

    Attributes
    ----------
    flips : array   (rounds + 1, input bit, output bit): share of blocks and keys for which the
                    output bit changes with the input bit. [1]
    """

    flips: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Share of output bits that change for one flipped input bit, by round; 1/2 is ideal."""
        return self.flips.mean(axis=(1, 2))

    @property
    def worst_share(self) -> np.ndarray:
        """The same for the input bit that changes least."""
        return self.flips.mean(axis=2).min(axis=1)

    @property
    def full_diffusion_round(self) -> int | None:
        """First round after which every output bit was seen to depend on every input bit."""
        complete = (self.flips > 0).all(axis=(1, 2))
        return int(np.argmax(complete)) if complete.any() else None


def avalanche(cipher: Cipher, source: np.random.Generator, *, n_samples: int = 256) -> Avalanche:
    """Flip every input bit of random blocks under random keys, and compare all rounds.

    Parameters
    ----------
    cipher : Cipher
    source : Generator   Of blocks and keys.
    n_samples : int      Pairs of block and key. A dependence that shows once in 1/p pairs is missed
                         with probability (1 - p)^n_samples.

    Returns
    -------
    Avalanche

    References
    ----------
    .. [1] Feistel, "Cryptography and Computer Privacy", 1973; Webster and Tavares, "On the Design
       of S-Boxes", 1986, for the share of 1/2.
    """
    n = cipher.n_bits
    blocks = random_bits(source, n_samples, n)
    round_keys = cipher.round_keys(random_bits(source, n_samples, cipher.n_key_bits))
    plain = cipher.states_with(blocks, round_keys)
    flips = np.zeros((len(plain), n, n))
    for i in range(n):
        changed = blocks.copy()
        changed[:, i] ^= 1
        for r, (a, b) in enumerate(
            zip(plain, cipher.states_with(changed, round_keys), strict=True)
        ):
            flips[r, i] = (a ^ b).mean(axis=0)
    return Avalanche(flips)
