"""Headers of GGUF files: shape, formats and bytes of models; and files that are none."""

from __future__ import annotations

import builtins
import os
import shutil
import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest

import ridgeline as rl
from ridgeline.errors import ConfigError, MissingExtraError
from ridgeline.readers import gguf_config
from ridgeline.readers.families import known_model_types
from ridgeline.readers.gguf_config import config_of
from ridgeline.readers.gguf_file import read_gguf
from ridgeline.readers.gguf_header import GgufHeader, GgufTensor
from ridgeline.steps import counts

gguf_samples = pytest.importorskip("gguf_samples", reason="needs the library gguf")

LLAMA = {
    "block_count": 4, "embedding_length": 512, "feed_forward_length": 1536, "context_length": 8192,
    "attention.head_count": 8, "attention.head_count_kv": 2, "general.file_type": 15,
}  # fmt: skip
TENSORS = gguf_samples.llama_like(
    4, 512, 1536, 8, 2, 64, 3200, base="q4_k", output="q6_k", ffn_down="q6_k"
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return gguf_samples.write_gguf(tmp_path / "small-Q4_K_M.gguf", "llama", LLAMA, TENSORS, 3200)


def _bytes(tensors: Any) -> int:
    return sum(gguf_samples.bytes_of(*t) for t in tensors.values())


def test_a_file_is_a_model_whose_parts_take_the_files_own_bytes(small: Path) -> None:
    model = rl.model(str(small))
    count = counts(model)
    assert (model.id, model.weight_dtype, model.family) == ("small-Q4_K_M", "q4_k_m", "llama")
    assert (model.vocab_size, model.tied, model.blocks[0].repeat) == (3200, False, 4)
    assert count.weight_bytes == pytest.approx(_bytes(TENSORS), rel=1e-5)
    by_part = count.weight_bytes_by_part
    assert by_part["embedding"] == gguf_samples.bytes_of((512, 3200), "q4_k")
    assert by_part["head"] == gguf_samples.bytes_of((512, 3200), "q6_k")
    gate, down = (gguf_samples.bytes_of((512, 1536), k) for k in ("q4_k", "q6_k"))
    assert by_part["ffn"] == pytest.approx(4 * (2 * gate + down), rel=1e-5)
    assert not model.notes


def test_a_file_is_answered_like_a_model_with_its_own_engine(small: Path) -> None:
    answer = rl.serving(str(small), "apple-m4-max", batch=1)
    assert answer.replica.engine.id == "llama.cpp"


def test_without_an_output_tensor_the_embedding_serves_as_head(tmp_path: Path) -> None:
    tensors = {n: t for n, t in TENSORS.items() if n != "output.weight"}
    path = gguf_samples.write_gguf(tmp_path / "tied.gguf", "llama", LLAMA, tensors)
    assert read_gguf(path).tied


def test_files_that_hold_more_than_the_shape_say_so(tmp_path: Path) -> None:
    more = TENSORS | {"blk.0.attn_extra.weight": ((512, 4096), "q4_k")}
    path = gguf_samples.write_gguf(tmp_path / "more.gguf", "llama", LLAMA, more)
    model = read_gguf(path)
    assert "Of attention the files hold" in model.notes
    assert counts(model).weight_bytes == pytest.approx(_bytes(more), rel=1e-5)


# ------------------------------------------------------------------ split files


def _split(folder: Path, numbers: tuple[int, ...], count: int = 3) -> list[Path]:
    names = sorted(TENSORS)
    paths = []
    for i in numbers:
        own = {n: TENSORS[n] for n in names[i - 1 :: count]}
        stated = {"split.count": count, "split.no": i - 1, "split.tensors.count": len(TENSORS)}
        metadata = (LLAMA if i == 1 else {}) | stated
        path = folder / f"big-{i:05d}-of-{count:05d}.gguf"
        paths.append(gguf_samples.write_gguf(path, "llama", metadata, own))
    return paths


@pytest.mark.parametrize("given", [0, 2])
def test_a_split_model_is_read_from_any_of_its_files(tmp_path: Path, given: int) -> None:
    paths = _split(tmp_path, (1, 2, 3))
    model = read_gguf(paths[given])
    assert counts(model).weight_bytes == pytest.approx(_bytes(TENSORS), rel=1e-5)
    assert counts(rl.model(str(tmp_path))).weight_bytes == counts(model).weight_bytes


def test_missing_parts_are_named(tmp_path: Path) -> None:
    paths = _split(tmp_path, (1, 3))
    with pytest.raises(ConfigError, match=r"missing beside it: big-00002-of-00003\.gguf"):
        read_gguf(paths[0])


def test_a_renamed_part_is_refused(tmp_path: Path) -> None:
    renamed = _split(tmp_path, (1,))[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ConfigError, match="one of 3 files"):
        read_gguf(renamed)


# ------------------------------------------------------------------ architectures


def _config(arch: str, metadata: dict[str, Any], *tensors: str) -> dict[str, Any]:
    names = {"token_embd.weight": ((64, 96), "f32"), **dict.fromkeys(tensors, ((64,), "f32"))}
    held = tuple(_tensor(name, kind, shape) for name, (shape, kind) in names.items())
    metadata = {"block_count": 2} | metadata
    own = {"general.architecture": arch} | {f"{arch}.{k}": v for k, v in metadata.items()}
    return config_of(GgufHeader(Path("x.gguf"), own, held))


def _tensor(name: str, kind: str, shape: tuple[int, ...]) -> Any:
    return GgufTensor(name, kind, shape, gguf_samples.bytes_of(shape, kind))


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"'qwen9' is not known\. Did you mean 'qwen'"):
        _config("qwen9", {})
    with pytest.raises(ConfigError, match="no language model"):
        config_of(GgufHeader(Path("x"), {"general.type": "adapter"}, ()))


