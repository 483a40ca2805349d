"""Estimated inputs widen the interval by what the time owes to them."""

from __future__ import annotations

import math

import pytest

import ridgeline as rl
from ridgeline.specs.record import Provenance
from ridgeline.steps.spread import estimated_rates, input_log_variance


def guessed(path: str, low: float, high: float) -> rl.Cluster:
    """An H100 board on which one rate is a guess."""
    cluster = rl.cluster("hgx-h100")
    guess = Provenance(source="judgement", kind="estimate", low=low, high=high)
    if not path.startswith("chip."):
        return cluster.model_copy(update={"sources": {path: guess}})
    sources = {path.removeprefix("chip."): guess}
    return cluster.model_copy(update={"chip": cluster.chip.model_copy(update={"sources": sources})})


def test_a_power_of_a_rate_gives_its_exponent() -> None:
    cluster = guessed("chip.memory.bandwidth", 2e12, 4e12)
    (sigma,) = estimated_rates(cluster).values()
    assert sigma == pytest.approx(math.log(2) / 2 / 1.2816)
    time_s = cluster.chip.memory.bandwidth**-2
    variance = input_log_variance(cluster, lambda c: c.chip.memory.bandwidth**-2, time_s)
    assert variance**0.5 == pytest.approx(2 * sigma, rel=0.03)


def test_an_estimate_widens_what_rests_on_it_alone() -> None:
    def width(cluster) -> float:
        layout = rl.Layout()
        row = rl.serving("Qwen/Qwen3-8B", cluster, batch=[1], layout=layout).at(1)
        return row["time_high_s"] / row["time_low_s"]

    sure = width(rl.cluster("hgx-h100"))
    assert width(guessed("chip.memory.bandwidth", 2.5e12, 4.2e12)) > 1.1 * sure
    # One chip exchanges nothing.
    assert width(guessed("link", 2e11, 9e11)) == pytest.approx(sure)
