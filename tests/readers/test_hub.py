"""Fetching from the HuggingFace hub, against a client that answers from memory."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import ridgeline as rl
from ridgeline import catalog
from ridgeline.cli import main
from ridgeline.errors import CatalogError, ConfigError, MissingExtraError
from ridgeline.readers.hub import is_hub_id
from ridgeline.steps import counts

REPO = "someone/tiny-model"
CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 160, "vocab_size": 512,
    "max_position_embeddings": 2048, "tie_word_embeddings": False,
}  # fmt: skip


class GatedRepoError(Exception):
    """As the client names it."""


class _Hub:
    """A repository in a folder, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.tensors: dict[str, Any] = {}
        self.error: Exception | None = None

    def _say(self, what: str) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error

    def list_repo_files(self, repository: str) -> list[str]:
        self._say(f"list {repository}")
        return sorted(p.name for p in self.folder.iterdir())

    def hf_hub_download(self, repository: str, name: str) -> str:
        self._say(f"get {repository}/{name}")
        return str(self.folder / name)

    def get_safetensors_metadata(self, repository: str) -> Any:
        self._say(f"headers {repository}")
        return SimpleNamespace(files_metadata={"f": SimpleNamespace(tensors=self.tensors)})

    def open(self, path: str, mode: str) -> io.BytesIO:
        self._say(f"open {path}")
        return io.BytesIO((self.folder / path.rpartition("/")[2]).read_bytes())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Hub:
    found = _Hub(tmp_path)
    module = ModuleType("huggingface_hub")
    for name in ("HfApi", "HfFileSystem"):
        setattr(module, name, lambda: found)
    module.hf_hub_download = found.hf_hub_download  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return found


def _write(hub: _Hub, name: str, content: object) -> None:
    (hub.folder / name).write_text(json.dumps(content))


def test_a_config_is_fetched_and_nothing_of_the_weights(hub: _Hub) -> None:
    _write(hub, "config.json", CONFIG)
    (hub.folder / "pytorch_model.bin").write_bytes(b"x")
    model = catalog.model(REPO, fetch=True)
    assert (model.id, model.d_model) == (REPO, 64)
    assert hub.asked == [f"list {REPO}", f"get {REPO}/config.json"]


def test_files_that_say_how_weights_are_quantised_come_along(hub: _Hub) -> None:
    _write(hub, "config.json", CONFIG)
    _write(hub, "hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}})
    assert catalog.model(REPO, fetch=True).weight_dtype == "fp8"


def test_headers_of_weights_check_the_config(hub: _Hub) -> None:
    _write(hub, "config.json", CONFIG)
    _write(hub, "model.safetensors.index.json", {})
    n = 64 * 512
    hub.tensors = {
        name: SimpleNamespace(dtype="F32", parameter_count=n, data_offsets=(0, 4 * n))
        for name in ("model.embed_tokens.weight", "lm_head.weight")
    }
    model = catalog.model(REPO, fetch=True)
    assert counts(model).weight_bytes_by_part["embedding"] == 4 * n
    assert "embedding 131 kB in the files" in model.notes
    assert f"headers {REPO}" in hub.asked


def test_the_header_of_a_gguf_file_is_read_by_its_format(hub: _Hub) -> None:
    samples = pytest.importorskip("gguf_samples")
    metadata = {
        "block_count": 1, "embedding_length": 256, "feed_forward_length": 512,
        "context_length": 512, "attention.head_count": 4, "general.file_type": 15,
    }  # fmt: skip
    for kind in ("Q4_K", "Q8_0"):
        tensors = samples.llama_like(1, 256, 512, 4, 4, 64, 512, base=kind.lower())
        samples.write_gguf(hub.folder / f"tiny-{kind}.gguf", "llama", metadata, tensors)
    with pytest.raises(ConfigError, match=r"several GGUF files: tiny-Q4_K, tiny-Q8_0\. Add"):
        catalog.model(REPO, fetch=True)
    with pytest.raises(ConfigError, match="no 'Q6_K' among its GGUF files"):
        catalog.model(f"{REPO}:Q6_K", fetch=True)
    model = catalog.model(f"{REPO}:q8_0", fetch=True)
    assert model.dtypes["ffn"] == "q8_0"
    assert "get" not in " ".join(hub.asked)
    # Repositories of GGUF files often hold the config of the original.
    _write(hub, "config.json", CONFIG)
    with pytest.raises(ConfigError, match="several GGUF files"):
        catalog.model(REPO, fetch=True)
    (hub.folder / "tiny-Q4_K.gguf").unlink()
    assert catalog.model(REPO, fetch=True).dtypes["ffn"] == "q8_0"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GatedRepoError("403 Client Error\nlong text"), "access is granted by its owner"),
        (OSError("Network is unreachable"), "cannot be fetched .*Network is unreachable"),
        (TimeoutError(), "cannot be fetched from the HuggingFace hub: TimeoutError"),
        (ValueError("x" * 999), "cannot be fetched"),
    ],
)
def test_every_failure_is_a_sentence(hub: _Hub, error: Exception, words: str) -> None:
    hub.error = error
    with pytest.raises(ConfigError, match=words) as caught:
        catalog.model(REPO, fetch=True)
    assert len(str(caught.value)) < 400


def test_a_repository_without_a_model_says_so(hub: _Hub) -> None:
    (hub.folder / "README.md").write_text("nothing")
    with pytest.raises(ConfigError, match=r"neither a config\.json nor a \.gguf file"):
        catalog.model(REPO, fetch=True)


def test_nothing_is_asked_of_the_hub_unless_the_user_does(hub: _Hub) -> None:
    with pytest.raises(CatalogError, match="--fetch reads one from the HuggingFace hub"):
        rl.model(REPO)
    rl.model("Qwen/Qwen3-8B")
    assert hub.asked == []


def test_a_path_is_read_where_it_lies(hub: _Hub, tmp_path: Path) -> None:
    _write(hub, "config.json", CONFIG)
    assert catalog.model(str(tmp_path), fetch=True).d_model == 64
    assert hub.asked == []


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"ridgeline\[hub\]"):
        catalog.model(REPO, fetch=True)


@pytest.mark.parametrize("name", ["llama", "a/b/c", "../not-there", "a/b:c d", "/etc/x", ""])
def test_names_that_the_hub_cannot_have(hub: _Hub, name: str) -> None:
    assert not is_hub_id(name)
    with pytest.raises(ConfigError, match="no name of the hub"):
        catalog.model(name or "nothing", fetch=True)
    assert hub.asked == []


@pytest.mark.parametrize(
    "command",
    [
        ["models", REPO],
        ["serving", REPO, "--on", "h100-sxm", "--batch", "1"],
        ["layouts", REPO, "--on", "h100-sxm", "--context", "1024"],
        ["tiers", REPO, "--on", "h100-sxm"],
    ],
)
def test_commands_fetch_when_told(
    hub: _Hub, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _write(hub, "config.json", CONFIG)
    assert main([*command, "--fetch"]) == 0
    assert hub.asked[0] == f"list {REPO}"
    capsys.readouterr()
