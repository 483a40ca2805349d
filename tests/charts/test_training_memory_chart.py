"""Pictures of memory in training: what is drawn is what is held, and it can be read."""

from __future__ import annotations

from typing import Any

import pytest
import vl_convert
from clear import assert_clear, layers_of, texts

from ridgeline import catalog
from ridgeline.charts.training_memory import (
    TRAINING_MEMORY_PARTS,
    memory_time_chart,
    training_memory_chart,
)
from ridgeline.specs.training import TrainingLayout, TrainingLoad
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.memory import MEMORY_PARTS, job_memory, memory_over_time


def job(pp: int = 4, dp: int = 4) -> TrainingJob:
    return TrainingJob(
        catalog.model("meta-llama/Meta-Llama-3-70B"),
        catalog.machine_named("16xhgx-h100").cluster,
        TrainingLayout(tp=8, pp=pp, dp=dp),
        load=TrainingLoad(seq_len=8192, global_batch=64),
        framework=catalog.framework("megatron-lm"),
    )


def drawn(chart: Any, *, dark: bool) -> tuple[dict[str, Any], list[str]]:
    spec = chart.to_dict(dark=dark)
    svg = vl_convert.vegalite_to_svg(spec)
    assert_clear(spec, svg)
    return spec, [text for text, _ in texts(svg)[0]]


def values(chart: Any, mark: str) -> list[dict[str, Any]]:
    found = [x for x in layers_of(chart.spec) if x["mark"]["type"] == mark]
    return [row for layer in found for row in layer["data"]["values"]]


def test_every_part_of_memory_has_a_place_in_the_bar() -> None:
    named = [part for parts, _ in TRAINING_MEMORY_PARTS.values() for part in parts]
    assert sorted(named) == sorted(MEMORY_PARTS)


@pytest.mark.parametrize("dark", [False, True])
def test_bars_are_what_stages_hold(dark: bool) -> None:
    found = job_memory(job())
    held = found.stages_bytes()[0]
    bars = [
        {
            "label": f"stage {s + 1}",
            "note": f"{held[s] / 1e9:.0f} GB",
            "parts": {name: float(v[0, s]) for name, v in found.parts_bytes.items()},
        }
        for s in range(4)
    ]
    chart = training_memory_chart(bars, found.capacity_bytes, title="Llama-3-70B", subtitle="x")
    _, said = drawn(chart, dark=dark)
    assert {"stage 1", "stage 4", "activations", "gradients", "capacity 85 GB"} <= set(said)
    ends = [max(r["to"] for r in values(chart, "bar") if r["label"] == b["label"]) for b in bars]
    assert ends == pytest.approx(held / 1e9, rel=0.01)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("pp", "dp", "shown"), [(1, 16, 1), (4, 4, 4), (8, 2, 4)])
def test_lines_are_what_stages_hold_over_time(pp: int, dp: int, shown: int, dark: bool) -> None:
    one = job(pp, dp)
    found = job_memory(one)
    chart = memory_time_chart(
        memory_over_time(one), found.capacity_bytes, title="Over a step", subtitle="1F1B"
    )
    _, said = drawn(chart, dark=dark)
    assert {"stage 1", f"stage {pp}", "time (s)", "memory of a chip (GB)"} <= set(said)
    rows = values(chart, "line")
    assert len({row["stage"] for row in rows}) == shown
    peak = max(row["gb"] for row in rows if row["stage"] == "stage 1")
    assert peak == pytest.approx(found.stages_bytes()[0, 0] / 1e9)
    ends = {stage: max(r["time"] for r in rows if r["stage"] == stage) for stage in
            {row["stage"] for row in rows}}  # fmt: skip
    assert len(set(ends.values())) == 1
