"""What the fuzz tests start from, and how it is broken: configs, commands, records, results."""

from __future__ import annotations

import copy
import json
import random
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w
from mutations import Mutator
from reader_samples import SAMPLES, sample  # pyright: ignore[reportMissingImports]

import ridgeline
from ridgeline.cli.app import app
from ridgeline.questions.registry import QUESTIONS

__all__ = ["broken_config", "command_line", "record_case", "results_case", "table_case"]

_PACKAGE = Path(ridgeline.__file__).parent
QUANTIZED: list[dict[str, Any]] = [
    {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["gate"]},
    {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": {"-:.*attn.*": {}}},
    {"quant_method": "awq", "bits": 4, "group_size": 32, "modules_to_not_convert": None},
    {"quant_method": "compressed-tensors", "ignore": ["re:.*attn.*", "lm_head"], "config_groups": {
        "g": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "group_size": 32}}}},
    {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {
        "model.layers.0.mlp.up_proj": {"quant_algo": "FP8"}}},
    {"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["*attn*"]},
    {"quant_method": "exl2", "bits": 4.25, "head_bits": 6},
    {"quant_method": "bitsandbytes", "load_in_4bit": True, "llm_int8_skip_modules": ["lm_head"]},
    {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4}}},
    {"quant_method": "torchao", "quant_type": {"default": {
        "_type": "Int4WeightOnlyConfig", "_data": {"group_size": 64}}}},
    {"quant_method": "quark", "exclude": ["lm_head"], "layer_quant_config": {},
     "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}}},
    {"quant_method": "auto-round", "bits": 4, "group_size": 128, "extra_config": {
        "model.layers.0.mlp.up_proj": {"bits": 16}}},
    {"quant_method": "aqlm", "num_codebooks": 1, "nbits_per_codebook": 16, "in_group_size": 8},
    {"quant_method": "gguf", "quant_type": "Q4_K_M"},
    {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
    {"group_size": 64, "bits": 4, "model.layers.0.mlp.up_proj": {"bits": 8, "group_size": 32}},
]  # fmt: skip


def broken_config(source: random.Random) -> Any:
    """A config of some family, perhaps quantised, with some of its places broken."""
    names = sorted(SAMPLES)
    config = copy.deepcopy(sample(source.choice(names)))
    if source.random() < 0.5:
        table = copy.deepcopy(source.choice(QUANTIZED))
        config["quantization" if "quant_method" not in table else "quantization_config"] = table
    if source.random() < 0.15:
        config = {"text_config": config, "vision_config": {"hidden_size": 8}, "model_type": "llava"}
    return Mutator(source).nested(config, sample(source.choice(names)))


# ------------------------------------------------------------------ command lines

#: commands that take long whatever they are given, or that fit, train and draw
_LONG = {"ciphers", "reversible", "components", "calibrate", "validate", "predict"}
_MODELS = [
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-8B",
    "openai/gpt-oss-20b",
    "deepseek-ai/DeepSeek-V3",
    "qwen3 8b",
    "Qwen/Qwen3-32B-AWQ",
    "nobody/Nothing-7B",
    "Qwen/Qwen3-8B,openai/gpt-oss-20b",
]
_MACHINES = ["h100-sxm", "8xh100-sxm", "gb200-nvl72", "rtx-4090", "apple-m4-max", "2xhgx-h100",
             "hgx-h200,hgx-b200", "0xh100-sxm", "no-chip", "H100 80GB", ""]  # fmt: skip
_USUAL = {
    "--on": _MACHINES,
    "--context": ["4k", "1k,8k", "131072", "128Ki", "0"],
    "--isl": ["1024", "512:8k", "2k", "512:8k@mean=2k"],
    "--osl": ["128", "1", "1:256"],
    "--batch": ["1", "1,8,64", "1:256", "64"],
    "--weights": ["fp8", "q4_k_m", "int4-g32-zp", "nvfp4", "exl2_4.25bpw"],
    "--kv": ["fp8", "q8_0", "bf16"],
    "--reading": ["ideal", "blackboard", "calibrated"],
    "--ttft": ["2s", "p99<2s", "500 ms"],
    "--tpot": ["50ms", "p99<50ms", "20"],
    "--price": ["2.35", "$2/h"],
    "--chips": ["1", "8", "best"],
    "--set": ["model.n_kv_heads=4", "cluster.sources=1", "chip.memory.bandwidth=5TB/s",
              "load.batch=8"],
    "--rate": ["1", "10/s"],
    "--engine": ["vllm", "sglang", "llama.cpp"],
    "--compute": ["bf16", "fp8"],
    "--from-counts": ["active=37B,total=671B", "active=1e-5"],
}  # fmt: skip


@cache
def _options(command: str) -> tuple[tuple[str, bool], ...]:
    """Names of a command's options, and whether each is a switch."""
    found = app[command].assemble_argument_collection()
    return tuple((a.name, a.hint is bool) for a in found if a.parse and a.name.startswith("--"))


def command_line(source: random.Random, folder: Path) -> list[str]:
    """A command with options of its own grammar, some of their values wrong."""
    mutator = Mutator(source)
    command = source.choice([q.name for q in QUESTIONS if q.command and q.name not in _LONG])
    words = [command]
    if command not in ("design", "generations"):
        words.append(source.choice(_MODELS) if source.random() < 0.9 else mutator.word())
    if source.random() < 0.85 and command not in ("models", "chips", "generations"):
        words += ["--on", source.choice(_MACHINES[:5])]
    options = list(_options(command))
    for name, switch in source.sample(options, min(len(options), source.randint(0, 4))):
        if name in ("--out", "--chart", "--report"):
            words += [
                name,
                str(source.choice([folder / "a.csv", folder, folder / "no" / "a.json"])),
            ]
        elif switch:
            words.append(name)
        else:
            wrong = name not in _USUAL or source.random() < 0.4
            value = mutator.word() if wrong else source.choice(_USUAL[name])
            words.append(f"{name}={value}")
    return [w.replace("\0", "") for w in words if "fetch" not in w]


# ------------------------------------------------------------------ records in TOML


@cache
def _records(kind: str) -> tuple[str, ...]:
    paths = sorted((_PACKAGE / "catalog" / kind).glob("*.toml"))
    return tuple(p.read_text(encoding="utf-8") for p in paths if p.stat().st_size < 4000)


_ASKS: dict[str, Callable[[str], list[str]]] = {
    "chips": lambda path: ["tiers", "Qwen/Qwen3-8B", "--on", path],
    "clusters": lambda path: ["serving", "Qwen/Qwen3-0.6B", "--on", path, "--batch", "1,8"],
    "models": lambda path: ["models", path],
}


def record_case(source: random.Random, folder: Path) -> list[str]:
    """A chip, cluster or model of the catalogue, broken, and the command that reads it."""
    mutator = Mutator(source)
    kind = source.choice(sorted(_ASKS))
    text = source.choice(_records(kind))
    if source.random() < 0.6:
        data = mutator.nested(tomllib.loads(text), tomllib.loads(source.choice(_records(kind))))
        text = tomli_w.dumps(_plain(data) if isinstance(data, dict) else {})
    else:
        text = mutator.text(text)
    path = folder / "record.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    return _ASKS[kind](str(path))


def _plain(value: Any) -> Any:
    """What TOML can say."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if v is not None}
    return [_plain(v) for v in value if v is not None] if isinstance(value, list) else value


# ------------------------------------------------------------------ tables and results

_TABLE = (
    "id,source,engine,engine_version,date,chip,n_chips,model,weight_dtype,kv_dtype,tp,pp,ep,attn_dp,"
    "regime,batch,concurrency,request_rate_per_s,isl,osl,metric,value,notes\n"
    "a,x,vllm,0.9,2025-06-01,h100-sxm,1,Qwen/Qwen3-8B,bf16,,1,1,1,1,closed,,16,,1024,128,tpot_s,.01,\n"
    "b,x,sglang,0.5,2025-06-01,h200-sxm,8,openai/gpt-oss-20b,,fp8,8,1,,,open,,,2,512,64,ttft_s,.2,"
    "n_requests=500; median\n"
    "c,x,,,2025,gb200,4,Qwen/Qwen3-8B,fp8,,4,,,,static,8,,,128,128,e2e_s,1.5,\n"
)  # fmt: skip
_TRAFFIC = {"completed": 100, "total_input_tokens": 102400, "total_output_tokens": 12800,
            "max_concurrency": 16, "request_rate": "inf", "output_throughput": 900.0}  # fmt: skip
_RESULTS: list[Any] = [
    {**_TRAFFIC, "model_id": "Qwen/Qwen3-8B", "mean_ttft_ms": 90.0, "mean_tpot_ms": 9.0,
     "p99_ttft_ms": 300.0, "failed": 3, "num_prompts": 103},
    {**_TRAFFIC, "backend": "sglang", "mean_e2e_latency_ms": 900.0, "mean_ttft_ms": 80.0,
     "mean_tpot_ms": 8.0, "accept_length": None, "server_info": {"tp_size": 2, "dp_size": 1}},
    {"avg_latency": 1.02, "latencies": [1.02], "percentiles": {"50": 1.02}},
    {"hw": "h200", "conc": 64, "model": "Qwen/Qwen3-8B", "framework": "vllm", "precision": "fp8",
     "isl": 1024, "osl": 1024, "tp": 2, "tput_per_gpu": 900.0, "mean_tpot": 0.012,
     "mean_ttft": 0.2},
    {"request_latency": {"unit": "ms", "avg": 3100.0}, "time_to_first_token": {"unit": "ms",
     "avg": 100.0}, "output_sequence_length": {"avg": 200}, "input_sequence_length": {"avg": 550},
     "input_config": {"model": ["Qwen/Qwen3-8B"],
                      "perf_analyzer": {"stimulus": {"concurrency": 4}}}},
    {"engine": {"model": "Qwen/Qwen3-8B"}, "world_info": {"tp_size": 1, "world_size": 1},
     "request_info": {"num_requests": 100, "avg_input_length": 1024.0, "avg_output_length": 128.0},
     "performance": {"system_output_throughput_tok_s": 1700.0, "total_latency_ms": 6e4}},
    [{"model_filename": "Qwen3-8B-Q4_K_M.gguf", "model_type": "qwen3 8B Q4_K - Medium",
      "gpu_info": "NVIDIA H100 80GB HBM3", "n_prompt": 512, "n_gen": 0, "avg_ts": 2142.6,
      "n_gpu_layers": 99, "backends": "CUDA", "type_k": "f16"}],
]  # fmt: skip
_FILLS = ["--model", "Qwen/Qwen3-8B", "--on", "8xh100-sxm", "--tp", "2"]


def table_case(source: random.Random, folder: Path) -> list[str]:
    """A table of measurements with some cells or lines broken."""
    mutator = Mutator(source)
    lines: list[list[str]] = [line.split(",") for line in str(_TABLE).splitlines()]
    for _ in range(source.randint(1, 5)):
        row = source.choice(lines if source.random() < 0.1 else lines[1:])
        row[source.randrange(len(row))] = mutator.word().replace(",", ";")
    text = "\n".join(",".join(row) for row in lines)
    if source.random() < 0.2:
        text = mutator.text(text)
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", errors="replace")
    return [source.choice(["validate", "predict"]), str(path)]


def results_case(source: random.Random, folder: Path) -> list[str]:
    """A benchmark's file of results with some of its places broken."""
    mutator = Mutator(source)
    result = mutator.nested(source.choice(_RESULTS), source.choice(_RESULTS))
    text = json.dumps(result)
    if source.random() < 0.2:
        text = mutator.text(text)
    path = folder / "results.json"
    path.write_text(text, encoding="utf-8", errors="replace")
    fills = _FILLS[: source.choice([0, 4, 6])]
    return [source.choice(["validate", "predict"]), str(path), *fills]


def seeds(first: int, n: int) -> Iterator[random.Random]:
    """A source for each case, so that one case can be played again."""
    return (random.Random(first * 1_000_003 + i) for i in range(n))
