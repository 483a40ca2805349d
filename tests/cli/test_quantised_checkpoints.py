"""Every command answers for every kind of quantised checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ridgeline
from ridgeline.cli import main

DENSE = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "vocab_size": 128256, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
SPARSE = {
    "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144, "head_dim": 128,
    "num_attention_heads": 32, "num_hidden_layers": 48, "num_key_value_heads": 4,
    "vocab_size": 151936, "num_experts": 128, "num_experts_per_tok": 8,
    "moe_intermediate_size": 768, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
WEIGHTS_4 = {"num_bits": 4, "type": "int", "group_size": 128, "symmetric": True}
KINDS = {
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"},
    "gptq 4": {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True},
    "gptq 3": {"quant_method": "gptq", "bits": 3, "group_size": 64},
    "nf4": {"quant_method": "bitsandbytes", "load_in_4bit": True,
            "bnb_4bit_use_double_quant": True, "bnb_4bit_quant_type": "nf4"},
    "torchao": {"quant_method": "torchao", "quant_type": {"default": {
        "_type": "Int4WeightOnlyConfig", "_data": {"group_size": 128}}}},
    "w4a16": {"quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups": {
        "group_0": {"targets": ["Linear"], "weights": WEIGHTS_4}}},
    "nvfp4": {"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["lm_head"],
              "kv_cache_quant_algo": "FP8"},
    "auto-round": {"quant_method": "auto-round", "bits": 4, "group_size": 128,
                   "packing_format": "auto_round:auto_gptq"},
    "marlin": {"quant_method": "marlin", "group_size": 128},
    "hqq": {"quant_method": "hqq", "quant_config": {"weight_quant_params": {
        "nbits": 4, "group_size": 64}}},
    "mixed": {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {
        f"model.layers.{i}.self_attn.{n}_proj": {"quant_algo": "FP8"}
        for i in range(32) for n in "qk"}},
    "exl2": {"quant_method": "exl2", "bits": 4.25, "head_bits": 6},
    "exl3": {"quant_method": "exl3", "bits": 3.0, "head_bits": 6},
    "mxfp4": {"quant_method": "quark", "exclude": ["lm_head"], "global_quant_config": {
        "weight": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32}}},
    "bitnet": {"quant_method": "bitnet"},
    "gguf": {"quant_method": "gguf", "quant_type": "Q4_K_M"},
}  # fmt: skip
MACHINE = ["--on", "h100-sxm"]
COMMANDS = {
    "models": [],
    "serving": MACHINE,
    "layouts": [*MACHINE, "--isl", "1024", "--osl", "128"],
    "training": MACHINE,
    "scaling": MACHINE,
    "tiers": MACHINE,
    "sparsity": MACHINE,
    "pipelining": MACHINE,
    "scaleup": MACHINE,
    "wall": MACHINE,
    "sensitivity": MACHINE,
}


def _answers(path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = main([command, str(path), *COMMANDS[command]])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return shown.out


def _written(folder: Path, base: dict[str, object], kind: str) -> Path:
    path = folder / "checkpoint.json"
    path.write_text(json.dumps({**base, "quantization_config": KINDS[kind]}))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_answers(tmp_path, command, capsys):
    assert _answers(_written(tmp_path, DENSE, "awq"), command, capsys)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_served(tmp_path, kind, capsys):
    """The weights of the answer are those of the checkpoint, on every path to them."""
    path = _written(tmp_path, DENSE, kind)
    assert _answers(path, "sensitivity", capsys)
    answer = ridgeline.serving(str(path), "h100-sxm", batch=1, context=1024)
    model = ridgeline.model(str(path))
    assert answer.replica.model.weight_dtype == model.weight_dtype


@pytest.mark.slow
@pytest.mark.parametrize("base", [DENSE, SPARSE], ids=["dense", "experts"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_command_answers_for_each_kind(tmp_path, base, kind, command, capsys):
    assert _answers(_written(tmp_path, base, kind), command, capsys)
