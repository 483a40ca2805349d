"""Commands of engines: options that exist, and that say what was priced."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from launched import check_fields, option_list, parsed, priced

import ridgeline as rl
from ridgeline.catalog import cluster, engine, engine_flags, engines_with_flags, known_flags
from ridgeline.errors import CatalogError, InfeasibleError, SpecError
from ridgeline.questions.launch import (
    Launch,
    first_that_runs,
    launch,
    placed,
    refuses,
    start,
    too_many_hosts,
    why_not,
)
from ridgeline.questions.launch.quantities import quantities
from ridgeline.questions.lengths import longest
from ridgeline.specs import Layout
from ridgeline.specs.workload import Workload
from ridgeline.steps.machine import chip_capacity_bytes

ENGINES = engines_with_flags()


def degrees(found: Launch, tool: str) -> dict[str, Any]:
    """Degrees and limits of a launch, by what each option means to its tool."""
    get: Any = parsed(found.commands[0], tool).get
    fields = yaml.safe_load(found.files[0][1]) if found.files else {}
    if tool == "vllm":
        tp, pp, dp = (get(f"--{n}-parallel-size", 1) for n in ("tensor", "pipeline", "data"))
        ep = dp * tp if get("--enable-expert-parallel") else 1
        slots = int(get("--max-num-seqs", 0)) * dp
        context, drafts = get("--max-model-len"), get("--speculative-config") or {}
        drafted = drafts.get("num_speculative_tokens", 0)
    elif tool == "sglang":
        dp, pp, ep = get("--attn-dp-size", 1), get("--pp-size", 1), get("--ep-size", 1)
        tp = int(get("--tp-size", 1)) / dp
        slots, context = get("--max-running-requests"), get("--context-length")
        drafted = get("--speculative-num-steps", 0)
        assert get("--speculative-num-draft-tokens", 1) == drafted + 1
    elif tool == "tensorrt-llm":
        stage, pp, ep = get("--tp_size", 1), get("--pp_size", 1), get("--ep_size", 1)
        dp = stage if fields.get("enable_attention_dp") else 1
        tp, slots = stage / dp, get("--max_batch_size") * dp
        context, drafts = get("--max_seq_len"), fields.get("speculative_config", {})
        drafted = drafts.get("num_nextn_predict_layers", drafts.get("max_draft_len", 0))
    else:
        chips = len(get("--tensor-split", "1").split(","))
        dp, ep = 1, 1
        tp = chips if get("--split-mode") == "tensor" else 1
        pp = chips if get("--split-mode") == "layer" else 1
        slots, drafted = get("-np"), get("--spec-draft-n-max", 0)
        context = get("-c") / slots
    return {
        "tp": tp, "pp": pp, "attn_dp": dp, "ep": ep, "slots": slots, "context": context,
        "drafts": drafted,
    }  # fmt: skip


CASES = [
    (model, on, layout, weights, kv, drafts)
    for (model, layouts, formats), on, drafts in product(
        [
            (
                "deepseek-ai/DeepSeek-V3",
                [Layout(tp=8), Layout(tp=8, ep=8), Layout(attn_dp=8, ep=8), Layout(pp=2, tp=4),
                 Layout(attn_dp=4, tp=2, ep=8), Layout(attn_dp=16, ep=16), Layout(pp=2, tp=8, ep=8),
                 Layout(tp=8, ep=2), Layout(tp=16)],
                [(None, None), ("nvfp4", "fp8")],
            ),
            (
                "Qwen/Qwen3-8B",
                [Layout(), Layout(replicas=8), Layout(tp=4, replicas=2), Layout(pp=2)],
                [(None, None), ("fp8", "fp8"), ("q4_k_m", "q8_0"), ("w4a16", None), ("nf4", None)],
            ),
        ],
        ["hgx-h100", "gb200-nvl72", "mi300x-8"],
        [0, 2],
    )
    for layout in layouts
    for weights, kv in (formats if on == "hgx-h100" and not drafts else formats[:1])
]  # fmt: skip


@pytest.mark.parametrize("tool", ENGINES)
def test_every_option_is_the_tool_s_own_and_says_what_was_priced(tool: str) -> None:
    written, why_not = 0, set()
    for model, on, layout, weights, kv, drafts in CASES:
        one = priced(model, on, layout, weights=weights, kv=kv, drafts=drafts, batch=48)
        try:
            found = launch([one], tool)
        except InfeasibleError as error:
            why_not.add(str(error))
            continue
        written += 1
        for command in found.commands:
            parsed(command, tool)
        for _, text in found.files:
            check_fields(yaml.safe_load(text), option_list(tool)["options"])
        told = degrees(found, tool)
        assert (told["tp"], told["pp"], told["attn_dp"], told["ep"]) == (
            layout.tp, layout.pp, layout.attn_dp, layout.ep,
        )  # fmt: skip
        assert 48 <= told["slots"] < 48 + layout.attn_dp
        assert told["context"] == 5120
        assert told["drafts"] == drafts
    assert written >= 12, why_not
    assert all(len(text) < 400 and engine_flags(tool).name in text for text in why_not)


def test_lists_say_what_they_are_of() -> None:
    for tool in ENGINES:
        about = option_list(tool)
        assert about["source"].startswith("https://")
        assert about["retrieved"] >= "2026-11"
        assert engine_flags(tool).versions.split()[-1].strip(")") in about["version"]
        assert len(about["options"]) > 50


@pytest.mark.parametrize("tool", ENGINES)
def test_no_row_of_the_tables_is_misspelt(tool: str) -> None:
    """Also rows that no case above uses: each option and field is in the tool's list."""
    flags, known = engine_flags(tool), option_list(tool)["options"]
    there = quantities(priced("Qwen/Qwen3-8B", layout=Layout()), flags)
    for row in flags.flags:
        if row.flag:
            assert row.flag in known
            assert not row.key or row.key in known[row.flag]["keys"]
        else:
            assert row.key in known
        assert (row.const is None) != (not row.value)
        assert not row.value or row.value in (*there, "quantization", "file")
        assert {c.strip("!") for c in (*row.when, *row.note_when)} <= set(there)
    for option in ("--kv-cache-dtype", "--cache-type-k", "kv_cache_config.dtype"):
        if option in known:
            assert set(flags.kv_formats.values()) <= set(known[option]["choices"])
    if "--quantization" in known:
        assert {w.online for w in flags.weights if w.online} <= set(
            known["--quantization"]["choices"]
        )


