"""Bad inputs: one clear sentence each, and never another kind of error."""

from __future__ import annotations

import json
import math

import pytest
from reader_samples import sample

from ridgeline.errors import ConfigError
from ridgeline.readers import read_config
from ridgeline.readers.audit import looks_structural


def refusal(config) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(config)
    return str(caught.value)


def test_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "config.json")


def test_folder_without_config(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    assert "other.json" in refusal(tmp_path)


def test_folder_and_file_read_alike(tmp_path):
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(sample("llama")))
    assert read_config(folder) == read_config(str(folder / "config.json"))
    assert read_config(folder).id == "my-model"


def test_name_of_a_file_and_of_a_cache(tmp_path):
    (tmp_path / "org__name.json").write_text(json.dumps(sample("llama")))
    assert read_config(tmp_path / "org__name.json").id == "org/name"
    snapshot = tmp_path / "models--org--other" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(sample("llama")))
    assert read_config(snapshot).id == "org/other"


def test_binary_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b"\x80\x81\xfe\xff" * 20)
    assert "not a text file" in refusal(path)


def test_truncated_json_says_where(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{\n  "model_type": "llama",\n  "hidden_size": ')
    assert "line 3, column 18" in refusal(path)


@pytest.mark.parametrize("text", ["[1, 2]", '"llama"', "7", "null", "true"])
def test_json_that_is_no_object(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    assert "object" in refusal(path)


def test_deep_nesting_and_long_numbers(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"a":' * 5000 + "1" + "}" * 5000)
    assert str(path) in refusal(path)
    path.write_text('{"hidden_size": ' + "9" * 5000 + "}")
    assert str(path) in refusal(path)


def test_other_types_and_impossible_paths():
    assert "int" in refusal(7)
    assert "path" in refusal("x" * 5000)
    assert "\\x00" in refusal("a\0b")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_hidden_layers": -2}, ["num_hidden_layers", "-2"]),
        ({"num_hidden_layers": 0}, ["0", "layers"]),
        ({"num_hidden_layers": 10**9}, ["1000000000", "layers"]),
        ({"num_hidden_layers": None}, ["num_hidden_layers", "missing"]),
        ({"num_attention_heads": 0}, ["num_attention_heads", "0"]),
        ({"num_attention_heads": "eight"}, ["num_attention_heads", "'eight'"]),
        ({"num_key_value_heads": 3}, ["n_kv_heads", "multiple"]),
        ({"hidden_size": -64}, ["-64"]),
        ({"hidden_size": 2.5}, ["2.5"]),
        ({"hidden_size": math.nan}, ["nan"]),
        ({"hidden_size": math.inf}, ["inf"]),
        ({"hidden_size": 10**16}, ["hidden_size"]),
        ({"vocab_size": [1]}, ["[1]"]),
        ({"vocab_size": True}, ["True"]),
        ({"vocab_size": 0}, ["vocab_size"]),
        ({"intermediate_size": {}}, ["{}"]),
        ({"attention_bias": "yes"}, ["'yes'"]),
        ({"tie_word_embeddings": 3}, ["tie"]),
        ({"max_position_embeddings": "long"}, ["'long'"]),
        ({"torch_dtype": "float7"}, ["float7", "bfloat16"]),
        ({"torch_dtype": 5}, ["5"]),
        ({"quantization_config": 5}, ["quantization_config"]),
        ({"text_config": "llama"}, ["text_config"]),
        ({"expert_dtype": "fp3"}, ["fp3"]),
    ],
)
def test_absurd_values_are_named(changes, words):
    message = refusal(sample("llama", **changes))
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("family", "changes", "words"),
    [
        ("gpt_oss", {"layer_types": ["full_attention"]}, ["layer_types", "1", "4"]),
        ("gpt_oss", {"layer_types": "full"}, ["layer_types", "list"]),
        ("gpt_oss", {"layer_types": ["full_atention"] * 4}, ["full_atention", "Did you mean"]),
        ("gpt_oss", {"num_experts_per_tok": 9}, ["n_experts_active", "exceeds"]),
        ("nemotron_h", {"hybrid_override_pattern": "M-*X"}, ["'X'"]),
        ("nemotron_h", {"hybrid_override_pattern": ["M"]}, ["text"]),
        ("qwen2_moe", {"mlp_only_layers": [40]}, ["mlp_only_layers", "40"]),
        ("qwen2_moe", {"mlp_only_layers": 4}, ["mlp_only_layers"]),
        ("qwen2_moe", {"decoder_sparse_step": 0}, ["decoder_sparse_step"]),
        ("jamba", {"attn_layer_period": 0}, ["attn_layer_period"]),
        ("dbrx", {"attn_config": 4}, ["attn_config"]),
        ("nemotron_nas", {"block_configs": [1, 2, 3, 4]}, ["block_configs[0]"]),
        ("hunyuan_v1_moe", {"moe_topk": [1, 2, 2, 2]}, ["moe_topk", "same"]),
        ("bailing_hybrid", {"num_nextn_predict_layers": 900}, ["900"]),
    ],
)
def test_broken_patterns_are_named(family, changes, words):
    message = refusal(sample(family, **changes))
    assert all(word in message for word in words), message


def test_disagreeing_lists_of_layers():
    config = sample("kimi_linear")
    config["linear_attn_config"] = {**config["linear_attn_config"], "kda_layers": [1, 2]}
    assert "kda_layers" in refusal(config)


def test_unknown_family_names_near_ones_and_ways_on():
    message = refusal({"model_type": "qwen3_mo", "hidden_size": 64})
    assert "'qwen3_mo'" in message
    assert "qwen3_moe" in message
    assert "from_counts" in message
    assert "--from-counts" in message


def test_config_without_a_family():
    assert "model_type" in refusal({"hidden_size": 64})


def test_unread_structural_key_is_refused_by_name():
    config = sample("llama", num_memory_slots=4)
    message = refusal(config)
    assert "num_memory_slots = 4" in message
    assert 'assume_harmless=("num_memory_slots",)' in message
    assert "--assume-harmless num_memory_slots" in message
    assert read_config(config, assume_harmless=("num_memory_slots",)).d_model == 64
    assert read_config(config, assume_harmless="num_memory_slots").d_model == 64


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_inert_values_change_nothing(value):
    assert read_config(sample("llama", num_memory_slots=value)) == read_config(sample("llama"))


def test_unread_key_of_another_family_is_refused():
    assert "kv_lora_rank" in refusal(sample("llama", kv_lora_rank=512))
    assert "sliding_window" in refusal(sample("llama", sliding_window=4096))


def test_nested_keys_are_looked_at():
    config = sample("kimi_linear")
    config["linear_attn_config"] = {**config["linear_attn_config"], "num_memory_slots": 2}
    assert "linear_attn_config.num_memory_slots" in refusal(config)


def test_unread_keys_that_shape_nothing_pass():
    config = sample("llama", rope_theta=1e6, transformers_version="5", favourite="blue")
    assert read_config(config) == read_config(sample("llama"))


def test_infinity_where_it_does_no_harm(tmp_path):
    path = tmp_path / "config.json"
    config = sample("nemotron_h", time_step_limit=[0.0, math.inf])
    path.write_text(json.dumps(config))
    assert "Infinity" in path.read_text()
    assert read_config(path).family == "nemotron_h"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_memory_slots", 64),
        ("num_memory_slots", 64.0),
        ("memory_slots", [64, 64]),
        ("kv_reduction_ratio", 2.5),
        ("ffn_multipliers", [0.5, 1.5]),
        ("use_memory_layers", True),
        ("query_norm", True),
        ("layer_pattern", "MMAM"),
        ("mixer_kind", "hyena"),
        ("layer_kinds", ["mlp", "hyena"]),
        ("extra", {"num_memory_slots": 64}),
        ("memory", {"a": 64}),
        ("blocks", [{"width": 3}]),
    ],
)
def test_what_may_change_a_count_is_refused(key, value):
    assert key in refusal(sample("llama", **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attention_gain_factor", 0.375),  # a number with a fraction is no size
        ("key_multiplier", 2),
        ("ssm_scales", [0.3, 0.25]),
        ("use_parallel_shards", True),  # how it is computed
        ("use_rmsnorm", True),
        ("enable_prefix_sharding", True),
        ("output_gate_type", "swish"),  # an activation, a kind of positions
        ("position_embedding_type", "rope_gptj"),
        ("attention_backend", "flash_attention_2"),
        ("router_dtype", "fp32"),
        ("num_image_tokens", 256),
        ("mtp_loss_scaling_factor", 2),
        ("extra", {"rope_theta": 1e6, "hidden_dropout": 0.1, "names": ["a"]}),
        ("mlp_expansion_factor", 8),  # the config states intermediate_size
        ("ffn_dim_multiplier", 1.3),
        ("num_key_value_groups", 2),
    ],
)
def test_what_changes_no_count_passes(key, value):
    assert read_config(sample("llama", **{key: value})) == read_config(sample("llama"))


