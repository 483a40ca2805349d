"""Critical batch and bounds of parallelism: units, printed numbers, limits, optima."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import array_api_strict as strict
import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws import batch_size, parallel_bounds

if TYPE_CHECKING:
    from collections.abc import Callable

u = pint.UnitRegistry()
u.define("token = [token]")
TOKENS = 4e6 * u.token

DIMENSIONS: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (batch_size.steps_over_least, (TOKENS, 2 * TOKENS), ""),
    (batch_size.tokens_over_least, (TOKENS, 2 * TOKENS), ""),
    (batch_size.gradient_noise_scale, (TOKENS, 4.0, 4 * TOKENS, 1.75), "token"),
    (batch_size.fastest_batch_tokens, (TOKENS, 1 * u.s, 1 * u.us / u.token), "token"),
    (parallel_bounds.chips_of_batch, (TOKENS, 2 * TOKENS), ""),
]
STRICT: list[tuple[Callable[..., Any], tuple[float, ...]]] = [
    (batch_size.steps_over_least, (1e6, 4e6)),
    (batch_size.tokens_over_least, (1e6, 4e6)),
    (batch_size.gradient_noise_scale, (1e6, 4.0, 4e6, 1.75)),
    (batch_size.critical_batch_of_loss_tokens, (1.82,)),
    (batch_size.fastest_batch_tokens, (4e6, 1.0, 1e-6)),
    (parallel_bounds.fsdp_tokens_per_chip, (990e12, 400e9, 32.0)),
    (parallel_bounds.training_tensor_parallel, (28672.0, 990e12, 450e9)),
    (parallel_bounds.mixed_tokens_per_chip, (32768.0, 990e12, 400e9, 450e9)),
    (parallel_bounds.best_fsdp_ranks, (4e6, 4096.0, 32768.0, 2.0, 1.0)),
    (parallel_bounds.chips_of_batch, (4e6, 2475.0)),
]


@pytest.mark.parametrize(
    ("law", "inputs", "unit"), DIMENSIONS, ids=[t[0].__name__ for t in DIMENSIONS]
)
def test_unit(law: Callable[..., Any], inputs: tuple[Any, ...], unit: str) -> None:
    value = u.Quantity(law(*inputs))
    assert value.dimensionality == u.parse_units(unit).dimensionality


@pytest.mark.parametrize(("law", "inputs"), STRICT, ids=[t[0].__name__ for t in STRICT])
def test_scalars_arrays_and_strict_arrays_agree(
    law: Callable[..., Any], inputs: tuple[float, ...]
) -> None:
    scalar = float(law(*inputs))
    assert law(*(np.full(3, x) for x in inputs)).tolist() == pytest.approx([scalar] * 3, rel=1e-14)
    for varied in range(len(inputs)):
        mixed = [strict.asarray([x, x]) if i == varied else x for i, x in enumerate(inputs)]
        assert [float(v) for v in law(*mixed)] == pytest.approx([scalar] * 2, rel=1e-12)


def test_numbers_on_paper() -> None:
    """Printed: 2 at the critical batch; doubled by 13% less loss; 850, 11 and 396 of the book."""
    assert batch_size.steps_over_least(7.0, 7.0) == batch_size.tokens_over_least(7.0, 7.0) == 2
    ratio = batch_size.critical_batch_of_loss_tokens(0.87 * 2.5)
    assert ratio / batch_size.critical_batch_of_loss_tokens(2.5) == pytest.approx(2, rel=0.04)
    # A TPU v5p: C / W = 2550 on an axis, 850 on all three of its mesh.
    assert parallel_bounds.fsdp_tokens_per_chip(2550.0, 3.0) == 850
    assert parallel_bounds.training_tensor_parallel(28672, 2550.0, 1.0) == pytest.approx(11, 0.03)
    assert parallel_bounds.mixed_tokens_per_chip(32768, 2550.0, 2.0, 1.0) == pytest.approx(
        396, 0.01
    )
    # 2 M tokens on at most 2,400 chips of it.
    assert parallel_bounds.chips_of_batch(2e6, 850.0) == pytest.approx(2400, rel=0.03)


@given(batch=st.floats(1e3, 1e9), critical=st.floats(1e4, 1e8))
def test_steps_and_tokens_lie_on_the_hyperbola(batch: float, critical: float) -> None:
    steps = batch_size.steps_over_least(batch, critical)
    tokens = batch_size.tokens_over_least(batch, critical)
    assert (steps - 1) * (tokens - 1) == pytest.approx(1, rel=1e-4)
    # Steps of that batch hold those tokens: E = S B, and E_min = S_min B_c.
    assert tokens * critical == pytest.approx(steps * batch, rel=1e-9)


@given(critical=st.floats(1e5, 1e8), fixed=st.floats(1e-3, 1e2), each=st.floats(1e-9, 1e-4))
def test_the_fastest_batch_is_beaten_by_none_beside_it(
    critical: float, fixed: float, each: float
) -> None:
    best = batch_size.fastest_batch_tokens(critical, fixed, each)

    def run(batch: float) -> float:
        return batch_size.steps_over_least(batch, critical) * (fixed + each * batch)

    assert run(best) < run(best / 1.2)
    assert run(best) < run(best * 1.2)


@given(
    batch=st.floats(1e5, 1e8), n=st.integers(8, 65536), d_ff=st.floats(1e3, 1e5),
    network=st.floats(1e9, 1e12), link=st.floats(1e10, 1e12),
)  # fmt: skip
def test_the_best_mix_exchanges_least_and_ends_where_the_bound_says(
    batch: float, n: int, d_ff: float, network: float, link: float
) -> None:
    best = parallel_bounds.best_fsdp_ranks(batch, n, d_ff, network, link)

    def sent_s(x: float) -> float:
        return d_ff * x / (n * network) + batch / (x * link)

    assert sent_s(best) < min(sent_s(best / 1.1), sent_s(best * 1.1))
    flops_per_s = 1e15
    enough = parallel_bounds.mixed_tokens_per_chip(d_ff, flops_per_s, network, link) * n
    at = parallel_bounds.best_fsdp_ranks(enough, n, d_ff, network, link)
    exchanged = d_ff * at / (n * network) + enough / (at * link)
    assert exchanged == pytest.approx(enough * d_ff / (n * flops_per_s), rel=1e-9)
