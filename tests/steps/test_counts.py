"""Counts against numbers done by hand, and against what must hold of any model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ridgeline as rl
from ridgeline.specs import Model


def model(mixer: dict, ffn: dict, **more) -> Model:
    block = {"repeat": 2, "mixer": mixer, "ffn": ffn}
    fields = {"id": "toy", "d_model": 64, "vocab_size": 100, "blocks": [block], **more}
    return Model.parse(fields, "toy")


GQA = {"kind": "attention", "n_heads": 8, "n_kv_heads": 2, "d_head": 16}
MLP = {"kind": "dense", "d_ff": 256}
MOE = {"kind": "moe", "n_experts": 4, "n_experts_active": 2, "d_ff": 32, "d_ff_shared": 16}


def test_a_dense_gqa_model_by_hand() -> None:
    c = rl.counts(model(GQA, MLP))
    attention = 64 * 128 + 2 * 64 * 32 + 128 * 64
    layer = attention + 3 * 64 * 256 + 2 * 64
    assert c.n_params == 2 * layer + 2 * 64 * 100 + 64
    assert c.n_params_active == c.n_params - 64 * 100
    assert c.n_params_active_with_embedding == c.n_params
    assert c.n_params_active_without_head == c.n_params_active - 64 * 100
    assert c.weight_bytes == 2 * c.n_params
    # keys and values of 2 heads of 16, two layers, two bytes
    assert c.kv_bytes_per_token == 2 * 2 * 2 * 16 * 2
    assert c.cache_bytes(1000) == c.cache_read_bytes(1000) == 1000 * c.kv_bytes_per_token
    # each of 8 heads multiplies a key and a value of 16 for every cached token, in both layers
    core = 2 * 2 * 8 * 2 * 16 * 1000
    assert c.flops_per_token(1000) == 2 * c.n_params_active + core


def test_tied_embeddings_are_stored_once_and_multiplied_once() -> None:
    apart, tied = rl.counts(model(GQA, MLP)), rl.counts(model(GQA, MLP, tied=True))
    assert apart.n_params - tied.n_params == 64 * 100
    assert apart.n_params_active == tied.n_params_active


def test_a_token_passes_its_experts_only() -> None:
    c = rl.counts(model(GQA, MOE))
    idle = 2 * (4 - 2) * 3 * 64 * 32
    assert c.n_params - c.n_params_active == idle + 64 * 100
    assert c.params["experts", "bf16"] == 2 * 4 * 3 * 64 * 32
    assert c.params["shared_experts", "bf16"] == 2 * 3 * 64 * 16


def test_windows_cap_what_is_kept_and_read() -> None:
    c = rl.counts(model({**GQA, "window": 128}, MLP))
    full = rl.counts(model(GQA, MLP))
    assert c.kv_bytes_per_token == full.kv_bytes_per_token
    assert c.cache_bytes(64) == full.cache_bytes(64)
    assert c.cache_bytes(10_000) == full.cache_bytes(128)


def test_sparse_attention_keeps_all_and_reads_little() -> None:
    indexer = {"n_heads": 4, "d_head": 8, "top_k": 100, "query_from": "hidden"}
    c = rl.counts(model({**GQA, "indexer": indexer}, MLP))
    full = rl.counts(model(GQA, MLP))
    keys = 2 * 8 * 2 * 10_000
    assert c.cache_bytes(10_000) == full.cache_bytes(10_000) + keys
    assert c.cache_read_bytes(10_000) == full.cache_bytes(100) + keys
    assert c.index_bytes_per_token == 2 * 8 * 2


def test_layers_that_share_a_cache_read_but_do_not_store() -> None:
    shared = rl.counts(model({**GQA, "reads_other_cache": True}, MLP))
    own = rl.counts(model(GQA, MLP))
    assert shared.cache_bytes(1000) == 0
    assert shared.cache_read_bytes(1000) == own.cache_read_bytes(1000)
    assert own.n_params - shared.n_params == 2 * 2 * 64 * 32


def test_a_recurrent_layer_has_state_and_no_cache() -> None:
    gdn = {"kind": "delta", "n_k_heads": 2, "n_v_heads": 4, "d_k": 8, "d_v": 8, "conv_kernel": 4}
    c = rl.counts(model(gdn, MLP))
    state = 2 * (4 * 8 * 8 + 3 * (2 * 2 * 8 + 4 * 8)) * 4
    assert c.state_bytes == c.cache_bytes(10) == c.cache_bytes(10**6) == state
    assert c.kv_bytes_per_token == 0
    # the state is read and written back
    assert c.cache_read_bytes(10) == 2 * state


def test_formats_by_part() -> None:
    c = rl.counts(model(GQA, MLP, weight_dtype="int4-g32", dtypes={"embedding": "bf16"}))
    table = 64 * 100
    assert c.weight_bytes == pytest.approx(2 * table + (c.n_params - table) * 4.5 / 8)


def test_mtp_layers_are_counted_apart() -> None:
    with_mtp = rl.counts(model(GQA, MLP, mtp=[{"mixer": GQA, "ffn": MLP}]))
    plain = rl.counts(model(GQA, MLP))
    assert with_mtp.n_params == plain.n_params
    assert with_mtp.n_params_mtp == (plain.n_params - 2 * 6400 - 64) / 2


def test_given_counts_are_taken_as_they_are() -> None:
    c = rl.counts(Model.from_counts("37B", "671B", 70_272, 8))
    assert (c.n_params, c.n_params_active, c.weight_bytes) == (671e9, 37e9, 671e9)
    assert c.cache_bytes(100) == c.cache_read_bytes(100) == 7_027_200


def test_fields_may_be_arrays() -> None:
    one = model(GQA, MLP)
    mixer = one.blocks[0].mixer
    assert mixer is not None
    heads = mixer.model_copy(update={"n_kv_heads": np.asarray([1, 2, 8])})
    block = one.blocks[0].model_copy(update={"mixer": heads})
    many = rl.counts(one.model_copy(update={"blocks": (block,)}))
    for i, n in enumerate((1, 2, 8)):
        single = rl.counts(model({**GQA, "n_kv_heads": n}, MLP))
        assert many.n_params[i] == single.n_params
        assert many.cache_bytes(100)[i] == single.cache_bytes(100)


MODELS = [
    "deepseek-ai/DeepSeek-V3",
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Pro",
    "openai/gpt-oss-120b",
    "Qwen/Qwen3.5-397B-A17B",
    "tiiuae/falcon-mamba-7b",
    "MiniMaxAI/MiniMax-M3",
]


@given(st.sampled_from(MODELS), st.floats(0, 1e7), st.floats(1, 100))
def test_a_longer_context_never_weighs_or_reads_less(name: str, context: float, f: float) -> None:
    c = rl.counts(rl.model(name))
    for grows in (c.cache_bytes, c.cache_read_bytes, c.flops_per_token):
        assert grows(context * f) >= grows(context)


@pytest.mark.parametrize("name", MODELS)
def test_scalars_equal_arrays(name: str) -> None:
    c = rl.counts(rl.model(name))
    contexts = np.asarray([0.0, 1.0, 127.0, 8192.0, 1e6])
    for f in (c.cache_bytes, c.cache_read_bytes, c.flops_per_token):
        assert np.broadcast_to(f(contexts), 5).tolist() == [float(f(x)) for x in contexts]
