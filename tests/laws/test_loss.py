"""Loss laws: optima against brute force, first-order conditions, limits."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgeline import catalog
from ridgeline.laws.loss import (
    best_at_cost,
    cheapest_at_loss,
    coefficient_of_active,
    loss_nats,
    loss_slope_ratio,
    optimal_params,
    optimal_tokens,
    tokens_at_loss,
)
from ridgeline.laws.repetition import repeated_elasticity, repeated_worth_tokens, tokens_of_worth

LAWS = [law.constants for law in catalog.loss_laws()]
IDS = [law.id for law in catalog.loss_laws()]
laws = st.sampled_from(LAWS)
params = st.floats(8, 13).map(lambda x: 10**x)
tokens = st.floats(10, 15).map(lambda x: 10**x)
demands = st.floats(9, 16).map(lambda x: 10**x)


def test_constants_are_as_published() -> None:
    assert catalog.loss_law("chinchilla").constants == (1.69, 406.4, 410.7, 0.34, 0.28)
    assert catalog.loss_law("tex").constants == (1.69, 406.4, 410.7, 0.3392, 0.2849)
    assert catalog.loss_law().constants == (1.8172, 482.01, 2085.43, 0.3478, 0.3658)
    for law in catalog.loss_laws():
        numbers = [n for n, v in law.model_dump().items() if isinstance(v, float)]
        assert set(numbers) <= set(law.sources), law.id
        assert {s.source for s in law.sources.values()} <= set(catalog.sources()), law.id


def test_constants_agree_with_the_facts_collected() -> None:
    path = Path(__file__).parents[3] / "shared" / "facts" / "scaling_and_recompute.csv"
    if not path.exists():
        pytest.skip("the facts are not beside this checkout")
    known = {"0001": "hoffmann-2022", "0002": "hoffmann-2022-tex", "0003": "besiroglu-2024"}
    with path.open(newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["topic"] == "scaling-law"]
    assert len(rows) == 15
    for row in rows:
        law = catalog.loss_law(known[row["id"].split(".")[0][-4:]])
        assert getattr(law, row["metric"].lower()) == float(row["value"]), row["id"]


def test_only_the_refit_gives_twenty_tokens_per_parameter() -> None:
    """Chinchilla's compute: 70 billion parameters on 1.4 trillion tokens."""
    ratio = {
        law.id: optimal_tokens(5.76e23, *law.slopes) / optimal_params(5.76e23, *law.slopes)
        for law in catalog.loss_laws()
    }
    assert ratio["besiroglu-2024"] == pytest.approx(20, rel=0.15)
    assert ratio["hoffmann-2022"] > 80
    assert ratio["hoffmann-2022-tex"] == pytest.approx(59.1, rel=0.01)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_compute_optimum_is_the_least_loss_of_its_compute(law: tuple[float, ...]) -> None:
    flops, slopes = 3e24, law[1:]
    n = optimal_params(flops, *slopes) * np.geomspace(0.5, 2, 2001)
    loss = loss_nats(n, flops / 6 / n, *law)
    assert n[loss.argmin()] == pytest.approx(optimal_params(flops, *slopes), rel=1e-3)
    assert optimal_tokens(flops, *slopes) * optimal_params(flops, *slopes) * 6 == pytest.approx(
        flops
    )


@given(law=laws, n=params, d=tokens)
def test_iso_loss_curve_goes_through_its_point(law: tuple[float, ...], n: float, d: float) -> None:
    loss = loss_nats(n, d, *law)
    assert tokens_at_loss(n, loss, *law) == pytest.approx(d, rel=1e-6)
    assert tokens_at_loss(n, law[0] + 0.5 * law[1] * n ** -law[3], *law) == np.inf


@given(law=laws, n=params, d=tokens, m=demands)
@settings(deadline=None, max_examples=60)
def test_cheapest_of_a_loss_against_brute_force(
    law: tuple[float, ...], n: float, d: float, m: float
) -> None:
    loss = loss_nats(n, d, *law)
    best_n, best_d = cheapest_at_loss(loss - law[0], m, *law[1:])
    assert loss_nats(best_n, best_d, *law) == pytest.approx(loss, rel=1e-9)
    # first-order condition
    assert loss_slope_ratio(best_n, best_d, *law[1:]) == pytest.approx(1 + m / best_d, rel=1e-6)
    others = best_n * np.geomspace(0.3, 5, 3001)
    cost = 6 * others * (tokens_at_loss(others, loss, *law) + m)
    assert 6 * best_n * (best_d + m) <= cost.min() * (1 + 1e-9)
    assert others[cost.argmin()] == pytest.approx(best_n, rel=5e-3)


@given(law=laws, flops=st.floats(20, 28), m=demands)
@settings(deadline=None, max_examples=60)
def test_best_for_a_cost_against_brute_force(
    law: tuple[float, ...], flops: float, m: float
) -> None:
    cost = 10**flops
    n, d = best_at_cost(cost, m, *law[1:])
    assert 6 * n * (d + m) == pytest.approx(cost, rel=1e-9)
    others = d * np.geomspace(0.2, 5, 3001)
    loss = loss_nats(cost / 6 / (others + m), others, *law)
    assert loss_nats(n, d, *law) <= loss.min() * (1 + 1e-12)
    # the two problems have one answer: the cheapest of the loss that the cost buys
    again = cheapest_at_loss(loss_nats(n, d, *law) - law[0], m, *law[1:])
    assert again == pytest.approx((n, d), rel=1e-5)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_without_demand_it_is_the_compute_optimum(law: tuple[float, ...]) -> None:
    flops, slopes = np.array([1e21, 5.76e23, 4e25]), law[1:]
    n, d = best_at_cost(flops, 0.0, *slopes)
    assert n == pytest.approx(optimal_params(flops, *slopes), rel=1e-9)
    loss = loss_nats(n, d, *law)
    assert cheapest_at_loss(loss - law[0], 0.0, *slopes)[0] == pytest.approx(n, rel=1e-6)
    # a demand makes the model smaller and its training longer
    small, long = cheapest_at_loss(loss - law[0], 1e14, *slopes)
    assert (small < n).all()
    assert (long > d).all()


