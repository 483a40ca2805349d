"""Names of models as people write them: what each means, in which format, and what is refused."""

from __future__ import annotations

import pytest

from ridgeline import catalog
from ridgeline.catalog._copies import known_names, shape
from ridgeline.catalog._names import key, parsed
from ridgeline.catalog._store import aliases, folded, index, other_names, read_toml
from ridgeline.errors import CatalogError
from ridgeline.naming import nearest
from ridgeline.steps import counts

#: ids that resolve without a format: id -> parameters in billions that its authors publish
PLAIN = {
    "meta-llama/Llama-2-7b-hf": 6.74, "meta-llama/Llama-2-7b-chat-hf": 6.74,
    "meta-llama/Llama-2-13b-chat-hf": 13.0, "meta-llama/Llama-2-70b-chat-hf": 69.0,
    "meta-llama/Meta-Llama-3-8B-Instruct": 8.03, "meta-llama/Meta-Llama-3-70B-Instruct": 70.6,
    "meta-llama/Llama-3.1-8B": 8.03, "meta-llama/Meta-Llama-3.1-8B-Instruct": 8.03,
    "meta-llama/Meta-Llama-3.1-70B-Instruct": 70.6, "meta-llama/Llama-3.1-405B-Instruct": 406,
    "meta-llama/Llama-3.2-1B-Instruct": 1.24, "meta-llama/Llama-3.2-3B-Instruct": 3.21,
    "meta-llama/Llama-3.3-70B-Instruct": 70.6, "meta-llama/Llama-4-Scout-17B-16E": 109,
    "meta-llama/Llama-Guard-3-8B": 8.03, "lmsys/vicuna-7b-v1.5": 6.74,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": 1.1,
    "Qwen/Qwen2-7B-Instruct": 7.62, "Qwen/Qwen2.5-0.5B-Instruct": 0.494,
    "Qwen/Qwen2.5-1.5B-Instruct": 1.54, "Qwen/Qwen2.5-3B-Instruct": 3.09,
    "Qwen/Qwen2.5-7B-Instruct": 7.62, "Qwen/Qwen2.5-14B-Instruct": 14.77,
    "Qwen/Qwen2.5-32B-Instruct": 32.8, "Qwen/Qwen2.5-72B-Instruct": 72.7,
    "Qwen/Qwen2.5-Coder-7B-Instruct": 7.62, "Qwen/Qwen2.5-Coder-32B-Instruct": 32.8,
    "Qwen/Qwen2.5-Math-72B-Instruct": 72.7, "Qwen/QwQ-32B": 32.8,
    "Qwen/Qwen3-0.6B": 0.6, "Qwen/Qwen3-1.7B": 1.72, "Qwen/Qwen3-4B": 4.02, "Qwen/Qwen3-8B": 8.19,
    "Qwen/Qwen3-14B": 14.8, "Qwen/Qwen3-32B": 32.8, "Qwen/Qwen3-8B-Base": 8.19,
    "Qwen/Qwen3-4B-Instruct-2507": 4.02, "Qwen/Qwen3-4B-Thinking-2507": 4.02,
    "Qwen/Qwen3-30B-A3B": 30.5, "Qwen/Qwen3-30B-A3B-Thinking-2507": 30.5,
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": 30.5, "Qwen/Qwen3-235B-A22B-Instruct-2507": 235,
    "Qwen/Qwen3-Next-80B-A3B-Thinking": 80, "Qwen/Qwen3.5-9B": 8.95, "Qwen/Qwen3.6-27B": 26.9,
    "Qwen/Qwen3.6-35B-A3B": 34.7, "Qwen/Qwen3-VL-8B-Thinking": 8.19,
    "deepseek-ai/DeepSeek-V2": 236, "deepseek-ai/DeepSeek-V2.5": 236,
    "deepseek-ai/DeepSeek-V2-Lite-Chat": 15.7, "deepseek-ai/DeepSeek-V3-0324": 671,
    "deepseek-ai/DeepSeek-V3.1": 671, "deepseek-ai/DeepSeek-V3.1-Terminus": 671,
    "deepseek-ai/DeepSeek-V3.2-Exp": 672, "deepseek-ai/DeepSeek-R1-0528": 671,
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": 8.03, "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B": 8.19,
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": 70.6,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": 7.62,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B": 14.8,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": 32.8,
    "google/gemma-2b-it": 2.51, "google/gemma-7b-it": 8.54, "google/gemma-2-2b-it": 2.61,
    "google/gemma-2-9b-it": 9.24, "google/gemma-2-27b-it": 27.2, "google/gemma-3-1b-it": 1.0,
    "google/gemma-3-4b-it": 3.88, "google/gemma-3-12b-it": 11.77, "google/gemma-3-27b-it": 27.0,
    "google/gemma-4-26B-A4B-it": 25.2, "google/gemma-4-31B-it": 30.7,
    "mistralai/Mistral-7B-Instruct-v0.1": 7.24, "mistralai/Mistral-7B-Instruct-v0.2": 7.24,
    "mistralai/Mistral-7B-Instruct-v0.3": 7.25, "HuggingFaceH4/zephyr-7b-beta": 7.24,
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 46.7, "mistralai/Mixtral-8x22B-Instruct-v0.1": 141,
    "mistralai/Mistral-Nemo-Base-2407": 12.25, "mistralai/Mistral-Large-Instruct-2411": 123,
    "mistralai/Mistral-Small-24B-Instruct-2501": 23.6,
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": 23.6,
    "mistralai/Magistral-Small-2509": 23.6, "mistralai/Devstral-Small-2507": 23.6,
    "microsoft/phi-2": 2.78, "microsoft/Phi-3-mini-4k-instruct": 3.82, "microsoft/phi-4": 14.7,
    "microsoft/Phi-3-mini-128k-instruct": 3.82, "microsoft/Phi-4-reasoning-plus": 14.7,
    "zai-org/GLM-4.5": 353, "zai-org/GLM-4.6": 353, "zai-org/GLM-4.7-Flash": 30,
    "zai-org/GLM-5": 744,
    "zai-org/GLM-5.3": 743, "moonshotai/Kimi-K2-Instruct-0905": 1026,
    "moonshotai/Kimi-K2-Thinking": 1026, "moonshotai/Kimi-K2.6": 1026, "MiniMaxAI/MiniMax-M2": 229,
    "openai/gpt-oss-20b": 20.9, "openai/gpt-oss-120b": 117, "openai/gpt-oss-safeguard-20b": 20.9,
    "tiiuae/Falcon3-7B-Instruct": 7.46, "tiiuae/Falcon3-10B-Instruct": 10.3,
    "allenai/OLMo-2-1124-7B-Instruct": 7.3, "allenai/Olmo-3.1-32B-Think": 32.2,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1.71, "HuggingFaceTB/SmolLM2-135M-Instruct": 0.135,
    "01-ai/Yi-34B-Chat": 34.4, "codellama/CodeLlama-7b-Instruct-hf": 6.74,
    "codellama/CodeLlama-70b-Instruct-hf": 69.0, "LGAI-EXAONE/EXAONE-4.0-32B": 32.0,
}  # fmt: skip