def test_a_factor_counts_where_nothing_states_the_size_it_gives():
    assert "mlp_expansion_factor" in refusal(sample("gpt2", mlp_expansion_factor=8))
    assert "ffn_dim_multiplier" in refusal(sample("gpt2", ffn_dim_multiplier=1.3))


@pytest.mark.parametrize(
    "key",
    ["model_type", "hidden_size", "num_hidden_layers", "vocab_size", "tie_word_embeddings",
     "max_position_embeddings", "num_memory_slots", "num_attention_heads"],
)  # fmt: skip
def test_numbers_that_python_does_not_write_are_sentences(key):
    message = refusal(sample("llama", **{key: 10**5000}))
    assert 20 < len(message) < 2000


def test_deep_and_large_configs_are_answered_at_once():
    deep: list = []
    for _ in range(950):
        deep = [deep]
    assert "nests too deeply" in refusal(sample("llama", extra_layers=[deep]))
    many = {f"num_slots_{i}": i + 1 for i in range(5000)}
    assert len(refusal(sample("llama", **many))) < 4000
    assert len(refusal(sample("llama", **{"num_" + "slots_" * 50_000: 3}))) < 4000


@pytest.mark.parametrize("value", [10**400, [5], {"a": 1}, "text", 2.5, -(10**30)])
@pytest.mark.parametrize("key", ["dim", "n_layers", "hidden_dim", "vocab_size", "n_heads"])
def test_odd_values_in_params_json_are_sentences(key, value):
    assert len(refusal({**sample("original"), key: value})) > 20


def test_structural_words():
    assert looks_structural("num_memory_slots")
    assert looks_structural("crossLayerDim")
    assert not looks_structural("favourite")
