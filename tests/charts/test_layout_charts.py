"""Pictures of layouts: valid, drawn the same each time, with units and what they claim."""

from __future__ import annotations

import itertools
import re

import altair
import pytest
from clear import assert_clear

import ridgeline as rl
from ridgeline.charts.marks import log_ticks
from ridgeline.charts.rack import rack_chart
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.layouts.pictures import PICTURES

CASES = {
    "sparse": ("deepseek-ai/DeepSeek-V3", "gb200-nvl72", {"tpot_s": 0.03}),
    "several domains": ("deepseek-ai/DeepSeek-V3", "4xhgx-h200", {"tpot_s": 0.05}),
    "dense": ("meta-llama/Meta-Llama-3.1-70B", "hgx-h100", {}),
    "several machines": ("openai/gpt-oss-120b", ["hgx-h100", "mi300x"], {"tpot_s": 0.02}),
    "context, ideal": ("Qwen/Qwen3-8B", "hgx-h100", {"context": 4096, "reading": "ideal"}),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def answer(request) -> rl.Layouts:
    model, on, options = request.param
    return rl.layouts(model, on, **options)


@pytest.mark.parametrize("name", list(PICTURES))
def test_valid_and_drawn_alike_twice(answer: rl.Layouts, name: str) -> None:
    if name == "timeline" and not any(r["pp"] > 1 for r in answer.rows):
        with pytest.raises(SpecError, match="no timeline"):
            answer.chart(name)
        return
    chart = answer.chart(name)
    altair.Chart.from_dict(chart.to_dict(), validate=True)
    first, second = (_drawn(chart.to_bytes(".svg").decode()) for _ in range(2))
    assert first == second
    dark = _drawn(chart.to_bytes(".svg", dark=True).decode())
    assert first != dark
    for svg in (first, dark):
        assert_clear(chart.spec, svg)
    assert "NaN" not in first
    assert "Infinity" not in first


def _drawn(svg: str) -> str:
    """The renderer numbers its clip paths on and on within a process; the rest is the same."""
    return re.sub(r"clip\d+", "clip", svg)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("front", ("tok/s per user", "output tok/s per chip", "limit: 33.3", "bottleneck")),
        ("roofline", ("FLOP per byte of memory", "(FLOP/s)", "memory 8 TB/s", "ridge 625")),
        ("memory", ("(GB)", "capacity 198 GB", "weights", "caches", "reserve")),
        ("rack", ("holds experts", "no experts", "experts a chip holds of each layer")),
        ("timeline", ("time (ms)", "stage", "idle")),
    ],
)
def test_pictures_say_units_and_what_matters(name: str, words: tuple[str, ...]) -> None:
    # Chosen equally often, experts are best spread over all 72 chips, four each: eight hold none.
    answer = rl.layouts("deepseek-ai/DeepSeek-V3", "gb200-nvl72", tpot=0.03, expert_load_cv=0.0)
    text = answer.chart(name).to_bytes(".svg").decode()
    for word in words:
        assert word in text, word


def test_every_operator_lies_under_its_roofs() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "hgx-h100", tpot=0.05)
    spec = answer.chart("roofline").spec
    (dots,) = [
        layer["data"]["values"] for layer in spec["layer"] if layer["mark"]["type"] == "circle"
    ]
    chip = rl.chip("h100-sxm")
    assert len(dots) >= 5
    for dot in dots:
        roof = min(chip.peak["bf16"], dot["intensity_flops_per_byte"] * chip.memory.bandwidth)
        assert 0 < dot["flops_per_s"] <= roof * (1 + 1e-9)


def test_the_rack_shows_the_idle_chips() -> None:
    """256 experts over 72 chips: 4 on each of 64, none on 8 (the lecture's count)."""
    answer = rl.layouts("deepseek-ai/DeepSeek-V3", "gb200-nvl72", tpot=0.02, reading="ideal")
    layout = answer.best_layout
    assert (layout.attn_dp, layout.ep) == (72, 72)
    squares = answer.chart("rack").spec["layer"][0]["data"]["values"]
    assert sorted(s["experts"] for s in squares) == [0] * 8 + [4] * 64


def test_the_timeline_never_runs_two_micro_batches_on_a_stage() -> None:
    answer = rl.layouts("meta-llama/Meta-Llama-3.1-70B", "hgx-h100")
    for panel in answer.chart("timeline").spec["vconcat"]:
        bars = panel["layer"][1]["data"]["values"]
        for stage in {b["stage"] for b in bars}:
            own = sorted((b["from_ms"], b["to_ms"]) for b in bars if b["stage"] == stage)
            assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(own))


def test_wrong_pictures_are_refused() -> None:
    answer = rl.layouts("Qwen/Qwen3-8B", "hgx-h100")
    with pytest.raises(SpecError, match="Did you mean 'front'"):
        answer.chart("frnt")
    nothing = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", tpot=1e-5)
    with pytest.raises(InfeasibleError, match="Nothing to draw"):
        nothing.chart("front")
    many = rl.layouts("deepseek-ai/DeepSeek-V3", "8xgb200-nvl72", batch=[64])
    with pytest.raises(SpecError, match="too many to draw"):
        many.chart("rack")


def test_ticks_are_few_and_inside() -> None:
    assert log_ticks(1, 1e9) == [10.0**i for i in range(10)]
    assert log_ticks(3, 60) == [5.0, 10.0, 20.0, 50.0]


def test_a_rack_of_one_chip_is_a_rack() -> None:
    chip = {"label": "4", "experts": 4, "drawn": True, "tip": ""}
    altair.Chart.from_dict(
        rack_chart([chip], [], domain_size=8, title="x", subtitle=["y"]).to_dict(), validate=True
    )