#: copies: name -> (base model, format of the layers, gigabytes of weights)
COPIES = {
    "nvidia/Llama-3.3-70B-Instruct-FP4": ("meta-llama/Llama-3.3-70B-Instruct", "nvfp4", 42.7),
    "nvidia/DeepSeek-R1-0528-FP4-v2": ("deepseek-ai/DeepSeek-R1", "nvfp4", 396.7),
    "nvidia/Qwen3-32B-FP8": ("Qwen/Qwen3-32B", "fp8", 34.3),
    "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic":
        ("meta-llama/Llama-3.1-8B-Instruct", "fp8", 9.08),
    "neuralmagic/Meta-Llama-3.1-70B-Instruct-quantized.w8a8":
        ("meta-llama/Llama-3.1-70B-Instruct", "int8", 72.7),
    "RedHatAI/Qwen3-8B-quantized.w4a16": ("Qwen/Qwen3-8B", "w4a16", 6.07),
    "amd/Llama-3.1-405B-Instruct-FP8-KV": ("meta-llama/Meta-Llama-3.1-405B", "fp8", 410.1),
    "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4":
        ("meta-llama/Llama-3.1-8B-Instruct", "w4a16", 5.70),
    "Qwen/Qwen2.5-72B-Instruct-AWQ": ("Qwen/Qwen2.5-72B", "w4a16", 41.2),
    "TheBloke/Llama-2-13B-chat-GPTQ": ("meta-llama/Llama-2-13b-hf", "w4a16", 7.2),
    "Qwen/Qwen3-30B-A3B-GPTQ-Int4": ("Qwen/Qwen3-30B-A3B", "w4a16", 16.7),
    "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8": ("Qwen/Qwen2.5-7B", "int8-g128", 8.8),
    "unsloth/Qwen3-32B-GGUF:Q4_K_M": ("Qwen/Qwen3-32B", "q4_k_m", 19.8),
    "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q8_0":
        ("meta-llama/Llama-3.1-8B-Instruct", "q8_0", 8.54),
    "Llama-3.2-3B-Instruct-Q4_K_M.gguf": ("meta-llama/Llama-3.2-3B", "q4_k_m", 2.01),
    "meta-llama_Llama-3.3-70B-Instruct-Q4_K_M-00001-of-00002.gguf":
        ("meta-llama/Llama-3.3-70B-Instruct", "q4_k_m", 42.5),
    "llama-2-7b-chat.Q4_0.gguf": ("meta-llama/Llama-2-7b-hf", "q4_0", 3.83),
    "llama3.1:8b-instruct-q4_K_M": ("meta-llama/Llama-3.1-8B-Instruct", "q4_k_m", 4.92),
    "mlx-community/Qwen3-8B-4bit": ("Qwen/Qwen3-8B", "int4-g64-affine", 4.61),
    "lmstudio-community/Qwen3-8B-MLX-8bit": ("Qwen/Qwen3-8B", "int8-g64-affine", 8.70),
    "unsloth/llama-3-8b-bnb-4bit": ("meta-llama/Meta-Llama-3-8B", "nf4", 5.70),
    "unsloth/DeepSeek-V3-bf16": ("deepseek-ai/DeepSeek-V3", "bf16", 1342.1),
    "turboderp/Llama-3.1-8B-Instruct-exl2-4.0bpw":
        ("meta-llama/Llama-3.1-8B-Instruct", "exl2_4bpw", 4.93),
    "amd/DeepSeek-R1-0528-MXFP4-Preview": ("deepseek-ai/DeepSeek-R1", "mxfp4", 358.0),
}  # fmt: skip