def test_as_many_sequences_as_were_priced() -> None:
    """A batch that is kept in flight is started whole; an engine that takes fewer says so."""
    one = priced("Qwen/Qwen3-8B", layout=Layout(), batch=3495)
    found = launch([one], "vllm")
    assert degrees(found, "vllm")["slots"] == 3495
    assert "sequences per rank" not in " ".join(found.notes)
    cut = launch([one], "llama.cpp")
    assert degrees(cut, "llama.cpp")["slots"] == 256
    assert "Priced with 3,495 sequences per rank, and llama.cpp takes at most 256" in " ".join(
        cut.notes
    )
    asked = priced("Qwen/Qwen3-8B", layout=Layout(), batch=3495, asked_batch=True)
    found = launch([asked], "vllm")
    assert degrees(found, "vllm")["slots"] == 3495
    with pytest.raises(InfeasibleError, match="at most 256 sequences, not 3,495"):
        launch([asked], "llama.cpp")


@pytest.mark.parametrize(("live", "slots"), [(976, 1024 * 8), (8000, 1413 * 8)])
def test_a_fleet_has_room_for_what_is_live(live: float, slots: int) -> None:
    """Of what memory holds, what no request will use is left out; what most use is not."""
    one = priced(layout=Layout(attn_dp=8, ep=8), batch=1413 * 8, n_live=live)
    found = launch([one], "vllm")
    said = "room for 1,413 sequences per rank, of which 122 are live on average"
    assert degrees(found, "vllm")["slots"] == slots
    assert (said in " ".join(found.notes)) == (slots < 1413 * 8)
    with pytest.raises(InfeasibleError, match="at most 256 sequences, not 300"):
        launch([priced("Qwen/Qwen3-8B", layout=Layout(), batch=999, n_live=300)], "llama.cpp")


def test_hosts_of_other_replicas_are_counted_without_the_first() -> None:
    """24 replicas of a chip are on three hosts of eight."""
    one = priced("Qwen/Qwen3-8B", layout=Layout(replicas=24))
    assert "--port 8007 on the same host, and 2 more hosts alike." in " ".join(
        launch([one], "vllm").notes
    )
    two = priced("Qwen/Qwen3-8B", layout=Layout(replicas=16))
    assert "and 1 more host alike." in " ".join(launch([two], "vllm").notes)


def test_a_step_has_room_for_a_token_of_every_sequence() -> None:
    """VLLM refuses fewer tokens in a step than sequences; drafts are tokens, too."""
    narrow = engine().replaced({"token_budget": 512}, where="test")
    one = priced(batch=400, drafts=1, settings=narrow, asked_batch=True)
    assert parsed(launch([one], "vllm").commands[0], "vllm")["--max-num-batched-tokens"] == 800