def test_repeated_tokens() -> None:
    d, u = np.geomspace(1e11, 1e14, 50), 1e12
    worth = repeated_worth_tokens(d, u)
    assert worth[d <= u] == pytest.approx(d[d <= u])
    assert (worth < u * (1 + 15.387757)).all()
    assert tokens_of_worth(worth, u) == pytest.approx(d, rel=1e-6)
    assert repeated_worth_tokens(d, np.inf) == pytest.approx(d)
    slope = np.diff(np.log(worth)) / np.diff(np.log(d))
    middle = np.sqrt(d[1:] * d[:-1])
    assert repeated_elasticity(middle, u)[middle > 1.2e12] == pytest.approx(
        slope[middle > 1.2e12], rel=0.02
    )


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_cheapest_with_repeated_tokens_against_brute_force(law: tuple[float, ...]) -> None:
    loss, m, u = loss_nats(30e9, 6e12, *law), 2e13, 3e12
    n, d = cheapest_at_loss(loss - law[0], m, *law[1:], unique_tokens=u)
    assert loss_nats(n, repeated_worth_tokens(d, u), *law) == pytest.approx(loss, rel=1e-9)
    others = n * np.geomspace(0.5, 3, 4001)
    cost = 6 * others * (tokens_of_worth(tokens_at_loss(others, loss, *law), u) + m)
    assert 6 * n * (d + m) <= cost.min() * (1 + 1e-9)
    free_n, free_d = cheapest_at_loss(loss - law[0], m, *law[1:])
    assert free_n < n
    assert 6 * free_n * (free_d + m) < 6 * n * (d + m)
    best_n, best_d = best_at_cost(6 * n * (d + m), m, *law[1:], unique_tokens=u)
    assert (best_n, best_d) == pytest.approx((n, d), rel=1e-4)


def test_a_loss_out_of_reach_of_the_text_is_infinite() -> None:
    e, *slopes = LAWS[0]
    loss = loss_nats(1e12, 1e15, e, *slopes)
    assert cheapest_at_loss(loss - e, 0.0, *slopes, unique_tokens=1e9) == (np.inf, np.inf)


def test_laws_take_arrays_of_all_arguments() -> None:
    law = LAWS[2]
    m = np.array([0.0, 1e12, 1e15])[:, None]
    loss = np.array([2.0, 2.1])[None, :]
    n, d = cheapest_at_loss(loss - law[0], m, *law[1:])
    assert n.shape == d.shape == (3, 2)
    one = cheapest_at_loss(2.1 - law[0], 1e12, *law[1:])
    assert (n[1, 1], d[1, 1]) == pytest.approx(one, rel=1e-12)
    assert n[0, 0] == pytest.approx(
        float(cheapest_at_loss(2.0 - law[0], 0.0, *law[1:])[0]), rel=1e-12
    )


def test_routed_parameters_scale_the_coefficient() -> None:
    _, a, b, alpha, beta = LAWS[2]
    scaled = coefficient_of_active(a, alpha, 4.0)
    assert loss_nats(1e10, 1e12, 0, scaled, b, alpha, beta) == pytest.approx(
        loss_nats(4e10, 1e12, 0, a, b, alpha, beta)
    )


#: laws of arrays, with inputs of each
STRICT: list[tuple[Callable[..., Any], tuple[float, ...]]] = [
    (loss_nats, (7e10, 1.4e12, *LAWS[2])),
    (loss_slope_ratio, (7e10, 1.4e12, *LAWS[2][1:])),
    (optimal_params, (5.76e23, *LAWS[2][1:])),
    (optimal_tokens, (5.76e23, *LAWS[2][1:])),
    (tokens_at_loss, (7e10, 1.95, *LAWS[0])),
    (tokens_at_loss, (1e8, 1.75, *LAWS[0])),
    (coefficient_of_active, (406.4, 0.34, 3.0)),
    (repeated_worth_tokens, (4e12, 1e12, 15.4)),
    (repeated_elasticity, (4e12, 1e12, 15.4)),
    (tokens_of_worth, (3.5e12, 1e12, 15.4)),
    (tokens_of_worth, (20e12, 1e12, 15.4)),
    (lambda *x: cheapest_at_loss(*x)[0], (0.2, 1e13, *LAWS[2][1:], 5e12, 15.4)),
    (lambda *x: best_at_cost(*x)[1], (1e24, 1e13, *LAWS[2][1:], 5e12, 15.4)),
]


@pytest.mark.parametrize(("law", "inputs"), STRICT, ids=[t[0].__name__ for t in STRICT])
def test_scalars_arrays_and_strict_arrays_agree(
    law: Callable[..., Any], inputs: tuple[float, ...]
) -> None:
    scalar = float(law(*inputs))
    assert law(*(np.full(3, x) for x in inputs)).tolist() == pytest.approx([scalar] * 3, rel=1e-12)
    for varied in range(len(inputs)):
        mixed = [strict.asarray([x, x]) if i == varied else x for i, x in enumerate(inputs)]
        assert [float(v) for v in law(*mixed)] == pytest.approx([scalar] * 2, rel=1e-12)