#: other ways to write a name -> the entry
WAYS = {
    "llama 3.3 70b": "meta-llama/Llama-3.3-70B-Instruct",
    "LLAMA-3.3-70B": "meta-llama/Llama-3.3-70B-Instruct",
    "meta/llama-3.3-70b-instruct": "meta-llama/Llama-3.3-70B-Instruct",
    "llama3.3:70b": "meta-llama/Llama-3.3-70B-Instruct",
    "Llama-3_3-70B-Instruct": "meta-llama/Llama-3.3-70B-Instruct",
    "https://huggingface.co/Qwen/Qwen3-8B": "Qwen/Qwen3-8B",
    "hf.co/Qwen/Qwen3-8B": "Qwen/Qwen3-8B",
    "qwen3 8b": "Qwen/Qwen3-8B",
    "Qwen_Qwen3-8B": "Qwen/Qwen3-8B",
    "unsloth/gemma-3-27b-it": "google/gemma-3-27b-it",
    "gemma3:27b": "google/gemma-3-27b-it",
    "phi4": "microsoft/phi-4",
    "gpt oss 120b": "openai/gpt-oss-120b",
    "DeepSeek V3": "deepseek-ai/DeepSeek-V3",
    "deepseek-r1:70b": "meta-llama/Meta-Llama-3.1-70B",
}

#: refused -> what the sentence says
REFUSED = {
    "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF": ":Q4_K_M",
    "unsloth/Qwen3-8B-GGUF:UD-Q4_K_XL": "dynamic mixes",
    "Qwen3-32B-4bit": "which method made it is not said",
    "someone/Qwen3-32B-FP4": "nvfp4 .* or mxfp4",
    "someone/Qwen3-32B-int8": "weights alone",
    "turboderp/Llama-3.1-8B-Instruct-exl2": "bits",
    "unsloth/Qwen3-8B-GGUF:Q9_K_M": "no number format",
    "foo/Llama-9-8B-AWQ": "copy of 'llama-9-8b'.* Did you mean",
    "Qwen/Qwen3-8B-Heretic": "Did you mean 'Qwen/Qwen3-8B'",
    "NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO": "There is no model",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo": "Did you mean 'meta-llama/Llama-3.3-70B-Instruct'",
    " ": "is blank",
    "---": "There is no model",
}