@pytest.mark.parametrize(
    ("load", "tokens"),
    [
        ({"isl": 1000, "osl": 200}, 1200),
        ({"isl": "512:8k@mean=2k", "osl": "100:500"}, 8500),
        ({"isl": {"isl": [10, 4000], "osl": [3000, 20]}}, 4020),
        ({"context": "16k"}, 16000),
        ({"context": "4k,32k"}, 32000),
    ],
)
def test_the_context_is_of_the_longest_request(load: dict[str, Any], tokens: int) -> None:
    """Not of the mean. Of a trace, lengths that belong together are added."""
    if isinstance(load.get("isl"), dict):
        load = {"trace": load["isl"]}
    assert longest(Workload.parse(load)) == tokens


def test_a_range_reaches_the_command() -> None:
    found = rl.layouts("Qwen/Qwen3-8B", "h100-sxm", chips=1, isl="512:8k@mean=2k", osl=500)
    assert degrees(found.command("vllm"), "vllm")["context"] == 8500
    longer = rl.layouts("Qwen/Qwen3-8B", "h100-sxm", chips=1, isl="60k", osl=500, ttft="none")
    assert "longer than the model's 40,960" in " ".join(longer.command("vllm").notes)


@pytest.mark.parametrize("timed", ["current", "tensorrt-llm"])
@pytest.mark.parametrize("share", [0.7, 0.9, 0.95])
def test_memory_is_of_what_each_engine_counts(share: float, timed: str) -> None:
    """Caches get what was priced, at most a hundredth of the memory less, never more."""
    settings = engine(timed).replaced({"memory_share": share}, where="test")
    one = priced("Qwen/Qwen3-32B", layout=Layout(tp=2), settings=settings)
    held = one.replica.memory(4096)
    capacity = float(chip_capacity_bytes(one.replica.cluster.chip))
    caches = capacity - float(held.fixed_bytes)
    weights, taken = float(held.weights_bytes), float(held.activation_bytes + held.buffer_bytes)
    runtime = float(held.runtime_bytes)
    said = {
        tool: quantities(one, engine_flags(tool))["memory_share"]
        for tool in ("vllm", "sglang", "tensorrt-llm")
    }
    left = {
        "vllm": said["vllm"] * capacity - weights - taken - runtime,
        "sglang": said["sglang"] * capacity - weights,
        "tensorrt-llm": said["tensorrt-llm"] * (capacity - weights - taken - runtime),
    }
    assert said["vllm" if timed == "current" else "tensorrt-llm"] == share
    for tool, had in left.items():
        assert caches - 0.0101 * capacity <= had <= caches * (1 + 1e-9), tool


@pytest.mark.parametrize(
    ("tool", "model", "weights", "loads", "quantised"),
    [
        ("vllm", "Qwen/Qwen3-8B", None, "Qwen/Qwen3-8B", None),
        ("vllm", "Qwen/Qwen3-8B", "fp8", "Qwen/Qwen3-8B", "fp8_per_tensor"),
        ("sglang", "Qwen/Qwen3-8B", "fp8", "Qwen/Qwen3-8B", "fp8"),
        ("vllm", "Qwen/Qwen3-32B", "fp8-block", "Qwen/Qwen3-32B-FP8", None),
        ("vllm", "deepseek-ai/DeepSeek-V3", None, "deepseek-ai/DeepSeek-V3", None),
        ("vllm", "deepseek-ai/DeepSeek-V3", "nvfp4", "DeepSeek-V3-NVFP4", None),
        ("tensorrt-llm", "Qwen/Qwen3-8B", "fp8", "Qwen3-8B-FP8", None),
        ("llama.cpp", "Qwen/Qwen3-8B", "q4_k_m", "Qwen3-8B-Q4_K_M.gguf", None),
        ("llama.cpp", "Qwen/Qwen3-8B", None, "Qwen3-8B-BF16.gguf", None),
    ],
)
def test_the_checkpoint_has_the_weights_that_were_priced(
    tool: str, model: str, weights: str | None, loads: str, quantised: str | None
) -> None:
    """Converted on the way where the engine can, else a checkpoint that has them, by kind."""
    layout = Layout(tp=8) if "V3" in model else Layout()
    found = launch([priced(model, layout=layout, weights=weights)], tool)
    command = found.commands[0]
    assert loads in shlex.split(command.launch)
    assert parsed(command, tool).get("--quantization") == quantised
    if loads != model:
        assert loads in " ".join(found.notes)
        assert model in " ".join(found.notes) or loads.startswith(model)


