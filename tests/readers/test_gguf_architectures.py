"""Metadata of published GGUF files, as llama.cpp prints it, against models of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.readers import read_config
from ridgeline.readers.gguf_config import config_of
from ridgeline.readers.gguf_header import GgufHeader, GgufTensor
from ridgeline.steps import counts

#: architecture, what the log prints, rows of the table, other tensors, the model it is.
#: Sources: llama_model_loader lines in ggml-org/llama.cpp issues and pull requests #6745, #11141,
#: #13194, #14201; ikawrakow/ik_llama.cpp #370; intel/ipex-llm #13038; ollama/ollama #9170.
PUBLISHED: list[tuple[str, dict[str, Any], int, tuple[str, ...], str]] = [
    (
        "llama",
        {"block_count": 32, "embedding_length": 4096, "feed_forward_length": 14336,
         "attention.head_count": 32, "attention.head_count_kv": 8},
        128256, ("output.weight",), "meta-llama/Meta-Llama-3-8B",
    ),
    (
        "qwen3moe",
        {"block_count": 94, "embedding_length": 4096, "feed_forward_length": 12288,
         "attention.head_count": 64, "attention.head_count_kv": 4, "attention.key_length": 128,
         "expert_count": 128, "expert_used_count": 8, "expert_feed_forward_length": 1536},
        151936, ("output.weight", "blk.0.attn_q_norm.weight"), "Qwen/Qwen3-235B-A22B",
    ),
    (
        "deepseek2",  # as files were written before latent attention was absorbed
        {"block_count": 61, "embedding_length": 7168, "feed_forward_length": 18432,
         "attention.head_count": 128, "attention.head_count_kv": 128, "expert_used_count": 8,
         "leading_dense_block_count": 3, "attention.q_lora_rank": 1536,
         "attention.kv_lora_rank": 512, "attention.key_length": 192, "attention.value_length": 128,
         "expert_feed_forward_length": 2048, "expert_count": 256, "expert_shared_count": 1,
         "rope.dimension_count": 64},
        129280, ("output.weight", "blk.3.ffn_gate_inp.weight"), "deepseek-ai/DeepSeek-V3",
    ),
    (
        "deepseek2",
        {"block_count": 61, "embedding_length": 7168, "feed_forward_length": 18432,
         "attention.head_count": 128, "attention.head_count_kv": 1, "expert_used_count": 8,
         "leading_dense_block_count": 3, "attention.q_lora_rank": 1536,
         "attention.kv_lora_rank": 512, "attention.key_length": 576, "attention.value_length": 512,
         "attention.key_length_mla": 192, "attention.value_length_mla": 128,
         "expert_feed_forward_length": 2048, "expert_count": 256, "expert_shared_count": 1,
         "rope.dimension_count": 64},
        129280, ("output.weight", "blk.3.ffn_gate_inp.weight"), "deepseek-ai/DeepSeek-V3",
    ),
    (
        "qwen35moe",
        {"block_count": 60, "embedding_length": 4096, "attention.head_count": 32,
         "attention.head_count_kv": 2, "expert_count": 512, "expert_used_count": 10,
         "attention.key_length": 256, "expert_feed_forward_length": 1024,
         "expert_shared_feed_forward_length": 1024, "ssm.conv_kernel": 4, "ssm.state_size": 128,
         "ssm.group_count": 16, "ssm.time_step_rank": 64, "ssm.inner_size": 8192,
         "full_attention_interval": 4},
        248320, ("output.weight",), "Qwen/Qwen3.5-397B-A17B",
    ),
]  # fmt: skip


_O = ("output.weight",)
_HYBRID = tuple(
    f"blk.{i}.{name}.weight"
    for i in range(32)
    for name in ("attn_q" if i % 8 == 4 else "ssm_conv1d", *(["ffn_gate_inp"] if i % 2 else []))
)


def _dense(depth: int, d: int, ff: int, heads: int, kv: int, d_head: int = 0) -> dict[str, Any]:
    found = {
        "block_count": depth, "embedding_length": d, "feed_forward_length": ff,
        "attention.head_count": heads, "attention.head_count_kv": kv,
    }  # fmt: skip
    return found | ({"attention.key_length": d_head} if d_head else {})


def _moe(n: int, active: int, ff: int = 0) -> dict[str, Any]:
    found = {"expert_count": n, "expert_used_count": active}
    return found | ({"expert_feed_forward_length": ff} if ff else {})


#: the same of other architectures, as llama.cpp's converter writes what their config.json says
CONVERTED: list[tuple[str, dict[str, Any], int, tuple[str, ...], str]] = [
    ("llama", _dense(32, 4096, 14336, 32, 8) | _moe(8, 2), 32000, _O, "Mixtral-8x7B-v0.1"),
    ("gemma2", _dense(42, 3584, 14336, 16, 8, 256), 256000, (), "gemma-2-9b"),
    (
        "gemma3",
        _dense(26, 1152, 6912, 4, 1, 256) | {"attention.sliding_window": 512},
        262144, (), "gemma-3-1b-it",
    ),
    (
        "gpt-oss",
        _dense(24, 2880, 0, 64, 8, 64) | _moe(32, 4, 2880) | {"attention.sliding_window": 128},
        201088, (*_O, "blk.0.attn_q.bias"), "gpt-oss-20b",
    ),
    ("phi2", _dense(32, 2560, 10240, 32, 32), 51200, (*_O, "blk.0.attn_qkv.bias"), "phi-2"),
    ("phi3", _dense(40, 5120, 17920, 40, 10), 100352, _O, "phi-4"),
    ("falcon", _dense(60, 8192, 32768, 128, 8), 65024, (), "falcon-40b-instruct"),
    ("command-r", _dense(32, 4096, 14336, 32, 8), 256000, (), "aya-23-8B"),
    ("olmo2", _dense(40, 5120, 13824, 40, 40), 100352, _O, "OLMo-2-1124-13B"),
    ("minimax-m2", _dense(62, 3072, 1536, 48, 8, 128) | _moe(256, 8, 1536), 200064, _O,
     "MiniMax-M2.5"),
    (
        "glm4moe",
        _dense(47, 4096, 10944, 96, 8, 128) | _moe(128, 8, 1408)
        | {"nextn_predict_layers": 1, "expert_shared_count": 1, "leading_dense_block_count": 1},
        151552, (*_O, "blk.0.attn_q.bias"), "GLM-4.5-Air",
    ),
    (
        "llama4",
        _dense(48, 5120, 16384, 40, 8, 128) | _moe(16, 1, 8192) | {"interleave_moe_layer_step": 1},
        202048, _O, "Llama-4-Scout-17B-16E-Instruct",
    ),
    (
        "mamba",
        _dense(64, 4096, 0, 0, 0)
        | {"ssm.conv_kernel": 4, "ssm.inner_size": 8192, "ssm.state_size": 16,
           "ssm.time_step_rank": 256},
        65024, _O, "falcon-mamba-7b",
    ),
    (
        "jamba",
        _dense(32, 4096, 14336, 32, 8) | _moe(16, 2)
        | {"attention.head_count_kv": [8 if i % 8 == 4 else 0 for i in range(32)],
           "ssm.conv_kernel": 4, "ssm.inner_size": 8192, "ssm.state_size": 16,
           "ssm.time_step_rank": 256},
        65536, (*_O, *_HYBRID), "AI21-Jamba-1.5-Mini",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arch", "metadata", "rows", "names", "wanted"), [*PUBLISHED, *CONVERTED])
def test_the_shape_of_a_published_file_is_that_of_its_model(
    arch: str, metadata: dict[str, Any], rows: int, names: tuple[str, ...], wanted: str
) -> None:
    shape = (metadata["embedding_length"], rows)
    tensors = [GgufTensor("token_embd.weight", "q4_k", shape, 0)]
    tensors += [GgufTensor(name, "f32", (2, 2), 16) for name in names]
    own = {"general.architecture": arch} | {f"{arch}.{k}": v for k, v in metadata.items()}
    config = config_of(GgufHeader(Path("x.gguf"), own, tuple(tensors)))
    read, known = read_config(config, assume_harmless=tuple(config)), rl.model(wanted)
    mine, other = counts(read), counts(known)
    assert mine.n_params == pytest.approx(other.n_params, rel=1e-4)
    assert mine.n_params_active == pytest.approx(other.n_params_active, rel=1e-4)
    assert mine.cache_bytes(8192) == pytest.approx(other.cache_bytes(8192), rel=1e-6)
