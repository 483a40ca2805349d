"""Pools of prefill and decode, stages, energy: numbers on paper, limits, units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgeline.laws import energy, pools, stages

if TYPE_CHECKING:
    from collections.abc import Callable

u = pint.UnitRegistry()
u.define("token = [token]")

TABLE: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (pools.prefill_chunks, (20_000, 8192), ""),
    (pools.mean_prefix_tokens, (100 * u.token, 20_000 * u.token, 3), "token"),
    (pools.chip_seconds_per_request, (20 * u.s, 8, 64), "second"),
    (pools.matched_prefill_share, (1 * u.s, 3 * u.s), ""),
    (energy.energy_per_token_j, (1200 * u.watt, 400 * u.token / u.s), "joule/token"),
    (stages.stage_imbalance, (61, 8), ""),
]


@pytest.mark.parametrize(("law", "inputs", "unit"), TABLE, ids=[t[0].__name__ for t in TABLE])
def test_unit(law: Callable[..., Any], inputs: tuple[Any, ...], unit: str) -> None:
    value = u.Quantity(law(*inputs))
    assert value.dimensionality == u.parse_units(unit).dimensionality


positive = st.floats(1e-4, 1e4)


@given(new=st.integers(1, 200_000), budget=st.integers(1, 20_000))
def test_chunks_hold_the_prompt_and_no_more(new: int, budget: int) -> None:
    chunks = pools.prefill_chunks(new, budget)
    assert chunks * budget >= new > (chunks - 1) * budget
    packed = pools.prompts_per_step(new, budget)
    assert packed >= 1
    assert packed == 1 or packed * new <= budget


@given(cached=st.integers(0, 10_000), new=st.integers(1, 100_000), k=st.integers(1, 50))
def test_the_mean_prefix_is_that_of_the_chunks(cached: int, new: int, k: int) -> None:
    starts = cached + np.arange(k) * (new / k)
    assert pools.mean_prefix_tokens(cached, new, k) == pytest.approx(starts.mean())


@given(p=positive, d=positive)
def test_matched_pools_have_one_rate(p: float, d: float) -> None:
    share = pools.matched_prefill_share(p, d)
    assert share / p == pytest.approx((1 - share) / d)


@given(n_layers=st.integers(1, 128), n_stages=st.integers(1, 64))
def test_the_fullest_stage_is_never_below_the_mean(n_layers: int, n_stages: int) -> None:
    pace = stages.stage_imbalance(n_layers, n_stages)
    assert pace >= 1
    assert (pace == 1) == (n_layers % n_stages == 0)


def test_a_megawatt_of_chips() -> None:
    assert energy.tokens_per_s_per_mw(1000.0, 100.0) == pytest.approx(1e5)
    joules = energy.energy_per_token_j(1000.0, 100.0)
    assert joules * energy.tokens_per_s_per_mw(1000.0, 100.0) == pytest.approx(1e6)