@pytest.mark.parametrize(
    ("tool", "change", "message"),
    [
        ("vllm", {"weights": "q4_k_m"}, "reads no weights in q4_k_m.*Choose --flags llama.cpp"),
        ("llama.cpp", {"weights": "fp8"}, "reads no weights in fp8.*Choose --flags vllm or sglang"),
        ("sglang", {"kv": "int4"}, "no flag here for a cache in int4.*--kv"),
        ("vllm", {"drafts": 1.5}, "whole number of tokens, not 1.5"),
        ("vllm", {"layout": Layout(tp=8, ep=2), "model": "deepseek-ai/DeepSeek-V3"},
         "over all 8 chips of a stage or over none, not over 2"),
        ("tensorrt-llm", {"layout": Layout(attn_dp=4, tp=2, ep=8)}, "not on 4 groups of 2"),
        ("tensorrt-llm", {"on": "mi300x-8"}, "TensorRT-LLM does not run on .*MI300X"),
        ("llama.cpp", {"layout": Layout(attn_dp=8, ep=8)}, r"no attention data parallelism\."),
        ("llama.cpp", {"layout": Layout(tp=2, pp=2)}, "by layers or by tensors, not both"),
        ("llama.cpp", {"layout": Layout(tp=16)}, "from one node, and a replica here has 2"),
        ("llama.cpp", {"pool": "decode"}, "no pools"),
        ("sglang", {"layout": Layout(attn_dp=8), "drafts": 2, "model": "openai/gpt-oss-120b"},
         "not over 8 ranks"),
        ("vllm", {"on": "m4-max", "layout": Layout()},
         r"does not run on .*\. Choose --flags llama\.cpp\.$"),
        ("tensorrt-llm", {"on": "mi300x-8"}, r"Choose --flags vllm or sglang or llama\.cpp\.$"),
        ("kserve", {"on": "m4-max", "layout": Layout()}, r"Choose --flags llama\.cpp\.$"),
        ("vllm", {"on": "cs-3", "layout": Layout()}, r"No engine with flags .*runs on Cerebras"),
        ("llama.cpp", {"on": "m4-max", "layout": Layout(), "weights": "int4-g64"},
         r"q4_0 and 23 like it.*No engine with flags reads int4-g64 on .*choose other weights"),
    ],
)  # fmt: skip
def test_what_an_engine_cannot_do_is_refused_by_name(
    tool: str, change: dict[str, Any], message: str
) -> None:
    usual = {"model": "Qwen/Qwen3-8B", "layout": Layout()}
    with pytest.raises(InfeasibleError, match=message):
        start([priced(**(usual | change))], tool)


def test_no_layout_helps_an_engine_that_the_chip_does_not_run() -> None:
    one = priced(on="mi300x-8")
    with pytest.raises(InfeasibleError, match=r"MI300X.*Choose --flags vllm or") as refused:
        first_that_runs(3, lambda _: one, "tensorrt-llm", str)
    assert "layout" not in str(refused.value)


def test_a_model_of_a_file_has_a_checkpoint_that_only_its_owner_knows() -> None:
    one = priced("Qwen/Qwen3-8B", layout=Layout())
    own = one.own.model_copy(update={"id": "my-model"})
    found = launch([type(one)(one.replica, own, one.requests, 4.0)], "vllm")
    assert "my-model stands for your checkpoint" in " ".join(found.notes)


def test_names_of_engines() -> None:
    assert known_flags("TensorRT_LLM") == known_flags("trtllm") == "tensorrt-llm"
    assert known_flags("llama-server") == "llama.cpp"
    with pytest.raises(CatalogError, match=r"Did you mean 'vllm'.*dynamo, llm-d, kserve"):
        known_flags("vlm")
    with pytest.raises(CatalogError, match="Did you mean 'kserve'"):
        known_flags("kserv")


@pytest.mark.parametrize("tool", ["vllm", "sglang", "tensorrt-llm"])
def test_drafts_are_the_model_s_own_where_it_has_layers_for_them(tool: str) -> None:
    own = str(launch([priced(drafts=2)], tool))
    other = str(launch([priced("Qwen/Qwen3-8B", layout=Layout(), drafts=2)], tool))
    assert "DRAFT_MODEL" not in own
    assert {"vllm": '"mtp"', "sglang": "EAGLE", "tensorrt-llm": "MTP"}[tool] in own
    assert "DRAFT_MODEL" in other


