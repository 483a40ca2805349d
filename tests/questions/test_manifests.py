"""Manifests: fields that the tools have, and what was priced in them."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from launched import check, check_fields, option_list, priced

import ridgeline as rl
from ridgeline.catalog import deployments
from ridgeline.errors import InfeasibleError
from ridgeline.questions.launch import Priced, manifest, start
from ridgeline.questions.launch.fill import filled
from ridgeline.questions.launch.yaml_text import to_yaml
from ridgeline.specs import Layout

TOOLS = deployments()

#: options of the workers' own program, beside the engine's
OF_WORKERS = {"--disaggregation-mode": {"kind": "text", "choices": ["agg", "prefill", "decode"]}}


def document(priced_: list[Priced], tool: str) -> dict[str, Any]:
    """The manifest as its tool reads it; every field is one that it has."""
    found = manifest(priced_, tool)
    ((name, text),) = found.files
    assert name == f"{tool}.yaml"
    read = yaml.safe_load(text)
    check_fields(read, option_list(tool)["fields"])
    return read


def options(words: list[str], engine: str) -> dict[str, Any]:
    """Options of an engine in a list of arguments, each in the engine's own list."""
    known = option_list(engine)["options"] | OF_WORKERS
    found: dict[str, Any] = {}
    while words:
        word, *words = words
        assert word in known, word
        found[word] = True
        if known[word]["kind"] != "flag":
            found[word] = check(known[word], words.pop(0), word)
    return found


def pool(read: dict[str, Any], tool: str, role: str, engine: str = "vllm") -> dict[str, Any]:
    """Options, replicas and chips of a pool (`role` empty: the only one)."""
    if tool == "dynamo":
        worker = read["spec"]["services"][role or "worker"]
        assert worker.get("subComponentType") == (role or None)
        words = worker["extraPodSpec"]["mainContainer"]["args"]
        chips = int(worker["resources"]["limits"]["gpu"])
        nodes = worker.get("multinode", {}).get("nodeCount", 1)
        return options(words, engine) | {"n": worker["replicas"], "chips": chips * nodes}
    if tool == "llm-d":
        at = read[role or "decode"]
        (container,) = at["containers"]
        told = options(container["args"], "vllm")
        cut = at["parallelism"]
        told |= {"--tensor-parallel-size": cut["tensor"], "--data-parallel-size": cut["data"]}
        assert cut["dataLocal"] == cut["data"]
    else:
        at = read["spec"]["prefill"] if role == "prefill" else read["spec"]
        (container,) = at["template"]["containers"]
        env = {e["name"]: e.get("value") for e in container["env"]}
        told = options(shlex.split(env["VLLM_ADDITIONAL_ARGS"]), "vllm")
    chips = int(container["resources"]["limits"]["nvidia.com/gpu"])
    return told | {"n": at["replicas"], "chips": chips}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    ("layout", "weights", "drafts"),
    [
        (Layout(tp=8), None, 1),
        (Layout(attn_dp=4, tp=2, ep=8), "nvfp4", 0),
        (Layout(pp=2, tp=4), None, 0),
    ],
)
def test_one_pool(tool: str, layout: Layout, weights: str | None, drafts: int) -> None:
    one = priced(layout=layout, weights=weights, drafts=drafts, n_replicas=3)
    told = pool(document([one], tool), tool, "")
    assert told["--tensor-parallel-size" if layout.tp > 1 else "n"]
    assert told.get("--tensor-parallel-size", 1) == layout.tp
    assert told.get("--data-parallel-size", 1) == layout.attn_dp
    assert told.get("--pipeline-parallel-size", 1) == layout.pp
    assert told["chips"] == layout.pp * layout.attn_dp * layout.tp
    assert told["n"] == 3
    assert told["--max-model-len"] == 5120
    assert ("--speculative-config" in told) == bool(drafts)
    assert "--kv-transfer-config" not in told


