"""A table made by the law itself is recovered; scores are of shapes the fit has not seen."""

from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest

from ridgeline.errors import MissingExtraError, RidgelineError
from ridgeline.fidelity import Measured, cross_validated, fit, score
from ridgeline.fidelity.fitting import constant_sigmas
from ridgeline.fidelity.forms import FORMS
from ridgeline.laws.collectives import shard_wire_bytes
from ridgeline.laws.gemm import product_bytes, product_flops

pytest.importorskip("scipy")

PRODUCT = {
    "start_s": 3e-6,
    "step_s": 4e-10,
    "compute_efficiency": 0.8,
    "memory_efficiency": 0.9,
    "cache_gain": 1.5,
}
COLLECTIVE = {
    "start_s": 4e-6,
    "hop_s": 1.5e-6,
    "fill_s": 2e-6,
    "link_efficiency": 0.7,
    "doubling_efficiency": 0.8,
}
SHAPES = [(1024, 8192), (8192, 1024), (4096, 4096), (16384, 16384), (8192, 8192)]


def _made(component: str, inputs: dict, shape: list[str], truth: dict, engines: dict) -> Measured:
    rows = len(shape)
    times = FORMS[component].predict(inputs, truth)
    return Measured(
        component=component,
        place="made-up",
        dtype="bf16",
        inputs={k: np.tile(v, len(engines)) for k, v in inputs.items()},
        time_s=np.concatenate([times * factor for factor in engines.values()]),
        engine=np.repeat(list(engines), rows),
        shape=np.tile(shape, len(engines)),
        point=np.tile([str(i) for i in range(rows)], len(engines)),
        scored=np.ones(rows * len(engines), dtype=bool),
    )


def products(engines: dict[str, float]) -> Measured:
    grid = [(2.0**i, n, k) for n, k in SHAPES for i in range(16)]
    m, n, k = (np.array(c, dtype=float) for c in zip(*grid, strict=True))
    inputs = {
        "flops": product_flops(m, n, k),
        "bytes_moved": product_bytes(m, n, k, 2, 2),
        "k": k,
        "peak_flops_per_s": np.full(len(m), 1e15),
        "bandwidth_bytes_per_s": np.full(len(m), 4e12),
        "prepare_bytes": 0 * m,
        "cached": 0 * m,
    }
    return _made("product", inputs, [f"{a:g}x{b:g}" for _, a, b in grid], PRODUCT, engines)


def collectives() -> Measured:
    grid = [(2.0**i, n) for n in (2, 4, 8) for i in range(9, 30)]
    size, n = (np.array(c, dtype=float) for c in zip(*grid, strict=True))
    inputs = {
        "wire_bytes": shard_wire_bytes(size, n),
        "n_chips": n,
        "link_bytes_per_s": np.full(len(n), 450e9),
    }
    return _made("collective", inputs, [f"{s:g}" for s, _ in grid], COLLECTIVE, {"one": 1.0})


@pytest.mark.parametrize(
    ("measured", "truth"), [(products({"one": 1.0}), PRODUCT), (collectives(), COLLECTIVE)]
)
def test_the_constants_that_made_a_table_are_found(measured: Measured, truth: dict) -> None:
    found = fit(FORMS[measured.component], measured)
    for name, value in truth.items():
        if name != "cache_gain":
            assert found[name] == pytest.approx(value, rel=1e-3), name


def test_a_right_law_has_no_error_on_unseen_shapes() -> None:
    measured = products({"one": 1.0})
    result = score(measured, cross_validated(FORMS["product"], measured))
    assert result.median < 1e-3
    assert result.n == len(measured)
    assert result.n_shapes == len(SHAPES)


def test_the_same_table_gives_the_same_digits() -> None:
    measured = products({"a": 0.9, "b": 1.2})
    assert fit(FORMS["product"], measured) == fit(FORMS["product"], measured)


def test_a_shape_is_predicted_by_a_fit_that_never_saw_it() -> None:
    """A shape whose times are nonsense is missed, and spoils no other much."""
    measured = products({"one": 1.0})
    odd = measured.shape == measured.shape[0]
    spoiled = replace(measured, time_s=np.where(odd, 3 * measured.time_s, measured.time_s))
    predicted = cross_validated(FORMS["product"], spoiled)
    assert predicted[odd] == pytest.approx(measured.time_s[odd], rel=0.01)


def test_the_majority_wins_where_engines_fall_into_camps() -> None:
    camps = products({"a": 1.0, "b": 1.0, "slow": 2.0})
    found = fit(FORMS["product"], camps)
    assert found["start_s"] == pytest.approx(PRODUCT["start_s"], rel=0.1)
    one = score(camps, FORMS["product"].predict(camps.inputs, found))
    assert one.of_median < 0.05


def test_engines_that_differ_widen_the_constants() -> None:
    near, far = products({"a": 0.98, "b": 1.02}), products({"a": 0.8, "b": 1.25})
    form = FORMS["product"]
    sigma_near = constant_sigmas(form, near, fit(form, near))
    sigma_far = constant_sigmas(form, far, fit(form, far))
    for name in ("compute_efficiency", "memory_efficiency"):
        assert sigma_far[name] > 2 * sigma_near[name]
    assert min(sigma_near.values()) >= 0.03


def test_bias_has_a_sign() -> None:
    measured = products({"one": 1.0})
    result = score(measured, 1.1 * measured.time_s)
    assert result.bias == pytest.approx(0.1)
    assert result.median == pytest.approx(0.1)
    assert score(measured, measured.time_s / 1.1).median == pytest.approx(0.1)


def test_too_few_measurements_are_refused() -> None:
    measured = products({"one": 1.0})
    few = measured.where(np.arange(len(measured)) < 3)
    with pytest.raises(RidgelineError, match="3 measurements cannot settle 5 constants"):
        fit(FORMS["product"], few)
    one_shape = measured.where(measured.shape == measured.shape[0])
    with pytest.raises(RidgelineError, match="one shape only"):
        cross_validated(FORMS["product"], one_shape)


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest, **more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="calibrate"):
        fit(FORMS["product"], products({"one": 1.0}))
