"""One small config for every family, so that the reader is tested without any genuine file."""

from __future__ import annotations

from typing import Any

_CORE: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 512,
}
_PLAIN = {**_CORE, "num_key_value_heads": 2, "intermediate_size": 96}
_MOE = {**_PLAIN, "moe_intermediate_size": 32, "num_experts_per_tok": 2}
_MLA = {
    **_MOE,
    "q_lora_rank": 32,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
_INDEX = {"index_n_heads": 2, "index_head_dim": 16, "index_topk": 32}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
}
_MAMBA2 = {
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}
_GPT2 = {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 128, "vocab_size": 256}
_HALF = ["sliding_attention", "full_attention"] * 2
_WINDOWED = {"sliding_window": 32, "layer_types": _HALF}
_NO_OP = {"no_op": True, "replace_with_linear": False}
_HEADS = {"no_op": False, "replace_with_linear": False, "n_heads_in_group": 2}
_FFN = {"no_op": False, "replace_with_linear": False, "ffn_mult": 1.5}

SAMPLES: dict[str, dict[str, Any]] = {
    "afmoe": {
        **_MOE, "num_experts": 8, "num_shared_experts": 1, "num_dense_layers": 1, "head_dim": 16,
        "sliding_window": 32, "global_attn_every_n_layers": 2, "layer_types": _HALF,
    },
    "apertus": _PLAIN,
    "arcee": _PLAIN,
    "arctic": {
        **_PLAIN, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_layer_frequency": 2,
        "use_residual": True, "parallel_attn_mlp_res": True,
    },
    "aria": {
        **_PLAIN, "model_type": "aria_text", "moe_num_experts": 4, "moe_topk": 2,
        "moe_num_shared_experts": 2,
    },
    "axk1": _MLA,
    "baichuan": {**_CORE, "intermediate_size": 96},
    "bailing_hybrid": {
        **{k: v for k, v in _MLA.items() if k not in {"n_routed_experts", "n_shared_experts"}},
        "q_lora_rank": None, "num_experts": 8, "num_shared_experts": 1, "layer_group_size": 2,
        "linear_head_dim": 16, "linear_num_heads": 4, "short_conv_kernel_size": 4,
        "pad_token_id": 0,
    },
    "bailing_moe": {**_MOE, "num_experts": 8, "num_shared_experts": 1, "first_k_dense_replace": 1},
    "bamba": {**_PLAIN, **_MAMBA2, "attn_layer_indices": [1, 3]},
    "bitnet": {**_PLAIN, "pad_token_id": 0},
    "bloom": {**{k: v for k, v in _CORE.items() if k.startswith(("hidden", "vocab"))},
              "n_layer": 3, "n_head": 4},
    "chatglm": {
        "hidden_size": 64, "num_layers": 3, "num_attention_heads": 4, "padded_vocab_size": 256,
        "ffn_hidden_size": 96, "kv_channels": 16, "multi_query_attention": True,
        "multi_query_group_num": 2, "add_qkv_bias": True, "add_bias_linear": False,
        "rmsnorm": True, "post_layer_norm": True, "seq_length": 128, "vocab_size": 250,
    },
    "codegen": {**_GPT2, "rotary_dim": 8},
    "cohere": {**_PLAIN, "use_qk_norm": True, "pad_token_id": 0},
    "cohere2": {**_PLAIN, **_WINDOWED, "pad_token_id": 0},
    "cohere2_moe": {**_PLAIN, **_WINDOWED, "num_experts": 4, "num_experts_per_tok": 2,
                    "num_shared_experts": 1, "first_k_dense_replace": 1,
                    "prefix_dense_intermediate_size": 160, "pad_token_id": 0},
    "cwm": {**_PLAIN, **_WINDOWED, "head_dim": 16},
    "dbrx": {
        "d_model": 64, "n_heads": 4, "n_layers": 3, "max_seq_len": 128, "vocab_size": 256,
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek": {
        **_MOE, "n_routed_experts": 8, "n_shared_experts": 2, "first_k_dense_replace": 1,
        "moe_layer_freq": 1,
    },
    "deepseek_v2": {**_MLA, "q_lora_rank": None},
    "deepseek_v3": _MLA,
    "deepseek_v32": {**_MLA, **_INDEX},
    "deepseek_v4": {
        **{k: v for k, v in _MOE.items() if k != "intermediate_size"}, **_INDEX,
        "num_key_value_heads": 1, "head_dim": 32, "n_routed_experts": 8, "n_shared_experts": 1,
        "q_lora_rank": 32, "o_lora_rank": 16, "o_groups": 2, "qk_rope_head_dim": 8,
        "sliding_window": 16, "num_hash_layers": 1, "hc_mult": 2, "compress_ratios": [0, 4, 128, 4],
    },
    "dots1": {**_MOE, "n_routed_experts": 8, "n_shared_experts": 2, "first_k_dense_replace": 1},
    "ernie4_5": {**_PLAIN, "head_dim": 16},
    "ernie4_5_moe": {
        **{k: v for k, v in _MOE.items() if k != "num_experts_per_tok"}, "moe_num_experts": 8,
        "moe_k": 2, "moe_num_shared_experts": 2, "moe_layer_start_index": 1,
        "moe_layer_end_index": 3, "moe_layer_interval": 1,
    },
    "exaone": {**{k: v for k, v in _PLAIN.items() if k != "num_hidden_layers"}, "num_layers": 4},
    "exaone4": {**_PLAIN, **_WINDOWED},
    "exaone_moe": {
        **_MOE, **_WINDOWED, "num_experts": 8, "num_shared_experts": 1, "first_k_dense_replace": 1,
    },
    "falcon": {
        **_CORE, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": False,
        "parallel_attn": True,
    },
    "falcon_h1": {**_PLAIN, **_MAMBA2, "mamba_d_ssm": 128, "mamba_rms_norm": False},
    "flex_olmo": {**_PLAIN, "num_experts": 4, "num_experts_per_tok": 2, "pad_token_id": 0},
    "gemma": {**_PLAIN, "head_dim": 16},
    "gemma2": {**_PLAIN, "head_dim": 16, "sliding_window": 32},
    "gemma3": {**_PLAIN, "model_type": "gemma3_text", "head_dim": 16, "sliding_window": 32,
               "sliding_window_pattern": 2},
    "gemma3n": {
        **_PLAIN, **_WINDOWED, "model_type": "gemma3n_text", "head_dim": 16,
        "num_kv_shared_layers": 2, "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 200, "laurel_rank": 4, "altup_num_inputs": 4,
        "intermediate_size": [96, 96, 96, 96],
    },
    "gemma4": {
        **_PLAIN, **_WINDOWED, "model_type": "gemma4_text", "head_dim": 16, "global_head_dim": 32,
        "num_kv_shared_layers": 2, "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": 200, "use_double_wide_mlp": True,
    },
    "glm": {**_PLAIN, "head_dim": 16, "attention_bias": True, "pad_token_id": 0},
    "glm4": {**_PLAIN, "head_dim": 16, "attention_bias": True, "pad_token_id": 0},
    "glm4_moe": {
        **_MOE, "n_routed_experts": 8, "n_shared_experts": 1, "first_k_dense_replace": 1,
        "attention_bias": True, "use_qk_norm": True, "head_dim": 16, "num_nextn_predict_layers": 1,
    },
    "glm4_moe_lite": _MLA,
    "glm4v_text": {**_PLAIN, "head_dim": 16, "pad_token_id": 0},
    "glm5_next": {
        **_MLA, **_INDEX, "model_type": "glm5_next_text", "num_key_value_heads": 4,
        "qk_rope_head_dim": 0, "hc_mult": 2, "first_k_dense_replace": None,
        "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
        "linear_head_dim": 16, "linear_num_heads": 4, "linear_conv_kernel_dim": 4, "index_kpool": 4,
        "layer_types": ["linear_attention", "indexed_attention"] * 2,
        "indexer_types": ["full", "full", "full", "shared"], "pad_token_id": 0,
    },
    "glm_ocr_text": {**_PLAIN, "head_dim": 16, "pad_token_id": 0},
    "glm_moe_dsa": {**_MLA, **_INDEX, "indexer_types": ["full", "shared", "full", "shared"]},
    "gpt2": _GPT2,
    "gpt_bigcode": {**_GPT2, "multi_query": True},
    "gpt_neo": {
        "hidden_size": 64, "num_layers": 4, "num_heads": 4, "vocab_size": 256, "window_size": 16,
        "max_position_embeddings": 128, "intermediate_size": 96,
        "attention_types": [[["global", "local"], 2]],
        "attention_layers": ["global", "local", "global", "local"],
    },
    "gpt_neox": {**_CORE, "intermediate_size": 96},
    "gpt_oss": {
        **_PLAIN, **_WINDOWED, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
        "pad_token_id": 0,
    },
    "grok1": {**_PLAIN, "num_experts": 4, "num_experts_per_tok": 2, "max_attn_value": 30.0},
    "grok2": {
        **_MOE, "num_local_experts": 4, "residual_moe": True, "sliding_window_size": -1,
        "global_attn_every_n": 1, "attn_temperature_len": 1024,
    },
    "gptj": {**_GPT2, "rotary_dim": 8},
    "granite": _PLAIN,
    "granite_swa": {**_PLAIN, **_WINDOWED, "pad_token_id": 0},
    "granitemoe": {**_PLAIN, "num_local_experts": 4, "num_experts_per_tok": 2},
    "granitemoehybrid": {
        **_PLAIN, **_MAMBA2, "num_local_experts": 4, "num_experts_per_tok": 2,
        "shared_intermediate_size": 48, "layer_types": ["mamba", "attention", "mamba", "mamba"],
    },
    "hunyuan_v1_dense": {**_PLAIN, "head_dim": 16, "pad_token_id": 0},
    "hunyuan_v1_moe": {
        **_PLAIN, "head_dim": 16, "num_experts": 4, "moe_topk": [2, 2, 2, 2],
        "num_shared_expert": [1, 1, 1, 1], "pad_token_id": 0,
    },
    "hy_v3": {**_MOE, "head_dim": 16, "num_experts": 8, "num_shared_experts": 1},
    "hyperclovax": {**_PLAIN, "use_post_norm": True},
    "internlm2": {**_PLAIN, "bias": False},
    "internlm3": {**_PLAIN, "head_dim": 16, "qkv_bias": False, "bias": False},
    "jais2": {**_PLAIN, "head_dim": 16},
    "jamba": {
        **_PLAIN, "num_experts": 4, "num_experts_per_tok": 2, "attn_layer_period": 2,
        "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "mamba_d_state": 8, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 4,
    },
    "kimi_linear": {
        **{k: v for k, v in _MLA.items()
           if k not in {"n_routed_experts", "n_shared_experts", "num_experts_per_tok"}},
        "q_lora_rank": None, "num_experts": 8, "num_shared_experts": 1, "num_experts_per_token": 2,
        "linear_attn_config": {"full_attn_layers": [4], "kda_layers": [1, 2, 3], "head_dim": 16,
                               "num_heads": 4, "short_conv_kernel_size": 4},
        "pad_token_id": 0,
    },
    "laguna": {
        **_MOE, **_WINDOWED, "head_dim": 16, "num_experts": 4,
        "shared_expert_intermediate_size": 48, "num_attention_heads_per_layer": [4, 8, 4, 8],
        "gating": "per-element", "pad_token_id": 0,
        "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    },
    "lfm2": {**_PLAIN, "conv_L_cache": 3, "layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {
        **_MOE, "num_experts": 4, "num_dense_layers": 1, "conv_L_cache": 3, "conv_bias": False,
        "use_expert_bias": True, "layer_types": ["conv", "full_attention"] * 2,
    },
    "llama": _PLAIN,
    "llama4": {
        **_PLAIN, "model_type": "llama4_text", "head_dim": 16, "interleave_moe_layer_step": 2,
        "num_local_experts": 4, "num_experts_per_tok": 1, "intermediate_size_mlp": 160,
        "attention_chunk_size": 64, "pad_token_id": 0,
    },
    "longcat_flash": {
        **{k: v for k, v in _CORE.items() if k != "num_hidden_layers"}, "num_layers": 2,
        "ffn_hidden_size": 96, "expert_ffn_hidden_size": 32, "n_routed_experts": 8, "moe_topk": 2,
        "zero_expert_num": 0, "q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8, "v_head_dim": 16,
    },
    "mamba": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256, "state_size": 8,
              "expand": 2, "conv_kernel": 4, "time_step_rank": 4, "intermediate_size": 128},
    "mamba2": {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256, "state_size": 8,
               "expand": 2, "num_heads": 8, "head_dim": 16, "n_groups": 1, "conv_kernel": 4},
    "mellum": {**_MOE, "head_dim": 16, "num_local_experts": 4, "sliding_window": 32,
               "layer_types": _HALF},
    "mimo": {**_PLAIN, "attention_bias": True, "num_nextn_predict_layers": 1},
    "mimo_v2": {
        **_MOE, "model_type": "mimo_v2_flash", "head_dim": 24, "v_head_dim": 16,
        "n_routed_experts": 8, "swa_num_key_value_heads": 4, "swa_head_dim": 24,
        "swa_v_head_dim": 16, "sliding_window": 32, "hybrid_layer_pattern": [0, 1, 1, 0],
        "moe_layer_freq": [0, 1, 1, 1], "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
    },
    "minicpm": {**_PLAIN, "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256},
    "minicpm3": {
        **{k: v for k, v in _MLA.items() if k not in
           {"n_routed_experts", "n_shared_experts", "moe_intermediate_size", "v_head_dim",
            "num_experts_per_tok", "first_k_dense_replace"}},
    },
    "minimax": {
        **_PLAIN, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
        "layer_types": ["linear_attention", "full_attention"] * 2, "block_size": 256,
    },
    "minimax_m2": {**_PLAIN, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2},
    "minimax_m3": {
        **_MOE, "model_type": "minimax_m3_vl_text", "head_dim": 16, "num_local_experts": 4,
        "dense_intermediate_size": 160, "shared_intermediate_size": 48,
        "moe_layer_freq": [0, 1, 1, 1], "intermediate_size": 32, "pad_token_id": 0,
        "sparse_attention_config": {
            "sparse_attention_freq": [0, 1, 1, 1], "sparse_num_index_heads": 2,
            "sparse_index_dim": 16, "sparse_block_size": 16, "sparse_topk_blocks": 4,
            "use_sparse_attention": True,
        },
    },
    "mistral": {**_PLAIN, "sliding_window": 64},
    "mistral4": _MLA,
    "mixtral": {**_PLAIN, "num_local_experts": 4, "num_experts_per_tok": 2},
    "mllama": {
        **_PLAIN, "model_type": "mllama_text_model", "cross_attention_layers": [1],
        "pad_token_id": 0,
    },
    "molmo2_text": {**_PLAIN, "head_dim": 16, "additional_vocab_size": 8, "qk_norm_type": "qwen3"},
    "mpt": {"d_model": 64, "n_heads": 4, "n_layers": 3, "expansion_ratio": 4, "max_seq_len": 128,
            "vocab_size": 256},
    "muse_spark": {**_MOE, **_WINDOWED, "model_type": "muse_spark_text", "head_dim": 16,
                   "num_local_experts": 4, "moe_hidden_size": 48, "pad_token_id": 0},
    "nanochat": _PLAIN,
    "nemotron": {**_PLAIN, "head_dim": 16},
    "nemotron_h": {
        **_MOE, "head_dim": 16, "hybrid_override_pattern": "M-*E", "mamba_num_heads": 8,
        "mamba_head_dim": 16, "ssm_state_size": 8, "n_groups": 2, "conv_kernel": 4,
        "n_routed_experts": 4, "n_shared_experts": 1, "moe_shared_expert_intermediate_size": 48,
        "moe_latent_size": 32,
    },
    "nemotron_nas": {
        **_CORE, "model_type": "nemotron-nas", "num_key_value_heads": None,
        "intermediate_size": None, "block_configs": [
            {"attention": _HEADS, "ffn": _FFN},
            {"attention": _NO_OP, "ffn": _FFN},
            {"attention": _HEADS, "ffn": _NO_OP},
            {"attention": {**_HEADS, "replace_with_linear": True}, "ffn": _FFN},
        ],
    },
    "olmo": _PLAIN,
    "olmo2": {**_PLAIN, "pad_token_id": 0},
    "olmo3": {**_PLAIN, "sliding_window": 32, "pad_token_id": 0},
    "olmo_hybrid": {**_PLAIN, **_LINEAR, "layer_types": ["linear_attention", "full_attention"] * 2,
                    "pad_token_id": 0},
    "olmoe": {**_PLAIN, "num_experts": 4, "num_experts_per_tok": 2, "pad_token_id": 0},
    "opt": {**_CORE, "ffn_dim": 96, "word_embed_proj_dim": 64},
    "original": {
        "model_type": None, "dim": 64, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2,
        "hidden_dim": 96, "vocab_size": 256, "norm_eps": 1e-5, "rope_theta": 1e4,
    },
    "persimmon": {**_CORE, "intermediate_size": 96},
    "phi": {**_PLAIN, "qk_layernorm": True},
    "phi4flash": {
        **_PLAIN, "num_hidden_layers": 8, "sliding_window": 32, "mb_per_layer": 2,
        "mamba_d_state": 8, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 4,
    },
    "phi3": {**_PLAIN, "sliding_window": 64, "pad_token_id": 0},
    "phimoe": {
        **_PLAIN, "num_local_experts": 4, "num_experts_per_tok": 2, "attention_bias": True,
        "lm_head_bias": True,
    },
    "plamo2": {
        **_PLAIN, "hidden_size_per_head": 16, "mamba_num_heads": 8, "mamba_d_state": 8,
        "mamba_d_conv": 4, "mamba_step": 2, "mamba_enabled": True, "attention_window_size": 32,
    },
    "qwen": {**_CORE, "intermediate_size": 192, "no_bias": True},
    "qwen2": {**_PLAIN, "use_sliding_window": True, "sliding_window": 32, "max_window_layers": 2},
    "qwen2_moe": {**_MOE, "num_experts": 4, "shared_expert_intermediate_size": 48,
                  "mlp_only_layers": [0], "decoder_sparse_step": 1},
    "qwen3": {**_PLAIN, "head_dim": 16},
    "qwen3_moe": {**_MOE, "head_dim": 16, "num_experts": 4, "decoder_sparse_step": 2},
    "qwen3_next": {**_MOE, **_LINEAR, "head_dim": 16, "num_experts": 4,
                   "shared_expert_intermediate_size": 32, "full_attention_interval": 4},
    "rwkv7": {
        "hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 256, "head_dim": 16,
        "hidden_ratio": 4.0, "decay_low_rank_dim": 8, "gate_low_rank_dim": 16,
        "a_low_rank_dim": 8, "v_low_rank_dim": 8, "norm_first": True, "norm_bias": True,
    },
    "sarvam_moe": {**_MOE, "head_dim": 16, "n_routed_experts": 4, "n_shared_experts": 1,
                   "first_k_dense_replace": 1, "pad_token_id": 0},
    "seed_oss": {**_PLAIN, "head_dim": 16, "attention_bias": True},
    "smallthinker": {
        **_CORE, "num_key_value_heads": 2, "head_dim": 16,
        "moe_num_primary_experts": 4, "moe_num_active_primary_experts": 2,
        "moe_ffn_hidden_size": 32, "sliding_window_size": 32, "sliding_window_layout": [0, 1, 1, 1],
    },
    "smollm3": {**_PLAIN, "pad_token_id": 0},
    "solar_open": {**_MOE, "head_dim": 16, "n_routed_experts": 4, "n_shared_experts": 1},
    "stablelm": {**_PLAIN, "use_qkv_bias": True, "qk_layernorm": True},
    "starcoder2": {**_PLAIN, "use_bias": True},
    "step3": {
        **_CORE, "model_type": "step3_text", "num_attention_groups": 1, "head_dim": 32,
        "share_q_dim": 48, "intermediate_size": 96, "moe_intermediate_size": 32,
        "moe_num_experts": 4, "moe_top_k": 2, "share_expert_dim": 48, "moe_layers_enum": "1,2,3",
    },
    "step3p5": {
        **{k: v for k, v in _MOE.items() if k != "num_experts_per_tok"}, **_WINDOWED,
        "head_dim": 16, "num_sliding_attention_heads": 8, "moe_num_experts": 4, "moe_top_k": 2,
        "share_expert_dim": 48, "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    },
    "vaultgemma": {**_PLAIN, "head_dim": 16, "sliding_window": 32},
    "youtu": {
        **{k: v for k, v in _MLA.items() if k not in
           {"n_routed_experts", "n_shared_experts", "moe_intermediate_size",
            "num_experts_per_tok", "first_k_dense_replace"}},
    },
}  # fmt: skip


def sample(family: str, **changes: Any) -> dict[str, Any]:
    """The sample of a family, with changes; None as a change removes nothing, it is null."""
    return {"model_type": family, **SAMPLES[family], **changes}
