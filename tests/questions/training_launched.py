"""Options of training tools as they list them, and reading back what starts a job."""

from __future__ import annotations

import json
import math
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import ridgeline as rl
from ridgeline.catalog import (
    cluster,
    framework,
    tools_with_training_flags,
    training_flags,
)
from ridgeline.questions.launch import Launch
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.trainer.job import TrainingJob
from ridgeline.trainer.stages import chunk_layers

TOOLS = tools_with_training_flags()
LISTS = Path(__file__).parents[1] / "oracles" / "training_options"
LLAMA, MOE = "meta-llama/Meta-Llama-3-70B", "Qwen/Qwen3-30B-A3B"


@cache
def option_list(tool: str) -> dict[str, Any]:
    """Options of a tool, as its own source lists them."""
    return json.loads((LISTS / f"{tool}.json").read_text())


def job(
    model: str = LLAMA,
    on: str = "hgx-h100",
    *,
    global_batch: int = 256,
    seq: int = 4096,
    recipe: dict[str, Any] | None = None,
    tool: str = "megatron-lm",
    **layout: Any,
) -> TrainingJob:
    """A job, with as many hosts as its layout fills."""
    degrees = TrainingLayout(**layout)
    machine = cluster(on)
    n_domains = -(-degrees.n_chips // machine.domain_size)
    return TrainingJob(
        rl.model(model),
        machine.replaced({"n_domains": n_domains}, where="test"),
        degrees,
        TrainingRecipe(**(recipe or {})),
        TrainingLoad(seq_len=seq, global_batch=global_batch),
        framework(training_flags(tool).timed_as or tool),
    )


def leaves(fields: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Fields of a file by their dotted path."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        at = f"{path}.{name}" if path else name
        found |= leaves(value, at) if isinstance(value, dict) else {at: value}
    return found


def said(found: Launch, tool: str) -> dict[str, Any]:
    """Options and fields, each of the kind and among the choices that the tool's list says."""
    known = option_list(tool)["options"]
    pairs: dict[str, Any] = dict(found.commands[0].flags)
    for name, text in found.files:
        pairs |= leaves(json.loads(text) if name.endswith(".json") else tomllib.loads(text))
    fills = training_flags(tool).placeholders
    return {
        name: checked(known.get(name), value, f"{tool} {name}", fills)
        for name, value in pairs.items()
    }


def checked(about: dict[str, Any] | None, value: Any, where: str, fills: Any) -> Any:
    """A value as its option reads it; fails where the option does not."""
    assert about is not None, f"there is no option {where}"
    if isinstance(value, str) and any(name in value for name in fills):
        return value
    if value in ("null", "None"):
        assert about.get("null"), where
        return None
    kind = about["kind"]
    if isinstance(value, str):
        if kind == "flag":
            assert value in ("", "true", "false"), f"{where}: {value}"
            return value != "false"
        value = {"int": int, "float": float}.get(kind, str)(value)
    else:
        kinds = {"flag": bool, "int": int, "float": (int, float), "list": list, "text": str}
        assert isinstance(value, kinds[kind]), f"{where}: {value!r} is no {kind}"
    assert value in about.get("choices", (value,)), f"{where}: {value}"
    return value


def chips_of(found: Launch) -> int:
    """Processes that the launcher starts."""
    words = shlex.split(found.commands[0].launch)
    of = {w: words[i + 1] for i, w in enumerate(words[:-1]) if w.startswith("--")}
    nodes = int(of.get("--nnodes", of.get("--num_nodes", 1)))
    return nodes * int(of.get("--nproc-per-node", of.get("--num_gpus", 0)))


def megatron_chunks(text: str) -> list[int]:
    """Layers of each chunk of a layout as Megatron writes it: ``(t|)*2`` is ``t|t|``."""
    while match := re.search(r"\(([^()]*)\)\*(\d+)", text):
        text = text.replace(match[0], match[1] * int(match[2]), 1)
    return [chunk.count("t") for chunk in text.split("|")]


def degrees(found: Launch, tool: str) -> dict[str, Any]:
    """Degrees and batches of a launch, by what each option means to its tool."""
    get: Any = said(found, tool).get
    if tool == "torchtitan":
        tp, cp, pp = (
            get(f"parallelism.{n}_parallel_degree") for n in ("tensor", "context", "pipeline")
        )
        copies, shard = (
            get(f"parallelism.data_parallel_{n}_degree") for n in ("replicate", "shard")
        )
        micro = get("parallelism.pipeline_parallel_microbatch_size") or get(
            "training.local_batch_size"
        )
        return {
            "tp": tp,
            "cp": cp,
            "pp": pp,
            "dp": copies * shard,
            "ep": get("parallelism.expert_parallel_degree", 1),
            "micro_batch": micro,
            "global_batch": get("training.global_batch_size"),
            "copies": copies,
            "n_chips": tp * cp * pp * copies * shard,
        }
    if tool == "maxtext":
        mesh = {
            axis: get(f"ici_{axis}_parallelism", 1) * get(f"dcn_{axis}_parallelism", 1)
            for axis in (
                "data",
                "fsdp",
                "expert",
                "context",
                "tensor",
                "tensor_sequence",
                "pipeline",
            )
        }
        n, steps = math.prod(mesh.values()), get("gradient_accumulation_steps", 1)
        dp = mesh["data"] * mesh["fsdp"] * mesh["expert"]
        batch = get("per_device_batch_size") * n * steps
        of_step = steps * get("num_pipeline_microbatches", 1)
        return {
            "tp": mesh["tensor"] * mesh["tensor_sequence"],
            "cp": mesh["context"],
            "pp": mesh["pipeline"],
            "dp": dp,
            "ep": mesh["expert"],
            "micro_batch": batch / of_step / dp,
            "global_batch": batch,
            "copies": mesh["data"],
            "n_chips": n,
        }
    if tool == "deepspeed":
        n, tp, cp = (
            chips_of(found),
            get("tensor_parallel.autotp_size", 1),
            get("sequence_parallel_size", 1),
        )
        micro, steps = get("train_micro_batch_size_per_gpu"), get("gradient_accumulation_steps")
        dp = n // (tp * cp)
        assert get("train_batch_size", micro * steps * dp) == micro * steps * dp
        return {
            "tp": tp,
            "cp": cp,
            "pp": 1,
            "dp": dp,
            "ep": 1,
            "micro_batch": micro,
            "global_batch": micro * steps * dp,
            "copies": 1,
            "n_chips": n,
        }
    start, of = {
        "megatron-lm": ("--", "-"),
        "megatron-bridge": ("model.", "_"),
        "nemo": ("trainer.strategy.", "_"),
    }[tool]

    def parallel(name: str) -> Any:
        return get(f"{start}{name}".replace("_", of), 1)

    tp, pp = parallel("tensor_model_parallel_size"), parallel("pipeline_model_parallel_size")
    cp, ep = parallel("context_parallel_size"), parallel("expert_model_parallel_size")
    n = chips_of(found)
    if tool == "nemo":
        n = get("trainer.num_nodes") * get("trainer.devices")
    before = {"megatron-lm": "--", "megatron-bridge": "train.", "nemo": "data."}[tool]
    micro, batch = (
        get(f"{before}{n}".replace("_", of)) for n in ("micro_batch_size", "global_batch_size")
    )
    where = {"megatron-lm": "--", "megatron-bridge": "ddp.", "nemo": "trainer.strategy."}[tool]
    copies = get(f"{where}num_distributed_optimizer_instances".replace("_", of), 1)
    return {
        "tp": tp,
        "cp": cp,
        "pp": pp,
        "dp": n // (tp * cp * pp),
        "ep": ep,
        "micro_batch": micro,
        "global_batch": batch,
        "copies": copies,
        "n_chips": n,
    }


def chunks_of(found: Launch, tool: str, n_layers: int) -> int:
    """Chunks of layers over all stages."""
    get: Any = said(found, tool).get
    if tool == "torchtitan":
        parts = get("parallelism.module_fqns_per_model_part")
        each = get("parallelism.pipeline_parallel_layers_per_stage")
        return len(parts) if parts else n_layers // each if each else 1
    if tool == "maxtext":
        return n_layers // get("num_layers_per_pipeline_stage", n_layers)
    start, of = {"megatron-lm": ("--", "-"), "megatron-bridge": ("model.", "_")}.get(
        tool, ("trainer.strategy.", "_")
    )
    name = "num-virtual-stages-per-pipeline-rank"
    if tool != "megatron-lm":
        name = "virtual_pipeline_model_parallel_size"
    text = get(f"{start}pipeline_model_parallel_layout".replace("_", of))
    if text:
        layers = megatron_chunks(text)
        assert layers == chunk_layers(n_layers, len(layers))
        return len(layers)
    pp = get(f"{start}pipeline_model_parallel_size".replace("_", of))
    return pp * (get(f"{start}{name}") or 1)


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (LLAMA, {"tp": 8, "dp": 4}, {}),
    (LLAMA, {"tp": 4, "pp": 4, "vp": 5, "dp": 4}, {}),
    (LLAMA, {"tp": 4, "pp": 3, "dp": 4}, {}),
    (LLAMA, {"tp": 2, "cp": 4, "dp": 8}, {"recompute": "full"}),
    (LLAMA, {"tp": 1, "cp": 8, "dp": 4, "zero": 3, "cp_kind": "all_to_all"}, {"recompute": "full"}),
    (LLAMA, {"tp": 1, "dp": 64, "zero": 3}, {"recompute": "full", "micro_batch": 2}),
    (LLAMA, {"tp": 1, "dp": 64, "zero": 3, "shard": 8}, {"recompute": "full"}),
    (LLAMA, {"tp": 1, "dp": 64, "zero": 2}, {"recompute": "none"}),
    (LLAMA, {"tp": 4, "dp": 16, "zero": 0}, {"recompute": "selective"}),
    (LLAMA, {"tp": 4, "dp": 8, "sequence_parallel": False}, {"offload": ("optimizer",)}),
    (
        LLAMA,
        {"tp": 4, "pp": 4, "dp": 4, "order": ("tp", "cp", "pp", "dp")},
        {"recompute": "layers", "recompute_layers": 4},
    ),
    (LLAMA, {"tp": 8, "pp": 4, "dp": 2}, {"schedule": "gpipe", "recompute": "full"}),
    (LLAMA, {"tp": 8, "pp": 4, "dp": 2, "zero": 3}, {"schedule": "gpipe", "recompute": "full"}),
    (LLAMA, {"tp": 8, "pp": 4, "dp": 2, "zero": 3}, {"schedule": "zb-v"}),
    (LLAMA, {"tp": 8, "pp": 4, "dp": 2}, {"schedule": "dualpipe"}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "fp8"}),
    (LLAMA, {"tp": 8, "dp": 4, "zero": 3}, {"precision": "fp8", "recompute": "products"}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "fp8-block", "optimizer": "muon"}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "mxfp8", "optimizer": "sgd"}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "nvfp4"}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "fp16"}),
    (LLAMA, {"tp": 8, "dp": 4, "zero": 1}, {"task": "lora", "lora_rank": 32}),
    (LLAMA, {"tp": 8, "dp": 4, "zero": 1}, {"task": "finetune"}),
    (MOE, {"tp": 2, "dp": 16, "ep": 8}, {}),
    (MOE, {"tp": 2, "dp": 16, "ep": 16, "expert_tp": 1}, {}),
    (MOE, {"dp": 32, "ep": 8, "expert_tp": 1, "zero": 3}, {"recompute": "full"}),
    (MOE, {"tp": 2, "pp": 3, "dp": 8, "ep": 8}, {}),
    (
        "deepseek-ai/DeepSeek-V3",
        {"pp": 8, "dp": 32, "ep": 32, "expert_tp": 1},
        {"precision": "fp8-block"},
    ),
    ("openai-community/gpt2", {"dp": 8}, {}),
    ("openai-community/gpt2", {"dp": 8, "zero": 0}, {"precision": "fp32"}),
    (LLAMA, {"tp": 8, "dp": 8, "shard": 4}, {"micro_batch": 2}),
    (LLAMA, {"tp": 4, "dp": 8, "zero": 0}, {"offload": ("optimizer",)}),
    (LLAMA, {"tp": 4, "dp": 8, "zero": 2}, {"offload": ("optimizer",)}),
    (LLAMA, {"tp": 4, "dp": 8, "zero": 3}, {"optimizer": "muon", "recompute": "full"}),
    (LLAMA, {"tp": 2, "pp": 4, "vp": 2, "cp": 2, "dp": 2}, {"overlap": ()}),
    (LLAMA, {"tp": 2, "pp": 2, "dp": 4}, {"precision": "mxfp8", "overlap": ("dp", "tp", "pp")}),
    (LLAMA, {"tp": 8, "dp": 4}, {"precision": "fp8", "task": "finetune", "optimizer": "sgd"}),
    (MOE, {"tp": 2, "cp": 2, "pp": 2, "dp": 4, "ep": 8, "expert_tp": 2}, {"overlap": ("dp", "ep")}),
    (MOE, {"dp": 16, "ep": 16}, {"precision": "fp8", "recompute": "full"}),
    (MOE, {"tp": 4, "dp": 8, "ep": 4}, {"precision": "fp16", "offload": ("optimizer",)}),
    ("Qwen/Qwen2-7B", {"tp": 4, "dp": 4}, {"recompute": "selective"}),
    ("mistralai/Mixtral-8x7B-v0.1", {"tp": 2, "dp": 8, "ep": 8}, {}),
]
