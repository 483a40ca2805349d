"""What is stored in which format, part by part."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false, reportOptionalSubscript=false

from __future__ import annotations

import json

import pytest
from reader_samples import sample

from ridgeline.catalog import dtype
from ridgeline.errors import ConfigError
from ridgeline.readers import read_config
from ridgeline.readers.quantization import scheme_of
from ridgeline.readers.scheme import matches


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
        ({"num_bits": 4, "type": "int", "group_size": 128}, "int4"),
        ({"num_bits": 4, "type": "float", "group_size": 32}, "mxfp4"),
        ({"num_bits": 4, "type": "float", "group_size": 16}, "nvfp4"),
        ({"num_bits": 8, "type": "float", "strategy": "channel"}, "fp8"),
        ({"num_bits": 8, "type": "float", "strategy": "block"}, "fp8-block"),
        ({"num_bits": 8, "type": "int", "strategy": "channel"}, "w8a16"),
        ({"num_bits": 3, "type": "int", "group_size": 64}, "int3-g64"),
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
    assert model.weight_dtype == "nvfp4"
    assert model.dtypes["attention"] == "fp8"


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 64}, "int4-g64"),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, "w8a16"),
        ({"quant_method": "auto-round", "bits": 2, "group_size": 64}, "int2-g64"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "int4-g32"),
        ({"load_in_4bit": True, "bnb_4bit_use_double_quant": True}, "int4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "quanto", "weights": "int4"}, "int4"),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {
            "nbits": 4, "group_size": 64}}}, "int4-g64"),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "int4"),
        ({"quant_method": "torchao", "quant_type": {"default": {
            "_type": "Float8WeightOnlyConfig"}}}, "fp8"),
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
    assert scheme.format_of("model.layers.0.self_attn.q_proj") is None
    assert scheme.format_of("model.layers.0.mlp.down_proj") == "int8-g128"
    assert scheme.format_of("model.layers.0.mlp.up_proj") == "int4"


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
    assert model.dtypes["attention"] == "bf16"  # three of its four modules


def test_cache_alone_may_be_quantised():
    model = stored({"quant_method": "modelopt", "kv_cache_quant_algo": "FP8"})
    assert (model.weight_dtype, model.kv_dtype) == ("bf16", "fp8")


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"quant_method": "magic"}, "magic"),
        ({"quant_method": 3}, "3"),
        ({"bits": 4}, "quant_method"),
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


def test_matching():
    name = "model.layers.3.mlp.gate"
    assert matches("gate", name)
    assert matches("model.layers.*.mlp", name)
    assert matches("model.language_model.layers.3", name)
    assert matches("re:.*mlp.*", name)
    assert not matches("gat", name)
    assert not matches("model.layers.33", name)