@pytest.mark.parametrize("name", PLAIN)
def test_widely_used_ids_resolve_under_their_own_id(name):
    found = catalog.model(name)
    assert found.id == name
    assert counts(found).n_params == pytest.approx(PLAIN[name] * 1e9, rel=0.02)


def test_they_are_a_hundred_or_more():
    assert len(PLAIN) >= 100


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_the_base_model_in_the_format_that_the_name_says(name):
    base, stored, gigabytes = COPIES[name]
    found = catalog.model(name)
    assert found.id == name
    assert found.weight_dtype == catalog.dtype(stored).id
    assert shape(found) == shape(catalog.model(base))
    assert counts(found).weight_bytes == pytest.approx(gigabytes * 1e9, rel=0.02)
    assert "from its name" in found.notes


@pytest.mark.parametrize("name", WAYS)
def test_case_spaces_vendors_and_hubs_are_forgiven(name):
    assert shape(catalog.model(name)) == shape(catalog.model(WAYS[name]))
    assert catalog.model(name).weight_dtype == catalog.model(WAYS[name]).weight_dtype


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_name_does_not_say_is_refused(name):
    with pytest.raises(CatalogError, match=REFUSED[name]):
        catalog.model(name)


def test_conventions_by_part():
    mlx = catalog.model("mlx-community/Qwen3-8B-4bit")
    assert mlx.dtypes.get("embedding", mlx.weight_dtype) == mlx.weight_dtype
    awq = catalog.model("Qwen/Qwen3-8B-AWQ")
    assert (awq.dtypes["embedding"], awq.dtypes["head"]) == ("bf16", "bf16")
    nvfp4 = catalog.model("nvidia/DeepSeek-R1-FP4")
    assert (nvfp4.dtypes["attention"], nvfp4.kv_dtype) == ("bf16", "fp8")
    assert "attention" not in catalog.model("nvidia/Llama-3.3-70B-Instruct-FP4").dtypes


@pytest.mark.parametrize(
    ("name", "rel"),
    [
        ("nvidia/DeepSeek-V3.2-NVFP4", 0.03), ("nvidia/GLM-5-NVFP4", 0.03),
        ("nvidia/Kimi-K2.5-NVFP4", 0.03), ("nvidia/Qwen3-235B-A22B-NVFP4", 0.03),
        ("nvidia/Qwen3.5-397B-A17B-NVFP4", 0.03), ("nvidia/MiniMax-M2.5-NVFP4", 0.03),
        ("Qwen/Qwen3-32B-FP8", 0.01), ("zai-org/GLM-5-FP8", 0.01),
    ],
)  # fmt: skip
def test_a_copy_by_name_weighs_what_its_own_config_gives(name, rel):
    """Entries read from the real tables of a quantiser against the convention by name."""
    from_config = catalog.model(name)
    by_name = catalog.model(f"{name.replace('/', '/copy-of-', 1)}".replace("/copy-of-", "x/"))
    assert counts(by_name).weight_bytes == pytest.approx(counts(from_config).weight_bytes, rel=rel)


