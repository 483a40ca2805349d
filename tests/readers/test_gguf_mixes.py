"""Sizes of GGUF files as published, against what llama.cpp's rules make of our shapes."""

from __future__ import annotations

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.fidelity.measurements.resolve import Resolver
from ridgeline.readers import read_config
from ridgeline.readers.gguf_mixes import dtype_of_type, gguf_mixes, gguf_types
from ridgeline.steps import counts

GIB = 2**30 / 1e9
LLAMA_8B = "meta-llama/Llama-3.1-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.1-70B-Instruct"

#: bits a weight of Llama-3.1-8B: ggml-org/llama.cpp, tools/quantize/README.md
LLAMA_8B_BITS = {
    "IQ1_S": 2.0042, "IQ1_M": 2.1460, "IQ2_XXS": 2.3824, "IQ2_XS": 2.5882, "IQ2_S": 2.7403,
    "IQ2_M": 2.9294, "IQ3_XXS": 3.2548, "IQ3_XS": 3.4977, "IQ3_S": 3.6606, "IQ3_M": 3.7628,
    "Q2_K_S": 2.9697, "Q2_K": 3.1593, "Q3_K_S": 3.6429, "Q3_K_L": 4.2979, "Q4_K_S": 4.6672,
    "Q4_K_M": 4.8944, "Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008,
}  # fmt: skip

#: model, format, size in GB. Sources: cases of the project (a); tables of bartowski's repositories
#: on HuggingFace, rounded to 0.01 GB (b); "size" of llama-bench as posted, rounded to 0.01 GiB (c)
PUBLISHED = [
    ("meta-llama/Llama-3.2-3B", "q4_k_m", 2.01),  # a
    (LLAMA_8B, "q4_k_m", 4.92),  # a
    ("Qwen/Qwen3-32B", "q4_k_m", 19.8),  # a
    ("Qwen/Qwen3-30B-A3B", "q4_k_m", 18.55),  # a
    (LLAMA_70B, "q4_0", 39.97),  # a
    (LLAMA_8B, "q8_0", 8.54),  # a
    (LLAMA_70B, "q8_0", 74.98),  # b, as the next eleven
    (LLAMA_70B, "q6_k", 57.89),
    (LLAMA_70B, "q5_k_m", 49.95),
    (LLAMA_70B, "q4_k_s", 40.35),
    (LLAMA_70B, "iq4_xs", 37.90),
    (LLAMA_70B, "q3_k_l", 37.14),
    (LLAMA_70B, "q3_k_m", 34.27),
    (LLAMA_70B, "iq3_m", 31.94),
    (LLAMA_70B, "q3_k_s", 30.91),
    (LLAMA_70B, "q5_k_l", 50.60),
    (LLAMA_70B, "q4_k_l", 43.30),
    (LLAMA_70B, "q3_k_xl", 38.06),
    (LLAMA_70B, "q2_k", 24.56 * GIB),  # c, as all that follow
    (LLAMA_70B, "iq3_xs", 27.29 * GIB),
    ("Qwen/Qwen3-8B", "q4_k_m", 4.68 * GIB),
    ("Qwen/Qwen3-14B", "q4_k_m", 8.38 * GIB),
    ("microsoft/phi-4", "q4_k_m", 8.43 * GIB),
    ("mistralai/Mixtral-8x7B-v0.1", "q4_k_m", 26.49 * GIB),
    ("openai/gpt-oss-20b", "mxfp4_moe", 11.27 * GIB),
    ("openai/gpt-oss-120b", "mxfp4_moe", 59.02 * GIB),
    ("openai/gpt-oss-20b", "q4_k_m", 10.81 * GIB),
    ("openai/gpt-oss-120b", "q4_k_m", 58.45 * GIB),
    ("deepseek-ai/DeepSeek-V2-Lite", "q4_k_m", 9.65 * GIB),
    ("Qwen/Qwen3.5-27B", "q4_k_m", 15.58 * GIB),
    ("Qwen/Qwen3.5-35B-A3B", "q4_k_m", 20.09 * GIB),
]


