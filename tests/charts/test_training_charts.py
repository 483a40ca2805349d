"""Pictures of answers about training: bars are the parts, colours have one meaning, all is read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from clear import assert_clear, layers_of, texts

import ridgeline as rl
from ridgeline.charts.training import TIME_KINDS, training_chart
from ridgeline.questions.training.words import KINDS_OF_TIME, PART_WORDS
from ridgeline.trainer.step import PARTS

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "staged": ("meta-llama/Meta-Llama-3-70B", "16xhgx-h100",
               {"seq": 8192, "tp": 4, "pp": 4, "vp": 5, "recompute": "full"}),
    "full": ("meta-llama/Meta-Llama-3-70B", "8xhgx-h100", {"seq": 8192, "tp": 8, "pp": 2}),
    "experts": ("Qwen/Qwen3-30B-A3B", "4xhgx-h100", {"ep": 8, "expert_tp": 1, "tp": 1}),
    "card": ("openai-community/gpt2", "rtx-4090", {"seq": 1024, "micro_batch": 8}),
    "ideal": ("Qwen/Qwen3-8B", "hgx-h100", {"tp": 2, "pp": 2, "reading": "ideal"}),
    "board": ("Qwen/Qwen3-8B", "hgx-h100", {"tp": 2, "pp": 2, "reading": "blackboard"}),
}  # fmt: skip


def answer_of(case: str) -> rl.Training:
    model, machine, options = CASES[case]
    return rl.training(model, machine, **options)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_every_picture_is_clear(case: str, dark: bool) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    answer = answer_of(case)
    for name, draw in answer.answer.charts.items():
        chart = draw()
        svg = chart.to_bytes(".svg", dark=dark).decode()
        assert_clear(chart.spec, svg)
        (said, _) = texts(svg)
        assert said, name


def test_which_pictures_there_are() -> None:
    assert list(answer_of("staged").answer.charts) == [
        "time", "schedule", "memory", "memory-over-time",
    ]  # fmt: skip
    assert list(answer_of("card").answer.charts) == ["time", "memory", "memory-over-time"]
    assert list(answer_of("board").answer.charts) == ["time", "memory"]


def test_every_part_has_words_and_one_meaning() -> None:
    assert tuple(PART_WORDS) == PARTS
    assert sorted(p for parts in KINDS_OF_TIME.values() for p in parts) == sorted(PARTS)
    assert list(KINDS_OF_TIME) == list(TIME_KINDS)
    assert len(set(TIME_KINDS.values())) == len(TIME_KINDS)


def test_bars_follow_each_other_up_to_the_step() -> None:
    answer = answer_of("staged")
    bars = [
        row
        for layer in layers_of(answer.chart().spec)
        if layer["mark"]["type"] == "bar"
        for row in layer["data"]["values"]
    ]
    parts, whole = bars[:-1], bars[-1]
    for one, after in itertools.pairwise(parts):
        assert after["from"] == pytest.approx(one["from"] + one["time"])
    assert parts[-1]["from"] + parts[-1]["time"] == pytest.approx(whole["to"], rel=5e-3)
    assert whole["to"] == pytest.approx(answer.step_s)
    kinds = {row["part"]: row["kind"] for row in parts}
    assert kinds["TP collectives, exposed"] == "exposed communication"
    assert kinds["pipeline bubble"] == "bubble"
    assert kinds["recompute"] == "computed again"


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")])
def test_the_axis_has_the_unit_that_fits(scale: float, unit: str) -> None:
    rows = [{"part": "GEMMs", "kind": "arithmetic", "seconds": 3 * scale, "words": "3"}]
    chart = training_chart(rows, 3 * scale, None, title="t", subtitle="")
    assert chart.spec["layer"][0]["encoding"]["x"]["axis"]["title"] == f"time ({unit})"


def test_a_schedule_of_many_micro_batches_says_how_many_are_drawn() -> None:
    answer = rl.training("Qwen/Qwen3-8B", "hgx-h100", tp=2, pp=4, global_batch=512)
    title = answer.chart("schedule").spec["title"]
    assert "drawn with 72 of its 512 micro-batches" in " ".join(title["subtitle"])


SCALED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "strong": ("meta-llama/Meta-Llama-3.1-405B", "2048xhgx-h100",
               {"seq": 8192, "global_batch": 2048, "tp": 8, "pp": 16}),
    "weak": ("Qwen/Qwen3-8B", "32xhgx-h100", {"global_batch": 512, "tp": 2, "kind": "weak"}),
    "experts": ("deepseek-ai/DeepSeek-V3", "256xhgx-h800", {"global_batch": 15360}),
    "one": ("Qwen/Qwen3-8B", "hgx-h100", {"sizes": 8}),
}  # fmt: skip


@pytest.mark.parametrize("case", SCALED)
def test_the_picture_of_scaling_is_clear(case: str) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra [charts]")
    model, machine, options = SCALED[case]
    answer = rl.scaling(model, machine, **options)
    chart = answer.chart()
    for dark in (False, True):
        assert_clear(chart.spec, chart.to_bytes(".svg", dark=dark).decode())
    said = {text for text, _ in texts(chart.to_bytes(".svg").decode())[0]}
    if case == "strong":
        assert "batch runs out" in said
        assert "bound: FSDP or DP alone" in said
    rows = layers_of(chart.spec)
    drawn = [
        r for layer in rows if layer["mark"]["type"] == "point" for r in layer["data"]["values"]
    ]
    assert {r["n_chips"] for r in drawn} == {row["n_chips"] for row in answer.rows}
