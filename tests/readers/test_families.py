"""Every family reads its sample, and counts as transformers does."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false, reportOptionalSubscript=false

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from reader_samples import SAMPLES, sample

from ridgeline.errors import ConfigError
from ridgeline.readers import read_config
from ridgeline.readers.families import family_of, known_model_types
from ridgeline.specs import Attention, DeltaRule, LatentAttention, Mamba2, MixtureOfExperts
from ridgeline.steps import counts

_TABLE = Path(__file__).parents[1] / "oracles" / "parameter_counts.csv"
with _TABLE.open(encoding="utf-8", newline="") as _file:
    ORACLE = {row["id"]: int(row["n_params"]) for row in csv.DictReader(_file)}


def test_every_family_has_a_sample():
    families = {family_of({"model_type": t}, "x").name for t in known_model_types()}
    assert families == set(SAMPLES)


@pytest.mark.parametrize("family", SAMPLES)
def test_sample_counts_as_transformers_does(family):
    model = read_config(sample(family))
    assert model.family == family
    known = ORACLE.get(f"sample/{family}")
    assert counts(model).n_params == known or known is None


@pytest.mark.parametrize("family", SAMPLES)
def test_order_and_repeats_agree_with_the_layers(family):
    model = read_config(sample(family))
    assert sum(block.repeat for block in model.blocks) > 0
    assert len(set(map(repr, model.blocks))) == len(model.blocks)


@pytest.mark.parametrize("family", SAMPLES)
def test_records_survive_a_dump(family):
    model = read_config(sample(family))
    assert type(model).parse(model.model_dump(), where="dump") == model


def test_absent_tie_takes_the_family_default():
    assert read_config(sample("gemma")).tied
    assert not read_config(sample("llama")).tied
    assert read_config(sample("llama", tie_word_embeddings=True)).tied


def test_qwen2_windows_start_at_max_window_layers():
    model = read_config(sample("qwen2"))
    assert [b.mixer.window for b in model.blocks] == [None, 32]
    assert [b.repeat for b in model.blocks] == [2, 2]
    off = read_config(sample("qwen2", use_sliding_window=False))
    assert [b.mixer.window for b in off.blocks] == [None]


def test_old_mistral_window_key():
    config = sample("mistral", sliding_window=None, sliding_window_size=48)
    assert read_config(config).blocks[0].mixer.window == 48
    assert read_config(sample("mistral", sliding_window=None)).blocks[0].mixer.window is None


def test_window_layers_with_other_head_counts():
    model = read_config(sample("mimo_v2"))
    heads = {(b.mixer.window, b.mixer.n_kv_heads, b.mixer.d_head_v) for b in model.blocks}
    assert heads == {(None, 2, 16), (32, 4, 16)}


def test_chunked_attention_is_a_window():
    model = read_config(sample("llama4"))
    assert sorted(b.mixer.window or 0 for b in model.blocks) == [0, 64, 64]


def test_leading_dense_layers_and_shared_experts():
    model = read_config(sample("deepseek_v3"))
    dense, sparse = model.blocks
    assert (dense.repeat, dense.ffn.kind) == (1, "dense")
    assert isinstance(sparse.ffn, MixtureOfExperts)
    assert sparse.ffn.d_ff_shared == 32
    assert isinstance(sparse.mixer, LatentAttention)


def test_shared_indexers_reuse():
    model = read_config(sample("glm_moe_dsa"))
    assert [b.mixer.indexer.reuses for b in model.blocks] == [False, True, False]
    assert model.index_dtype == "fp8"
    schedule = sample(
        "glm_moe_dsa", indexer_types=None, index_topk_freq=2, index_skip_topk_offset=2
    )
    layers = read_config(schedule)
    reuses = [layers.blocks[i].mixer.indexer.reuses for i in layers.order or (0, 1, 1, 1)]
    assert reuses == [False, False, True, False]


def test_linear_attention_leaves_no_cache():
    model = read_config(sample("kimi_linear"))
    assert [type(b.mixer) for b in model.blocks] == [DeltaRule, DeltaRule, LatentAttention]
    tally = counts(model)
    assert tally.kv_bytes_per_token == (16 + 8) * 2
    assert tally.state_bytes > 0


def test_full_rank_gate_and_latent_experts():
    config = sample("kimi_linear", routed_expert_hidden_size=32, mla_use_output_gate=True)
    config["linear_attn_config"] = {**config["linear_attn_config"], "use_full_rank_gate": True}
    model = read_config(config)
    assert model.blocks[0].mixer.gate_rank is None
    assert model.blocks[-1].mixer.output_gate == "elementwise"
    assert model.blocks[-1].ffn.d_latent == 32


def test_shared_caches_are_not_stored_twice():
    model = read_config(sample("gemma4"))
    shared = [b for b in model.blocks if b.mixer.reads_other_cache]
    assert len(shared) == 2
    own = counts(model).kv_bytes_per_token
    assert own == 2 * 2 * 2 * (16 + 32)  # two layers, two heads, key and value, 2 bytes


def test_per_layer_sizes_of_searched_architectures():
    model = read_config(sample("nemotron_nas"))
    widths = {b.ffn.d_ff for b in model.blocks if b.ffn}
    assert widths == {256}  # 2 x 1.5 x 64 / 3, rounded up to a multiple of 256
    assert {b.mixer.n_kv_heads for b in model.blocks if b.mixer} == {2}
    assert [e.name for b in model.blocks for e in b.extra] == ["linear_attention_replacement"]


def test_letters_name_layers():
    model = read_config(sample("nemotron_h"))
    kinds = [(b.mixer.kind if b.mixer else None, b.ffn.kind if b.ffn else None)
             for b in model.blocks]  # fmt: skip
    assert kinds == [("mamba2", None), (None, "dense"), ("attention", None), (None, "moe")]


def test_layer_count_may_follow_from_the_list():
    config = sample("nemotron_h", num_hidden_layers=None)
    assert len(read_config(config).order or range(4)) == 4


def test_parallel_mixers_are_two_blocks():
    model = read_config(sample("falcon_h1"))
    assert [type(b.mixer) for b in model.blocks] == [Mamba2, Attention]
    assert "two blocks" in model.notes


def test_mtp_is_counted_apart():
    without = read_config(sample("glm4_moe", num_nextn_predict_layers=0))
    model = read_config(sample("glm4_moe"))
    assert model.blocks == without.blocks
    assert counts(model).n_params == counts(without).n_params
    join = 2 * 64 * 64 + 3 * 64
    last = (
        counts(without).n_params
        - counts(
            read_config(sample("glm4_moe", num_hidden_layers=3, num_nextn_predict_layers=0))
        ).n_params
    )
    assert counts(model).n_params_mtp == last + join


def test_listed_mtp_layers():
    config = sample("nemotron_h", num_nextn_predict_layers=1, mtp_hybrid_override_pattern="*E")
    first, second = read_config(config).mtp
    assert first.mixer is not None
    assert first.extra[0].name == "mtp_join"
    assert second.ffn.kind == "moe"


def test_hyper_connections_are_extra_products():
    model = read_config(sample("deepseek_v4"))
    extra = model.blocks[0].extra[0]
    assert (extra.k, extra.n, extra.count) == (2 * 64, 8, 2)
    assert {b.mixer.compress_ratio for b in model.blocks} == {0, 4, 128}


def test_multimodal_wrapper_gives_the_text_part():
    inner = sample("gemma3", vocab_size=None, sliding_window=None)
    wrapped = {
        "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
        "vision_config": {"hidden_size": 8}, "text_config": {**inner, "model_type": None},
    }  # fmt: skip
    model = read_config(wrapped)
    assert model.family == "gemma3"
    assert model.vocab_size == 262208
    assert "Language part only" in model.notes


def test_wrapper_decides_whether_the_head_is_tied():
    wrapped = {"model_type": "llava", "tie_word_embeddings": True, "text_config": sample("llama")}
    assert read_config(wrapped).tied


def test_architecture_names_a_family_where_the_type_is_absent():
    config = sample("llama", model_type=None, architectures=["LlamaForCausalLM"])
    assert read_config(config).family == "llama"


def test_id_of_a_parsed_config():
    assert read_config(sample("llama"), id="a/b").id == "a/b"
    assert read_config(sample("llama", _name_or_path="org/name")).id == "org/name"
    assert read_config(sample("llama", _name_or_path="/tmp/x")).id == "config"


def test_a_condition_no_record_can_say_is_refused():
    with pytest.raises(ConfigError, match="word_embed_proj_dim"):
        read_config(sample("opt", word_embed_proj_dim=32))
