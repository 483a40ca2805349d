"""Exponentials, logarithms and powers of compiled loops against exact values and C's rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from types import SimpleNamespace

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="extra [fast]")

N = 400
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e308, -1e308, 5e-324, -5e-324,
           2.0**-1030, math.inf, -math.inf, math.nan, 709.9, -745.2, 1e5, 1 + 2.0**-52]  # fmt: skip


@pytest.fixture(scope="module")
def compiled() -> Callable[..., SimpleNamespace]:
    """The functions over arrays, compiled together."""
    from ridgeline.compiled.loops import step  # noqa: PLC0415  (needs numba)

    body = step(
        "load 0 0\nload 0 1\nexp a0\nlog a0\nlog2 a0\npower a0 a1\n"
        + "\n".join(f"store 1 {i} a{i + 2}" for i in range(4))
    )

    @numba.njit("void(float64[::1], float64[:, ::1], float64[:, ::1])")
    def run(none, given, out):
        for i in range(given.shape[1]):
            body(none, (given, out), (i, i))

    def found(x, y=None):
        x = np.asarray(x, dtype=float)
        y = np.ones_like(x) if y is None else np.asarray(y, dtype=float)
        out = np.empty((4, x.size))
        run(np.empty(0), np.stack([x, y]), out)
        return SimpleNamespace(exp=out[0], log=out[1], log2=out[2], power=out[3])

    return found


def off(found: np.ndarray, exact: list[Decimal]) -> float:
    """Largest error in units in the last place."""
    each = [
        abs(Decimal(float(a)) - e) / Decimal(math.ulp(float(e)))
        for a, e in zip(found, exact, strict=True)
    ]
    return float(max(each))


def test_errors_stay_below_one_unit_in_the_last_place(compiled) -> None:
    source = np.random.default_rng(3)
    wide = np.exp(source.uniform(-300, 300, N))
    near = 1 + source.uniform(-0.3, 0.42, N)
    exponents = source.uniform(-700, 700, N)
    base, power = np.exp(source.uniform(-9, 9, N)), source.uniform(-30, 30, N)
    close, steep = 1 + source.uniform(-0.03, 0.03, N), source.uniform(-2e4, 2e4, N)
    with localcontext() as context:
        context.prec = 50
        ln2 = Decimal(2).ln()
        for x in (wide, near):
            exact = [Decimal(v).ln() for v in x]
            assert off(compiled(x).log, exact) < 0.6
            assert off(compiled(x).log2, [e / ln2 for e in exact]) < 0.6
        assert off(compiled(exponents).exp, [Decimal(v).exp() for v in exponents]) < 0.9
        for x, y in ((base, power), (close, steep)):
            exact = [(Decimal(a).ln() * Decimal(b)).exp() for a, b in zip(x, y, strict=True)]
            assert off(compiled(x, y).power, exact) < 0.9


def test_what_is_no_number_or_infinite_is_as_numpy_has_it(compiled) -> None:
    pairs = np.asarray([(x, y) for x in SPECIAL for y in SPECIAL])
    x, y = pairs.T
    with np.errstate(all="ignore"):
        wanted = {"exp": np.exp(x), "log": np.log(x), "log2": np.log2(x), "power": np.power(x, y)}
    found = compiled(x, y)
    for name, values in wanted.items():
        own = getattr(found, name)
        for i in range(len(x)):
            same = own[i] == values[i] or (math.isnan(own[i]) and math.isnan(values[i]))
            near = math.isclose(own[i], values[i], rel_tol=3e-16) or (
                # Below the normal numbers the last place is all there is.
                abs(own[i] - values[i]) <= 5e-324
            )
            assert same or near, (name, x[i], y[i], own[i], values[i])


def test_powers_of_two_and_whole_powers_are_exact(compiled) -> None:
    twos = 2.0 ** np.arange(-1022, 1024)
    assert np.array_equal(compiled(twos).log2, np.arange(-1022, 1024))
    whole = np.arange(1.0, 40.0)
    assert np.array_equal(compiled(whole, np.full(39, 5.0)).power, whole**5)
    assert np.array_equal(compiled(-whole, np.full(39, 3.0)).power, -(whole**3))
