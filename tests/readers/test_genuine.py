"""The catalogue against its configs, transformers' counts and published figures."""

# Records are unions by kind; a test knows which kind it asked for.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false, reportOptionalSubscript=false

from __future__ import annotations

import csv
import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from ridgeline.catalog import dtype
from ridgeline.catalog._copies import shape
from ridgeline.errors import RidgelineError
from ridgeline.readers import read_config
from ridgeline.specs import Model
from ridgeline.steps import counts

_ROOT = Path(__file__).parents[2]
_CATALOG = sorted((_ROOT / "src" / "ridgeline" / "catalog" / "models").glob("*.toml"))
_CONFIGS = _ROOT.parent / "shared" / "hf_configs"
_GENUINE = sorted(_CONFIGS.glob("*.json"))
_DERIVED = sorted((_CONFIGS / "derived").glob("*.json"))
_DOCS = (_ROOT / "docs" / "model-counts.md").read_text(encoding="utf-8")
needs_configs = pytest.mark.skipif(not _GENUINE, reason="the genuine configs are not here")

with (_ROOT / "tests" / "oracles" / "parameter_counts.csv").open(newline="") as _file:
    _ORACLE = {r["id"]: int(r["n_params"]) for r in csv.DictReader(_file)}


@cache
def _entry(path: Path) -> Model:
    return Model.parse(tomllib.loads(path.read_text(encoding="utf-8")), where=path.name)


@cache
def _counts(path: Path):
    return counts(_entry(path))


@cache
def _script():
    spec = importlib.util.spec_from_file_location(
        "import_models", _ROOT / "scripts" / "import_models.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", _CATALOG, ids=lambda p: p.stem)
def test_entry_counts_as_transformers_does(path):
    known = _ORACLE.get(_entry(path).id)
    assert known is None or _counts(path).n_params == known


def test_entries_without_an_oracle_have_the_published_count_or_a_knownshape():
    checked = [shape(_entry(p)) for p in _CATALOG if _entry(p).id in _ORACLE]
    rest = [p for p in _CATALOG if _entry(p).id not in _ORACLE]
    published = {
        p for p in rest
        if (known := _entry(p).published) and known.n_params
        and abs(_counts(p).n_params / known.n_params - 1) < 0.01
    }  # fmt: skip
    checked += [shape(_entry(p)) for p in published]
    unchecked = {_entry(p).id for p in rest if shape(_entry(p)) not in checked}
    assert unchecked <= {"moonshotai/Kimi-K3", "nvidia/Llama-3_3-Nemotron-Super-49B-v1"}
    assert len(_CATALOG) - len(rest) >= 110


@pytest.mark.parametrize("path", _CATALOG, ids=lambda p: p.stem)
def test_cache_per_token_is_exactly_the_published(path):
    published = _entry(path).published
    if published is None or published.kv_bytes_per_token_bf16 is None:
        pytest.skip("no published cache size")
    scale = dtype(_entry(path).kv_dtype).bits / 16
    assert _counts(path).kv_bytes_per_token == published.kv_bytes_per_token_bf16 * scale


def _misses() -> tuple[set[str], int]:
    known = [p for p in _CATALOG if _entry(p).published and _entry(p).published.n_params]
    far = {
        _entry(p).id
        for p in known
        if abs(_counts(p).n_params / _entry(p).published.n_params - 1) > 0.01
    }
    return far, len(known)


def test_most_totals_are_within_one_percent_and_the_rest_explained():
    far, n = _misses()
    assert len(far) <= 0.15 * n
    rows = [line for line in _DOCS.splitlines() if line.startswith("| `")]
    explained = {re.match(r"\| `([^`]+)`", row)[1] for row in rows}
    assert far <= explained


@needs_configs
@pytest.mark.parametrize("path", _GENUINE, ids=lambda p: p.stem)
def test_entry_is_what_the_reader_gives(path):
    entry = _entry(_ROOT / "src" / "ridgeline" / "catalog" / "models" / f"{path.stem}.toml")
    model = _script().entry(path, None, None)
    same = {"published": None, "sources": {}, "aliases": ()}
    assert entry.model_copy(update=same) == model.model_copy(update=same)


_QUANTISED = sorted(p for p in (_CONFIGS / "quantized").glob("*") if (p / "config.json").exists())


@pytest.mark.skipif(not _QUANTISED, reason="the quantised configs are not here")
@pytest.mark.parametrize("path", _QUANTISED, ids=lambda p: p.name)
def test_quantised_entry_is_what_the_reader_gives(path):
    entry = _entry(_ROOT / "src" / "ridgeline" / "catalog" / "models" / f"{path.name}.toml")
    model = _script().entry(path, None, None)
    same = {"published": None, "sources": {}, "aliases": ()}
    assert entry.model_copy(update=same) == model.model_copy(update=same)


@needs_configs
def test_names_come_from_the_files():
    assert read_config(_GENUINE[0]).id == _GENUINE[0].stem.replace("__", "/")


@needs_configs
@pytest.mark.parametrize("path", _DERIVED, ids=lambda p: p.stem)
def test_class_defaults_read_or_are_refused_in_words(path):
    try:
        model = read_config(path)
    except RidgelineError as error:
        assert len(str(error)) > 40
    else:
        assert counts(model).n_params > 0


def test_entries_are_readable(tmp_path):
    for path in _CATALOG:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^order = \[$", text, re.MULTILINE)
        assert text.count("\n[[blocks]]") == len(_entry(path).blocks)


def test_script_writes_and_reports(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a__good.json").write_text(
        '{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 9, '
        '"num_attention_heads": 2, "intermediate_size": 96}'
    )
    (folder / "a__bad.json").write_text('{"model_type": "nobody"}')
    assert _script().main([str(folder), "--to", str(out)]) == 1
    assert [p.name for p in out.iterdir()] == ["a__good.toml"]
    assert "nobody" in capsys.readouterr().err
    assert _entry(out / "a__good.toml").id == "a/good"
