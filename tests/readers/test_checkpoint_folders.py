"""Folders of HuggingFace checkpoints: headers of safetensors check counts and give the bytes."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.errors import ConfigError
from ridgeline.readers.checkpoint import part_of
from ridgeline.readers.safetensors_header import read_safetensors
from ridgeline.steps import counts

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 160, "vocab_size": 512,
    "torch_dtype": "bfloat16", "max_position_embeddings": 2048,
}  # fmt: skip
Shapes = dict[str, tuple[tuple[int, ...], str]]
_BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4, "F16": 2}


def _tensors(**kinds: str) -> Shapes:
    d, ff, kv = 64, 160, 32
    layer = {
        "self_attn.q_proj": (d, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d), "mlp.gate_proj": (ff, d), "mlp.up_proj": (ff, d),
        "mlp.down_proj": (d, ff), "input_layernorm": (d,), "post_attention_layernorm": (d,),
    }  # fmt: skip
    found: Shapes = {
        "model.embed_tokens.weight": ((512, d), "BF16"),
        "lm_head.weight": ((512, d), "BF16"),
        "model.norm.weight": ((d,), "BF16"),
    }
    for i in range(2):
        for name, shape in layer.items():
            kind = next((k for start, k in kinds.items() if name.startswith(start)), "BF16")
            found[f"model.layers.{i}.{name}.weight"] = (shape, kind)
    return found


def _size(shape: tuple[int, ...], kind: str) -> int:
    n = 1
    for d in shape:
        n *= d
    return n * _BYTES[kind]


def _write(path: Path, tensors: Shapes, *, cut: int = 0) -> Path:
    table, at = {}, 0
    for name, (shape, kind) in tensors.items():
        end = at + _size(shape, kind)
        table[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps({"__metadata__": {"format": "pt"}, **table}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(max(at - cut, 0)))
    return path


def _folder(tmp_path: Path, tensors: Shapes, config: dict[str, Any] | None = None) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **(config or {})}))
    _write(tmp_path / "model.safetensors", tensors)
    return tmp_path


def _total(tensors: Shapes) -> int:
    return sum(_size(*t) for t in tensors.values())


def test_files_that_agree_with_the_config_change_nothing(tmp_path: Path) -> None:
    folder = _folder(tmp_path, _tensors())
    model = rl.model(str(folder))
    assert counts(model).weight_bytes == _total(_tensors())
    assert (model.dtypes, model.notes) == ({}, "")


def test_parts_that_the_config_does_not_describe_take_the_files_bytes(tmp_path: Path) -> None:
    tensors = _tensors(**{"mlp.": "F8_E4M3"})
    model = rl.model(str(_folder(tmp_path, tensors)))
    assert counts(model).weight_bytes == _total(tensors)
    assert model.dtypes == {"ffn": "fp8"}
    assert "ffn 61.4 kB in the files, 123 kB by the config" in model.notes
    assert "(-50%). The files are used." in model.notes


def test_scales_beside_weights_count(tmp_path: Path) -> None:
    tensors = _tensors(**{"mlp.": "F8_E4M3"})
    scales: Shapes = {
        f"model.layers.{i}.mlp.{n}_proj.weight_scale": ((160,), "F32")
        for i in range(2)
        for n in ("gate", "up", "down")
    }
    config = {
        "quantization_config": {"quant_method": "fp8", "ignored_layers": ["re:.*self_attn.*"]}
    }
    model = rl.model(str(_folder(tmp_path, tensors | scales, config)))
    assert counts(model).weight_bytes == pytest.approx(_total(tensors | scales), rel=1e-5)
    assert rl.serving(str(tmp_path), "h100-sxm", batch=1).counts.dtypes


def test_a_packed_format_keeps_the_configs_name(tmp_path: Path) -> None:
    tensors: Shapes = {}
    for name, (shape, kind) in _tensors().items():
        if ".mlp." in name or ".self_attn." in name:
            module = name.removesuffix(".weight")
            tensors[f"{module}.qweight"] = ((shape[0] // 8, shape[1]), "I32")
            tensors[f"{module}.scales"] = ((shape[0] // 32, shape[1]), "F16")
            tensors[f"{module}.qzeros"] = ((shape[0] // 32, max(shape[1] // 8, 1)), "I32")
        else:
            tensors[name] = (shape, kind)
    quantised = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}
    model = rl.model(str(_folder(tmp_path, tensors, quantised)))
    assert counts(model).weight_bytes == pytest.approx(_total(tensors), rel=1e-4)
    assert {d.compute for n, d in counts(model).dtypes.items() if n.startswith("int4")} == {
        ("bf16",)
    }


def test_encoders_and_prediction_layers_are_none_of_the_models(tmp_path: Path) -> None:
    more: Shapes = {
        "vision_tower.blocks.0.attn.qkv.weight": ((640, 640), "BF16"),
        "model.layers.2.self_attn.q_proj.weight": ((640, 640), "BF16"),
    }
    model = rl.model(str(_folder(tmp_path, _tensors() | more)))
    assert counts(model).weight_bytes == _total(_tensors())
    assert not model.notes


def test_a_part_that_is_missing_is_said(tmp_path: Path) -> None:
    tensors = {n: t for n, t in _tensors().items() if n != "lm_head.weight"}
    assert "head is not in the files" in rl.model(str(_folder(tmp_path, tensors))).notes


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.embed_tokens.weight", "embedding"),
        ("transformer.wte.weight", "embedding"),
        ("embed.weight", "embedding"),
        ("head.weight", "head"),
        ("mlp1.1.weight", "outside"),
        ("language_model.lm_head.weight", "head"),
        ("model.layers.0.self_attn.q_proj.weight_packed", "attention"),
        ("model.layers.0.self_attn.kv_a_proj_with_mqa.weight_scale_inv", "attention"),
        ("model.layers.0.self_attn.kv_a_layernorm.weight", "other"),
        ("model.layers.0.self_attn.sinks", "other"),
        ("model.layers.0.self_attn.indexer.wk.weight", "indexer"),
        ("transformer.h.1.attn.c_attn.weight", "attention"),
        ("model.layers.1.block_sparse_moe.gate.weight", "router"),
        ("model.layers.1.block_sparse_moe.experts.7.w1.weight", "experts"),
        ("model.layers.1.mlp.experts.gate_up_proj_blocks", "experts"),
        ("model.layers.1.mlp.router.weight", "router"),
        ("model.layers.1.mlp.gate.e_score_correction_bias", "other"),
        ("model.layers.1.mlp.shared_expert_gate.weight", "shared_experts"),
        ("model.layers.1.mlp.shared_experts.up_proj.qweight", "shared_experts"),
        ("model.layers.1.mlp.gate_proj.scales", "ffn"),
        ("model.layers.1.mlp.down_proj.weight.absmax", "ffn"),
        ("model.layers.1.linear_attn.conv1d.weight", "other"),
        ("backbone.layers.1.mixer.up_proj.weight", "ffn"),
        ("model.visual.blocks.0.attn.qkv.weight", "outside"),
        ("model.layers.61.self_attn.q_proj.weight", "mtp"),
        ("mtp.layers.0.mlp.up_proj.weight", "mtp"),
    ],
)
def test_names_of_tensors_tell_their_part(name: str, part: str) -> None:
    assert part_of(name, [True, True]) == part


def test_projections_of_a_layer_without_attention_are_recurrent() -> None:
    assert part_of("model.layers.0.self_attn.q_proj.weight", [False, True]) == "recurrent"


# ------------------------------------------------------------------ shards


def _sharded(tmp_path: Path, *, index: bool) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    tensors = _tensors()
    table = {}
    for i in (1, 2):
        own = dict(list(tensors.items())[i - 1 :: 2])
        name = f"model-{i:05d}-of-00002.safetensors"
        _write(tmp_path / name, own)
        table |= dict.fromkeys(own, name)
    if index:
        text = json.dumps({"weight_map": table})
        (tmp_path / "model.safetensors.index.json").write_text(text)
    return tmp_path


@pytest.mark.parametrize("index", [True, False])
def test_shards_are_read_together_and_missing_ones_named(tmp_path: Path, index: bool) -> None:
    folder = _sharded(tmp_path, index=index)
    assert counts(rl.model(str(folder))).weight_bytes == _total(_tensors())
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"lacks 1 of the 2 files.*model-00002-of-00002"):
        rl.model(str(folder))
    # An index without any of its files is how people keep a config: that is no fault.
    (folder / "model-00001-of-00002.safetensors").unlink()
    assert counts(rl.model(str(folder))).weight_bytes == _total(_tensors())


def test_an_index_may_not_lead_elsewhere(tmp_path: Path) -> None:
    folder = _folder(tmp_path, _tensors())
    index = {"weight_map": {"lm_head.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError, match="is no index"):
        rl.model(str(folder))


# ------------------------------------------------------------------ what is no such file


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut off"),
        (struct.pack("<Q", 2**63) + bytes(64), "cut off"),
        (struct.pack("<Q", 99_999_999) + bytes(64), "cut off"),
        (struct.pack("<Q", 32) + b"x" * 32, "not JSON"),
        (struct.pack("<Q", 32) + b"[" * 32, "not JSON"),
        (struct.pack("<Q", 2) + b"[]", "no table"),
        (struct.pack("<Q", 10) + b'{"a": [1]}', "'a' does not hold together"),
        (
            struct.pack("<Q", 60)
            + b'{"a":{"dtype":"BF16","shape":[-1],"data_offsets":[0,2]}}'.ljust(60),
            "does not hold together",
        ),
    ],
)
def test_headers_are_not_trusted(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words):
        read_safetensors(path)


def test_cut_files_and_what_is_none_are_refused(tmp_path: Path) -> None:
    cut = _write(tmp_path / "cut.safetensors", _tensors(), cut=100)
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path, words in [
        (cut, "is cut off: its tensors take"),
        (tmp_path / "pipe.safetensors", "not a regular file"),
        (tmp_path / "absent.safetensors", "no such file"),
    ]:
        with pytest.raises(ConfigError, match=words):
            read_safetensors(path)