def test_shapes_that_differ_are_ambiguous(fresh_catalogue, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    for org, layers in (("a", 2), ("b", 3)):
        text = catalog.to_toml(catalog.model("Qwen/Qwen3-0.6B")).replace(
            "repeat = 28", f"repeat = {layers}"
        )
        text = text.replace("Qwen/Qwen3-0.6B", f"{org}/Pebble-1B")
        (tmp_path / "models" / f"{org}__Pebble-1B.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("RIDGELINE_CATALOG", str(tmp_path))
    fresh_catalogue()
    with pytest.raises(CatalogError, match="may mean a/Pebble-1B or b/Pebble-1B"):
        catalog.model("pebble 1b")
    assert catalog.model("b/Pebble-1B-AWQ").blocks[0].repeat == 3


_ACME = """id = "acme-mem"
name = "Acme Mem-1"
vendor = "Acme"
aliases = ["mem-1"]
[memory]
capacity = "96 GB"
bandwidth = "6 TB/s"
[peak]
bf16 = "400 TFLOP/s"
"""


def test_files_of_a_users_folder_are_known_by_the_ids_they_state(
    fresh_catalogue, tmp_path, monkeypatch
):
    for kind in ("chips", "clusters", "models"):
        (tmp_path / kind).mkdir()
    (tmp_path / "chips" / "lowr.toml").write_text(_ACME)
    (tmp_path / "clusters" / "box.toml").write_text(
        'id = "acme-8"\nname = "Acme 8"\nchip = "acme-mem"\ndomain_size = 8\n'
        'link = "400 GB/s"\nfabric = "switch"\n'
    )
    pebble = catalog.to_toml(catalog.model("Qwen/Qwen3-0.6B"))
    pebble = pebble.replace("Qwen/Qwen3-0.6B", "acme/Pebble-1B")
    (tmp_path / "models" / "mine.toml").write_text(pebble, encoding="utf-8")
    monkeypatch.setenv("RIDGELINE_CATALOG", str(tmp_path))
    fresh_catalogue()
    for name in ("acme-mem", "Acme_Mem", "mem-1", "lowr"):
        assert catalog.chip(name).id == "acme-mem"
    assert catalog.cluster("acme-8").chip.id == "acme-mem"
    assert catalog.machine_named("2xacme-mem").n_chips == 2
    for name in ("acme/Pebble-1B", "Pebble-1B", "mine"):
        assert catalog.model(name).id == "acme/Pebble-1B"
    assert {"acme-mem"} == set(catalog.entry_ids("chips")) & {"acme-mem", "lowr"}
    assert "acme/Pebble-1B" in catalog.entry_ids("models")

    (tmp_path / "chips" / "other.toml").write_text(_ACME)
    fresh_catalogue()
    with pytest.raises(CatalogError, match=r"lowr\.toml and .*other\.toml have the same id"):
        catalog.chip("h100-sxm")


def test_the_chip_of_a_cluster_lies_beside_it_under_any_file_name(tmp_path):
    (tmp_path / "lowr.toml").write_text(_ACME)
    box = tmp_path / "box.toml"
    box.write_text('id = "acme-1"\nname = "Acme 1"\nchip = "acme-mem"\n')
    assert catalog.cluster(str(box)).chip.name == "Acme Mem-1"
    gone = tmp_path / "gone.toml"
    gone.write_text('id = "acme-2"\nname = "Acme 2"\nchip = "acme-nix"\n')
    with pytest.raises(CatalogError, match=r"'acme-nix'.*gone\.toml names it"):
        catalog.cluster(str(gone))


def test_no_name_belongs_to_two_entries():
    seen: dict[str, str] = {}
    for path, names in other_names("models").items():
        for name in (path.stem.replace("__", "/"), *names):
            assert seen.setdefault(folded(name), path.stem) == path.stem, name
    assert len(known_names()) > 350


def test_aliases_are_found_without_reading_whole_files():
    whole = {p: tuple(read_toml(p).get("aliases", ())) for p in index("models").values()}
    assert other_names("models") == whole
    assert aliases("chips")["h100-sxm5"].stem == "h100-sxm"


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("llama 3.3", "meta-llama/Llama-3.3-70B-Instruct"),
        ("llama-3.1-70", "meta-llama/Llama-3.1-70B"),
        ("Qwen3-8C", "Qwen/Qwen3-8B"),
        ("mixtral 8x7", "mistralai/Mixtral-8x7B-v0.1"),
        ("deepseek-v33", "deepseek-ai/DeepSeek-V3"),
    ],
)
def test_suggestions_rank_words_and_numbers_before_letters(typed, first):
    assert nearest(typed, known_names(), 1) == [first]


def test_names_are_taken_apart():
    named = parsed("https://huggingface.co/unsloth/Qwen3-32B-GGUF:Q4_K_M")
    assert (named.organisation, named.base) == ("unsloth", "qwen3-32b")
    assert key("Meta-Llama-3.1-8B") == key("llama3.1:8b") != key("llama-3.18b")


