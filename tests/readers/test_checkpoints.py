"""Configs as people have them, against the sizes that their authors publish."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ridgeline.errors import ConfigError
from ridgeline.readers import read_config
from ridgeline.readers.families import known_model_types, known_wrappers, not_described
from ridgeline.steps import counts

_ROOT = Path(__file__).parents[2]
_CASES = _ROOT.parent / "shared" / "cases" / "configs"
B = 1e9


class Known(NamedTuple):
    """A config's sizes, what its authors say of it, and where."""

    n_params: float
    n_params_active: float | None
    within: float
    source: str
    config: dict[str, Any]


_LLAMA_PARAMS = {"norm_eps": 1e-5, "rope_theta": 500000.0, "vocab_size": 128256}
_MISTRAL_PARAMS = {"head_dim": 128, "n_heads": 32, "n_kv_heads": 8, "norm_eps": 1e-5}

KNOWN = {
    "llama-3.2-1b params.json": Known(
        1.2358 * B, None, 1e-3, "llama-models, sku_list: 1B; safetensors of the converted model",
        {**_LLAMA_PARAMS, "dim": 2048, "n_layers": 16, "n_heads": 32, "n_kv_heads": 8,
         "ffn_dim_multiplier": 1.5, "multiple_of": 256, "use_scaled_rope": True},
    ),
    "llama-3-70b params.json": Known(
        70.554 * B, None, 1e-3, "safetensors of the converted model",
        {**_LLAMA_PARAMS, "dim": 8192, "n_layers": 80, "n_heads": 64, "n_kv_heads": 8,
         "ffn_dim_multiplier": 1.3, "multiple_of": 4096},
    ),
    "llama-2-7b params.json": Known(
        6.738 * B, None, 1e-3, "arXiv 2307.09288, 6.7B",
        {"dim": 4096, "multiple_of": 256, "n_heads": 32, "n_layers": 32, "norm_eps": 1e-5,
         "vocab_size": 32000},
    ),
    "mixtral-8x7b params.json": Known(
        46.7 * B, 12.9 * B, 0.02, "arXiv 2401.04088: 47B, 13B active",
        {**_MISTRAL_PARAMS, "dim": 4096, "n_layers": 32, "hidden_dim": 14336, "vocab_size": 32000,
         "moe": {"num_experts": 8, "num_experts_per_tok": 2}},
    ),
    "ministral-8b params.json": Known(
        8.02 * B, None, 1e-3, "model card: 8,019,808,256 parameters",
        {**_MISTRAL_PARAMS, "dim": 4096, "n_layers": 36, "hidden_dim": 12288, "vocab_size": 131072,
         "max_seq_len": 32768, "_sliding_window": [None, 32768, 32768, 32768]},
    ),
    "mistral-large-3 params.json": Known(
        673 * B, 39 * B, 0.01, "model card: language model of 673B, 39B active",
        {"dim": 7168, "n_layers": 61, "head_dim": 128, "hidden_dim": 16384, "n_heads": 128,
         "n_kv_heads": 128, "norm_eps": 1e-6, "vocab_size": 131072, "tied_embeddings": False,
         "max_position_embeddings": 294912, "q_lora_rank": 1536, "kv_lora_rank": 512,
         "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
         "llama_4_scaling": {"original_max_position_embeddings": 8192, "beta": 0.1},
         "yarn": {"original_max_position_embeddings": 8192, "factor": 36, "beta": 32, "alpha": 1},
         "vision_encoder": {"hidden_size": 1664, "num_hidden_layers": 48},
         "moe": {"expert_parallel": 1, "expert_model_parallel": 1, "route_every_n": 1,
                 "first_k_dense_replace": 3, "num_experts": 128, "num_experts_per_tok": 4,
                 "num_expert_groups": 1, "num_expert_groups_per_tok": 1, "routed_scale": 1.0,
                 "expert_hidden_dim": 4096, "num_shared_experts": 1}},
    ),
    "chatglm3-6b": Known(
        6.243584 * B, None, 1e-4, "THUDM/chatglm3-6b, safetensors index: 12,487,168,064 bytes",
        {"model_type": "chatglm", "num_layers": 28, "padded_vocab_size": 65024, "hidden_size": 4096,
         "ffn_hidden_size": 13696, "kv_channels": 128, "num_attention_heads": 32,
         "multi_query_attention": True, "multi_query_group_num": 2, "add_qkv_bias": True,
         "seq_length": 8192, "rmsnorm": True, "post_layer_norm": True, "vocab_size": 65024},
    ),
    "exaone-3.5-7.8b": Known(
        7.818 * B, None, 1e-3, "arXiv 2412.04862: 7.8B",
        {"model_type": "exaone", "num_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
         "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 102400,
         "tie_word_embeddings": False, "activation_function": "silu", "embed_dropout": 0.0},
    ),
    "deepseek-moe-16b": Known(
        16.4 * B, 2.8 * B, 0.08, "arXiv 2401.06066: 16.4B, 2.8B active (embedding counted)",
        {"model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944,
         "moe_intermediate_size": 1408, "num_hidden_layers": 28, "num_attention_heads": 16,
         "num_key_value_heads": 16, "n_routed_experts": 64, "n_shared_experts": 2,
         "num_experts_per_tok": 6, "first_k_dense_replace": 1, "moe_layer_freq": 1,
         "vocab_size": 102400},
    ),
    "grok-1": Known(
        314 * B, 86 * B, 0.03, "xai-org/grok-1 README: 314B, 2 of 8 experts; x.ai: 86B active",
        {"model_type": "grok-1", "hidden_size": 6144, "intermediate_size": 32768,
         "num_hidden_layers": 64, "num_attention_heads": 48, "num_key_value_heads": 8,
         "num_experts": 8, "num_experts_per_tok": 2, "vocab_size": 131072, "max_attn_value": 30.0},
    ),
    "grok-2": Known(
        269.5 * B, None, 1e-3, "xai-org/grok-2: 270B",
        {"model_type": "git", "architectures": ["Grok1ForCausalLM"], "vocab_size": 131072,
         "hidden_size": 8192, "intermediate_size": 32768, "moe_intermediate_size": 16384,
         "num_experts_per_tok": 2, "num_local_experts": 8, "residual_moe": True, "head_dim": 128,
         "num_attention_heads": 64, "num_key_value_heads": 8, "num_hidden_layers": 64,
         "final_logit_softcapping": 50, "attn_temperature_len": 1024, "sliding_window_size": -1,
         "global_attn_every_n": 1},
    ),
    "arctic": Known(
        480 * B, 17 * B, 0.01, "Snowflake Arctic: 480B, 17B active",
        {"model_type": "arctic", "hidden_size": 7168, "intermediate_size": 4864,
         "num_hidden_layers": 35, "num_attention_heads": 56, "num_key_value_heads": 8,
         "num_local_experts": 128, "num_experts_per_tok": 2, "moe_layer_frequency": 1,
         "use_residual": True, "parallel_attn_mlp_res": True, "vocab_size": 32000,
         "moe_token_dropping": True, "moe_train_capacity_factor": 1},
    ),
    "smallthinker-21b-a3b": Known(
        21.507 * B, 3 * B, 0.12, "SmallThinker README: 21B, 3B active; checkpoint 21.507B",
        {"architectures": ["SmallThinkerForCausalLM"], "hidden_size": 2560, "head_dim": 128,
         "num_hidden_layers": 52, "num_attention_heads": 28, "num_key_value_heads": 4,
         "moe_ffn_hidden_size": 768, "moe_num_primary_experts": 64,
         "moe_num_active_primary_experts": 6, "vocab_size": 151936, "sliding_window_size": 4096,
         "sliding_window_layout": [0, 1, 1, 1] * 13, "rope_layout": [0, 1, 1, 1] * 13,
         "tie_word_embeddings": False},
    ),
    "laguna-xs.2": Known(
        33.4 * B, 3 * B, 0.07, "poolside Laguna XS.2: 33B, 3B active; aiconfigurator's copy",
        {"model_type": "laguna", "vocab_size": 100352, "hidden_size": 2048, "head_dim": 128,
         "intermediate_size": 8192, "num_hidden_layers": 40, "num_attention_heads": 48,
         "num_key_value_heads": 8, "num_experts": 256, "num_experts_per_tok": 8,
         "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512, "gating": True,
         "sliding_window": 512, "mlp_layer_types": ["dense"] + ["sparse"] * 39,
         "layer_types": (["full_attention"] + ["sliding_attention"] * 3) * 10,
         "num_attention_heads_per_layer": [48, 64, 64, 64] * 10, "tie_word_embeddings": False},
    ),
    "devstral-2-123b params.json": Known(
        125.026 * B, None, 1e-4, "the config.json of the same checkpoint",
        {"dim": 12288, "n_layers": 88, "head_dim": 128, "hidden_dim": 28672, "n_heads": 96,
         "n_kv_heads": 8, "vocab_size": 131072, "tied_embeddings": False, "q_lora_rank": None,
         "kv_lora_rank": None, "v_head_dim": None, "max_position_embeddings": 262144,
         "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}},
    ),
    "deepseek-vl2-tiny": Known(
        2.9347 * B, 0.57 * B, 0.01, "3.37B less an encoder of 0.43B; arXiv 2412.10302",
        {"model_type": "deepseek_vl_v2", "projector_config": {"n_embed": 1280}, "language_config": {
            "model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_size": 1280,
            "intermediate_size": 6848, "kv_lora_rank": None, "lm_head": True, "q_lora_rank": None,
            "moe_intermediate_size": 896, "n_routed_experts": 64, "n_shared_experts": 2,
            "num_attention_heads": 10, "num_experts_per_tok": 6, "num_hidden_layers": 12,
            "num_key_value_heads": 10, "qk_nope_head_dim": 0, "qk_rope_head_dim": 0,
            "use_mla": False, "v_head_dim": 0, "vocab_size": 129280}},
    ),
    "llama-3.2-90b-vision": Known(
        87.667 * B, None, 1e-3, "the language part of 88.6B, less its encoder",
        {"model_type": "mllama", "text_config": {
            "model_type": "mllama_text_model", "hidden_size": 8192, "intermediate_size": 28672,
            "num_hidden_layers": 100, "num_attention_heads": 64, "num_key_value_heads": 8,
            "cross_attention_layers": list(range(3, 100, 5)), "vocab_size": 128256}},
    ),
    "llava-1.6-mistral-7b": Known(
        7.2423 * B, None, 1e-3, "Mistral-7B with 64 more tokens",
        {"model_type": "llava_next", "text_config": {
            "model_type": "mistral", "intermediate_size": 14336, "num_key_value_heads": 8,
            "sliding_window": None, "vocab_size": 32064}},
    ),
    "qwen2-audio-7b": Known(
        7.755 * B, None, 1e-3, "8.4B with its encoder of 0.64B",
        {"model_type": "qwen2_audio", "text_config": {
            "model_type": "qwen2", "intermediate_size": 11008, "vocab_size": 156032}},
    ),
    "internvl2.5-8b": Known(
        7.7378 * B, None, 1e-3, "InternLM2.5-7B, 7.74B",
        {"model_type": "internvl_chat", "use_llm_lora": 0, "llm_config": {
            "model_type": "internlm2", "bias": False, "hidden_size": 4096, "vocab_size": 92553,
            "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32,
            "num_key_value_heads": 8}},
    ),
    "phi-4-multimodal": Known(
        3.836 * B, None, 1e-3, "Phi-4-mini, which its language part is",
        {"model_type": "phi4mm", "vocab_size": 200064, "embd_layer": {"embedding_cls": "image"},
         "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
         "num_attention_heads": 24, "num_key_value_heads": 8, "tie_word_embeddings": True,
         "vision_lora": {"r": 256}, "speech_lora": {"r": 320}, "sliding_window": 262144},
    ),
    "step3": Known(
        316 * B, 38 * B, 0.005, "arXiv 2507.19427: language model of 316B, 38B active",
        {"model_type": "step3_vl", "vision_config": {"width": 1792}, "text_config": {
            "model_type": "step3_text", "hidden_size": 7168, "intermediate_size": 18432,
            "num_attention_heads": 64, "num_attention_groups": 1, "num_hidden_layers": 61,
            "vocab_size": 128815, "moe_intermediate_size": 5120, "moe_num_experts": 48,
            "moe_top_k": 3, "share_expert_dim": 5120, "share_q_dim": 2048, "head_dim": 256,
            "moe_layers_enum": ",".join(map(str, range(4, 60)))}},
    ),
    "phi-4-mini-flash": Known(
        3.85 * B, None, 0.01, "arXiv 2507.06607: 3.8B",
        {"model_type": "phi4flash", "hidden_size": 2560, "intermediate_size": 10240,
         "num_hidden_layers": 32, "num_attention_heads": 40, "num_key_value_heads": 20,
         "vocab_size": 200064, "sliding_window": 512, "mb_per_layer": 2, "mamba_d_state": 16,
         "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 160, "tie_word_embeddings": True},
    ),
    "plamo-2-1b": Known(
        1.29 * B, None, 0.005, "pfnet/plamo-2-1b model card: 1.29B",
        {"model_type": "plamo2", "hidden_size": 2048, "hidden_size_per_head": 128,
         "intermediate_size": 8192, "mamba_d_conv": 4, "mamba_d_state": 64, "mamba_enabled": True,
         "mamba_num_heads": 32, "mamba_step": 2, "num_attention_heads": 16, "vocab_size": 100000,
         "num_hidden_layers": 16, "num_key_value_heads": 1, "attention_window_size": 2048},
    ),
    "rwkv7-1.5b": Known(
        1.527 * B, None, 0.005, "RWKV-7 (arXiv 2503.14456): 1.5B, 1,527,404,544 parameters",
        {"model_type": "rwkv7", "hidden_size": 2048, "num_hidden_layers": 24, "head_dim": 64,
         "vocab_size": 65536, "decay_low_rank_dim": 96, "gate_low_rank_dim": 256,
         "a_low_rank_dim": 96, "v_low_rank_dim": 64, "hidden_ratio": 4.0, "attn_mode": "chunk",
         "intermediate_size": 8192, "norm_first": True, "norm_bias": True, "fuse_norm": True},
    ),
    "ling-3.0-flash": Known(
        124.4 * B, 5.1 * B, 0.12, "Ling 3.0 flash: 124B, about 5B active",
        {"model_type": "bailing_hybrid", "architectures": ["BailingMoeV3ForCausalLM"],
         "vocab_size": 157184, "hidden_size": 2560, "intermediate_size": 6144, "head_dim": 128,
         "num_hidden_layers": 42, "num_attention_heads": 32, "num_key_value_heads": 32,
         "first_k_dense_replace": 2, "num_experts": 512, "num_experts_per_tok": 8,
         "num_shared_experts": 1, "moe_intermediate_size": 768, "layer_group_size": 6,
         "moe_shared_expert_intermediate_size": 768, "kv_lora_rank": 512, "q_lora_rank": None,
         "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_group": 8,
         "short_conv_kernel_size": 4, "kda_safe_gate": True, "kda_lower_bound": -5.0,
         "score_function": "sigmoid", "moe_router_enable_expert_bias": True,
         "gated_attention_proj_granularity_type": "head_wise"},
    ),
    "ling-3.0-tiny": Known(
        7.9 * B, 1.1 * B, 0.05, "Ling 3.0 tiny: 8B, 1B active",
        {"model_type": "bailing_hybrid", "architectures": ["BailingMoeV3ForCausalLM"],
         "vocab_size": 157184, "hidden_size": 1536, "intermediate_size": 4608, "head_dim": 128,
         "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
         "first_k_dense_replace": 1, "num_experts": 128, "num_experts_per_tok": 8,
         "num_shared_experts": 1, "moe_intermediate_size": 512, "layer_group_size": 4,
         "moe_shared_expert_intermediate_size": 512, "kv_lora_rank": 512, "q_lora_rank": 256,
         "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "no_kda_lora": True,
         "short_conv_kernel_size": 4, "gated_attention_proj_granularity_type": "head_wise"},
    ),
    "qwen2.5-omni-7b": Known(
        7.6156 * B, None, 1e-3, "the sizes of Qwen2.5-7B, which its thinker is",
        {"model_type": "qwen2_5_omni", "talker_config": {"hidden_size": 896}, "thinker_config": {
            "model_type": "qwen2_5_omni_thinker", "audio_config": {"d_model": 1280},
            "vision_config": {"depth": 32}, "text_config": {
                "model_type": "qwen2_5_omni_text", "hidden_size": 3584, "num_hidden_layers": 28,
                "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4,
                "vocab_size": 152064, "use_sliding_window": False, "sliding_window": 32768}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_counts_are_the_published(name: str) -> None:
    known = KNOWN[name]
    tally = counts(read_config(known.config))
    assert tally.n_params == pytest.approx(known.n_params, rel=max(known.within, 1e-4)), known
    if known.n_params_active is not None:
        assert tally.n_params_active == pytest.approx(known.n_params_active, rel=known.within)


#: parameters and active parameters in billions, by what the cases' README or the authors say
CASES = {
    "command-a-111b": (111.06, None),
    "exaone4.5-33b": (32.5, None),
    "falcon-h1-34b": (33.643, None),
    "glm-4-9b-chat-chatglm": (9.4, None),
    "ling-mini-2.0": (16.26, 1.4),
    "llava-1.5-7b-hf": (6.74, None),
    "longcat-flash": (560.66, 27.15),
    "minicpm_2b_untied": (2.72, None),
    "minimax-m3-wrapper": (447.19, None),
    "mistral7b-params": (7.248, None),
    "mllama-11b": (9.775, None),
    "qwen3.6-27b-nvfp4": (26.9, None),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cases_import(name: str) -> None:
    path = _CASES / f"{name}.json"
    if not path.is_file():
        pytest.skip("the cases are not here")
    tally = counts(read_config(path))
    total, active = CASES[name]
    assert tally.n_params / B == pytest.approx(total, rel=2e-3)
    if active is not None:
        assert tally.n_params_active / B == pytest.approx(active, rel=0.25)


# ---------------------------------------------------------------- params.json


def _params(**changes: Any) -> dict[str, Any]:
    return {"dim": 64, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 256,
            "hidden_dim": 96, **changes}  # fmt: skip


def test_a_folder_with_only_params_json(tmp_path: Path) -> None:
    folder = tmp_path / "Llama-9" / "original"
    folder.mkdir(parents=True)
    (folder / "params.json").write_text(json.dumps(_params()))
    model = read_config(folder)
    assert (model.id, model.family) == ("Llama-9", "original")
    assert read_config(folder / "params.json") == model


def test_config_json_wins_over_params_json(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps(_params()))
    (tmp_path / "config.json").write_text(json.dumps(KNOWN["chatglm3-6b"].config))
    assert read_config(tmp_path).family == "chatglm"


@pytest.mark.parametrize("size", [-1, 0])
def test_a_vocabulary_left_to_the_tokeniser_is_asked_for(size: int) -> None:
    with pytest.raises(ConfigError, match=r"vocab_size is -1.*tokeniser"):
        read_config(_params(vocab_size=size))


def test_windows_of_original_checkpoints_repeat() -> None:
    model = read_config(_params(sliding_window=[None, 32]))
    assert sorted(b.mixer.window or 0 for b in model.blocks) == [0, 32]
    assert [b.repeat for b in model.blocks] == [2, 2]
    assert read_config(_params(sliding_window=32)).blocks[0].mixer.window == 32
    assert read_config(_params(sliding_window="32")).blocks[0].mixer.window == 32
    with pytest.raises(ConfigError, match="repeat evenly"):
        read_config(_params(sliding_window=[None, 32, 32]))


def test_params_json_says_how_it_is_quantised() -> None:
    fp8 = {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"}
    assert read_config(_params(quantization=fp8)).weight_dtype == "fp8"
    with pytest.raises(ConfigError, match="qformat_weight is 'int3'"):
        read_config(_params(quantization={"qformat_weight": "int3"}))


def test_layers_that_attend_to_an_image_are_refused_in_this_form() -> None:
    with pytest.raises(ConfigError, match="converted checkpoint"):
        read_config(_params(vision_num_cross_attention_layers=1, vision_chunk_size=560))


@pytest.mark.parametrize("pattern", ["LLLG", 4])
def test_a_pattern_of_windows_in_letters_or_by_a_stride(pattern: str | int) -> None:
    config = {"model_type": "exaone4", "hidden_size": 64, "num_hidden_layers": 8,
              "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
              "vocab_size": 256, "sliding_window": 32}  # fmt: skip
    model = read_config({**config, "sliding_window_pattern": pattern})
    assert {(b.mixer.window, b.repeat) for b in model.blocks} == {(32, 6), (None, 2)}
    plain = read_config({**config, "sliding_window": None, "sliding_window_pattern": pattern})
    assert [b.mixer.window for b in plain.blocks] == [None]


def test_unknown_keys_of_params_json_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"moe_args\.num_experts = 16"):
        read_config(_params(moe_args={"num_experts": 16}))


# ---------------------------------------------------------------- defaults of classes


def test_an_absent_key_has_the_default_of_its_class_and_the_notes_say_so() -> None:
    wrapped = {"model_type": "llava", "text_config": {"model_type": "llama", "vocab_size": 32064}}
    model = read_config(wrapped)
    assert (model.d_model, len(model.blocks)) == (4096, 1)
    assert "hidden_size = 4096" in model.notes
    assert "intermediate_size = 11008" in model.notes


def test_a_head_tied_by_the_family_alone_is_said() -> None:
    config = {"model_type": "minicpm", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 256,
              "num_attention_heads": 4, "intermediate_size": 96}  # fmt: skip
    assert "one matrix" in read_config(config).notes
    assert "one matrix" not in read_config({**config, "tie_word_embeddings": True}).notes
    assert "one matrix" not in read_config({**config, "tie_word_embeddings": False}).notes


def test_what_is_left_out_is_said() -> None:
    config = {"model_type": "minicpm", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 256,
              "num_attention_heads": 4, "intermediate_size": 96,
              "sparse_config": {"block_size": 64, "topk": 64}}  # fmt: skip
    assert "sparse_config" in read_config(config).notes


def test_a_null_key_is_not_absent() -> None:
    text = {"model_type": "llama", "vocab_size": 32064, "hidden_size": None}
    with pytest.raises(ConfigError, match="hidden_size is missing"):
        read_config({"model_type": "llava", "text_config": text})


def test_a_synonym_that_is_stated_bars_the_default() -> None:
    model = read_config({"model_type": "qwen3_moe", "num_local_experts": 9, "vocab_size": 256})
    assert model.blocks[0].ffn.n_experts == 9
    assert "num_experts_per_tok = 8" in model.notes
    assert "num_experts = " not in model.notes


def test_defaults_alone_are_no_config() -> None:
    with pytest.raises(ConfigError, match="states no size"):
        read_config({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})


def test_a_family_without_a_class_has_no_defaults() -> None:
    with pytest.raises(ConfigError, match="intermediate_size is missing"):
        read_config({"model_type": "minicpm", "hidden_size": 64, "num_hidden_layers": 2,
                     "num_attention_heads": 4, "vocab_size": 256})  # fmt: skip


def test_a_flat_wrapper_is_its_language_model() -> None:
    flat = {"model_type": "llava_mistral", "hidden_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 96,
            "vocab_size": 256, "mm_vision_tower": "clip"}  # fmt: skip
    assert read_config(flat).family == "mistral"


def test_every_wrapper_leads_to_a_known_family() -> None:
    assert set(known_wrappers().values()) <= set(known_model_types())


# ---------------------------------------------------------------- what is refused, and why


@pytest.mark.parametrize("name", ["jetmoe", "zamba2"])
def test_a_family_that_no_record_can_say_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ConfigError, match=r"known, but not described: .*attention") as caught:
        read_config({"model_type": name, "hidden_size": 64})
    assert not_described()[name] in str(caught.value)
    assert "from-counts" in str(caught.value)


def test_an_older_ling_under_the_name_of_the_newer_is_refused_by_its_class() -> None:
    config = {**KNOWN["ling-3.0-flash"].config, "architectures": ["BailingMoeV2_5ForCausalLM"]}
    with pytest.raises(ConfigError, match=r"Ling 2\.5"):
        read_config(config)


def test_the_last_layers_of_an_unfinished_group_attend_fully() -> None:
    config = {**KNOWN["ling-3.0-flash"].config, "num_hidden_layers": 8}
    model = read_config(config)
    whole = [i for i, block in enumerate(model.blocks) for _ in range(block.repeat)]
    kinds = [model.blocks[i].mixer.kind for i in model.order or whole]
    assert kinds == ["delta"] * 5 + ["mla"] * 3


def test_published_and_converted_names_of_layers_agree() -> None:
    text = {"model_type": "glm5_next_text", "hidden_size": 64, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 256, "hc_mult": 2,
            "intermediate_size": 96, "moe_intermediate_size": 32, "n_routed_experts": 8,
            "n_shared_experts": 1, "num_experts_per_tok": 2, "q_lora_rank": 32, "mhc": True,
            "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 0, "v_head_dim": 16,
            "index_n_heads": 2, "index_head_dim": 16, "index_topk": 32, "index_kpool": 4,
            "mlp_layer_types": ["dense"] + ["sparse"] * 3}  # fmt: skip
    converted = {"layer_types": ["linear_attention", "indexed_attention"] * 2,
                 "linear_head_dim": 16, "linear_num_heads": 4,
                 "linear_conv_kernel_dim": 4}  # fmt: skip
    published = {"layer_types": ["linear_attention", "deepseek_sparse_attention"] * 2,
                 "linear_attn_config": {"head_dim": 16, "num_heads": 4, "kda_layers": [0, 2],
                                        "full_attn_layers": [1, 3], "gate_lower_bound": -5.0,
                                        "short_conv_kernel_size": 4}}  # fmt: skip
    assert read_config({**text, **converted}).blocks == read_config({**text, **published}).blocks


def test_empty_experts_are_not_active() -> None:
    base = {"model_type": "longcat_flash", "hidden_size": 64, "num_layers": 2, "vocab_size": 256,
            "ffn_hidden_size": 96, "expert_ffn_hidden_size": 32, "n_routed_experts": 8,
            "moe_topk": 6, "num_attention_heads": 4, "q_lora_rank": 32, "kv_lora_rank": 16,
            "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16}  # fmt: skip
    half = read_config({**base, "zero_expert_num": 8, "attention_method": "mla"})
    active = {b.ffn.n_experts_active for b in half.blocks if b.ffn.kind == "moe"}
    assert active == {3}
    assert "on average" in half.notes


def test_a_cross_attention_layer_has_no_cache_of_text() -> None:
    text = {"model_type": "mllama_text_model", "hidden_size": 64, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
            "vocab_size": 256, "cross_attention_layers": [1]}  # fmt: skip
    assert counts(read_config(text)).kv_bytes_per_token == 3 * 2 * 2 * 16 * 2


def test_layers_of_a_later_half_read_one_cache() -> None:
    config = {**KNOWN["phi-4-mini-flash"].config}
    tally = counts(read_config(config))
    heads = 2 * 20 * 64 * 2
    assert tally.kv_bytes_per_token == (8 + 1) * heads  # eight windows and one full layer


# ---------------------------------------------------------------- the page


def test_the_page_of_families_is_the_table() -> None:
    path = _ROOT / "scripts" / "list_families.py"
    spec = spec_from_file_location("list_families", path)
    assert spec
    assert spec.loader
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (_ROOT / "docs" / "families.md").read_text(encoding="utf-8")
    assert script.built(page) == page, "run scripts/list_families.py"
    assert all(f"`{name}`" in page for name in (*known_model_types(), *known_wrappers()))
