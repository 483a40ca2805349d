"""Scaling against measured series of runs: tokens per chip on many chips over those on few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ridgeline.fidelity.training import read_training
from ridgeline.fidelity.training.scaling import Scaled, scaled_runs
from ridgeline.fidelity.training.shipped import SHIPPED_TRAINING

SHARED = Path(__file__).parents[3] / "shared" / "truth" / "training.csv"


def errors(found: list[Scaled]) -> np.ndarray:
    return np.abs([one.error for one in found])


@pytest.fixture(scope="module")
def shipped() -> list[Scaled]:
    return scaled_runs(read_training([SHIPPED_TRAINING]))


def test_measured_scaling_is_predicted_within_a_few_percent(shipped: list[Scaled]) -> None:
    assert len(shipped) >= 40
    assert np.median(errors(shipped)) < 0.03
    assert np.mean(errors(shipped)) < 0.05
    far = [one for one in shipped if one.n_many >= 8 * one.n_few]
    assert len(far) >= 8
    assert np.median(errors(far)) < 0.09
    # More is lost than was measured, rather than less: by a few percent on many times the chips.
    assert -0.08 < np.median([one.error for one in far]) < 0.01


def test_a_series_differs_in_chips_alone(shipped: list[Scaled]) -> None:
    for one in shipped:
        assert one.n_many > one.n_few
        assert 0.5 < one.measured < 1.3
        assert 0.5 < one.predicted < 1.1
    assert {one.kind for one in shipped} == {"strong", "weak"}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the large table of measured runs is not here")
def test_the_large_table_scales_alike() -> None:
    found = scaled_runs(read_training([SHARED]))
    large = [one for one in found if one.source == "dgxc-benchmarking"]
    assert len(large) >= 150
    assert np.median(errors(large)) < 0.03
    assert np.quantile(errors(large), 0.9) < 0.08
    # Where much is lost, it is seen where and how much: perfect scaling would be far off.
    lost = [one for one in found if one.source == "vtrain-single" and one.measured < 0.93]
    assert len(lost) >= 100
    perfect = np.abs(np.log([one.measured for one in lost]))
    assert np.mean(errors(lost)) < 0.3 * np.mean(perfect)