#: names of chips as drivers and makers print them -> entry
CHIPS = {
    "NVIDIA H100 80GB HBM3": "h100-sxm", "NVIDIA H100 PCIe": "h100-pcie", "h100 sxm5": "h100-sxm",
    "NVIDIA H100 NVL": "h100-nvl", "NVIDIA A100-SXM4-80GB": "a100-80gb-sxm",
    "NVIDIA A100-SXM4-40GB": "a100-40gb-sxm", "NVIDIA A100 80GB PCIe": "a100-80gb-pcie",
    "NVIDIA H200": "h200-sxm", "NVIDIA B200": "b200-sxm", "NVIDIA B300 SXM6 AC": "b300-sxm",
    "NVIDIA GH200 480GB": "gh200-96gb", "NVIDIA L40S": "l40s", "NVIDIA GB10": "dgx-spark-gb10",
    "NVIDIA GeForce RTX 4090": "rtx-4090", "NVIDIA RTX 6000 Ada Generation": "rtx-6000-ada",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "rtx-pro-6000-server",
    "AMD Instinct MI300X": "mi300x", "mi300x oam": "mi300x",
    "AMD Radeon RX 7900 XTX": "rx-7900-xtx",
    "Apple M2 Ultra": "apple-m2-ultra", "Apple M4 Max": "apple-m4-max", "TPU v5 lite": "tpu-v5e",
    "Google TPU v5p": "tpu-v5p", "Intel Gaudi 3": "gaudi3",
    "Intel(R) Data Center GPU Max 1550": "intel-max-1550",
    "NVIDIA H200 NVL": "h200-nvl", "NVIDIA GB200": "gb200", "NVIDIA GB300": "gb300",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "rtx-pro-6000-workstation",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "rtx-pro-6000-max-q",
    "NVIDIA RTX 5000 Ada Generation": "rtx-5000-ada", "NVIDIA RTX A6000": "rtx-a6000",
    "NVIDIA GeForce RTX 4080": "rtx-4080", "NVIDIA GeForce RTX 4070 Ti": "rtx-4070-ti",
    "NVIDIA GeForce RTX 5090": "rtx-5090", "NVIDIA GeForce RTX 3090": "rtx-3090",
    "NVIDIA H20": "h20", "NVIDIA H800": "h800-sxm", "NVIDIA A10G": "a10g", "NVIDIA A40": "a40",
    "NVIDIA L4": "l4", "AMD Instinct MI325X": "mi325x", "AMD Instinct MI355X": "mi355x",
    "AMD Instinct MI350X": "mi350x", "AMD Instinct MI210": "mi210",
    "Apple M3 Ultra": "apple-m3-ultra",
    "TPU v6 lite": "tpu-v6e", "TPU v4": "tpu-v4", "TPU v5": "tpu-v5p", "TPU7x": "tpu-v7",
    "HL-225": "gaudi2", "HL-325L": "gaudi3", "Ascend 950PR": "ascend-950pr",
}  # fmt: skip


@pytest.mark.parametrize("name", CHIPS)
def test_chips_by_the_names_that_drivers_print(name):
    assert catalog.chip(name).id == CHIPS[name]
    assert catalog.machine_named(f"1x {name}").n_chips == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("NVIDIA A100-PCIE-40GB", "a100-40gb-sxm"),
        ("NVIDIA RTX PRO 5000 Blackwell", "rtx-pro-6000-server"),
        ("Tesla-V100-SXM2-32GB", "There is no"),
        ("NVIDIA", "There is no"),
    ],
)
def test_chips_that_are_not_there_are_not_taken_for_others(name, says):
    with pytest.raises(CatalogError, match=says):
        catalog.machine_named(name)


@pytest.mark.parametrize(
    ("kind", "words", "first"),
    [
        ("models", ["llama", "3.3"], "meta-llama/Llama-3.3-70B-Instruct"),
        ("models", ["llama 3.3"], "meta-llama/Llama-3.3-70B-Instruct"),
        ("models", ["qwen3", "4b"], "Qwen/Qwen3-4B"),
        ("models", ["phi", "4"], "microsoft/phi-4"),
        ("chips", ["mi300"], "mi300x"),
        ("clusters", ["nvl72", "gb200"], "gb200-nvl72"),
    ],
)
def test_search_ranks_what_was_typed(kind, words, first):
    assert catalog.find(kind, words)[0] == first


def test_search_finds_a_generation():
    blackwell = {"b200-sxm", "b300-sxm", "gb200", "gb300", "rtx-5090", "dgx-spark-gb10"}
    blackwell |= {f"rtx-pro-6000-{edition}" for edition in ("server", "workstation", "max-q")}
    assert set(catalog.find("chips", ["Blackwell"])) == blackwell
    assert catalog.find("chips", ["zz"]) == []
