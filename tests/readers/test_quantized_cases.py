"""Tables of quantisers as checkpoints have them: what each stores, part by part."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import re

import pytest
from reader_samples import sample

from ridgeline.catalog import element_dtype
from ridgeline.errors import CatalogError, ConfigError
from ridgeline.formats import dtype
from ridgeline.readers import read_config
from ridgeline.readers.names import module
from ridgeline.readers.quantization import scheme_of
from ridgeline.readers.quantizers.fields import integer
from ridgeline.steps import counts

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 4, "num_key_value_heads": 8,
    "vocab_size": 128256, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
MATRICES = [4096 * 4096, 4096 * 1024, 4096 * 1024, 4096 * 4096, *[4096 * 14336] * 3]
LINEAR = 4 * sum(MATRICES)
TABLE = 4096 * 128256
NAMES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
         "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]  # fmt: skip
ENDS_16 = 2 * 2 * TABLE
MIXTRAL = {
    "model_type": "mixtral", "hidden_size": 1024, "intermediate_size": 2048,
    "num_attention_heads": 16, "num_hidden_layers": 4, "num_key_value_heads": 4,
    "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip


def read(table, base=LLAMA, **changes):
    return read_config({**base, "quantization_config": table, **changes})


def compressed(weights, activations=None, **more):
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "ignore": ["lm_head"],
            "config_groups": {"group_0": group}, **more}  # fmt: skip


def torchao(name, **data):
    return {"quant_method": "torchao", "quant_type": {"default": {"_type": name, "_data": data}}}


def hqq(bits, group, scale=None, zero=None):
    weights = {"nbits": bits, "group_size": group}
    return {"quant_method": "hqq", "skip_modules": ["lm_head"],
            "quant_config": {"weight_quant_params": weights, "scale_quant_params": scale,
                             "zero_quant_params": zero}}  # fmt: skip


def auto_round(**fields):
    return {"quant_method": "auto-round", "bits": 4, "group_size": 128, **fields}


INT8_ACTIVATIONS = {"num_bits": 8, "type": "int", "strategy": "token"}
FP4 = {"_type": "torch.dtype", "_data": "float4_e2m1fn_x2"}
INT4 = {"_type": "torch.dtype", "_data": "int4"}
GROUP_32 = {"_type": "PerGroup", "_data": {"group_size": 32}}
PACKED = {"_type": "IntxPackingFormat", "_data": "OPAQUE_ATEN_KLEIDIAI"}
UNPACKED = {"_type": "IntxPackingFormat", "_data": "UNPACKED_TO_INT8"}
NARROW_SCALE = {"nbits": 8, "group_size": 128}
NARROW_ZERO = {"nbits": 8, "group_size": None}
INNER_FP8 = {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}


@pytest.mark.parametrize(
    ("table", "bits", "compute"),
    [
        # Packing that leaves bits empty: ten weights of three bits in a word, a byte for each.
        (compressed({"num_bits": 3, "type": "int", "group_size": 128}), 3.2 + 16 / 128, "bf16"),
        (compressed({"num_bits": 4, "type": "int", "strategy": "channel"}, INT8_ACTIVATIONS,
                    format="int-quantized"), 8, "int8"),
        (compressed({"num_bits": 4, "type": "int", "strategy": "channel"}, INT8_ACTIVATIONS,
                    format="pack-quantized"), 4, "fp8"),
        (torchao("Int8DynamicActivationIntxWeightConfig", weight_dtype=INT4,
                 weight_granularity=GROUP_32, intx_packing_format=UNPACKED), 8.75, "int8"),
        (torchao("Int8DynamicActivationIntxWeightConfig", weight_dtype=INT4,
                 weight_granularity=GROUP_32, intx_packing_format=PACKED), 4.5, "fp8"),
        (torchao("IntxWeightOnlyConfig", weight_dtype=INT4,
                 granularity={"_type": "PerAxis", "_data": {"axis": 0}}), 8, "bf16"),
        (hqq(3, 64), 3.2 + 32 / 64, "bf16"),
        (hqq(5, 64), 8 + 32 / 64, "bf16"),
        # Scales and zero points that are quantised themselves; groups of a whole row.
        (hqq(2, 16, NARROW_SCALE, NARROW_ZERO), 2 + (8.25 + 8) / 16, "bf16"),
        (hqq(4, 64, None, NARROW_ZERO), 4 + (16 + 8) / 64, "bf16"),
        (hqq(1, 32), 1 + 32 / 32, "bf16"),
        (hqq(8, None), 8, "bf16"),
        # The width is that of the weights' field, not of the class's name.
        (torchao("MXDynamicActivationMXWeightConfig", weight_dtype=FP4), 4.25, "fp4"),
        (torchao("MXFPInferenceConfig"), 8.25, "fp8"),
        (torchao("NVFP4WeightOnlyConfig"), 4.5, "bf16"),
        (torchao("NVFP4DynamicActivationNVFP4WeightConfig"), 4.5, "fp4"),
        (torchao("Int8StaticActivationInt8WeightConfig"), 8, "int8"),
        (torchao("FPXWeightOnlyConfig", ebits=3, mbits=2), 6, "bf16"),
        (torchao("GemliteUIntXWeightOnlyConfig", bit_width=4, group_size=128), 4.25, "bf16"),
        (auto_round(data_type="float", bits=8, act_bits=8), 8, "fp8"),
        (auto_round(data_type="int", bits=8, group_size=-1, act_bits=8), 8, "int8"),
        (auto_round(data_type="nv_fp", group_size=16, act_bits=16), 4.5, "bf16"),
        (auto_round(data_type="nv_fp", group_size=16, act_bits=4), 4.5, "fp4"),
        # Methods known by another one's fields.
        ({"quant_method": "sinq", "nbits": 4, "group_size": 64, "tiling_mode": "1D"}, 4.5, "bf16"),
        ({"quant_method": "metal", "bits": 4, "group_size": 64}, 4.5, "bf16"),
        ({"quant_method": "qqq", "bits": 4, "group_size": 128}, 4.125, "fp8"),
        ({"quant_method": "w8a8_int8"}, 8, "int8"),
        ({"quant_method": "blockwise_int8", "weight_block_size": [128, 128]}, 8, "int8"),
        ({"quant_method": "deepgemm_fp8", "weight_block_size": [128, 128]}, 8.002, "fp8"),
        # hf_quant_config.json put whole into config.json, with and without a method.
        ({"quant_method": "modelopt", "quantization": INNER_FP8}, 8, "fp8"),
        ({"producer": {"name": "modelopt"}, "quantization": INNER_FP8}, 8, "fp8"),
        # quark: a table for the class goes before that of the model.
        ({"quant_method": "quark", "exclude": ["lm_head"],
          "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}},
          "layer_type_quant_config": {"Linear": {"weight": {"dtype": "int8"}}}}, 8, "bf16"),
    ],
)  # fmt: skip
def test_bytes_and_arithmetic(table, bits, compute):
    model = read(table)
    assert counts(model).weight_bytes == pytest.approx(LINEAR * bits / 8 + ENDS_16, rel=1e-3)
    assert dtype(model.weight_dtype).compute[0] == compute


def test_vptq_counts_codes_and_codebooks():
    """Codes of 16 and 8 bits for vectors of 8; codebooks of 2^16 and 2^8 such vectors a matrix."""
    sizes = {"vector_lens": [-1, 8], "num_centroids": [-1, 65536], "num_res_centroids": [-1, 256],
             "group_num": 1, "outlier_size": 0}  # fmt: skip
    layers = {f"model.layers.{i}.{name}": sizes for i in range(4) for name in NAMES}
    model = read({"quant_method": "vptq", "config_for_layers": layers})
    books = 4 * 7 * (65536 + 256) * 8 * 2
    wanted = LINEAR * 3 / 8 + books + ENDS_16
    assert counts(model).weight_bytes == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"outlier_size": 2}, "outlier_size"),
        ({"vector_lens": 8}, "vector_lens"),
        ({"num_centroids": [-1, 1]}, "num_centroids"),
    ],
)
def test_vptq_refuses_what_is_not_described(changes, word):
    sizes = {"vector_lens": [-1, 8], "num_centroids": [-1, 256], "num_res_centroids": [-1, -1]}
    with pytest.raises(ConfigError, match=word):
        scheme_of({"quant_method": "vptq", "config_for_layers": {"a": {**sizes, **changes}}})


def test_groups_of_activations_alone_store_nothing():
    table = compressed({"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "float"})
    table["config_groups"]["attention"] = {
        "targets": ["LlamaAttention"], "weights": None,
        "input_activations": {"num_bits": 8, "type": "float"},
    }  # fmt: skip
    assert read(table).weight_dtype == "fp8"


def test_weights_made_ternary_in_use_are_stored_in_16_bits():
    model = read({"quant_method": "bitnet", "quantization_mode": "online"})
    assert counts(model).weight_bytes == pytest.approx(LINEAR * 2 + ENDS_16, rel=1e-3)
    assert "ternary" in model.notes


@pytest.mark.parametrize("empty_in", ["outer", "inner"])
def test_an_empty_table_hides_none(empty_in):
    table = compressed({"num_bits": 4, "type": "int", "group_size": 128})
    outer, inner = ({}, table) if empty_in == "outer" else (table, {})
    config = {"model_type": "llava", "quantization_config": outer,
              "text_config": {**LLAMA, "quantization_config": inner}}  # fmt: skip
    assert read_config(config).weight_dtype == "w4a16"


def test_narrow_dtype_of_a_quantised_checkpoint_is_not_the_rest_s():
    table = {"quant_method": "fp8", "ignored_layers": ["lm_head"]}
    model = read(table, torch_dtype="float8_e4m3fn")
    assert (model.weight_dtype, model.dtypes["head"]) == ("fp8", "bf16")


def test_experts_may_be_narrowed_in_the_table():
    table = {"quant_method": "fp8", "weight_block_size": [32, 32], "expert_dtype": "fp4"}
    model = read_config(sample("deepseek_v3", quantization_config=table))
    assert (model.weight_dtype, model.dtypes["attention"]) == ("mxfp4", "fp8-block")


def test_integers_for_experts_and_floats_for_the_rest():
    model = read({"quant_method": "w4afp8"}, MIXTRAL)
    assert (model.weight_dtype, model.dtypes["attention"]) == ("w4a8", "fp8-block")
    assert model.dtypes["router"] == model.dtypes["head"] == "bf16"


@pytest.mark.parametrize(("stated", "wanted"), [("static", "fp8"), (None, "bf16")])
def test_cache_of_fp8(stated, wanted):
    assert read({"quant_method": "fp8", "kv_cache_scheme": stated}).kv_dtype == wanted


@pytest.mark.parametrize(
    ("algo", "wanted"), [("NVFP4_AFFINE", "nvfp4"), ("FP8_AFFINE", "fp8"), ("NONE", "bf16")]
)
def test_cache_of_modelopt(algo, wanted):
    table = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": algo}
    assert read(table).kv_dtype == wanted


def test_mixed_precision_by_groups_and_modules_that_stay():
    weights = {"num_bits": 8, "type": "float"}
    group = {"targets": ["re:.*mlp.*"], "weights": weights, "input_activations": weights}
    table = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}
    model = read({**table, "config_groups": {"g": group}})
    assert (model.weight_dtype, model.dtypes["attention"]) == ("fp8", "bf16")
    layers = {f"model.layers.{i}.{name}": {"quant_algo": "FP8" if "mlp" in name else "UNQUANTIZED"}
              for i in range(4) for name in NAMES}  # fmt: skip
    assert read({**table, "quantized_layers": layers}).dtypes == model.dtypes


# ------------------------------------------------------------------ which modules are meant


def test_gptq_rules_never_quantise_the_ends():
    rules = {"lm_head": {}, "model.embed_tokens": {}, "-:.*attn.*": {}}
    table = {"quant_method": "gptq", "bits": 4, "group_size": 128, "dynamic": rules}
    model = read({**table, "lm_head": False})
    assert {model.dtypes[part] for part in ("head", "embedding", "attention")} == {"bf16"}
    head = read({**table, "dynamic": {"lm_head": {"bits": 8}}, "lm_head": True}).dtypes["head"]
    assert head == "int8-g128-zp"


def test_lists_may_name_the_parts_of_what_a_family_stores_as_one():
    """MLX splits what gpt-oss stores as one; the other of two parts is not meant."""
    experts = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    table = {"group_size": 64, "bits": 8} | {
        f"model.layers.{i}.mlp.experts.{name}": experts
        for i in range(sample("gpt_oss")["num_hidden_layers"])
        for name in ("gate_proj", "up_proj", "down_proj")
    }
    model = read_config({**sample("gpt_oss"), "quantization": table, "quantization_config": table})
    assert (model.weight_dtype, model.dtypes["attention"]) == ("mxfp4-wo", "int8-g64-affine")
    assert "mlp.gate_proj" not in module("mlp.up_proj").canonical


def test_a_router_of_several_names_is_one():
    table = {"group_size": 64, "bits": 4} | {
        f"model.layers.{i}.block_sparse_moe.gate": {"group_size": 64, "bits": 8} for i in range(4)
    }
    assert read(table, MIXTRAL).dtypes["router"] == "int8-g64-affine"


def test_globs_may_use_the_names_of_a_family():
    fp4 = {"weight": {"dtype": "fp4", "qscheme": "per_group", "group_size": 32},
           "input_tensors": {"dtype": "fp4"}}  # fmt: skip
    model = read({"quant_method": "quark", "global_quant_config": {},
                  "layer_quant_config": {"*block_sparse_moe.experts": fp4}}, MIXTRAL)  # fmt: skip
    assert (model.weight_dtype, model.dtypes["attention"]) == ("mxfp4", "bf16")


def test_blocks_listed_one_by_one_are_the_only_ones():
    model = read(auto_round(to_quant_block_names=[["model.layers.0", "model.layers.2"]]))
    found = [{**model.dtypes, "ffn": model.weight_dtype, **b.dtypes}["ffn"] for b in model.blocks]
    assert [found[i] for i in model.order] == ["int4-g128-zp", "bf16"] * 2
    assert read(auto_round(block_name_to_quantize="model.layers")).weight_dtype == "int4-g128-zp"


def test_token_prediction_is_quantised_only_where_its_blocks_are_listed():
    base = sample("deepseek_v3", num_nextn_predict_layers=1)
    for blocks, wanted in (("model.layers", "bf16"), ("model.layers,mtp.layers", "int4-g128-zp")):
        table = auto_round(block_name_to_quantize=blocks)
        model = read_config({**base, "quantization_config": table})
        assert {block.dtypes.get("attention", model.dtypes.get("attention", model.weight_dtype))
                for block in model.mtp} == {wanted}  # fmt: skip


def test_a_table_packed_for_mlx_is_read_as_mlx():
    mlx = {"bits": 4, "group_size": 64, "lm_head": {"bits": 8, "group_size": 64}}
    table = auto_round(packing_format="mlx", group_size=64)
    model = read(table, quantization=mlx)
    assert (model.weight_dtype, model.dtypes["head"]) == ("int4-g64-affine", "int8-g64-affine")


@pytest.mark.parametrize("name", ["q4_k_m", "nvfp4@6.1bpw", "nothing"])
def test_caches_have_one_format(name):
    with pytest.raises(CatalogError, match=re.escape(name)):
        element_dtype(name)


def test_a_group_has_weights():
    with pytest.raises(ConfigError, match="group_size is 0"):
        integer(4, 0)
