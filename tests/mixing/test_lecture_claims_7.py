"""Chapter 7 of the lecture through public functions: the claim's id, a call, what comes out.

PyTorch's half of a claim is in the tests of reversible networks; here numpy is enough.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ridgeline.laws.recompute import kv_cache_trade, reversible_trade
from ridgeline.laws.reversible import (
    reversible_activation_bytes,
    standard_activation_bytes,
    step_time_ratio,
    training_flops,
)
from ridgeline.mixing.ciphers import (
    Feistel,
    Quadratic,
    RandomNet,
    aes_sbox,
    avalanche,
    distinct_differences,
)

rng = np.random.default_rng


def _square(x: np.ndarray) -> np.ndarray:
    """Not invertible: x and -x have the same square."""
    return x * x


def _feistel_step_recovers() -> bool:
    x, y = rng(0).integers(-1000, 1000, (2, 10_000))
    z = y + _square(x)
    return bool((z - _square(x) == y).all())


def _revnet_error() -> float:
    source = rng(1)
    weights = source.normal(size=(30, 16, 16)) / 4
    x, y = source.normal(size=(2, 100, 16))
    start = x, y
    for w in weights:
        x, y = y + np.tanh(x @ w), x
    for w in weights[::-1]:
        x, y = y, x - np.tanh(y @ w)
    return float(max(np.abs(x - start[0]).max(), np.abs(y - start[1]).max()))


def _residual_from_two_back() -> float:
    """Layer n + 1 is layer n - 1 plus f of layer n."""
    source = rng(2)
    weights = source.normal(size=(6, 8, 8))
    x, y = source.normal(size=(2, 5, 8))
    layers = [y, x]
    for w in weights:
        x, y = y + np.tanh(x @ w), x
        layers.append(x)
    unrolled = [layers[n - 1] + np.tanh(layers[n] @ weights[n - 1]) for n in range(1, 7)]
    return float(max(np.abs(a - b).max() for a, b in zip(unrolled, layers[2:], strict=True)))


def _toy_avalanche(n_rounds: int) -> float:
    cipher = Feistel("toy", 32, n_rounds, Quadratic(5), 16 * n_rounds)
    return float(avalanche(cipher, rng(3), n_samples=200).share[-1])


def _residual_change() -> float:
    net = RandomNet("residual + norm", "mlp", n_layers=12, n_tokens=1, d_model=64)
    return float(net.relative_changes(rng(4))[-1])


def _linear_sbox() -> np.ndarray:
    x = np.arange(256)
    return x ^ (x >> 1) ^ ((x << 3) & 0xFF)


CLAIMS: list[tuple[str, Callable[[], Any], float, float]] = [
    ("C7-01", _feistel_step_recovers, True, 0),
    ("C7-02", _revnet_error, 0, 1e-9),
    ("C7-03", _residual_from_two_back, 0, 0),
    ("C7-04", lambda: standard_activation_bytes(4, 1), 4, 0),
    ("C7-04", lambda: standard_activation_bytes(8, 1), 8, 0),
    ("C7-04", lambda: reversible_activation_bytes(4, 1, 1), 1, 0),
    ("C7-04", lambda: reversible_activation_bytes(8, 1, 1), 1, 0),
    ("C7-05", lambda: training_flops(1, 1), 6, 0),
    ("C7-05", lambda: training_flops(1, 1, 2), 8, 0),
    ("C7-05", step_time_ratio, 4 / 3, 1e-12),
    ("C7-06", lambda: np.sign(reversible_trade(1e9, 1e3, 1e6)[0]), 1, 0),
    ("C7-06", lambda: np.sign(reversible_trade(1e9, 1e3, 1e6)[1]), -1, 0),
    ("C7-06", lambda: np.sign(kv_cache_trade(1e9, 1e3, 1e5)[0]), -1, 0),
    ("C7-06", lambda: np.sign(kv_cache_trade(1e9, 1e3, 1e5)[1]), 1, 0),
    ("C7-07", lambda: _toy_avalanche(6), 0.5, 0.05),
    ("C7-07", lambda: _toy_avalanche(12), 0.5, 0.05),
    ("C7-07", lambda: _residual_change() < 0.5, True, 0),
    ("C7-08", lambda: distinct_differences(_linear_sbox(), 0x1B), 1, 0),
    ("C7-08", lambda: distinct_differences(aes_sbox(), 0x1B) > 1, True, 0),
    ("C7-08", lambda: distinct_differences(aes_sbox(), 0x1B), 127, 0),
]


@pytest.mark.parametrize(
    ("claim", "call", "expected", "tolerance"),
    CLAIMS,
    ids=[f"{c[0]}-{i}" for i, c in enumerate(CLAIMS)],
)
def test_claim(claim: str, call: Callable[[], Any], expected: float, tolerance: float) -> None:
    assert float(call()) == pytest.approx(float(expected), abs=tolerance)


def test_every_row_of_the_chapter_is_covered() -> None:
    table = Path(__file__).parents[3] / "shared" / "lecture_claims.csv"
    if not table.exists():
        pytest.skip("the table of claims is not part of the project; the ids above are its copy")
    with table.open(encoding="utf-8") as file:
        ids = {row["id"] for row in csv.DictReader(file) if row["chapter"] == "7"}
    assert ids == {c[0] for c in CLAIMS}