def test_every_architecture_names_a_family_of_the_readers() -> None:
    table = tomllib.loads(
        Path(gguf_config.__file__).with_name("gguf_architectures.toml").read_text()
    )["arch"]
    known = set(known_model_types())
    for arch in table:
        for metadata in ({}, {"expert_count": 8}):
            assert _config(arch, metadata)["model_type"] in known, arch


def test_windows_and_hybrids_follow_lists_and_tensors() -> None:
    pattern = {"block_count": 3, "attention.sliding_window_pattern": [True, True, False]}
    found = _config("gemma3", pattern | {"attention.sliding_window": 512})
    assert found["layer_types"] == ["sliding_attention", "sliding_attention", "full_attention"]
    hybrid = _config(
        "lfm2", {"block_count": 2, "attention.head_count_kv": [0, 8], "attention.head_count": 32},
        "blk.0.shortconv.conv.weight", "blk.1.attn_q.weight",
    )  # fmt: skip
    assert hybrid["layer_types"] == ["conv", "full_attention"]
    assert hybrid["num_key_value_heads"] == 8


# ------------------------------------------------------------------ what is no such file


def _refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_gguf(path)
    return str(caught.value)


def test_files_that_are_none_are_a_sentence(tmp_path: Path, small: Path) -> None:
    whole = small.read_bytes()
    for name, data, words in [
        ("empty", b"", "is empty"),
        ("text", b"hello, this is text", "does not begin with the letters GGUF"),
        ("header", whole[:200], "cut off"),
        ("magic", whole[:4], "cut off"),
        ("data", whole[:-40_000], "cut off"),
    ]:
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(data)
        assert words in _refused(path), name
    assert "no such file" in _refused(tmp_path / "absent.gguf")
    assert "is a folder" in _refused(tmp_path)
    assert "not a regular file" in _refused(Path("/dev/zero"))


def test_a_config_beside_gguf_files_alone_is_the_originals(small: Path) -> None:
    (small.parent / "config.json").write_text('{"model_type": "llama"}')
    assert rl.model(str(small.parent)).dtypes["ffn"] == rl.model(str(small)).dtypes["ffn"]
    shutil.copy(small, small.with_name("m-Q8_0.gguf"))
    with pytest.raises(ConfigError, match="holds several models"):
        rl.model(str(small.parent))


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.gguf"
    os.mkfifo(fifo)
    assert "not a regular file" in _refused(fifo)


_HEAD = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q1s", 1, b"k")


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<IIQ", 9, 4, 2**60),  # a list of 2^60 numbers
        struct.pack("<IIQ", 9, 8, 2**60),  # and of texts
        struct.pack("<IIQ", 9, 9, 2**60),  # and of lists
        struct.pack("<IQ", 8, 2**63),  # a text longer than the file
        struct.pack("<I", 77),  # a type that is none
    ],
)
def test_lengths_are_not_trusted(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "bomb.gguf"
    path.write_bytes(_HEAD + body + bytes(4096))
    assert "is not a GGUF file that can be read" in _refused(path)


def test_absurd_depths_are_refused_at_once(tmp_path: Path) -> None:
    path = gguf_samples.write_gguf(
        tmp_path / "deep.gguf", "jamba", LLAMA | {"block_count": 2**32 - 1}, TENSORS
    )
    assert "1 to 10,000 layers are what a model has" in _refused(path)


@pytest.mark.parametrize("counts_", [(2**60, 0), (0, 2**60), (2**60, 2**60)])
def test_absurd_counts_are_refused_at_once(tmp_path: Path, counts_: tuple[int, int]) -> None:
    path = tmp_path / "bomb.gguf"
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, *counts_) + bytes(4096))
    assert "it says that it has" in _refused(path)


def test_without_the_library_the_extra_is_named(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("ridgeline.readers.gguf_library"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"ridgeline\[gguf\]"):
        read_gguf(small)
