"""Parts of one answer agree: the working with the table, advice with what asking again gives."""

from __future__ import annotations

import re
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.units import parse_quantity

PARTS = ("compute_s", "weight_fetch_s", "attention_s", "network_s", "overhead_s")


@pytest.mark.parametrize(
    ("model", "machine", "options"),
    [
        ("Qwen/Qwen3-8B", "h100-sxm", {"chips": 2, "batch": 56}),
        ("openai/gpt-oss-20b", "h100-sxm", {"chips": 1, "batch": 56}),
        ("deepseek-ai/DeepSeek-V3", "hgx-h200", {"batch": 64, "drafts": 1, "acceptance": 0.8}),
    ],
)
def test_the_working_adds_up_to_the_step(model: str, machine: str, options: dict) -> None:
    answer = rl.serving(model, machine, **options)
    row = answer.at(options["batch"])
    assert sum(row[name] for name in PARTS) == pytest.approx(row["time_s"], rel=1e-9)
    ops = answer.explain().partition("The ops that take longest")[2].partition("\n\n")[0]
    listed = re.findall(r"^  (.+?) +([\d.]+ [mµ]?s) +[\d.]+%$", ops, re.MULTILINE)
    times = {name: parse_quantity(text, "s") for name, text in listed}
    assert len(times) == len(listed), "an op is listed twice"
    total = times.pop("      sum")
    assert total == pytest.approx(row["time_s"], rel=0.006)
    assert sum(times.values()) == pytest.approx(total, rel=0.01)


def test_arithmetic_of_attention_is_attention() -> None:
    """At a long context a GQA model's GEMMs have next to no arithmetic in a decode step."""
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1, batch=16, context=32_768)
    step = answer.step(16.0)
    ops = answer.replica.op_seconds(answer.requests.decode(16.0))
    attention = sum(s for op, s in ops if op.kind == "attention")
    gemms = sum(s for op, s in ops if op.kind == "gemm")
    assert 0.9 * attention < float(step.parts_s["attention"]) <= attention
    assert float(step.parts_s["compute"] + step.parts_s["weights"]) <= gemms
    peak = answer.machine.cluster.chip.peak["bf16"]
    flops = 2 * 16 * float(answer.counts.n_params_active)
    assert float(step.parts_s["compute"]) < 3 * flops / peak


def test_equal_ops_of_different_blocks_are_one_line() -> None:
    """gpt-oss alternates full attention with a window of 128; all else is the same."""
    text = rl.serving("openai/gpt-oss-20b", "h100-sxm", chips=1, batch=56).explain()
    assert "24 x experts gate+up" in text
    assert re.search(r"12 x attention kv, decode .* 8,192 keys per query", text)
    assert re.search(r"12 x attention kv, decode .* 128 keys per query", text)


#: pairs that between them get every kind of advice
#: a release that has no copies of hot experts
OLD = {"engine": "vllm", "engine_version": "0.6.3"}
ADVISED = [
    ("Qwen/Qwen3-8B", "h100-sxm", {"batch": 4}),
    ("Qwen/Qwen3-8B", "h100-sxm", {"isl": 1000, "osl": 1000}),
    ("Qwen/Qwen3-8B", "h100-sxm", {"batch": 100, "tpot": 0.01, "chips": 4}),
    ("meta-llama/Llama-3.1-70B-Instruct", "hgx-h200", {"isl": 8000, "osl": 500, "tpot": 0.001}),
    ("deepseek-ai/DeepSeek-V3", "gb200-nvl72", {"isl": 1000, "osl": 1000}),
    ("deepseek-ai/DeepSeek-V3", "9xhgx-h100", OLD | {"isl": 1000, "osl": 1000}),
    ("deepseek-ai/DeepSeek-V3", "gb200-nvl72", {"reading": "blackboard"}),
    ("openai/gpt-oss-20b", "rtx-4090", {}),
    ("Qwen/Qwen3-32B", "mi300x", {"reading": "ideal", "chips": 8}),
]


def cost_of(answer: rl.Serving, row: dict) -> float:
    """What the table says: dollars, or chip time where there is no price."""
    if answer.price is None:
        return 1 / row["tokens_per_s_per_chip"]
    return row["usd_per_request" if answer.has_requests else "usd_per_mtok_output"]


