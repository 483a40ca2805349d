"""Options of training tools: that they exist, and that they say what was timed."""

from __future__ import annotations

import json
import math
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_launched import CASES, LLAMA, MOE, TOOLS, chunks_of, degrees, job, option_list, said

import ridgeline as rl
from ridgeline.catalog import (
    known_training_flags,
    training_flags,
)
from ridgeline.errors import CatalogError, InfeasibleError
from ridgeline.questions.training.launch import refused, start_training
from ridgeline.questions.training.launch.quantities import quantities, spoken
from ridgeline.questions.training.launch.shape import known_as, shape_of
from ridgeline.questions.training.legal import problems


@pytest.mark.parametrize("tool", TOOLS)
def test_every_option_is_the_tool_s_own_and_says_what_was_timed(tool: str) -> None:
    written, reasons = 0, set()
    for (model, layout, recipe), on in product(CASES, ["hgx-h100", "gb200-nvl72", "mi300x-8"]):
        one = job(model, on, recipe=recipe, tool=tool, **layout)
        if next(problems(one, one.layout.n_chips), None) is not None:
            continue
        try:
            found = start_training(one, tool, 1000)
        except InfeasibleError as error:
            reasons.add(str(error))
            continue
        written += 1
        read, own = degrees(found, tool), one.layout
        assert read["n_chips"] == own.n_chips
        for name in ("tp", "pp", "cp", "dp"):
            assert read[name] == getattr(own, name), (tool, name, layout)
        assert read["ep"] == own.ep
        assert read["micro_batch"] == one.recipe.micro_batch
        assert read["global_batch"] == one.load.global_batch
        if own.zero and own.shard:
            assert read["copies"] == own.dp // own.shard
        if own.pp > 1:
            chunks = own.pp * (2 if one.schedule == "zb-v" else own.vp)
            n_layers = sum(b.repeat for b in one.model.blocks)
            assert chunks_of(found, tool, n_layers) == chunks
    assert written >= 6, reasons
    assert all(training_flags(tool).name in text and len(text) < 900 for text in reasons)


@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    cp=st.sampled_from([1, 2]),
    pp=st.sampled_from([1, 2, 4, 5, 8]),
    vp=st.sampled_from([1, 2]),
    dp=st.sampled_from([1, 2, 3, 4, 16]),
    zero=st.sampled_from([0, 1, 2, 3]),
    rounds=st.integers(1, 3),
    micro=st.sampled_from([1, 2, 3]),
    tool=st.sampled_from(TOOLS),
)
@settings(max_examples=150, deadline=None)
def test_degrees_and_batches_come_back(
    tp: int, cp: int, pp: int, vp: int, dp: int, zero: int, rounds: int, micro: int, tool: str
) -> None:
    """From what is written back to the number of chips, the batch of a step and of a pass."""
    recipe: dict[str, Any] = {"micro_batch": micro, "recompute": "full"}
    if tool == "maxtext" and pp > 1:
        recipe["schedule"] = "gpipe"
    batch = dp * micro * pp * rounds
    chunks = vp if pp > 1 else 1
    layout: dict[str, Any] = {"tp": tp, "cp": cp, "pp": pp, "vp": chunks, "dp": dp, "zero": zero}
    one = job(global_batch=batch, recipe=recipe, tool=tool, **layout)
    if next(problems(one, one.layout.n_chips), None) is not None or refused(one, tool):
        return
    read = degrees(start_training(one, tool), tool)
    assert (read["tp"], read["cp"], read["pp"], read["dp"]) == (tp, cp, pp, dp)
    assert read["n_chips"] == tp * cp * pp * dp
    assert (read["global_batch"], read["micro_batch"]) == (batch, micro)


