"""How much one replica of each layout takes within limits, and how many a rate needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.replica import Replica
from ridgeline.service.fleet import (
    LONG_RUN,
    Terms,
    as_numbers,
    domains_filled,
    is_saturated,
    largest_rates,
    misses,
    overshoot,
    replicas_needed,
    step_wait_s,
)
from ridgeline.service.requests import Requests
from ridgeline.service.server import Server
from ridgeline.specs.layout import Layout
from ridgeline.specs.limits import Limit, Limits
from ridgeline.steps.bind import bound

LAYOUTS = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 2), (4, 2)]


def server(model: str = "meta-llama/Llama-3.1-8B-Instruct", **layouts: list[float]) -> Server:
    layouts = layouts or {"pp": [pp for pp, _ in LAYOUTS], "tp": [tp for _, tp in LAYOUTS]}
    degrees = {f"layout.{n}": np.asarray(v, dtype=float) for n, v in layouts.items()}
    layout = bound({"layout": Layout()}, degrees)["layout"]
    replica = Replica(rl.model(model), rl.cluster("hgx-h100"), layout)
    return Server(replica, Requests(1024.0, 256.0), most=np.inf, n_requests=float(LONG_RUN))


def limits(**given_: object) -> Limits:
    return Limits(**{"ttft": None, "tpot": None} | given_)  # pyright: ignore[reportArgumentType]


DENSE = server()
ROWS = np.arange(len(LAYOUTS))
SPARSE = server("openai/gpt-oss-120b", attn_dp=[1, 4, 8], tp=[4, 1, 1], ep=[4, 4, 8])

TERMS = [
    Terms(limits(), 1.0),
    Terms(limits(), 0.7),
    Terms(Limits(), 0.8),
    Terms(limits(ttft=Limit(0.15, "p99")), 1.0),
    Terms(limits(tpot=Limit(0.012, "p90")), 1.0),
    Terms(limits(e2e=Limit(3.0, "p50"), tpot=Limit(0.03)), 0.9),
]


@pytest.mark.parametrize("found", [DENSE, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("terms", TERMS, ids=str)
def test_the_largest_rate_is_kept_and_no_more(found: Server, terms: Terms) -> None:
    largest = largest_rates(found, terms)
    rows = np.flatnonzero(largest > 0)
    assert rows.size
    for share in (0.01, 0.3, 0.6, 0.9, 1.0):
        rates = largest[rows] * share
        assert terms.kept(found.open(rates, rows), rates).all()
    above = largest[rows] * (1 + 1e-6)
    assert not terms.kept(found.open(above, rows), above).any()


def test_without_limits_the_largest_rate_is_the_capacity() -> None:
    capacity = DENSE.open(np.ones(len(ROWS)), ROWS).capacity_per_s
    assert largest_rates(DENSE, Terms(limits())) == pytest.approx(capacity, rel=1e-12)
    half = largest_rates(DENSE, Terms(limits(), 0.5))
    assert half == pytest.approx(capacity / 2, rel=1e-12)


def test_tighter_limits_never_take_more() -> None:
    for metric, times in {"ttft": (0.03, 0.1, 1.0), "tpot": (0.004, 0.01, 0.1)}.items():
        before = np.zeros(len(ROWS))
        for seconds in times:
            for statistic in ("p99", "p90", "p50"):
                terms = Terms(limits(**{metric: Limit(seconds, statistic)}), 0.9)
                now = largest_rates(DENSE, terms)
                assert (now >= before * (1 - 1e-9)).all()
                before = now if statistic == "p50" else before


def test_limits_that_an_idle_replica_misses_take_nothing() -> None:
    assert (largest_rates(DENSE, Terms(limits(ttft=Limit(1e-3)))) == 0).all()


@given(rate=st.floats(1e-3, 1e6), largest=st.floats(1e-3, 1e6))
def test_replicas_are_the_fewest(rate: float, largest: float) -> None:
    n = float(replicas_needed(rate, np.array(largest)))
    assert rate / n <= largest * (1 + 1e-9)
    assert n == 1 or rate / (n - 1) > largest * (1 - 1e-9)


def test_replicas_of_an_exact_multiple() -> None:
    # Just above and below by rounding is the same number.
    assert replicas_needed(0.3, np.array([0.1])) == 3
    assert replicas_needed(np.array([29.999, 30.001]), np.array([10.0])).tolist() == [3, 4]


def test_domains() -> None:
    assert domains_filled(8, 3, 8) == 3
    assert domains_filled(1, 9, 8) == 2
    # 32 of 72 chips: two to a rack, and 8 chips of it idle
    assert domains_filled(32, 5, 72) == 3
    assert domains_filled(24, 2, 16) == 4
    assert domains_filled(1, 5, 1) == 5


def test_misses_say_what_is_over() -> None:
    row = np.array([1])
    terms = Terms(limits(ttft=Limit(0.01, "p90"), tpot=Limit(0.005)), 0.5)
    capacity = float(DENSE.open(np.ones(1), row).capacity_per_s[0])
    rate = np.array([0.9 * capacity])
    found = as_numbers(DENSE.open(rate, row))
    missed = {miss.metric: miss for miss in misses(found, float(rate[0]), terms)}
    assert set(missed) == {"ttft", "tpot", "utilization"}
    assert missed["ttft"].value == float(found.statistic("ttft", "p90"))
    assert (missed["ttft"].limit, missed["ttft"].statistic) == (0.01, "p90")
    assert missed["utilization"].value == pytest.approx(0.9)
    assert missed["utilization"].excess == pytest.approx(0.8)
    worst = max(miss.value / miss.limit for miss in missed.values())
    assert overshoot(found, rate, terms) == pytest.approx(worst)
    order = [miss.excess for miss in misses(found, float(rate[0]), terms)]
    assert order == sorted(order, reverse=True)


def test_beyond_capacity_the_queue_has_no_end() -> None:
    row = np.array([1])
    terms = Terms(limits(ttft=Limit(100.0), tpot=Limit(100.0), e2e=Limit(100.0)))
    rate = DENSE.open(np.ones(1), row).capacity_per_s * 1.01
    found = as_numbers(DENSE.open(rate, row))
    assert is_saturated(found, float(rate[0]))
    missed = {miss.metric: miss.value for miss in misses(found, float(rate[0]), terms)}
    assert missed["ttft"] == missed["e2e"] == np.inf
    assert missed["utilization"] == pytest.approx(1.01)
    assert "tpot" not in missed
    assert overshoot(found, rate, terms) > 1e5


def test_steps_of_admission_are_part_of_the_first_token() -> None:
    found = DENSE.open(np.full(len(ROWS), 2.0), ROWS)
    steps = DENSE.calibration.effects["admission"]
    assert step_wait_s(found) == pytest.approx(steps * found.tpot_s, rel=1e-12)
    assert (step_wait_s(found) > found.step_s / 2).all()
    assert (step_wait_s(found) + found.wait_s < found.ttft_s).all()