def test_hosts_of_a_replica_have_a_command_each() -> None:
    """Ranks of the hosts cover all ranks once; only the first answers requests."""
    found = launch([priced(on="gb200-nvl72", layout=Layout(attn_dp=8, tp=2, ep=16))], "vllm")
    each = [parsed(c, "vllm") for c in found.commands]
    assert len(each) == 4
    ranks = [
        r
        for p in each
        for first in [p.get("--data-parallel-start-rank", 0)]
        for r in range(first, first + p["--data-parallel-size-local"])
    ]
    assert ranks == list(range(8))
    assert [p.get("--headless", False) for p in each] == [False, True, True, True]


def test_size_of_a_host_is_the_clusters_own() -> None:
    """Of a user's own rack, too; where nobody states it, the answer says what was taken."""
    rack = cluster("rubin-ultra-nvl144")
    assert (cluster("gb200-nvl72").chips_per_host, cluster("hgx-h100").chips_per_host) == (4, 8)
    assert rack.replaced({"host_size": 8}).chips_per_host == 8
    one = priced(on="rubin-ultra-nvl144", layout=Layout(tp=8, attn_dp=2, ep=16))
    said = "is not known: all 144 are taken to be on one"
    assert said in " ".join(launch([one], "vllm").notes)
    own = replace(one.replica, cluster=rack.replaced({"host_size": 8}))
    found = launch([replace(one, replica=own)], "vllm")
    assert said not in " ".join(found.notes)
    assert len(found.commands) == 2


def test_a_rank_over_several_hosts() -> None:
    found = launch([priced(layout=Layout(tp=16))], "vllm")
    each = [parsed(c, "vllm") for c in found.commands]
    assert [(p["--nnodes"], p["--node-rank"]) for p in each] == [(2, 0), (2, 1)]
    assert "--data-parallel-size-local" not in each[0]
    sglang = [
        parsed(c, "sglang") for c in launch([priced(layout=Layout(tp=16))], "sglang").commands
    ]
    assert [p["--node-rank"] for p in sglang] == [0, 1]
    assert {p["--dist-init-addr"] for p in sglang} == {"NODE0_ADDRESS:20000"}
    slurm = launch([priced(layout=Layout(tp=16))], "tensorrt-llm").commands
    assert len(slurm) == 1
    assert "--nodes 2 --ntasks 16 --ntasks-per-node 8" in slurm[0].launch


@pytest.mark.parametrize(
    ("layout", "hosts"),
    [
        (Layout(tp=4, replicas=18), None),
        (Layout(attn_dp=6, tp=2, ep=12, replicas=6), None),
        (Layout(tp=2, pp=3, replicas=12), 24),
        (Layout(attn_dp=3, ep=3, replicas=24), 24),
        (Layout(attn_dp=18, ep=18, replicas=4), 20),
    ],
)
def test_replicas_fit_the_hosts_of_a_rack(layout: Layout, hosts: int | None) -> None:
    """18 hosts of four chips: replicas of 3, 6 or 18 chips leave chips of their hosts unused."""
    one = priced(on="gb200-nvl72", layout=layout)
    why = refuses(one, "vllm")
    assert bool(why) == (hosts is not None)
    assert hosts is None or f"take {hosts} hosts of 4 chips, and there are 18" in why


def test_pools_share_hosts_where_they_can() -> None:
    """On 18 hosts of four: 8 x 3 chips leave 8 single ones, and 10 hosts for replicas of four."""
    wide = priced("Qwen/Qwen3-8B", "gb200-nvl72", Layout(pp=3), n_replicas=8, pool="prefill")
    for layout, n, fits in (
        (Layout(), 8, True),
        (Layout(tp=4), 10, True),
        (Layout(tp=4), 11, False),
        (Layout(tp=2), 21, False),
    ):
        other = priced("Qwen/Qwen3-8B", "gb200-nvl72", layout, n_replicas=n, pool="decode")
        assert bool(too_many_hosts([wide, other])) != fits


def test_many_hosts_are_written_in_short() -> None:
    found = launch([priced(on="gb200-nvl72", layout=Layout(attn_dp=32, ep=32))], "vllm")
    assert len(found.commands) == 2
    assert "Nodes 2 to 7: as node 1, with --data-parallel-start-rank 8 to 28" in " ".join(
        found.notes
    )


def test_replicas_on_one_host_have_chips_and_ports_of_their_own() -> None:
    found = launch([priced("Qwen/Qwen3-32B", layout=Layout(tp=2, replicas=4))], "vllm")
    assert found.commands[0].env == (("CUDA_VISIBLE_DEVICES", "0,1"),)
    said = " ".join(found.notes)
    for i in (1, 2, 3):
        assert f"CUDA_VISIBLE_DEVICES={2 * i},{2 * i + 1}, --port {8000 + i}" in said
    assert "4 replicas need a router" in said
    amd = launch([priced("Qwen/Qwen3-32B", "mi300x-8", Layout(tp=2, replicas=4))], "vllm")
    assert amd.commands[0].env[0][0] == "HIP_VISIBLE_DEVICES"


