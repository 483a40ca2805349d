"""Chips unlike those measured have wider intervals, and the answer says why."""

from __future__ import annotations

import pytest

import ridgeline as rl
from ridgeline.kernels.extrapolation import beyond, beyond_words, extrapolation_sigma
from ridgeline.laws.attention_core import matrix_row_share


def own_chip(peak: float, bandwidth: float) -> rl.Chip:
    given = {"id": "own", "name": "Own", "vendor": "me", "peak": {"bf16": peak}}
    return rl.Chip.model_validate(given | {"memory": {"capacity": 96e9, "bandwidth": bandwidth}})


def width(chip: rl.Chip) -> float:
    """How many times the low end of a decode step's interval its high end is."""
    row = rl.serving("Qwen/Qwen3-8B", chip, batch=16, chips=1).at(16)
    return row["time_high_s"] / row["time_low_s"]


def test_chips_that_were_measured_are_not_extrapolated() -> None:
    for name in ("h100-sxm", "a100-80gb-sxm", "mi300x", "apple-m2-ultra", "rtx-4090"):
        assert beyond(rl.chip(name)) == []
        assert extrapolation_sigma(rl.chip(name)) == 0


def test_a_family_without_measured_kernels_is_held_to_its_own_chips() -> None:
    """Of AMD's chips with HBM engines were measured on MI250 and MI300X; B200 tells nothing."""
    ladder = [
        float(extrapolation_sigma(rl.chip(c))) for c in ("mi300x", "mi325x", "mi350x", "mi455x")
    ]
    assert ladder[0] == 0
    assert ladder == sorted(set(ladder))
    # Two chips; FLOP/s 1.92 times, bytes/s 1.51 times, their ratio 1.28 times the family's most:
    # 0.2 x root of squares of ln of each over spread over root two comes to 0.15.
    assert extrapolation_sigma(rl.chip("mi355x")) == pytest.approx(0.15, rel=0.3)


def test_the_further_from_the_chips_measured_the_wider() -> None:
    inside, low, lower = (own_chip(peak, 3e12) for peak in (900e12, 200e12, 20e12))
    assert [b.what for b in beyond(low)] == ["FLOPs per byte"]
    assert 0 == extrapolation_sigma(inside) < extrapolation_sigma(low) < extrapolation_sigma(lower)
    assert width(inside) < width(low)


def test_the_answer_says_what_lies_outside() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", own_chip(800e12, 6e12), batch=9)
    (said,) = [n for n in answer.notes if "extrapolated" in n]
    assert "FLOPs per byte 133 (theirs 153 to 419)" in said
    quiet = rl.serving("Qwen/Qwen3-8B", own_chip(1200e12, 6e12), batch=9)
    assert not any("extrapolated" in n for n in quiet.notes)


def test_large_figures_have_separators_and_small_ones_digits() -> None:
    assert "FLOPs per byte 2,000 (theirs" in beyond_words(own_chip(6e15, 3e12))
    assert "FLOPs per byte 0.5 (theirs" in beyond_words(own_chip(5e15, 1e16))


@pytest.mark.parametrize("batch", [9, 64])
def test_no_step_of_five_per_cent_of_the_peak_is_called_compute_bound(batch: int) -> None:
    """What multiplies on a low ratio is attention on vector units, not GEMMs on matrix units."""
    answer = rl.serving("Qwen/Qwen3-8B", own_chip(800e12, 6e12), batch=batch, chips=1)
    row = answer.at(batch)
    assert row["bound"] != "compute" or row["mfu"] > 0.2


def test_few_matrix_units_do_not_slow_the_vector_units_beside_them() -> None:
    h20 = rl.chip("h20")
    times = {}
    for fp32 in (h20.peak["fp32"], None):
        rates = {k: v for k, v in h20.peak.items() if k != "fp32"} | (
            {"fp32": fp32} if fp32 else {}
        )
        chip = h20.model_copy(update={"peak": rates})
        answer = rl.serving("Qwen/Qwen3-8B", chip, batch=32, chips=1)
        times[fp32] = answer.at(32)["attention_s"]
        assert any("No fp32 rate" in note for note in answer.notes) == (fp32 is None)
    # 38.7 GB of cache take 9.7 ms at 4 TB/s.
    assert 9.6e-3 < times[h20.peak["fp32"]] < 20e-3
    assert times[None] > 2 * times[h20.peak["fp32"]]


def test_a_measured_chip_that_was_changed_is_extrapolated() -> None:
    h100 = rl.chip("h100-sxm")
    assert float(extrapolation_sigma(h100)) == 0
    faster = h100.replaced({"memory.bandwidth": 20 * h100.memory.bandwidth}, where="test")
    assert float(extrapolation_sigma(faster)) > 0.1
    assert "memory bandwidth" in [b.what for b in beyond(faster)]


def test_vector_units_of_the_usual_share_change_nothing() -> None:
    assert float(matrix_row_share(1, 1 / 20)) == float(matrix_row_share(1)) == 1 / 16
    assert float(matrix_row_share(1, 0.3)) == 0.3
    assert float(matrix_row_share(32, 0.3)) == 0.5