@pytest.mark.parametrize(("mix", "bits"), LLAMA_8B_BITS.items())
def test_bits_a_weight_are_those_of_the_quantisers_own_table(mix: str, bits: float) -> None:
    count = counts(catalog.stored_as(rl.model(LLAMA_8B), mix))
    assert 8 * count.weight_bytes / count.n_params == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(("model", "mix", "size"), PUBLISHED)
def test_sizes_are_within_two_percent_of_published_files(model: str, mix: str, size: float) -> None:
    count = counts(catalog.stored_as(rl.model(model), mix))
    assert count.weight_bytes / 1e9 == pytest.approx(size, rel=0.02)


def test_the_head_takes_more_bits_and_a_tied_table_serves_as_head() -> None:
    own = catalog.stored_as(rl.model("Qwen/Qwen3-32B"), "q4_k_m")
    tied = catalog.stored_as(rl.model("meta-llama/Llama-3.2-3B"), "q4_k_m")
    assert (own.dtypes["embedding"], own.dtypes["head"]) == ("q4_k", "q6_k")
    assert tied.dtypes["embedding"] == "q6_k"
    assert own.dtypes["other"] == "fp32"


def test_rows_that_do_not_divide_into_blocks_take_older_types() -> None:
    # Rows of gemma-3-1b are 1,152 long, which is no multiple of 256: q4_k falls back to q5_0.
    stored = catalog.stored_as(rl.model("google/gemma-3-1b-it"), "q4_k_s")
    assert stored.dtypes["embedding"] == "q8_0"
    assert 5 <= catalog.dtype(stored.dtypes["ffn"]).bits <= 6


def test_experts_that_come_in_mxfp4_stay_so() -> None:
    model = rl.model("openai/gpt-oss-20b")
    for mix in ("q4_k_m", "q8_0", "iq2_xs"):
        assert catalog.stored_as(model, mix).dtypes["experts"] == "mxfp4"


def test_routers_stay_wide_in_every_mix() -> None:
    model = rl.model("Qwen/Qwen3-30B-A3B")
    for mix in gguf_mixes():
        assert catalog.stored_as(model, mix).dtypes["router"] == "fp32"


def test_blocks_are_those_of_the_library_and_of_the_catalogue() -> None:
    gguf = pytest.importorskip("gguf")
    sizes = {t.name.lower(): s for t, s in gguf.GGML_QUANT_SIZES.items()}
    for name, (values, size) in gguf_types().items():
        assert sizes[name] == (values, size)
        assert catalog.dtype(dtype_of_type(name)).bits == 8 * size / values


def test_every_mix_is_a_format_of_the_catalogue_run_by_llama_cpp() -> None:
    assert {catalog.dtype(mix).engine for mix in gguf_mixes()} == {"llama.cpp"}


def test_a_model_known_by_counts_takes_the_mean_of_files() -> None:
    given = rl.Model.from_counts("8B")
    assert counts(catalog.stored_as(given, "q4_k_m")).weight_bytes == pytest.approx(4.85e9)


def test_a_config_that_names_a_gguf_type_is_stored_the_same_way() -> None:
    config = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
        "vocab_size": 128256,
        "quantization_config": {"quant_method": "gguf", "quant_type": "Q4_K_M"},
    }  # fmt: skip
    read, stored = read_config(config), catalog.stored_as(rl.model(LLAMA_8B), "q4_k_m")
    assert counts(read).weight_bytes_by_part == counts(stored).weight_bytes_by_part


def test_all_faces_store_a_format_alike() -> None:
    model, mix = "Qwen/Qwen3-32B", "q4_k_m"
    wanted = counts(catalog.stored_as(rl.model(model), mix)).weight_bytes
    assert rl.serving(model, "h100-sxm", weights=mix).counts.weight_bytes == wanted
    assert counts(rl.layouts(model, "h100-sxm", weights=mix).model).weight_bytes == wanted
    assert counts(Resolver().model(model, mix, "")).weight_bytes == wanted
    # A table that names the format of a file that is in it already changes nothing.
    stored = catalog.stored_as(rl.model(model), mix)
    assert counts(catalog.stored_as(stored, mix)).weight_bytes == wanted