@pytest.mark.parametrize("tool", TOOLS)
def test_no_row_of_the_tables_is_misspelt(tool: str) -> None:
    """Also rows, words and conditions that no case above uses."""
    flags, known = training_flags(tool), option_list(tool)["options"]
    one = job(MOE, tp=2, pp=2, cp=2, dp=2)
    there = quantities(one)
    plain = job(dp=8, zero=0, recipe={"recompute": "full"}, tool=tool)
    words = spoken(plain, flags, quantities(plain))
    of_model = [
        "model",
        "module",
        "builds_no_stages",
        "lacks_task",
        "tasks",
        "task",
        "has_mtp",
        "model_id",
    ]
    there |= words | shape_of(one.model).quantities | dict.fromkeys(of_model, "")
    there["document"] = 2048
    for row in flags.flags:
        assert (row.flag or row.key) in known
        assert (row.const is None) != (not row.value)
        assert not row.value or row.value in there, row.value
    for row in (*flags.flags, *flags.env):
        assert {c.strip("!") for c in (*row.when, *row.note_when)} <= set(there), row
    for rule in (*flags.refuses, *flags.notes):
        assert {c.strip("!") for c in rule.when} <= set(there), rule
        assert rule.why.format(**there)
    fields = {
        name
        for spec in (flags.launch, flags.launch_nodes)
        for name in re.findall(r"\{(\w+)\}", spec)
    }
    assert fields <= set(there)
    text = json.dumps(
        [[r.const for r in (*flags.flags, *flags.env)], flags.launch_nodes, "TRAIN_STEPS"]
    )
    assert all(name in text for name in flags.placeholders)


@pytest.mark.parametrize("tool", [t for t in TOOLS if training_flags(t).models])
def test_models_are_the_tool_s_own(tool: str) -> None:
    about, flags = option_list(tool), training_flags(tool)
    for known in flags.models:
        model = rl.model(known.like)
        assert known_as(model, flags.models) == known, known
        if tool == "torchtitan":
            assert known.name in about["flavors"][known.module]
        elif tool == "maxtext":
            assert known.name in about["models"]
        else:
            for task, word in flags.words["task"].items():
                if known.tasks and task not in known.tasks:
                    continue
                if tool == "nemo":
                    assert word in about["factories"][known.name]
                else:
                    assert f"{known.name}_{word}_config" in about["recipes"]


def test_lists_say_what_they_are_of() -> None:
    for tool in TOOLS:
        about, flags = option_list(tool), training_flags(tool)
        assert about["source"].startswith("https://")
        number = re.search(r"\d+\.\d+", flags.versions)
        assert number is not None
        assert number[0] in about["version"]
        assert len(about["options"]) > 50
        assert all(s.url.startswith("https://") and s.retrieved for s in flags.sources)


REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "megatron-lm",
        {"tp": 4, "pp": 4},
        {"schedule": "zb-v"},
        "has no schedule zb-v: it has 1f1b, interleaved",
    ),
    (
        "megatron-lm",
        {"tp": 4, "dp": 4},
        {"recompute": "products"},
        "has no recompute products: it has none, selective",
    ),
    (
        "megatron-lm",
        {"tp": 4, "pp": 2, "dp": 2, "zero": 3},
        {},
        "not made for pipeline stages: pp 1, or zero 1",
    ),
    (
        "megatron-lm",
        {"tp": 4, "dp": 4},
        {"optimizer": "adafactor"},
        "has no optimizer adafactor: it has adamw, sgd",
    ),
    ("megatron-lm", {"tp": 4, "dp": 4}, {"task": "lora"}, "has no task lora"),
    (
        "megatron-lm",
        {"tp": 4, "dp": 4},
        {"offload": ("activations",)},
        "moves inputs of chosen modules",
    ),
    (
        "megatron-lm",
        {"tp": 2, "dp": 2, "pp": 2, "order": ("dp", "tp", "cp", "pp")},
        {},
        "has no order dp,tp,cp,pp",
    ),
    ("torchtitan", {"tp": 4, "dp": 4, "zero": 1}, {}, "has no ZeRO 1: it has 0, 2, 3"),
    (
        "torchtitan",
        {"cp": 4, "dp": 4, "zero": 3, "cp_kind": "all_to_all"},
        {},
        "of the kind all_to_all: it has ring",
    ),
    ("torchtitan", {"tp": 4, "dp": 4, "zero": 3}, {"precision": "fp16"}, "has no precision fp16"),
    (
        "torchtitan",
        {"tp": 4, "dp": 4, "zero": 3},
        {"offload": ("optimizer",)},
        "together with the optimizer's states",
    ),
    ("deepspeed", {"pp": 2, "dp": 4}, {"schedule": "1f1b"}, "built by the script"),
    ("deepspeed", {"cp": 2, "dp": 4}, {}, "of the kind ring: it has all_to_all"),
    ("maxtext", {"pp": 4, "dp": 4}, {}, "has no schedule 1f1b: it has gpipe"),
    (
        "maxtext",
        {"dp": 12, "zero": 3},
        {"recompute": "full"},
        "do not fill the 8 chips of a domain",
    ),
    ("nemo", {"dp": 8, "zero": 3}, {}, "NeMo has no ZeRO 3: it has 0, 1"),
    ("megatron-bridge", {"dp": 8}, {"offload": ("activations",)}, "moves inputs of chosen modules"),
]