@pytest.mark.parametrize("tool", TOOLS)
def test_two_pools(tool: str) -> None:
    prefill = priced(layout=Layout(tp=8), n_replicas=2, pool="prefill", batch=2)
    decode = priced(layout=Layout(attn_dp=8, ep=8), n_replicas=1, pool="decode", batch=256)
    read = document([prefill, decode], tool)
    p, d = (pool(read, tool, role) for role in ("prefill", "decode"))
    assert (p["n"], p["--tensor-parallel-size"]) == (2, 8)
    assert (d["n"], d["--data-parallel-size"], d["--max-num-seqs"]) == (1, 8, 32)
    assert p["--kv-transfer-config"]["kv_role"] == "kv_producer"
    assert d["--kv-transfer-config"]["kv_role"] == "kv_consumer"
    if tool == "dynamo":
        assert (p["--disaggregation-mode"], d["--disaggregation-mode"]) == ("prefill", "decode")


def test_dynamo_starts_the_engine_that_was_priced() -> None:
    from ridgeline.catalog import engine  # noqa: PLC0415

    one = priced(layout=Layout(tp=8), settings=engine("sglang"))
    read = document([one], "dynamo")
    assert read["spec"]["backendFramework"] == "sglang"
    assert pool(read, "dynamo", "", "sglang")["--tp-size"] == 8
    assert "sglang-runtime" in json.dumps(read)


def test_several_hosts() -> None:
    """Dynamo and KServe start the hosts; of llm-d's chart one is told."""
    one = priced(layout=Layout(attn_dp=16, ep=16))
    told = pool(document([one], "dynamo"), "dynamo", "")
    assert told["chips"] == 16
    assert told["--data-parallel-size"] == 16
    assert "--headless" not in told
    spec = document([one], "kserve")["spec"]
    assert spec["parallelism"] == {"tensor": 1, "data": 16, "dataLocal": 8, "expert": True}
    assert spec["worker"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "8"
    with pytest.raises(InfeasibleError, match=r"several hosts .2. to its user"):
        manifest([one], "llm-d")
    with pytest.raises(InfeasibleError, match="no pipeline stages, not 2"):
        manifest([priced(layout=Layout(pp=2, tp=4, attn_dp=2))], "kserve")


def test_chips_that_a_tool_or_its_engine_has_no_images_for() -> None:
    with pytest.raises(InfeasibleError, match="Dynamo has no image of vLLM for AMD"):
        manifest([priced("Qwen/Qwen3-8B", "mi300x-8", Layout())], "dynamo")
    read = yaml.safe_load(
        manifest([priced("Qwen/Qwen3-8B", "mi300x-8", Layout())], "llm-d").files[0][1]
    )
    assert read["accelerator"]["type"] == "amd"
    assert "amd.com/gpu" in json.dumps(read)


@pytest.mark.parametrize("tool", ["llm-d", "kserve"])
@pytest.mark.parametrize(
    ("on", "image", "resource"),
    [
        ("mi300x-8", "rocm", "amd.com/gpu"),
        ("arc-pro-b60-8", "xpu", "gpu.intel.com/xe"),
        ("gaudi3-8", "hpu", "habana.ai/gaudi"),
    ],
)
def test_image_and_resource_are_those_of_the_chip(
    tool: str, on: str, image: str, resource: str
) -> None:
    """A vendor's kinds of chips differ; none gets another's image."""
    ((_, text),) = manifest([priced("Qwen/Qwen3-8B", on, Layout(tp=2))], tool).files
    assert f"ghcr.io/llm-d/llm-d-{image}:" in text
    assert f'{resource}: "2"' in text
    assert "cuda" not in text
    assert "nvidia" not in text


@pytest.mark.parametrize("on", ["tpu-v6e-8", "cpu-epyc-9755-2s", "trn2-48xlarge"])
def test_chips_without_image_are_refused_by_name(on: str) -> None:
    one = priced("Qwen/Qwen3-8B", on, Layout())
    with pytest.raises(InfeasibleError, match=one.replica.cluster.chip.name.split()[0]):
        manifest([one], "kserve")


def test_the_volume_holds_what_is_downloaded() -> None:
    """The checkpoint in 16 bits, where the engine converts it: 8.2e9 x 2 bytes are 15.3 GiB."""
    sizes = [
        int(re.sub(r"\D", "", document([one], "llm-d")["modelArtifacts"]["size"]))
        for one in (
            priced("Qwen/Qwen3-8B", layout=Layout()),
            priced("Qwen/Qwen3-8B", layout=Layout(), weights="fp8"),
        )
    ]
    assert sizes[0] == sizes[1]
    assert 15.3 < sizes[0] < 2 * 15.3


@pytest.mark.parametrize("tool", TOOLS)
def test_the_answer_s_pools_as_a_manifest(tool: str) -> None:
    answer = rl.layouts("Qwen/Qwen3-32B", "hgx-h100", tpot=0.03)
    pools, found = answer.pools(), answer.command(tool, disaggregate=True)
    read = yaml.safe_load(found.files[0][1])
    p, d = (pool(read, tool, role) for role in ("prefill", "decode"))
    assert (p["n"], d["n"]) == (pools.prefill.replicas, pools.decode.replicas)
    assert p["n"] * p["chips"] + d["n"] * d["chips"] == pools.prefill.n_chips + pools.decode.n_chips
    assert d["--max-num-seqs"] * pools.decode.layout.attn_dp >= pools.decode.batch


def test_names_that_kubernetes_takes() -> None:
    read = document([priced("meta-llama/Llama-3.1-8B-Instruct", layout=Layout())], "kserve")
    assert read["metadata"]["name"] == "llama-3-1-8b-instruct"


def test_start_knows_both_kinds() -> None:
    one = priced("Qwen/Qwen3-8B", layout=Layout())
    assert start([one], "kserve").files
    assert start([one], "vllm").commands


NUMBERS = st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.text(max_size=12) | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=6), PLAIN, max_size=4))
def test_yaml_reads_back(value: dict[str, Any]) -> None:
    assert (yaml.safe_load(to_yaml(value)) or {}) == value


