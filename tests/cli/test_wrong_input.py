"""Every wrong input gets a sentence that says what to do, on stderr, with exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ridgeline.cli import main

CASES: dict[str, tuple[list[str], str]] = {
    "no model": (["serving", "--on", "h100"], "Name one model"),
    "no machine": (["serving", "Qwen3-8B"], "Name a machine with --on"),
    "unknown model": (["serving", "deepseek-v33", "--on", "h100"], "Did you mean"),
    "unknown chip": (["serving", "Qwen3-8B", "--on", "h100-smx"], "Did you mean 'h100-sxm'"),
    "unknown option": (["serving", "Qwen3-8B", "--onn", "h100"], "Did you mean --on"),
    "unknown command": (["serve"], 'Did you mean "serving"'),
    "negative batch": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "-4"],
        "batch: numbers from 1",
    ),
    "absurd context": (
        ["serving", "Qwen3-8B", "--on", "h100", "--context", "1e99"],
        "context: numbers from 0",
    ),
    "words for numbers": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "many"],
        "a range such as 1:16384",
    ),
    "upside-down range": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "9:1"],
        "0 < low <= high",
    ),
    "no chips": (["serving", "Qwen3-8B", "--on", "h100", "--chips", "0"], "a whole number from 1"),
    "negative price": (["serving", "Qwen3-8B", "--on", "h100", "--price", "-1"], "is not positive"),
    "price in bytes": (
        ["serving", "Qwen3-8B", "--on", "h100", "--price", "3 GB"],
        "a price per hour is expected",
    ),
    "unknown basis": (
        ["serving", "Qwen3-8B", "--on", "h100", "--basis", "spto"],
        "Did you mean 'spot'",
    ),
    "basis without price": (
        ["serving", "Qwen3-8B", "--on", "vr200", "--basis", "spot"],
        "has no spot price",
    ),
    "dtype the chip lacks": (
        ["serving", "Qwen3-8B", "--on", "a100", "--dtype", "fp8"],
        "--compute bf16",
    ),
    "compute the chip lacks": (
        ["serving", "Qwen3-8B", "--on", "a100", "--compute", "fp8"],
        "has no fp8 arithmetic",
    ),
    "drafts without acceptance": (
        ["serving", "Qwen3-8B", "--on", "h100", "--drafts", "1"],
        "how often one is accepted",
    ),
    "more than all is cached": (
        ["serving", "Qwen3-8B", "--on", "h100", "--isl", "9", "--osl", "9", "--prefix-hit", "1.5"],
        "prefix_hit: Input should be less than or equal to 1",
    ),
    "prefix of no request": (
        ["serving", "Qwen3-8B", "--on", "h100", "--prefix-hit", "0.5"],
        "give isl and osl",
    ),
    "no memory": (
        ["serving", "Qwen3-8B", "--on", "h100", "--memory-utilization", "0"],
        "memory_share: Input should be greater than 0",
    ),
    "unknown engine": (["serving", "Qwen3-8B", "--on", "h100", "--engine", "vlm"], "mean 'vllm'"),
    "layout on the blackboard": (
        ["serving", "Qwen3-8B", "--on", "h100", "--reading", "blackboard", "--tp", "2"],
        "needs the calibrated or the ideal",
    ),
    "no such dtype": (
        ["serving", "Qwen3-8B", "--on", "h100", "--dtype", "fp7"],
        "Did you mean 'fp8'",
    ),
    "no such kv dtype": (
        ["serving", "Qwen3-8B", "--on", "h100", "--kv-dtype", "x"],
        "There is no number format",
    ),
    "does not fit": (["serving", "DeepSeek-V3", "--on", "pc-rtx-3070"], "does not fit"),
    "isl without osl": (
        ["serving", "Qwen3-8B", "--on", "h100", "--isl", "10"],
        "isl and osl come together",
    ),
    "both lengths": (
        ["serving", "Qwen3-8B", "--on", "h100", "--isl", "1", "--osl", "1", "--context", "1"],
        "either context, or isl and osl",
    ),
    "set without value": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "model.x"],
        "RECORD.FIELD=VALUE",
    ),
    "set of nothing": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "modle.x=1"],
        "Did you mean 'model'",
    ),
    "set of no field": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "cluster.chip.memory.bandwith=1 TB/s"],
        "Did you mean 'bandwidth'",
    ),
    "set to nonsense": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "cluster.chip.memory.bandwidth=quick"],
        "is not a number with a unit",
    ),
    "counts without active": (
        ["serving", "--from-counts", "total=1T", "--on", "h100"],
        "active= is needed",
    ),
    "counts swapped": (
        ["serving", "--from-counts", "active=1T,total=1B", "--on", "h100"],
        "are the two swapped",
    ),
    "two outputs": (["serving", "Qwen3-8B", "--on", "h100", "--json", "--csv"], "Choose one"),
    "picture of no kind": (
        ["serving", "Qwen3-8B", "--on", "h100", "--out", "x.gif"],
        "can be written as",
    ),
    "picture to nowhere": (
        ["serving", "Qwen3-8B", "--on", "h100", "--out", "/nowhere/x.svg"],
        "cannot be written",
    ),
    "no such picture": (
        ["serving", "Qwen3-8B", "--on", "h100", "--out", "x.svg", "--chart", "pie"],
        "no picture 'pie'",
    ),
    "cost without price": (
        ["serving", "Qwen3-8B", "--on", "vr200", "--out", "x.svg", "--chart", "cost"],
        "needs a price",
    ),
    "missing file": (["serving", "no/config.json", "--on", "h100"], "no/config.json"),
    "missing toml": (["serving", "Qwen3-8B", "--on", "no.toml"], "no.toml: there is no such file"),
    "no such entry": (["models", "zzzz"], "There is no model 'zzzz'"),
    "no such machine": (["chips", "zzzz"], "There is no chip or cluster 'zzzz'"),
}


@pytest.mark.parametrize(("arguments", "says"), CASES.values(), ids=CASES)
def test_a_sentence_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.startswith("ridgeline: ")
    assert says in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cut.json", b'{"model_type": "llama", "hidden', "line 1"),
        ("binary.json", bytes(range(256)), "binary.json"),
        ("list.json", b"[1, 2]", "object"),
        ("empty.json", b"", "empty.json"),
        ("broken.toml", b"id = ", "not valid TOML"),
        ("binary.toml", bytes(range(256)), "binary.toml"),
        ("text.txt", b"hello", "text.txt"),
    ],
)
def test_broken_files(tmp_path: Path, capsys, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for arguments in (["serving", str(path), "--on", "h100"], ["models", str(path)]):
        assert main(arguments) == 2
        assert says in capsys.readouterr().err


def test_a_folder_without_a_config(tmp_path: Path, capsys) -> None:
    assert main(["serving", str(tmp_path), "--on", "h100"]) == 2
    assert "config.json" in capsys.readouterr().err


def test_missing_catalogue_folder(tmp_path: Path, capsys, monkeypatch, fresh_catalogue) -> None:
    monkeypatch.setenv("RIDGELINE_CATALOG", str(tmp_path / "gone"))
    fresh_catalogue()
    assert main(["chips"]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_without_the_charts_extra(capsys, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    out = str(tmp_path / "x.png")
    assert main(["serving", "Qwen3-8B", "--on", "h100", "--out", out]) == 2
    assert "pip install 'ridgeline[charts]'" in capsys.readouterr().err
    assert main(["serving", "Qwen3-8B", "--on", "h100", "--out", str(tmp_path / "x.json")]) == 0
