"""Pictures of layouts: valid, drawn the same each time, with units and what they claim."""

from __future__ import annotations

import itertools
import re

import altair
import pytest
from clear import assert_clear

import ridgeline as rl
from ridgeline.charts.marks import log_ticks
from ridgeline.charts.pareto import pareto_chart
from ridgeline.charts.rack import rack_chart
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.stages import stage_imbalance
from ridgeline.questions.layouts.pictures import PICTURES
from ridgeline.questions.layouts.racked import _pairs
from ridgeline.specs import Layout
from ridgeline.specs.blocks import MixtureOfExperts

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
        ("rack", ("holds experts", "experts a chip holds of each layer", "copies of hot ones")),
        ("timeline", ("time (ms)", "stage", "idle")),
    ],
)
def test_pictures_say_units_and_what_matters(name: str, words: tuple[str, ...]) -> None:
    # Chosen equally often, experts are best spread over all 72 chips, four each with copies.
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


def test_the_rack_shows_copies_of_hot_experts_where_they_are_priced() -> None:
    """288 slots for 256 experts fill the eight chips that would hold none."""
    answer = rl.layouts("deepseek-ai/DeepSeek-V3", "gb200-nvl72", tpot=0.02, chips=72)
    layout = answer.best_layout
    assert (layout.attn_dp, layout.ep) == (72, 72)
    squares = answer.chart("rack").spec["layer"][0]["data"]["values"]
    assert [s["experts"] for s in squares] == [4] * 72
    assert all("no experts" not in s["tip"] for s in squares)


def test_the_timeline_never_runs_two_micro_batches_on_a_stage() -> None:
    answer = rl.layouts("meta-llama/Meta-Llama-3.1-70B", "hgx-h100")
    for panel in answer.chart("timeline").spec["vconcat"]:
        bars = panel["layer"][1]["data"]["values"]
        for stage in {b["stage"] for b in bars}:
            own = sorted((b["from_ms"], b["to_ms"]) for b in bars if b["stage"] == stage)
            assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(own))


@pytest.mark.parametrize("reading", ["calibrated", "ideal"])
def test_the_roofline_accounts_for_the_whole_step(reading: str) -> None:
    """Shares are of the step with the host's time in it; what is not drawn is the rest of it."""
    answer = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", reading=reading)
    row = answer.best
    spec = answer.chart("roofline").spec
    drawn = sum(o["share"] for la in spec["layer"] if la["mark"]["type"] == "circle"
                for o in la["data"]["values"])  # fmt: skip
    replica = answer.search_of(row).candidates.replica_of(answer.best_layout)
    timed = replica.op_seconds(answer.requests.decode(row["batch"]))
    spent = sum(s for op, s in timed if op.flops > 0)
    whole = row["step_s"] if reading == "calibrated" else sum(s for _, s in timed)
    assert drawn == pytest.approx(spent / whole)
    said = " ".join(spec["title"]["subtitle"])
    (rest,) = re.findall(r"([\d.]+)% is not drawn", said)
    assert float(rest) == pytest.approx(100 * (1 - drawn), abs=0.51)
    assert ("host" in said) == (reading == "calibrated")


def test_the_marked_point_of_the_front_says_what_it_is() -> None:
    point = {"tokens_per_s_per_user": 50.0, "tokens_per_s_per_chip": 900.0, "layout": "TP8",
             "batch": 8.0, "bound": "weights", "wide": 1.2}  # fmt: skip
    best = {**point, "bound": "network", "machine": "b"}
    for names in (["b"], ["a", "b"]):
        spec = pareto_chart({n: [point] for n in names}, [], best, title="t", subtitle="s").spec
        inner = [la for la in spec["layer"] if la["data"]["values"] == [best]][-1]["encoding"]
        field, value = ("bound", "network") if len(names) == 1 else ("machine", "b")
        assert inner["color"]["field"] == field
        scales = [la["encoding"]["color"]["scale"] for la in spec["layer"]
                  if "color" in la["encoding"]]  # fmt: skip
        assert all(scale == scales[0] for scale in scales)
        assert value in scales[0]["domain"]
        assert ("shape" in inner) == (len(names) > 1)