@pytest.mark.parametrize(
    "word",
    [
        "true",
        "No",
        "1e3",
        "0x1F",
        "1:30",
        "~",
        "null",
        "8",
        "",
        "- a",
        "a: b",
        "2026-11-27",
        "=",
        "<<",
        "--tp",
        "-c",
        "0.0.0.0",
        "hf://a/b",
    ],
)
def test_words_stay_words(word: str) -> None:
    assert yaml.safe_load(to_yaml({"a": word, "b": [word]})) == {"a": word, "b": [word]}


def test_what_has_no_value_is_left_out() -> None:
    template = {"a": {"b": "{x}"}, "c": ["{x}", "{y}"], "<<": "{more}", "k-{y}": 1}
    assert filled(template, {"x": None, "y": 2, "more": {"d": 3}}) == {"c": [2], "d": 3, "k-2": 1}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_manifest_says_what_commands_say(tool: str) -> None:
    """Another engine was priced, requests are too long, options need software: never in silence."""
    answer = rl.serving(
        "Qwen/Qwen3-8B",
        "h100-sxm",
        isl="30k",
        osl="20k",
        engine="transformers-neuronx",
        drafts=1,
        acceptance=0.7,
    )
    manifest_, commands = (answer.command(name) for name in (tool, "vllm"))
    said = " ".join(manifest_.notes)
    assert "--engine vllm prices vLLM itself" in said
    assert "longer than the model's 40,960" in said
    assert "DRAFT_MODEL is a small model" in said
    written = " ".join(text for _, text in manifest_.files)
    for note in commands.notes[1:]:
        option = note.split(":")[0]
        assert note in manifest_.notes or (option.startswith("--") and option not in written)