@pytest.mark.parametrize(
    ("on", "variable"),
    [
        ("gaudi3-8", "HABANA_VISIBLE_MODULES"),
        ("arc-pro-b60-8", "ZE_AFFINITY_MASK"),
        ("tpu-v6e-8", "TPU_VISIBLE_CHIPS"),
        ("trn2-48xlarge", None),
    ],
)
def test_replicas_on_one_host_of_any_vendor(on: str, variable: str | None) -> None:
    """Each gets its chips by the variable of its kind, or the answer says that it must."""
    found = launch([priced("Qwen/Qwen3-8B", on, Layout(tp=2, replicas=2))], "vllm")
    shared = "Servers share a host: give each 2 " in " ".join(found.notes)
    assert found.commands[0].env == (((variable, "0,1"),) if variable else ())
    assert shared == (variable is None)


@pytest.mark.parametrize("tool", ["vllm", "sglang", "tensorrt-llm"])
def test_two_pools_on_one_host(tool: str) -> None:
    """Chips and ports of the two do not overlap, and each knows what it is."""
    prefill = priced("Qwen/Qwen3-8B", layout=Layout(), n_replicas=3, pool="prefill", batch=2)
    decode = priced("Qwen/Qwen3-8B", layout=Layout(tp=4), n_replicas=1, pool="decode", batch=99)
    found = launch([prefill, decode], tool)
    p, d = (parsed(c, tool) for c in found.commands)
    chips = [dict(c.env)["CUDA_VISIBLE_DEVICES"].split(",") for c in found.commands]
    assert chips == [["0"], ["3", "4", "5", "6"]]
    assert p.get("--port") is None
    assert d["--port"] == engine_flags(tool).port + 3
    assert str(d["--port"]) in f"{found.router} {found.files}"
    if tool == "vllm":
        assert p["--kv-transfer-config"]["kv_role"] == "kv_producer"
        assert d["--kv-transfer-config"]["kv_role"] == "kv_consumer"
        ports = [int(dict(c.env)["VLLM_NIXL_SIDE_CHANNEL_PORT"]) for c in found.commands]
        assert ports[1] - ports[0] >= 3
    elif tool == "sglang":
        assert (p["--disaggregation-mode"], d["--disaggregation-mode"]) == ("prefill", "decode")
    else:
        both = yaml.safe_load(dict(found.files)["disaggregated.yaml"])
        check_fields(both, option_list(tool)["options"])
        assert [both[s]["num_instances"] for s in ("context_servers", "generation_servers")] == [
            3,
            1,
        ]
        assert len(both["context_servers"]["urls"]) == 3


def test_the_answer_starts_its_best_layout() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "hgx-h100", tpot=0.03)
    told = degrees(answer.command("vllm"), "vllm")
    best = answer.best_layout
    assert (told["tp"], told["pp"], told["attn_dp"]) == (best.tp, best.pp, best.attn_dp)
    assert told["slots"] == answer.best["batch"]


def test_the_answer_starts_its_pools() -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "hgx-h100", tpot=0.03)
    pools, found = answer.pools(), answer.command("sglang", disaggregate=True)
    p, d = (parsed(c, "sglang") for c in found.commands)
    assert p.get("--pp-size", 1) == pools.prefill.layout.pp
    assert d.get("--pp-size", 1) == pools.decode.layout.pp
    assert d["--max-running-requests"] == pools.decode.batch
    assert found.router.count("--prefill http") == pools.prefill.replicas
    assert found.router.count("--decode http") == pools.decode.replicas
    with pytest.raises(InfeasibleError, match="no pools for prefill and decode"):
        answer.command("llama.cpp", disaggregate=True)


def test_the_next_layout_that_an_engine_runs_is_taken_and_named() -> None:
    ranking = [Layout(tp=8, ep=2), Layout(tp=8, ep=4), Layout(tp=8, ep=8)]
    found = first_that_runs(3, lambda i: priced(layout=ranking[i]), "vllm", lambda i: f"L{i}")
    assert degrees(found, "vllm")["ep"] == 8
    assert found.notes[0].endswith("or over none, not over 2: number 3 of the ranking, L2.")
    with pytest.raises(InfeasibleError, match=r"None of the layouts .* \(and 1 more\)"):
        first_that_runs(2, lambda i: priced(layout=ranking[i]), "vllm", lambda i: f"L{i}")


