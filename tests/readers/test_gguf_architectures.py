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


@pytest.mark.parametrize(("arch", "metadata", "rows", "names", "wanted"), PUBLISHED)
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
