"""Ciphers against published vectors; identity on decryption; avalanche and differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline.errors import SpecError
from ridgeline.mixing.ciphers import (
    SPN,
    Feistel,
    Quadratic,
    aes128,
    aes_sbox,
    avalanche,
    bits_from_hex,
    ddt,
    differential_probability,
    differential_uniformity,
    hex_from_bits,
    present80,
    simon,
    small_aes,
)
from ridgeline.mixing.ciphers.bits import bits_from_cells, cells_from_bits, random_bits
from ridgeline.mixing.ciphers.galois import multiply, reciprocal
from ridgeline.mixing.ciphers.spn import PRESENT_SBOX

#: cipher, key, plaintext, ciphertext; FIPS 197 B and C.1, Bogdanov et al. 2007 app. I, Beaulieu et
#: al. 2013 app. B
VECTORS = [
    (
        aes128(),
        "2b7e151628aed2a6abf7158809cf4f3c",
        "3243f6a8885a308d313198a2e0370734",
        "3925841d02dc09fbdc118597196a0b32",
    ),
    (
        aes128(),
        "000102030405060708090a0b0c0d0e0f",
        "00112233445566778899aabbccddeeff",
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ),
    (present80(), "0" * 20, "0" * 16, "5579c1387b228445"),
    (present80(), "f" * 20, "0" * 16, "e72c46c0f5945049"),
    (present80(), "0" * 20, "f" * 16, "a112ffc72f68417b"),
    (present80(), "f" * 20, "f" * 16, "3333dcd3213210d2"),
    (simon(), "1918111009080100", "65656877", "c69be9bb"),
    (
        simon(64, 128),
        "1b1a1918131211100b0a090803020100",
        "656b696c20646e75",
        "44c8fc20b9dfa07a",
    ),
    (
        simon(128, 128),
        "0f0e0d0c0b0a09080706050403020100",
        "63736564207372656c6c657661727420",
        "49681b1e1e54fe3f65aa832af84e0bbc",
    ),
]


@pytest.mark.parametrize(("cipher", "key", "plain", "expected"), VECTORS)
def test_published_vector(cipher, key: str, plain: str, expected: str) -> None:
    found = cipher.encrypt(bits_from_hex(plain), bits_from_hex(key))
    assert hex_from_bits(found[0]) == expected
    assert hex_from_bits(cipher.decrypt(found, bits_from_hex(key))[0]) == plain


def test_aes_rounds_follow_the_worked_example() -> None:
    """FIPS 197, appendix B: the state at the start of rounds 2 and 10."""
    states = aes128().states(
        bits_from_hex("3243f6a8885a308d313198a2e0370734"),
        bits_from_hex("2b7e151628aed2a6abf7158809cf4f3c"),
    )
    assert hex_from_bits(states[1][0]) == "a49c7ff2689f352b6b5bea43026a5049"
    assert hex_from_bits(states[9][0]) == "eb40f21e592e38848ba113e71bc342d2"


@pytest.mark.parametrize(
    "cipher",
    [
        aes128(),
        present80(),
        simon(),
        simon(64, 128),
        small_aes(),
        Feistel("balanced", 32, 9, Quadratic(0), 9 * 8),
        Feistel("odd", 13, 7, Quadratic(1), 7 * 5),
        Feistel("lopsided", 20, 6, Quadratic(2), 6 * 4, n_first=3),
    ],
    ids=lambda c: c.name,
)
def test_decryption_is_identity_on_thousands_of_keys_and_blocks(cipher) -> None:
    source = np.random.default_rng(0)
    blocks = random_bits(source, 3000, cipher.n_bits)
    keys = random_bits(source, 3000, cipher.n_key_bits)
    found = cipher.encrypt(blocks, keys)
    assert (found != blocks).any(axis=1).mean() > 0.99
    assert (cipher.decrypt(found, keys) == blocks).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 70), st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32), st.data())
def test_any_feistel_is_undone(n: int, rounds: int, key: int, seed: int, data) -> None:
    first = data.draw(st.none() | st.integers(1, n - 1))
    cipher = Feistel("any", n, rounds, Quadratic(seed), rounds * key, n_first=first)
    source = np.random.default_rng(seed)
    blocks, keys = random_bits(source, 20, n), random_bits(source, 20, rounds * key)
    assert (cipher.decrypt(cipher.encrypt(blocks, keys), keys) == blocks).all()


def test_a_constant_round_function_is_undone_too() -> None:
    def ones(x: np.ndarray, key: np.ndarray, n: int) -> np.ndarray:
        return np.ones((len(x), n), dtype=np.uint8)

    cipher = Feistel("constant", 8, 3, ones, 3)
    blocks = random_bits(np.random.default_rng(0), 10, 8)
    found = cipher.encrypt(blocks, np.zeros(3))
    assert (found != blocks).any()
    assert (cipher.decrypt(found, np.zeros(3)) == blocks).all()


@given(st.integers(1, 12), st.lists(st.integers(0, 4095), min_size=1, max_size=9))
def test_cells_and_bits_are_two_ways_to_write_one_thing(width: int, cells: list[int]) -> None:
    values = np.array(cells) % 2**width
    assert (cells_from_bits(bits_from_cells(values, width), width) == values).all()


def test_field_arithmetic() -> None:
    x = np.arange(1, 256)
    assert (multiply(x, reciprocal(x, 0x11B), 0x11B) == 1).all()
    assert reciprocal(np.array(0), 0x11B) == 0
    a, b, c = np.random.default_rng(0).integers(0, 256, (3, 500))
    left = multiply(a, b ^ c, 0x11B)
    assert (left == multiply(a, b, 0x11B) ^ multiply(a, c, 0x11B)).all()


def test_aes_sbox_known_entries() -> None:
    """FIPS 197, figure 7: first and last of the table; no fixed point, none reversed."""
    box = aes_sbox()
    assert [f"{v:02x}" for v in box[:4]] == ["63", "7c", "77", "7b"]
    assert [f"{v:02x}" for v in box[-4:]] == ["b0", "54", "bb", "16"]
    x = np.arange(256)
    assert (box != x).all()
    assert (box != x ^ 0xFF).all()


@pytest.mark.parametrize(("box", "expected"), [(aes_sbox(), 4), (PRESENT_SBOX, 4)])
def test_published_differential_uniformity(box: np.ndarray, expected: int) -> None:
    table = ddt(box)
    assert differential_uniformity(box) == expected
    assert (table.sum(axis=1) == len(box)).all()
    assert (table % 2 == 0).all()
    assert table[0, 0] == len(box)


def test_present_sbox_spreads_single_bits() -> None:
    """Bogdanov et al. 2007, sec. 4.3: no difference of one bit gives a difference of one bit."""
    ones = [1, 2, 4, 8]
    assert (ddt(PRESENT_SBOX)[np.ix_(ones, ones)] == 0).all()


@pytest.mark.parametrize("cipher", [aes128(), present80(), simon()], ids=lambda c: c.name)
def test_avalanche_is_half_after_the_published_rounds(cipher) -> None:
    found = avalanche(cipher, np.random.default_rng(1), n_samples=200)
    assert found.share[0] == pytest.approx(1 / cipher.n_bits)
    assert found.share[-1] == pytest.approx(0.5, abs=0.005)
    assert found.worst_share[-1] > 0.45


@pytest.mark.parametrize(
    ("cipher", "rounds"),
    [(aes128(), 2), (simon(), 7), (simon(64, 128), 9), (small_aes(), 2)],
    ids=lambda v: getattr(v, "name", v),
)
def test_full_diffusion(cipher, rounds: int) -> None:
    """AES: two rounds (Daemen and Rijmen 2002, sec. 3.5). Simon: as counted from its shifts."""
    found = avalanche(cipher, np.random.default_rng(2), n_samples=600)
    assert found.full_diffusion_round == rounds


def test_simon_diffuses_as_its_shifts_say() -> None:
    """An oracle without bits: which positions a bit can have reached, from shifts 1, 8 and 2."""
    for cipher, word in ((simon(), 16), (simon(64, 128), 32)):
        reach = np.eye(2 * word, dtype=bool)
        rounds = 0
        while not reach.all():
            x, y = reach[:, :word], reach[:, word:]
            mixed = y.copy()
            for shift in (1, 8, 2):
                mixed |= np.roll(x, -shift, axis=1)
            reach, rounds = np.concatenate([mixed, x], axis=1), rounds + 1
        found = avalanche(cipher, np.random.default_rng(2), n_samples=600)
        assert found.full_diffusion_round == rounds


def test_differences_wear_off_unless_everything_is_linear() -> None:
    source = np.random.default_rng(3)
    linear = differential_probability(small_aes(6, np.arange(16)), source, n_keys=2)
    assert linear.tolist() == [1.0] * 7
    real = differential_probability(small_aes(6), source, n_keys=2)
    # One active S-box of PRESENT: 4 of 16. Then far down, to what chance gives in 16 bits.
    assert real[0] == 1
    assert real[1] == pytest.approx(4 / 16)
    assert real[-1] < 4e-4


BAD = [
    (lambda: bits_from_hex("xyz"), "not hexadecimal"),
    (lambda: simon(32, 80), r"There are 32/64, 64/128, 128/128"),
    (lambda: simon().encrypt(np.zeros(31), np.zeros(64)), r"\(n, 32\) bits are expected"),
    (lambda: simon().encrypt(np.full(32, 7), np.zeros(64)), "other than 0 and 1"),
    (lambda: Feistel("f", 8, 3, Quadratic(0), 10), "does not divide into 3 round keys"),
    (lambda: Feistel("f", 8, 3, Quadratic(0), 9, n_first=8), "at least one bit"),
    (
        lambda: Feistel("f", 8, 1, lambda x, _k, _n: x[:, :2], 1).encrypt(np.zeros(8), np.zeros(1)),
        "gave 2 bits; 4 are expected",
    ),
    (lambda: SPN("s", 2, np.array([0, 0]), np.copy, np.copy, 1, 4), "no permutation"),
    (lambda: SPN("s", 2, np.array([0, 1]), np.copy, np.copy, 1, 5), "the key has 4 bits"),
    (lambda: differential_probability(simon(), np.random.default_rng(0)), r"up to 2\^20"),
    (lambda: ddt(np.arange(5)), r"2\^n values"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_explained(call, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        call()
