"""What engines set aside when they start: by hand, in the limits, and against start-up logs."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

import pytest

from ridgeline import catalog
from ridgeline.errors import RidgelineError
from ridgeline.fidelity.engines.starts import STARTS, fit_start, read_starts, scores
from ridgeline.laws.memory import rounded_up, sampling_peak_bytes
from ridgeline.specs.layout import Layout
from ridgeline.steps.memory import MemoryPerChip, memory_per_chip

if TYPE_CHECKING:
    from pathlib import Path

    from ridgeline.specs.engine import Engine
    from ridgeline.specs.engine_start import Start

GIB = 2**30
#: what is promised of rows that were left out of the fit
MEDIAN_OFF = 0.08


def start_of(engine: Engine) -> Start:
    assert engine.start is not None
    return engine.start


def held(
    model: str, chip: str, engine: str = "vllm", tp: int = 1, **changes: float
) -> MemoryPerChip:
    on = catalog.engine(engine).on(catalog.chip(chip)).replaced(changes)
    cluster = catalog.cluster(chip)
    return memory_per_chip(catalog.model(model), Layout(tp=tp), 1, cluster=cluster, engine=on)


def test_sampling_by_hand() -> None:
    """9.5 copies of 1,024 rows of 128,256 logits in fp32, and two of 8,192 hidden states."""
    by_hand = 9.5 * 1024 * 128_256 * 4 + 2 * 8192 * 4096 * 2
    assert held("meta-llama/Llama-3.1-8B-Instruct", "h100-sxm").activation_bytes == by_hand
    assert sampling_peak_bytes(1, 10, 2, 5) == 85


def test_what_is_tried_out_grows_with_what_the_engine_is_set_to() -> None:
    name, chip = "Qwen/Qwen3-32B", "h100-sxm"
    few, usual = held(name, chip, max_sequences=16), held(name, chip)
    assert few.activation_bytes < usual.activation_bytes
    # With few sequences the step decides: gate, up, and what goes into down, beside two streams.
    step = 8192 * (3 * 25_600 + 2 * 5120) * 2
    assert few.activation_bytes == step
    twice = held(name, chip, max_sequences=16, token_budget=16_384)
    assert twice.activation_bytes == 2 * step
    # Every chip of a group has the logits of the whole vocabulary.
    assert held(name, chip, tp=2).activation_bytes == usual.activation_bytes
    assert held(name, chip, tp=8).runtime_bytes > held(name, chip, tp=2).runtime_bytes


def test_smaller_chips_take_smaller_steps() -> None:
    vllm = catalog.engine("vllm")
    found = {c: vllm.on(catalog.chip(c)) for c in ("h100-sxm", "a100-80gb-sxm", "rtx-4090")}
    assert [e.token_budget for e in found.values()] == [8192, 2048, 2048]
    assert [e.max_sequences for e in found.values()] == [1024, 256, 256]
    assert vllm.on(catalog.chip("h100-sxm"), "0.6.3").max_sequences == 256
    graphs = {v: start_of(vllm.on(catalog.chip("h100-sxm"), v)) for v in ("0.6.3", "0.22.0")}
    assert graphs["0.6.3"].graph_bytes == 0
    assert graphs["0.22.0"].graph_bytes > 0


def test_experts_in_mxfp4_grow_when_they_are_loaded() -> None:
    """2,880 hidden becomes 3,072, and 2,880 inner 2,944: 65.97 GiB of a log, not 60.8."""
    loaded = held("openai/gpt-oss-120b", "h100-sxm")
    assert loaded.loaded_bytes / GIB == pytest.approx(65.97, rel=0.002)
    experts = 36 * 128 * 3 * 2880 * 2880 * 4.25 / 8
    grown = (3072 / 2880) * (2944 / 2880) - 1
    assert loaded.widening_bytes == pytest.approx(experts * grown, rel=1e-6)
    assert held("Qwen/Qwen3-32B", "h100-sxm").widening_bytes == 0
    assert rounded_up(3072, 256) == 3072


def test_an_encoder_of_images_takes_weights_and_its_largest_image() -> None:
    """Qwen3.6: 27 layers of 1,152 and 4,304, 65,536 patches of two frames of 16 x 16 pixels."""
    model = catalog.model("nvidia/Qwen3.6-35B-A3B-NVFP4")
    assert model.encoder is not None
    layers = 27 * (4 * 1152**2 + 2 * 1152 * 4304)
    merger = (4 * 1152) ** 2 + 4 * 1152 * 2048
    assert model.encoder.n_params == layers + 1536 * 1152 + merger
    one = held("nvidia/Qwen3.6-35B-A3B-NVFP4", "rtx-5090", max_sequences=1)
    image = 65_536 * (1536 * (4 + 2) + 2 * (4304 + 1152) * 2)
    assert one.activation_bytes == image
    assert one.encoder_bytes == 2 * model.encoder.n_params
    assert held("Qwen/Qwen3-32B", "h100-sxm").encoder_bytes == 0


def test_sglang_keeps_what_its_own_rule_says() -> None:
    """512 MiB, 1.5 MiB a token of a step, 2 MiB a sequence of its graphs, 128 MiB a chip."""
    one = held("Qwen/Qwen3-8B", "h100-sxm", "sglang")
    kept = one.activation_bytes + one.buffer_bytes + one.unused_bytes
    assert kept == (512 + 1.5 * 8192 + 2 * 256 + 128) * 2**20
    eight = held("Qwen/Qwen3-8B", "h100-sxm", "sglang", tp=8)
    kept = eight.activation_bytes + eight.buffer_bytes + eight.unused_bytes
    assert kept == (512 + 1.5 * 8192 + 2 * 512 + 8 * 128) * 2**20


def test_gpt_oss_120b_starts_on_one_h100_only_if_told_to() -> None:
    capacity = catalog.chip("h100-sxm").memory.usable
    assert held("openai/gpt-oss-120b", "h100-sxm").fixed_bytes > capacity
    assert held("openai/gpt-oss-120b", "h100-sxm", max_sequences=64).fixed_bytes < capacity


def test_room_of_rows_left_out() -> None:
    """Each row of start-up logs by constants fitted to the others."""
    found = scores(read_starts())
    off = [s.off_by for s in found if not math.isnan(s.off_by)]
    assert len(off) >= 20
    assert median(off) <= math.log1p(MEDIAN_OFF)
    stated = [s.off_by for s in found if s.row.share_stated and not math.isnan(s.off_by)]
    assert median(stated) <= math.log1p(MEDIAN_OFF)
    assert sum(not s.row.starts for s in found) >= 2
    assert not [s.row.id for s in found if s.is_false_fit]


def test_the_catalogue_has_what_the_logs_tell() -> None:
    start = start_of(catalog.engine("vllm"))
    fitted = fit_start(read_starts(), start)
    assert start.logit_copies == fitted.logit_copies
    assert start.runtime_bytes == pytest.approx(fitted.runtime_bytes, rel=0.05)
    assert start.group_bytes == pytest.approx(fitted.group_bytes, rel=0.05)


def test_a_broken_table_of_starts_is_named(tmp_path: Path) -> None:
    lines = STARTS.read_text(encoding="utf-8").splitlines()[:2]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines).replace(",1,vllm", ",one,vllm"), encoding="utf-8")
    with pytest.raises(RidgelineError, match=r"mine\.csv, planner-gpt-oss-20b"):
        read_starts(path)