@pytest.mark.parametrize(("tool", "layout", "recipe", "why"), REFUSALS)
def test_what_a_tool_cannot_run_is_refused_by_name(
    tool: str, layout: dict[str, Any], recipe: dict[str, Any], why: str
) -> None:
    one = job(LLAMA, global_batch=240, recipe=recipe, tool=tool, **layout)
    with pytest.raises(InfeasibleError) as caught:
        start_training(one, tool)
    assert why in str(caught.value)
    assert why in refused(one, tool)


def test_tools_that_can_are_named_instead() -> None:
    one = job(LLAMA, tp=4, pp=4, dp=2)
    with pytest.raises(
        InfeasibleError, match="Choose --flags megatron-lm or megatron-bridge or nemo"
    ):
        start_training(one, "deepspeed")
    odd = job("google/gemma-3-27b-it", dp=8)
    with pytest.raises(InfeasibleError, match="no options for google/gemma-3-27b-it: layers with"):
        start_training(odd, "megatron-lm")
    with pytest.raises(InfeasibleError, match="torchtitan has no model of google/gemma-3-27b-it"):
        start_training(odd, "torchtitan")
    with pytest.raises(InfeasibleError, match=r"does not run on Google TPU v5p.*--flags maxtext"):
        start_training(job(LLAMA, "tpu-v5p-pod", tp=4, dp=4), "megatron-lm")


def test_a_tool_that_nobody_knows_is_refused_with_near_names() -> None:
    with pytest.raises(CatalogError, match="Did you mean 'torchtitan'"):
        known_training_flags("torchtitn")
    with pytest.raises(CatalogError, match="There are megatron-lm, megatron-bridge"):
        start_training(job(), "jaxformer")


def test_a_shape_is_written_as_the_model_s_own() -> None:
    """DeepSeek-V3 by its configuration: latent attention, 3 dense layers, 256 experts of 2,048."""
    one = job("deepseek-ai/DeepSeek-V3", pp=8, dp=32, ep=32, expert_tp=1)
    read = said(start_training(one, "megatron-lm"), "megatron-lm")
    assert (read["--hidden-size"], read["--num-layers"], read["--ffn-hidden-size"]) == (
        7168,
        61,
        18432,
    )
    assert (read["--q-lora-rank"], read["--kv-lora-rank"], read["--qk-pos-emb-head-dim"]) == (
        1536,
        512,
        64,
    )
    assert (read["--num-experts"], read["--moe-router-topk"], read["--moe-ffn-hidden-size"]) == (
        256,
        8,
        2048,
    )
    assert read["--moe-layer-freq"] == "([0]*3+[1]*58)"
    assert "--num-query-groups" not in read
    gpt = said(start_training(job("openai-community/gpt2", dp=8), "megatron-lm"), "megatron-lm")
    assert "--swiglu" not in gpt
    assert "--disable-bias-linear" not in gpt
    assert "--untie-embeddings-and-output-weights" not in gpt
    assert "--normalization" not in gpt
    assert (gpt["--max-position-embeddings"], gpt["--vocab-size"]) == (4096, 50257)


