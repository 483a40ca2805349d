"""Ciphers and random nets as mixing machines: a demonstration, fit to protect nothing.

Everything works on many blocks and keys at once: bits are arrays of 0 and 1 of shape (n, bits),
the most significant bit first. Nothing here hides timing, checks its use or has been reviewed; use
a maintained cryptographic library to protect anything.
"""

from ridgeline.mixing.ciphers.bits import bits_from_hex as bits_from_hex
from ridgeline.mixing.ciphers.bits import hex_from_bits as hex_from_bits
from ridgeline.mixing.ciphers.comparison import Study as Study
from ridgeline.mixing.ciphers.comparison import study as study
from ridgeline.mixing.ciphers.differential import ddt as ddt
from ridgeline.mixing.ciphers.differential import (
    differential_probability as differential_probability,
)
from ridgeline.mixing.ciphers.differential import differential_uniformity as differential_uniformity
from ridgeline.mixing.ciphers.differential import distinct_differences as distinct_differences
from ridgeline.mixing.ciphers.diffusion import Avalanche as Avalanche
from ridgeline.mixing.ciphers.diffusion import avalanche as avalanche
from ridgeline.mixing.ciphers.feistel import Feistel as Feistel
from ridgeline.mixing.ciphers.feistel import Quadratic as Quadratic
from ridgeline.mixing.ciphers.feistel import simon as simon
from ridgeline.mixing.ciphers.nets import RandomNet as RandomNet
from ridgeline.mixing.ciphers.spn import SPN as SPN
from ridgeline.mixing.ciphers.spn import aes128 as aes128
from ridgeline.mixing.ciphers.spn import aes_sbox as aes_sbox
from ridgeline.mixing.ciphers.spn import present80 as present80
from ridgeline.mixing.ciphers.spn import small_aes as small_aes

__all__ = [
    "SPN",
    "Avalanche",
    "Feistel",
    "Quadratic",
    "RandomNet",
    "Study",
    "aes128",
    "aes_sbox",
    "avalanche",
    "bits_from_hex",
    "ddt",
    "differential_probability",
    "differential_uniformity",
    "distinct_differences",
    "hex_from_bits",
    "present80",
    "simon",
    "small_aes",
    "study",
]