def test_the_front_of_several_machines_names_the_winners() -> None:
    answer = rl.layouts("openai/gpt-oss-120b", ["hgx-h100", "mi300x"], tpot=0.02)
    said = " ".join(answer.chart("front").spec["title"]["subtitle"])
    assert f"{answer.search_of(answer.best).n_chips} x" in said
    assert f"bound by {answer.best['bound']}" in said


RACKS = {
    "no lines": ("Qwen/Qwen3-8B", "hgx-h100", {}, 0, None),
    "a ring": ("meta-llama/Meta-Llama-3.1-70B", "hgx-h100", {}, 4, "all-reduces of one tensor"),
    "to experts": ("deepseek-ai/DeepSeek-V3", "gb200-nvl72", {"tpot_s": 0.03}, None, "token"),
    "gathered": ("openai/gpt-oss-120b", "hgx-h100", {"tpot_s": 0.02}, 3, "gathered by every chip"),
}  # fmt: skip


@pytest.mark.parametrize(("model", "on", "options", "n", "says"), RACKS.values(), ids=list(RACKS))
def test_the_rack_says_what_its_lines_are(model, on, options, n, says) -> None:
    answer = rl.layouts(model, on, **options)
    spec = answer.chart("rack").spec
    said = " ".join(spec["title"]["subtitle"])
    drawn = {r["line"] for la in spec["layer"] for r in la["data"]["values"] if "line" in r}
    assert ("lines:" in said) == bool(drawn)
    assert n is None or len(drawn) == n
    assert says is None or says in said
    # Words of the field, not names of ops.
    assert not re.search(r"dispatch all\b|combine all\b|_", said)


def test_hops_and_rings_without_spread_experts_are_called_so() -> None:
    """Lines for a layout that did not win: stages alone, and experts that see every token."""
    moe = MixtureOfExperts(n_experts=8, n_experts_active=2, d_ff=64)
    hops, said = _pairs(Layout(pp=3), None, {"hop"})
    assert (hops, said) == ([(0, 1), (1, 2)], "lines: hops from stage to stage")
    for ep in (1, 4):
        ring, said = _pairs(Layout(tp=4, ep=ep), moe, {"all_reduce"})
        assert len(ring) == 4
        assert "all-reduces" in said
    # An expert cut in two is on two chips, and its tokens go to both.
    sent, _ = _pairs(Layout(attn_dp=4, tp=2, ep=4), moe, {"all_to_all", "all_reduce"})
    assert [chip for _, chip in sent] == [2, 3, 6, 7]


def test_the_timeline_idles_by_the_law_of_stages_and_for_the_host() -> None:
    """Of 61 layers on 2 stages one has 31; the host's time is no stage's."""
    answer = rl.layouts("deepseek-ai/DeepSeek-V3", "gb200-nvl72", tpot=0.03)
    row = next(r for r in answer.rows if r["pp"] > 1)
    search = answer.search_of(row)
    replica = search.candidates.replica_of(search.layout(row))
    host = replica.host_s(answer.requests.decode(row["batch"]))
    panel = answer.chart("timeline").spec["vconcat"][0]
    bars = [b for b in panel["layer"][1]["data"]["values"] if b["token"] == 2]
    busy = sum(b["to_ms"] - b["from_ms"] for b in bars) / 1e3 / row["pp"]
    law = (row["step_s"] - host) / stage_imbalance(61, row["pp"])
    assert host > 0
    assert busy == pytest.approx(law)
    (idle,) = re.findall(r"idle ([\d.]+)%", panel["title"]["text"])
    assert float(idle) == pytest.approx(100 * (1 - law / row["step_s"]), abs=0.06)


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