def test_a_model_of_the_same_shape_is_named_and_said() -> None:
    """A tuning of Llama-3.1 goes by Llama-3.1's recipe, not by that of Llama-3, of equal shape."""
    one = job("meta-llama/Llama-3.1-8B-Instruct", dp=8)
    found = start_training(one, "megatron-bridge")
    assert "--recipe llama31_8b_pretrain_config" in found.commands[0].launch
    assert any("has the shape of meta-llama/Meta-Llama-3.1-8B" in note for note in found.notes)
    own = start_training(job("meta-llama/Meta-Llama-3-8B", dp=8), "megatron-bridge")
    assert "--recipe llama3_8b_pretrain_config" in own.commands[0].launch
    assert not any("has the shape of" in note for note in own.notes)


def test_a_job_that_does_not_fit_says_so_in_its_comments() -> None:
    answer = rl.training(LLAMA, "hgx-h100", tp=8, global_batch=64)
    assert answer.fits_probability is not None
    assert answer.fits_probability < 0.5
    assert answer.command("megatron-lm").notes[0].startswith("By this estimate memory suffices")


def test_meshes_put_neighbours_inside_a_domain() -> None:
    """Eight chips a host: TP 4 and half of FSDP 16 inside, the rest across."""
    one = job(LLAMA, tp=4, dp=16, zero=3, recipe={"recompute": "full"}, tool="maxtext")
    read = said(start_training(one, "maxtext"), "maxtext")
    assert (read["ici_tensor_sequence_parallelism"], read["dcn_tensor_sequence_parallelism"]) == (
        4,
        1,
    )
    assert (read["ici_fsdp_parallelism"], read["dcn_fsdp_parallelism"]) == (2, 8)
    wide = job(
        LLAMA, "gb200-nvl72", tp=4, dp=18, zero=3, recipe={"recompute": "full"}, tool="maxtext"
    )
    read = said(start_training(wide, "maxtext"), "maxtext")
    assert (read["ici_fsdp_parallelism"], read["dcn_fsdp_parallelism"]) == (18, 1)


def test_an_answer_starts_as_it_was_timed() -> None:
    answer = rl.training(LLAMA, "2xhgx-h100", tp=8, tokens="1T", global_batch=1024)
    found = answer.command("megatron")
    read = said(found, "megatron-lm")
    assert answer.run is not None
    assert read["--train-iters"] == math.ceil(1e12 / (1024 * 4096)) == math.ceil(answer.run.n_steps)
    assert "TRAIN_STEPS" not in " ".join(found.notes)
    assert "On each of 2 hosts" in str(found)
    for name in ("DATA_PATH", "TOKENIZER", "LEARNING_RATE", "CHECKPOINTS", "ROTARY_BASE"):
        assert name in str(found)
        assert f"{name}: " in " ".join(found.notes)
    assert found.to_dict()["commands"][0]["argv"][0] == "torchrun"


@pytest.mark.parametrize("tool", ["megatron-lm", "megatron-bridge", "nemo", "maxtext"])
def test_packed_documents_are_said(tool: str) -> None:
    more = {"zero": 3, "recompute": "full"} if tool == "maxtext" else {}
    answer = rl.training(LLAMA, "8xhgx-h100", tp=8, document=1024, global_batch=64, **more)
    assert "Documents of 1,024 tokens" in " ".join(answer.command(tool).notes)


@pytest.mark.parametrize(
    ("tool", "zero"),
    [("megatron-lm", 1), ("megatron-bridge", 1), ("nemo", 1), ("torchtitan", 3), ("maxtext", 3)],
)
def test_prediction_layers_that_were_not_timed_are_named(tool: str, zero: int) -> None:
    one = job(
        "deepseek-ai/DeepSeek-V3", dp=64, ep=64, expert_tp=1, zero=zero,
        recipe={"recompute": "full"}, tool=tool,
    )  # fmt: skip
    assert "rediction layers" in " ".join(start_training(one, tool).notes)