def test_serving_starts_its_chosen_point() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=2000, osl=500, weights="fp8")
    told = degrees(answer.command("vllm"), "vllm")
    assert told["slots"] == answer.chosen["batch"]
    assert told["context"] == 2500
    board = rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="blackboard")
    with pytest.raises(SpecError, match="Flags need a layout"):
        board.command("vllm")


def test_decoding_alone_has_its_context() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", "h100-sxm", reading="ideal")
    assert degrees(answer.command("sglang"), "sglang")["context"] == answer.context


def test_another_engine_than_the_one_that_was_timed_is_said() -> None:
    timed = rl.serving("Qwen/Qwen3-8B", "h100-sxm", engine="sglang", isl=500, osl=100)
    assert "Priced as SGLang" in " ".join(timed.command("vllm").notes)
    assert "Priced as" not in " ".join(timed.command("sglang").notes)
    usual = rl.serving("Qwen/Qwen3-8B", "h100-sxm", isl=500, osl=100)
    assert "Priced as" not in " ".join(usual.command("tensorrt-llm").notes)
    said = " ".join(usual.command("llama.cpp").notes)
    assert "Priced as a good engine of today: --engine llama.cpp prices llama.cpp itself." in said
    older = rl.serving(
        "Qwen/Qwen3-8B", "h100-sxm", engine="vllm", engine_version="0.9.1", isl=500, osl=100,
        weights="fp8", compute="bf16",
    )  # fmt: skip
    said = " ".join(older.command("vllm").notes)
    assert "Priced as release 0.9.1 of vLLM" in said
    assert "every GEMM in bf16" in said


def test_llama_cpp_on_a_mac() -> None:
    answer = rl.serving("Qwen/Qwen3-8B", "m4-max", weights="q4_k_m", batch=1, context=8000)
    found = start_of(answer)
    assert found["-c"] == 8000
    assert found["-np"] == 1


def start_of(answer: Any) -> dict[str, Any]:
    return parsed(answer.command("llama.cpp").commands[0], "llama.cpp")


def test_a_script_can_be_pasted() -> None:
    """No name of a model gets out of its place, and none of a note out of its comment."""
    one = priced("Qwen/Qwen3-8B", layout=Layout())
    odd = one.own.model_copy(update={"id": "a b; $(reboot) 'x'"})
    found = launch([type(one)(one.replica, odd, one.requests, 4.0)], "vllm")
    assert shlex.split(found.commands[0].launch) == ["vllm", "serve", odd.id]


def test_the_page_lists_engines_and_releases() -> None:
    page = (Path(__file__).parents[2] / "docs" / "flags.md").read_text()
    for tool in ENGINES:
        flags = engine_flags(tool)
        assert f"{flags.name} {flags.versions}" in page
        for row in flags.flags:
            if row.flag:
                assert f"`{row.flag}`" in page, row.flag


def test_refusals_agree_with_what_start_does() -> None:
    one = priced(layout=Layout(tp=8, ep=2))
    assert refuses(one, "vllm")
    assert not refuses(one, "sglang")
    assert "--ep-size 2" in str(start([one], "sglang"))


