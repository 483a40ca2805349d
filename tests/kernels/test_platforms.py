"""Chips that are no datacentre GPUs: overheads of their own, and speeds that others published."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ridgeline as rl
from ridgeline.catalog import chip, constants, engine, engine_constants, engines, entry_ids
from ridgeline.errors import InfeasibleError
from ridgeline.kernels import EFFECTS, calibration, resolve
from ridgeline.steps.layouts import usual_layouts

TABLE = Path(__file__).parent / "single_user_speeds.csv"
ROWS = list(csv.DictReader(TABLE.read_text().splitlines()))
#: kinds of chips whose steps are one compiled program, or no launches at all
COMPILED = ("wafer", "sram", "tpu")
QWEN = "Qwen/Qwen3-8B"


def _predicted(row: dict[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if row["weights"]:
        options["weights"] = row["weights"]
    if row["tp"]:
        options["layout"] = rl.Layout(tp=int(row["tp"]), pp=int(row["pp"]))
    elif row["n_chips"]:
        options["chips"] = int(row["n_chips"])
    if not row["chip"].startswith(("wse", "groq")):
        options["engine"] = "llama.cpp"
    context = float(row["context"])
    return rl.serving(row["model"], row["chip"], batch=1, context=context, **options).at(1)


@pytest.fixture(scope="module")
def answers() -> list[tuple[dict[str, str], dict[str, Any]]]:
    return [(row, _predicted(row)) for row in ROWS]


def test_published_speeds_are_met_within_a_factor_and_intervals_hold_them(answers) -> None:
    inside = {"": [], "x": []}
    for row, step in answers:
        seconds = 1 / float(row["tokens_per_s"])
        factor = seconds / step["time_s"]
        assert 1 / 1.7 < factor < 1.7, (row["chip"], row["model"], factor)
        inside[row["held_out"]].append(step["time_low_s"] <= seconds <= step["time_high_s"])
    # 80% intervals: of the rows that constants were set on, and of those never looked at before.
    for held in inside.values():
        assert sum(held) >= 0.75 * len(held)


def test_rows_held_out_are_met_on_the_mean(answers) -> None:
    logs = [
        math.log(step["time_s"] * float(row["tokens_per_s"]))
        for row, step in answers
        if row["held_out"]
    ]
    assert len(logs) > 15
    assert abs(np.mean(logs)) < 0.2
    assert np.median(np.abs(logs)) < 0.25


@pytest.mark.parametrize("kind", [*COMPILED, "cpu"])
def test_constants_of_kernels_on_gpus_are_not_taken_for_chips_that_launch_none(kind: str) -> None:
    gpu = constants(chip("h100-sxm"))
    own = [constants(c) for c in map(chip, entry_ids("chips")) if c.kind == kind]
    assert own
    for found in own:
        for part in ("product", "decode", "prefill"):
            for name, group in getattr(found, part).items():
                assert group.level == "kind", (found.id, part, name)
                assert not group.n_points
        assert found.decode["bf16"].start_s.value < 0.5 * gpu.decode["bf16"].start_s.value


@pytest.mark.parametrize("name", ["wse-3", "groq-lpu-v1", "tpu-v6e"])
def test_a_compiled_step_waits_for_no_launches(name: str) -> None:
    found = chip(name)
    assert found.kind in COMPILED
    own = calibration(rl.cluster(name), engine=found.engine).effects
    servers = calibration(rl.cluster("hgx-h100")).effects
    assert own["eager_s"] < 0.01 * servers["eager_s"]
    if found.kind == "tpu":
        assert own["gap_s"] < 0.2 * servers["gap_s"]
    else:
        assert own["host_s"] < 0.5 * servers["host_s"]


def test_a_small_step_on_a_wafer_is_a_few_crossings_of_its_mesh_for_each_op() -> None:
    step = rl.serving(QWEN, "wse-3", batch=1, context=1000).at(1)
    crossing_s, layers = 2 * 950 / 1.1e9, 36
    ops = 4 + 3 + 2  # products, attention's three exchanges, norms
    assert step["overhead_s"] == pytest.approx(layers * ops * crossing_s, rel=0.15)


@pytest.mark.parametrize(
    "machine", ["wse-3", "groq-lpu-v1", "tpu-v5e", "strix-halo", "apple-m4-max", "cpu-epyc-9755"]
)
def test_no_platform_is_faster_than_its_datasheet(machine: str) -> None:
    calibrated = rl.serving(QWEN, machine, context=512, batch=[1, 8, 16])
    layout = calibrated.replica.layout
    ideal = rl.serving(QWEN, machine, context=512, batch=[1, 8, 16], layout=layout, reading="ideal")
    for batch in (1, 8, 16):
        assert calibrated.at(batch)["time_s"] > ideal.at(batch)["time_s"]


def test_what_is_assumed_is_an_effect_with_a_reason_and_a_spread() -> None:
    eras = [era for record in engines().values() for era in record.eras if era.assumed]
    assert {"cerebras", "groq", "xla", "llama.cpp-2025"} <= {era.id for era in eras}
    for era in eras:
        for name, assumed in era.assumed.items():
            assert name in EFFECTS
            assert assumed.sigma > 0
            assert assumed.why


def test_llama_cpp_of_today_replays_graphs_on_nvidia_alone() -> None:
    fitted, name = engine_constants(), "llama.cpp"
    for found, faster in ((chip("rtx-4090"), True), (chip("apple-m2-ultra"), False)):
        before = resolve(fitted, found, name, "b3000")
        now = resolve(fitted, found, name)
        assert (now["gap_s"].value < 0.5 * before["gap_s"].value) == faster
        assert now["memory"].value == before["memory"].value
        assert now["memory"].sigma > before["memory"].sigma  # a release that no fit has measured


@pytest.mark.parametrize(
    ("version", "date", "era"),
    [
        ("", "", "llama.cpp-2025"),
        ("", "2023-11", "llama.cpp"),
        ("", "2026-01", "llama.cpp-2025"),
        ("b4000", "", "llama.cpp"),
        ("b7825", "", "llama.cpp-2025"),
    ],
)
def test_releases_of_llama_cpp_by_build_and_date(version: str, date: str, era: str) -> None:
    assert engine("llama.cpp").era(version, date).id == era


def test_stages_of_chips_with_little_memory_are_no_more_than_layers() -> None:
    found = rl.serving("Qwen/Qwen3-32B", "groq-lpu-v1", batch=1, context=1000)
    layout = found.replica.layout
    assert layout.pp <= 64
    assert layout.pp * layout.tp == found.replica.n_chips > 256
    model, cluster = rl.model("Qwen/Qwen3-32B"), rl.cluster("groq-lpu-v1")
    assert all(x.pp <= 64 for x in usual_layouts(model, cluster, 576))


def test_what_nothing_joins_is_refused_and_not_priced() -> None:
    with pytest.raises(InfeasibleError, match="No usual number of Groq LPU v1"):
        rl.serving("openai/gpt-oss-120b", "groq-lpu-v1", batch=1, context=1000)
