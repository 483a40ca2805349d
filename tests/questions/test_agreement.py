"""Parts of one answer agree: the working with the table, advice with what asking again gives."""

from __future__ import annotations

import re

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
