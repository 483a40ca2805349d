"""What is not known of effects and rates widens the interval by what the time owes to it."""

from __future__ import annotations

import math

import pytest

import ridgeline as rl
from ridgeline.catalog import chip, engine, engine_constants
from ridgeline.kernels import calibration, resolve, scopes_of
from ridgeline.kernels.spread import estimated_rates, log_variance
from ridgeline.specs.record import Provenance


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
    cal = calibration(cluster)
    time_s = cluster.chip.memory.bandwidth**-2
    variance = log_variance(cal, lambda c: c.cluster.chip.memory.bandwidth**-2, time_s)
    assert variance**0.5 == pytest.approx(2 * sigma, rel=0.03)


def test_links_over_pcie_are_a_machines() -> None:
    """Pairs sit under one switch; through host memory from half of the rate to all of it."""
    eight = rl.cluster("l40s-8")
    pair = eight.replaced({"domain_size": 2})
    staged = pair.replaced({"peer_access": "host"})
    assert estimated_rates(rl.cluster("hgx-h100")) == {}
    assert estimated_rates(pair) == {}
    assert estimated_rates(staged)["link"] == pytest.approx(math.log(2) / 2 / 1.2816)
    four = estimated_rates(eight.replaced({"domain_size": 4}))["link"]
    assert estimated_rates(eight)["link"] == pytest.approx(2 * four)
    # Three machines in order leave 0.77 to 1 of the rate at each doubling.
    assert 0.1 < four < 0.4


@pytest.mark.parametrize("name", ["memory", "gap_s"])
def test_a_power_of_an_effect_gives_its_exponent(name: str) -> None:
    cal = calibration(rl.cluster("tpu-v5p-pod"))
    sigma = cal.effect_sigmas[name]
    assert sigma > 0
    value = cal.effects[name] ** -3
    variance = log_variance(cal, lambda c: c.effects[name] ** -3, value)
    assert variance**0.5 == pytest.approx(3 * sigma, rel=0.01)


def test_an_estimate_widens_what_rests_on_it_alone() -> None:
    def width(cluster: rl.Cluster) -> float:
        layout = rl.Layout()
        row = rl.serving("Qwen/Qwen3-8B", cluster, batch=[1], layout=layout).at(1)
        return row["time_high_s"] / row["time_low_s"]

    sure = width(rl.cluster("hgx-h100"))
    assert width(guessed("chip.memory.bandwidth", 2.5e12, 4.2e12)) > 1.05 * sure
    # One chip exchanges nothing.
    assert width(guessed("link", 2e11, 9e11)) == pytest.approx(sure)


def test_a_place_nobody_measured_is_wider_and_names_no_factor() -> None:
    fitted = engine_constants()
    known, new = (resolve(fitted, chip(c), "vllm", "0.18") for c in ("h100-sxm", "tpu-v5p"))
    assert new["memory"].sigma > known["memory"].sigma
    assert new["port"].sigma > 0 == known["port"].sigma


def test_ports_are_of_other_vendors_only() -> None:
    record = engine("vllm")
    home = scopes_of(chip("h100-sxm"), record, record.era("0.18"))
    abroad = scopes_of(chip("mi300x"), record, record.era("0.18"))
    assert "port" not in home
    assert abroad["port"] == "port vllm-v1 to amd"