def test_advice_brings_what_it_says() -> None:
    seen = set()
    for model, machine, options in ADVISED:
        answer = rl.serving(model, machine, **options)
        found = rl.advice(answer)
        for advised in found:
            seen.add(advised.subject)
            if advised.scenario is None:
                row = answer.chosen
                found_share = re.search(r"take (\d+)% of a step", advised.text)
                assert found_share is not None
                said = float(found_share[1]) / 100
                assert said == pytest.approx(row[f"{advised.subject}_s"] / row["time_s"], abs=0.006)
                continue
            asked = advised.scenario
            again = rl.serving(asked.model, asked.machines[0], **asked.options())
            now, then = answer.chosen, again.chosen
            if match := re.search(r"([\d.]+)% (cheaper|dearer|less)", advised.text):
                sign = -1 if match[2] == "dearer" else 1
                if advised.subject == "price":
                    assert again.price is not None
                    assert answer.price is not None
                    ratio = again.price.usd_per_chip_hour / answer.price.usd_per_chip_hour
                else:
                    ratio = cost_of(again, then) / cost_of(answer, now)
                assert sign * float(match[1]) / 100 == pytest.approx(1 - ratio, abs=0.006)
            if match := re.search(r"TPOT ([\d.]+ \w+) instead of ([\d.]+ \w+)", advised.text):
                times = [parse_quantity(text, "s") for text in match.groups()]
                assert times == pytest.approx([then["tpot_s"], now["tpot_s"]], rel=0.006)
            if "keeps" in advised.text:
                assert then["within_limits"]
                assert not now["within_limits"]
    assert seen == {
        "batch", "kv_dtype", "weight_dtype", "network", "overhead", "capacity", "experts", "price",
    }  # fmt: skip


def test_no_larger_batch_is_advised_than_fits_or_keeps_the_limits() -> None:
    each: tuple[dict[str, Any], ...] = ({"batch": 111, "chips": 2}, {"isl": 1000, "osl": 1000})
    for options in each:
        answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", **options)
        for advised in rl.advice(answer):
            assert "larger batch" not in advised.text
            if advised.subject == "batch":
                assert advised.scenario is not None
                assert advised.scenario.workload.batch < answer.chosen["batch"]


def test_the_knee_is_where_one_percent_of_time_buys_one_percent_of_cost() -> None:
    """With t = w + k B on a blackboard, cost is w / B + k: the slopes cross at k B = w."""
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1, reading="blackboard", tpot="none")
    per_sequence = answer.at(1)["attention_s"]
    knee = answer.at(1)["weight_fetch_s"] / per_sequence
    assert answer.knee["batch"] == pytest.approx(knee, rel=0.1)
    assert answer.knee["bound"] != "compute"


def test_another_contract_comes_last() -> None:
    found = rl.advice(rl.serving("Qwen/Qwen3-8B", "hgx-h100"))
    assert [a.subject for a in found].index("price") == len(found) - 1
    assert "other terms" in found[-1].text


@pytest.mark.parametrize("batch", [1, 32, None])
def test_what_to_buy_is_what_saves_most_in_its_own_table(batch: int | None) -> None:
    found = rl.sensitivity(rl.serving("Qwen/Qwen3-8B", "h100-sxm", chips=1), batch=batch)
    column = "cost_refilled" if batch is None else "cost_doubled"
    rows = found.tables[0].rows
    buys = [r for r in rows if r["kind"] == "machine" and r["what"] != "price per chip-hour"]
    best = min(buys, key=lambda r: r[column])
    assert found.values["best_buy"] == best["what"]
    assert f"buy next: {best['what']}." in found.sentences[1]
    match = re.search(r"(\d+)% cheaper", found.sentences[1])
    assert match is not None
    saved = float(match[1]) / 100
    assert saved == pytest.approx(1 - best[column], abs=0.006)
    if batch == 1:
        assert best["what"] == "memory bandwidth"


def test_the_number_of_chips_keeps_to_what_the_engine_is_set_to_take() -> None:
    """With 4 sequences at most there is nothing to gain by a second chip's memory."""
    free = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=8192)
    few = rl.serving("Qwen/Qwen3-8B", "h100-sxm", context=8192, max_sequences=4)
    assert free.machine.n_chips > few.machine.n_chips == 1


def test_energy_of_a_token_counts_every_machine_alike() -> None:
    """H100 is known at the wall too, an RTX 4090 is not: both count their TDP."""
    for model, machine, tdp in (
        ("Qwen/Qwen3-8B", "h100-sxm", 700),
        ("Qwen/Qwen3-8B", "rtx-4090", 450),
    ):
        row = rl.serving(model, machine, chips=1, batch=8, context=4096).at(8)
        assert row["joule_per_token"] * row["tokens_per_s_per_chip"] == pytest.approx(tdp)
    notes = rl.layouts("Qwen/Qwen3-8B", "hgx-h100", context=4096).notes()
    (said,) = [n for n in notes if "J/token" in n]
    assert "700 W per chip (TDP)" in said
    assert "1,730 W" in said