def test_pools_share_a_host_as_the_count_of_hosts_says() -> None:
    """5 x 2 and 3 x 2 chips on two hosts of eight: no two servers have a chip or a port in common.

    The first host is full of prefill servers; the fifth shares the second with those that decode.
    """
    prefill = priced("Qwen/Qwen3-32B", layout=Layout(tp=2), n_replicas=5, pool="prefill", batch=2)
    decode = priced("Qwen/Qwen3-32B", layout=Layout(tp=2), n_replicas=3, pool="decode", batch=99)
    assert not too_many_hosts([prefill, decode])
    found = launch([prefill, decode], "vllm")
    p, d = found.commands
    env = dict(d.env)
    assert env["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert parsed(d, "vllm")["--port"] == 8001
    assert env["VLLM_NIXL_SIDE_CHANNEL_PORT"] != dict(p.env)["VLLM_NIXL_SIDE_CHANNEL_PORT"]
    said = " ".join(found.notes)
    assert "--port 8003 on the same host; then as the first on another host." in said
    assert re.findall(r"PREFILL\d_ADDRESS:(\d+)", found.router) == [
        "8000",
        "8001",
        "8002",
        "8003",
        "8000",
    ]
    assert re.findall(r"DECODE\d_ADDRESS:(\d+)", found.router) == ["8001", "8002", "8003"]


@pytest.mark.parametrize("tp", [(1, 2), (2, 1), (4, 1), (2, 4), (1, 8), (4, 4), (16, 2)])
@pytest.mark.parametrize("n", [(1, 1), (5, 3), (3, 5), (9, 2), (2, 17)])
def test_no_chip_has_two_servers(tp: tuple[int, int], n: tuple[int, int]) -> None:
    """Every replica has a place, of whole hosts or of chips of one; and ports on it differ."""
    pools = [
        priced("Qwen/Qwen3-8B", layout=Layout(tp=tp[i]), n_replicas=n[i], pool=pool)
        for i, pool in enumerate(("prefill", "decode"))
    ]
    taken: set[tuple[int, int]] = set()
    places = list(placed(pools))
    for place in places:
        chips = min(tp[place.pool], 8)
        for host in range(place.host, place.host + -(-tp[place.pool] // 8)):
            own = {(host, place.first_chip + c) for c in range(chips)}
            assert not own & taken
            assert max(c for _, c in own) < 8
            taken |= own
    assert [sum(p.pool == i for p in places) for i in (0, 1)] == list(n)
    assert [p.i for p in places if p.pool == 1] == list(range(n[1]))
    assert len({(p.host, p.slot) for p in places}) == len(places)
    assert (
        max(h for h, _ in taken) + 1 <= -(-sum(x * y for x, y in zip(tp, n, strict=True)) // 8) + 1
    )


@pytest.mark.parametrize(
    ("tool", "bad", "good", "reason"),
    [
        ("llama.cpp", {"batch": 300, "asked_batch": True}, {"batch": 200}, "at most 256 sequences"),
        ("vllm", {"layout": Layout(tp=1, pp=9)}, {}, "9 chips does not divide evenly over 2 hosts"),
        ("kserve", {"layout": Layout(tp=1, pp=9)}, {}, "9 chips does not divide evenly over 2"),
    ],
)
def test_a_limit_of_a_layout_passes_to_the_next(
    tool: str, bad: dict[str, Any], good: dict[str, Any], reason: str
) -> None:
    """Whatever refuses a layout: rules, hosts, or the sequences of a rank."""
    usual: dict[str, Any] = {"model": "Qwen/Qwen3-8B", "layout": Layout()}
    ranking = [priced(**(usual | change)) for change in (bad, good)]
    assert reason in why_not(ranking[0], tool)
    assert not why_not(ranking[1], tool)
    found = first_that_runs(2, ranking.__getitem__, tool, lambda i: f"L{i}")
    assert found.notes[0].endswith("number 2 of the ranking, L1.")
    assert reason in found.notes[0]
    with pytest.raises(InfeasibleError, match="None of the layouts found: .*" + reason):
        first_that_runs(1, ranking.__getitem__, tool, str)
    # Weights that no layout lets it read are refused at once, with what does.
    other = priced("Qwen/Qwen3-8B", layout=Layout(), weights="nf4")
    with pytest.raises(InfeasibleError, match="Choose --flags sglang, or other weights"):
        first_that_runs(2, lambda _: other, tool, str)


@pytest.mark.parametrize(
    ("weights", "name"),
    [("fp8", "Qwen/Qwen3-32B-FP8-Static-PerTensor"), ("fp8-block", "Qwen/Qwen3-32B-FP8")],
)
def test_published_checkpoints_are_known_by_any_name_of_a_format(weights: str, name: str) -> None:
    found = launch([priced("Qwen/Qwen3-32B", layout=Layout(tp=2), weights=weights)], "vllm")
    assert name in found.commands[0].argv


@pytest.mark.parametrize(
    ("tool", "copies", "splits"),
    [
        ("sglang", "--ep-num-redundant-experts 32", "--enable-two-batch-overlap"),
        ("vllm", '"num_redundant_experts": 32', "--enable-dbo"),
    ],
)
def test_copies_of_experts_and_micro_batches_are_switched_on_as_priced(
    tool: str, copies: str, splits: str
) -> None:
    v3 = "deepseek-ai/DeepSeek-V3"
    many = Layout(attn_dp=72, ep=72)
    wide = str(start([priced(v3, "9xhgx-h100", layout=many, batch=720)], tool))
    assert copies in wide
    assert splits in wide
    in_a_rack = str(start([priced(v3, "gb200-nvl72", layout=many, batch=720)], tool))
    assert copies in in_a_rack
    assert splits not in in_a_rack
    one_host = priced(v3, "hgx-h200", layout=Layout(attn_dp=8, ep=8), batch=80)
    assert "eplb" not in str(start([one_host], tool))
