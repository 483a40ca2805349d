"""Random nets as mixing machines: exact derivatives, and what wiring does to them."""

from __future__ import annotations

import numpy as np
import pytest

from ridgeline.errors import SpecError
from ridgeline.mixing.ciphers import RandomNet, study
from ridgeline.mixing.ciphers.nets import WIRINGS


@pytest.mark.parametrize("wiring", list(WIRINGS))
@pytest.mark.parametrize("branches", ["mlp", "transformer"])
def test_complex_steps_are_derivatives(wiring: str, branches: str) -> None:
    net = RandomNet(wiring, branches, n_layers=3, n_tokens=4, d_model=8)
    source = np.random.default_rng(0)
    x, v = net.inputs(source, 5), net.inputs(source, 5)
    h = 1e-6
    for exact, up, down in zip(
        net.derivatives(x, v), net.states(x + h * v), net.states(x - h * v), strict=True
    ):
        difference = (up - down) / (2 * h)
        assert np.abs(exact - difference).max() < 1e-6 * max(1, np.abs(exact).max())


def test_derivatives_are_linear() -> None:
    net = RandomNet("residual + norm", n_layers=4)
    source = np.random.default_rng(1)
    x, v, w = (net.inputs(source, 3) for _ in range(3))
    together = net.derivatives(x, 2 * v - w)[-1]
    apart = 2 * net.derivatives(x, v)[-1] - net.derivatives(x, w)[-1]
    assert together == pytest.approx(apart, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("branches", ["mlp", "transformer"])
def test_reversible_net_comes_back(branches: str) -> None:
    """Undone with its own branches, none of which is invertible: claim C7-02 for a whole net."""
    net = RandomNet("reversible", branches, n_layers=20)
    x = net.inputs(np.random.default_rng(2), 4)
    y = net.states(x)[-1]
    assert np.abs(y - x).max() > 1
    assert np.abs(net.inverse(y) - x).max() < 1e-9
    with pytest.raises(SpecError, match="has no inverse"):
        RandomNet("residual").inverse(x)


def test_wiring_decides_what_is_left_of_a_derivative() -> None:
    """Chaos mixes like a cipher and its derivatives say nothing; residual and norm keep both."""
    source = np.random.default_rng(3)
    chaotic = RandomNet("plain", gain=1.5)
    steady = RandomNet("residual + norm", gain=1.0)
    assert chaotic.sign_flips(source, n_inputs=32)[-1] == pytest.approx(0.5, abs=0.05)
    assert steady.sign_flips(source, n_inputs=32)[-1] < 0.1
    assert chaotic.jacobian_gains(source, n_inputs=32)[-1] > 1e4
    assert steady.jacobian_gains(source, n_inputs=32)[-1] < 20
    assert abs(chaotic.derivative_agreement(source, n_inputs=32)[-1]) < 0.1
    assert steady.derivative_agreement(source, n_inputs=32)[-1] > 0.2


def test_chaos_grows_exponentially_and_residual_nets_do_not() -> None:
    source = np.random.default_rng(4)
    chaotic = np.log(RandomNet("plain", gain=1.5).jacobian_gains(source, n_inputs=16))
    assert (chaotic[24] - chaotic[12]) / (chaotic[12] - chaotic[0]) > 0.5
    steady = np.log(RandomNet("residual + norm").jacobian_gains(source, n_inputs=16))
    assert (steady[24] - steady[12]) / (steady[12] - steady[0]) < 0.5


def test_study_is_the_same_for_a_seed_and_draws_itself() -> None:
    first = study(n_samples=16, n_layers=3, n_nets=1, seed=5)
    assert first.to_dict() == study(n_samples=16, n_layers=3, n_nets=1, seed=5).to_dict()
    assert first.uniformity == {"AES": 4, "PRESENT": 4, "linear, 4 bits": 16}
    for name in ("avalanche", "derivatives", "jacobians"):
        text = first.chart(name).to_bytes(".json").decode()
        assert "residual + norm" in text or name == "avalanche"
    with pytest.raises(SpecError, match="Did you mean 'jacobians'"):
        first.chart("jacobian")


def test_bad_input_is_explained() -> None:
    with pytest.raises(SpecError, match="Did you mean 'residual'"):
        RandomNet("residuals")
    with pytest.raises(SpecError, match="n_nets is 0"):
        study(n_nets=0)
