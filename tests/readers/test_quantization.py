"""What is stored in which format, part by part."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false, reportOptionalSubscript=false

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_samples import sample

from ridgeline.catalog import dtype
from ridgeline.errors import ConfigError
from ridgeline.readers import read_config
from ridgeline.readers.names import Names, module
from ridgeline.readers.quantization import scheme_of
from ridgeline.readers.regex import Regex
from ridgeline.steps import counts


def stored(quantization, family="deepseek_v3", **changes):
    return read_config(sample(family, quantization_config=quantization, **changes))


def test_plain_dtypes():
    assert read_config(sample("llama")).weight_dtype == "bf16"
    assert read_config(sample("llama", torch_dtype="float16")).weight_dtype == "fp16"
    assert read_config(sample("llama", dtype="torch.bfloat16")).weight_dtype == "bf16"
    wide = read_config(sample("llama", torch_dtype="float32"))
    assert wide.weight_dtype == "fp32"
    assert "32 bits" in wide.notes


def test_fp8_with_blocks():
    model = stored({"quant_method": "fp8", "weight_block_size": [128, 128]})
    assert model.weight_dtype == "fp8-block"
    assert model.dtypes == dict.fromkeys(("embedding", "other", "head", "router"), "bf16")
    assert stored({"quant_method": "fp8", "weight_block_size": None}).weight_dtype == "fp8"


def test_excluded_layers_differ_in_their_blocks():
    model = stored({
        "quant_method": "fp8",
        "modules_to_not_convert": ["model.layers.0.self_attn", "model.layers.3.mlp"],
    })  # fmt: skip
    assert [dict(b.dtypes) for b in model.blocks] == [
        {"attention": "bf16"},
        {},
        {"experts": "bf16", "shared_experts": "bf16"},
    ]


def test_excluded_attention_is_a_format_of_the_model():
    model = stored({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, "gpt_oss")
    assert model.weight_dtype == "mxfp4"
    assert model.dtypes["attention"] == "bf16"
    assert model.dtypes["head"] == "bf16"


def _compressed(weights, **more):
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        **more,
    }


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        ({"num_bits": 4, "type": "int", "group_size": 32}, "int4-g32"),
        ({"num_bits": 4, "type": "int", "group_size": 128}, "w4a16"),
        ({"num_bits": 4, "type": "int", "group_size": 128, "symmetric": False}, "int4-g128-zp"),
        ({"num_bits": 4, "type": "float", "group_size": 32}, "mxfp4-wo"),
        ({"num_bits": 4, "type": "float", "group_size": 16}, "nvfp4-wo"),
        ({"num_bits": 8, "type": "float", "strategy": "channel"}, "w8a16"),
        ({"num_bits": 8, "type": "int", "strategy": "channel"}, "w8a16"),
        ({"num_bits": 3, "type": "int", "group_size": 64}, "int3-g64@3.45bpw"),  # ten in a word
    ],
)
def test_compressed_tensors_formats(weights, wanted):
    assert stored(_compressed(weights)).weight_dtype == wanted
    assert dtype(wanted).bits > 0


def test_compressed_tensors_ignores_by_regex():
    ignore = ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
              r"re:.*mlp\.(gate|up|gate_up|down)_proj.*"]  # fmt: skip
    model = stored(_compressed({"num_bits": 4, "type": "int", "group_size": 32}, ignore=ignore))
    assert model.weight_dtype == "int4-g32"
    plain = {p for p, name in model.dtypes.items() if name == "bf16"}
    assert plain == {
        "embedding", "head", "attention", "ffn", "router", "shared_experts", "other",
    }  # fmt: skip


def test_activations_and_cache_of_compressed_tensors():
    config = _compressed(
        {"num_bits": 8, "type": "int"}, kv_cache_scheme={"num_bits": 8, "type": "float"}
    )
    config["config_groups"]["group_0"]["input_activations"] = {"num_bits": 8}
    model = stored(config)
    assert (model.weight_dtype, model.kv_dtype) == ("int8", "fp8")


def test_groups_that_name_modules_go_first():
    config = _compressed({"num_bits": 8, "type": "float"})
    config["config_groups"]["group_1"] = {
        "targets": ["re:.*experts.*"],
        "weights": {"num_bits": 4, "type": "float", "group_size": 16},
    }
    model = stored(config)
    assert model.weight_dtype == "nvfp4-wo"
    assert model.dtypes["attention"] == "w8a16"


@pytest.mark.parametrize(
    ("weights", "activations", "wanted"),
    [
        ({"num_bits": 4, "type": "float", "group_size": 32}, 4, "mxfp4"),
        ({"num_bits": 4, "type": "float", "group_size": 16}, 4, "nvfp4"),
        ({"num_bits": 8, "type": "float", "strategy": "channel"}, 8, "fp8"),
        ({"num_bits": 8, "type": "float", "strategy": "block"}, 8, "fp8-block"),
        ({"num_bits": 8, "type": "int", "strategy": "channel"}, 8, "int8"),
        ({"num_bits": 4, "type": "int", "strategy": "channel"}, 8, "w4a8@4bpw"),
    ],
)
def test_compressed_tensors_with_narrow_activations(weights, activations, wanted):
    config = _compressed(weights)
    config["config_groups"]["group_0"]["input_activations"] = {"num_bits": activations}
    assert stored(config).weight_dtype == wanted


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4-g128-zp"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 64}, "int4-g64-zp"),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "w8a16"),
        ({"quant_method": "auto-round", "bits": 2, "group_size": 64}, "int2-g64-zp"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4-single"),
        ({"load_in_4bit": True, "bnb_4bit_use_double_quant": True}, "nf4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "quanto", "weights": "int4"}, "int4-g128-affine"),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {
            "nbits": 4, "group_size": 64}}}, "int4-g64-affine"),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "int4-g128-affine"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Float8WeightOnlyConfig"}}}, "w8a16"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Float8DynamicActivationFloat8WeightConfig"}}}, "fp8"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "IntxWeightOnlyConfig", "_data": {
                "weight_dtype": {"_type": "torch.dtype", "_data": "int3"},
                "granularity": {"_type": "PerGroup", "_data": {"group_size": 32}}}}}},
            "w8a16@8.75bpw"),  # a byte each
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Int8DynamicActivationInt4WeightConfig"}}}, "int8@8.75bpw"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Int8DynamicActivationIntxWeightConfig", "_data": {
                "weight_dtype": {"_type": "torch.dtype", "_data": "int4"},
                "weight_granularity": {"_type": "PerGroup", "_data": {"group_size": 32}}}}}},
            "int8@8.75bpw"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "IntxWeightOnlyConfig", "_data": {
                "weight_dtype": {"_type": "torch.dtype", "_data": "int4"},
                "granularity": {"_type": "PerAxis", "_data": {"axis": 0}}}}}}, "w8a16"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Int8StaticActivationInt8WeightConfig"}}}, "int8"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "MXDynamicActivationMXWeightConfig", "_data": {
                "weight_dtype": {"_type": "torch.dtype", "_data": "float4_e2m1fn_x2"}}}}},
            "mxfp4"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "MXDynamicActivationMXWeightConfig", "_data": {
                "weight_dtype": {"_type": "torch.dtype", "_data": "float8_e4m3fn"}}}}}, "mxfp8"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "NVFP4WeightOnlyConfig"}}}, "nvfp4-wo"),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {
            "nbits": 3, "group_size": 64}}}, "int3-g64-affine@3.7bpw"),
        ({"quant_method": "marlin", "group_size": 128}, "w4a16"),
        ({"quant_method": "gptq_marlin_24", "bits": 4, "group_size": 128}, "w4a16@3.125bpw"),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 32, "data_type": "mx_fp",
          "act_bits": 4}, "mxfp4"),
        ({"quant_method": "eetq", "weights": "int8"}, "w8a16"),
        ({"quant_method": "bitnet"}, "bitnet"),
        ({"quant_method": "higgs", "bits": 4, "group_size": 256}, "higgs_4.0625bpw"),
        ({"quant_method": "fp8", "weight_block_size": [1, 32]}, "mxfp8"),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_NVFP4"}, "nvfp4-wo"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "w4a8"),
        ({"bits": 4, "group_size": 64}, "int4-g64-affine"),
        ({"quant_method": "exl2", "bits": 4.25}, "exl2_4.25bpw"),
        ({"quant_method": "gguf", "quant_type": "Q4_K_M"}, "q4_k_m"),
    ],
)  # fmt: skip
def test_other_methods(config, wanted):
    assert stored(config).weight_dtype == wanted
    assert dtype(wanted).bits > 0


def test_exl2_head():
    assert stored({"quant_method": "exl2", "bits": 4, "head_bits": 6}).dtypes["head"] == (
        "exl2_6bpw"
    )


def test_gptq_dynamic_rules():
    config = {"quant_method": "gptq", "bits": 4, "group_size": 128,
              "dynamic": {r"-:.*self_attn.*": {}, r"+:.*down_proj.*": {"bits": 8}}}  # fmt: skip
    scheme = scheme_of(config)
    formats = [scheme.format_of(("0",), module(name))
               for name in ("self_attn.q_proj", "mlp.down_proj", "mlp.up_proj")]  # fmt: skip
    assert [f and f.dtype for f in formats] == [None, "int8-g128-zp", "int4-g128-zp"]


def test_expert_dtype_of_deepseek_v4():
    model = stored({"quant_method": "fp8", "weight_block_size": [128, 128]}, "deepseek_v4",
                   expert_dtype="fp4")  # fmt: skip
    assert model.weight_dtype == "mxfp4"
    assert model.dtypes["attention"] == "fp8-block"
    assert model.dtypes["shared_experts"] == "fp8-block"


def test_modelopt_file_beside_the_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(sample("llama")))
    quantization = {
        "quant_algo": "FP8", "kv_cache_quant_algo": "FP8",
        "exclude_modules": ["lm_head", "model.layers.1*"],
    }  # fmt: skip
    path = tmp_path / "hf_quant_config.json"
    path.write_text(json.dumps({"producer": {"name": "modelopt"}, "quantization": quantization}))
    model = read_config(tmp_path)
    assert (model.weight_dtype, model.kv_dtype) == ("fp8", "fp8")
    assert [dict(b.dtypes) for b in model.blocks] == [{}, {"attention": "bf16", "ffn": "bf16"}]
    assert model.order == (0, 1, 0, 0)


def test_modelopt_mixed_precision():
    layers = {
        f"model.layers.{i}.{name}": {"quant_algo": algo}
        for i in range(4)
        for name, algo in (("mlp.up_proj", "NVFP4"), ("mlp.down_proj", "NVFP4"),
                           ("mlp.gate_proj", "NVFP4"), ("self_attn.o_proj", "FP8"))
    }  # fmt: skip
    config = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION",
              "quantized_layers": layers}  # fmt: skip
    model = stored(config, "llama")
    assert model.weight_dtype == "nvfp4"
    # One of its four modules, each of d_model x d_model or less, is in 8 bits.
    assert model.dtypes["attention"].startswith("bf16@")
    assert 8 < dtype(model.dtypes["attention"]).bits < 16


def test_cache_alone_may_be_quantised():
    model = stored({"quant_method": "modelopt", "kv_cache_quant_algo": "FP8"})
    assert (model.weight_dtype, model.kv_dtype) == ("bf16", "fp8")


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"quant_method": "magic"}, "magic"),
        ({"quant_method": 3}, "3"),
        ({"bits": 4}, "quant_method"),
        ({"quant_method": "bitsandbytes"}, "load_in_4bit"),
        ({"quant_method": "quark"}, "global_quant_config"),
        ({"quant_method": "aqlm", "nbits_per_codebook": 99}, "nbits_per_codebook"),
        ({"quant_method": "fp8", "ignore": ["re:(a)\\1"]}, "groupref"),
        ({"quant_method": "gptq"}, "bits"),
        ({"quant_method": "gptq", "bits": 99}, "99"),
        ({"quant_method": "gptq", "bits": "four"}, "four"),
        ({"quant_method": "fp8", "modules_to_not_convert": [1]}, "modules_to_not_convert"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP5"}, "NVFP4"),
        ({"quant_method": "compressed-tensors"}, "config_groups"),
        ({"quant_method": "compressed-tensors", "config_groups": {"a": 1}}, "config_groups.a"),
        ({"quant_method": "exl2", "bits": "x"}, "4.25"),
        ({"quant_method": "gguf"}, "Q4_K_M"),
        ({"quant_method": "quanto", "weights": "int3"}, "int3"),
        ({"quant_method": "torchao", "quant_type": "float1"}, "float1"),
        ({"quant_method": "fp8", "ignore": ["re:(("]}, "regular expression"),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP1"}, "FP1"),
    ],
)
def test_refusals_name_the_fault(config, word):
    with pytest.raises(ConfigError, match=word):
        stored(config)


# ------------------------------------------------------------------ which modules are meant


def means(pattern: str, layer: str, name: str) -> bool:
    return Names([pattern]).mean(layer, module(name))


@pytest.mark.parametrize(
    ("pattern", "layer", "name"),
    [
        ("mlp.gate", "3", "mlp.gate"),
        ("gate", "3", "mlp.gate"),
        ("model.layers.*.mlp", "3", "mlp.gate"),
        ("model.language_model.layers.3", "3", "mlp.gate"),
        ("language_model.model.layers.3.mlp*", "3", "mlp.experts.0.up_proj"),
        ("re:.*mlp.*", "3", "mlp.gate"),
        ("re:model.layers.(3|4).", "4", "mlp.gate"),
        ("model.layers.1*", "12", "mlp.gate"),
        ("*.attn.*", "0", "self_attn.wq_a"),
        ("*.ffn.shared_experts.*", "0", "mlp.shared_experts.gate_proj"),
        ("model.layers.0.self_attn.qkv_proj", "0", "self_attn.k_proj"),
        ("model.layers.0.mlp.gate_up_proj", "0", "mlp.up_proj"),
        ("transformer.h.7.attn", "7", "attn.c_attn"),
        ("mtp*", "mtp.0", "mlp.up_proj"),
        ("model.layers.5.mlp.switch_mlp.down_proj", "5", "mlp.experts.0.down_proj"),
        ("language_model.lm_head", "", "lm_head"),
    ],
)
def test_a_pattern_means_a_module(pattern, layer, name):
    assert means(pattern, layer, name)


@pytest.mark.parametrize(
    ("pattern", "layer", "name"),
    [
        ("gat", "3", "mlp.gate"),
        ("gate", "3", "mlp.gate_proj"),
        ("model.layers.33", "3", "mlp.gate"),
        ("model.layers.3", "33", "mlp.gate"),
        ("model.layers.1*", "2", "mlp.gate"),
        ("model.language_model.layers.0.mlp*", "0", "experts.gate_up_proj"),
        ("model.visual*", "0", "mlp.up_proj"),
        ("visual.layers.0.mlp", "0", "mlp.up_proj"),
        ("mtp*", "0", "mlp.up_proj"),
        (r"re:.*layers\.(0|1)\..*", "11", "mlp.gate"),
    ],
)
def test_a_pattern_does_not_mean_a_module(pattern, layer, name):
    assert not means(pattern, layer, name)


@given(
    st.recursive(
        st.sampled_from(["a", "b", r"\.", "0", ".", "[ab]", "[^a]", r"\d", r"\w", r"\b"]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{1,2}", "{2}", "*?"])).map(
                lambda p: f"(?:{p[0]}){p[1]}"
            ),
            inner.map(lambda p: f"(?={p})"),
            inner.map(lambda p: f"(?!{p})"),
        ),
        max_leaves=8,
    ),
    st.text("ab.0", max_size=7),
    st.booleans(),
)
@settings(max_examples=400)
def test_patterns_match_as_pythons_own(pattern, text, at_end):
    pattern += "$" * at_end
    mine = Regex(pattern)
    assert mine.match(text) is (re.match(pattern, text) is not None)
    mine._plain = None  # the matcher without backtracking
    assert mine.match(text) is (re.match(pattern, text) is not None)


@pytest.mark.parametrize(
    "pattern", ["([a-z_.0-9]+)+!", "((((((((a*)*)*)*)*)*)*)*)*b", "(.*.*.*.*.*.*){50}!"]
)
def test_no_pattern_hangs(pattern):
    matcher = Regex(pattern)
    assert matcher.cost > 1
    assert not matcher.match("model.layers.10.self_attn.o_proj" * 8)


def test_lists_that_cost_too_much_are_refused():
    names = Names([f"re:.*foo{i}.*bar{i}.*" for i in range(500)])
    with pytest.raises(ConfigError, match="take too long"):
        [names.mean(str(layer), module("mlp.gate_proj")) for layer in range(500)]


def test_names_are_looked_up_not_tried():
    """Five thousand names cost as much for each of 500 layers as none do."""
    names = Names([f"model.layers.{i % 500}.mlp.experts.{i}.gate_proj" for i in range(5000)])
    for layer in range(500):
        assert not names.mean(str(layer), module("self_attn.q_proj"))
    assert names._work == 0
    assert names.mean("7", module("mlp.experts.507.gate_proj"))


# ------------------------------------------------------------------ bytes of whole checkpoints

LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "vocab_size": 128256, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
#: 32 layers of 2 x 4096^2 + 2 x 4096 x 1024 + 3 x 4096 x 14336
LINEAR = 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
TABLE = 4096 * 128256
ENDS_16 = 2 * 2 * TABLE
#: AQLM 1x16 in groups of 8: a codebook of 2^16 x 8 values of 16 bits for each of 7 matrices
AQLM_BOOKS = 32 * 7 * 2**16 * 8 * 2


@pytest.mark.parametrize(
    ("quantization", "wanted"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, LINEAR * 4.15625 / 8 + ENDS_16),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32, "lm_head": True},
         (LINEAR + TABLE) * (4 + 20 / 32) / 8 + 2 * TABLE),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, LINEAR + ENDS_16),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True,
          "bnb_4bit_use_double_quant": True}, LINEAR * 4.127 / 8 + ENDS_16),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, LINEAR + ENDS_16),
        ({"quant_method": "exl2", "bits": 4.25, "head_bits": 6},
         LINEAR * 4.25 / 8 + TABLE * 6 / 8 + 2 * TABLE),
        ({"quant_method": "exl3", "bits": 3.0, "head_bits": 6},
         LINEAR * 3 / 8 + TABLE * 6 / 8 + 2 * TABLE),
        ({"quant_method": "aqlm", "in_group_size": 8, "num_codebooks": 1,
          "nbits_per_codebook": 16}, LINEAR * 2 / 8 + AQLM_BOOKS + ENDS_16),
        ({"quant_method": "bitnet"}, LINEAR * 2 / 8 + ENDS_16),
        ({"quant_method": "compressed-tensors", "ignore": ["lm_head"],
          "sparsity_config": {"format": "sparse-24-bitmask", "sparsity_structure": "2:4"},
          "config_groups": {"g": {"targets": ["Linear"], "input_activations": {"num_bits": 8},
                                  "weights": {"num_bits": 8, "type": "float"}}}},
         LINEAR * 5 / 8 + ENDS_16),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {
            "targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "group_size": 128}}}},
         (LINEAR + TABLE) * 4.125 / 8 + 2 * TABLE),
        ({"quant_method": "quark", "exclude": ["lm_head"], "global_quant_config": {"weight": {
            "dtype": "fp4", "qscheme": "per_group", "group_size": 32}, "input_tensors": {
            "dtype": "fp4"}}}, LINEAR * 4.25 / 8 + ENDS_16),
        ({"quant_method": "quark", "exclude": ["lm_head"], "global_quant_config": {"weight": [
            {"dtype": "fp8_e4m3"}, {"dtype": "int4", "qscheme": "per_channel"}]}},
         LINEAR * 4 / 8 + ENDS_16),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Int4WeightOnlyConfig", "_data": {"group_size": 64}}}},
         LINEAR * 4.5 / 8 + ENDS_16),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "extra_config": {
            r".*down_proj": {"bits": 16}}},
         (LINEAR - 32 * 4096 * 14336) * 4.15625 / 8 + 32 * 4096 * 14336 * 2 + ENDS_16),
    ],
)  # fmt: skip
def test_bytes_of_whole_checkpoints(quantization, wanted):
    model = read_config({**LLAMA_8B, "quantization_config": quantization})
    assert counts(model).weight_bytes == pytest.approx(wanted, rel=1e-3)
    assert {dtype(d).id for d in (model.weight_dtype, *model.dtypes.values())} == {
        model.weight_dtype, *model.dtypes.values()
    }  # fmt: skip


def test_mlx_quantises_embedding_and_head_and_names_exceptions():
    table = {"group_size": 64, "bits": 4, "lm_head": {"group_size": 64, "bits": 8},
             "model.embed_tokens": False}  # fmt: skip
    model = read_config({**LLAMA_8B, "quantization": table})
    wanted = LINEAR * 4.5 / 8 + TABLE * 8.5 / 8 + 2 * TABLE
    assert counts(model).weight_bytes == pytest.approx(wanted, rel=1e-3)
    same = read_config({**LLAMA_8B, "quantization": table, "quantization_config": table})
    assert same.dtypes == model.dtypes


def test_quantize_config_beside_a_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    beside = tmp_path / "quantize_config.json"
    beside.write_text(json.dumps({"bits": 4, "group_size": 128, "desc_act": False, "sym": True}))
    assert read_config(tmp_path).weight_dtype == "int4-g128-zp"
    beside.unlink()
    (tmp_path / "quant_config.json").write_text(
        json.dumps({"zero_point": True, "q_group_size": 64, "w_bit": 4, "version": "GEMM"})
    )
    assert read_config(tmp_path).weight_dtype == "int4-g64-zp"


def test_single_experts_may_be_left_out():
    """Seven of eight routed experts of each MoE layer in 4 bits."""
    config = _compressed({"num_bits": 4, "type": "int", "group_size": 128},
                         ignore=["lm_head", "re:.*experts\\.7\\..*"])  # fmt: skip
    model = stored(config)
    n_experts = next(b.ffn.n_experts for b in model.blocks if b.ffn.kind == "moe")
    share = 1 / n_experts
    assert dtype(model.dtypes.get("experts", model.weight_dtype)).bits == pytest.approx(
        4.125 * (1 - share) + 16 * share, rel=1e-4
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128,
          "modules_to_not_convert": ["model"]}, ["'model'", "all of them"]),
        ({"quant_method": "fp8", "ignored_layers": ["model.layers.*"]}, ["all of them"]),
        ({"quant_method": "fp8", "ignored_layers": ["*"]}, ["all of them"]),
        ({"quant_method": "fp8", "ignored_layers": ["model.layers.7.mlpp"]},
         ["model.layers.7.mlpp", "does not have"]),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": {"targets": ["re:.*foo.*"],
          "weights": {"num_bits": 8, "type": "int"}}}}, ["foo", "does not have"]),
    ],
)  # fmt: skip
def test_lists_of_modules_that_mean_all_or_none_are_errors(table, words):
    with pytest.raises(ConfigError) as caught:
        read_config({**LLAMA_8B, "quantization_config": table})
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("ignored", ["lm_head", "model.visual*", "re:.*vision_tower.*", "mlp.gate"])
def test_lists_may_name_what_is_left_out_here(ignored):
    table = {"quant_method": "fp8", "ignored_layers": [ignored]}
    assert read_config({**LLAMA_8B, "quantization_config": table}).weight_dtype == "fp8"


@pytest.mark.parametrize("key", ["quantization_bit", "quant_method", "weight_bits", "w_bit"])
def test_a_key_that_quantises_is_never_harmless(key):
    with pytest.raises(ConfigError, match=key):
        read_config({**LLAMA_8B, key: 4})
