"""The commands of the questions: what they print, write and refuse."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from ridgeline.cli import main

if TYPE_CHECKING:
    from pathlib import Path

V3 = ("deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72")

COMMANDS: dict[str, tuple[str, ...]] = {
    "tiers": ("tiers", *V3, "--price-ratio", "6", "--speed-ratio", "2.5", "--reading",
              "blackboard"),
    "tiers-ideal": ("tiers", "Qwen/Qwen3-8B", "--on", "h100-sxm", "--reading", "ideal"),
    "sparsity": ("sparsity", *V3, "--context", "1k", "--requests", "100"),
    "racks": ("racks", *V3),
    "pipelining": ("pipelining", "moonshotai/Kimi-K2-Instruct", "--on", "4xhgx-h100", "--hop",
                   "2.5ms"),
    "scaleup": ("scaleup", *V3, "--clusters", "hgx-h100,gb200-nvl72", "--batch", "2400"),
    "generations": ("generations", "a100", "h100", "gb200", "vr200"),
    "wall": ("wall", "meta-llama/Llama-3.1-70B-Instruct", "--on", "hgx-h100", "--tpot", "20ms",
             "--usd-per-mtok", "1"),
    "design": ("design", "--on", "gb200-nvl72", "--tpot", "20ms", "--context", "128k",
               "--usd-per-mtok", "1"),
    "sensitivity": ("sensitivity", *V3, "--batch", "2400", "--reading", "blackboard"),
}  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> str:
        code = main(list(arguments))
        printed = capsys.readouterr()
        complaints = [x for x in printed.err.splitlines() if not x.startswith("Wrote ")]
        assert (code, complaints) == (0, [])
        return printed.out

    return call


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=list(COMMANDS))
def test_printed(run, snapshot, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == snapshot


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=list(COMMANDS))
def test_json_is_strict_and_csv_has_its_rows(run, arguments: tuple[str, ...]) -> None:
    data = json.loads(run(*arguments, "--json"), parse_constant=pytest.fail)
    rows = next(iter(data["tables"].values()))["rows"]
    table = list(csv.DictReader(io.StringIO(run(*arguments, "--csv"))))
    assert len(table) == len(rows) > 0
    assert set(table[0]) >= set(rows[0])


@pytest.mark.parametrize(
    "name",
    ["tiers", "sparsity", "racks", "pipelining", "scaleup", "generations", "wall", "design",
     "sensitivity"],
)  # fmt: skip
def test_pictures_are_written(run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture.svg"
    run(*COMMANDS[name], "--out", str(path), "--dark")
    assert path.read_text().startswith("<svg")


def test_the_second_picture_is_asked_for_by_name(run, tmp_path: Path) -> None:
    path = tmp_path / "bounds.svg"
    run(*COMMANDS["wall"], "--chart", "bounds", "--out", str(path))
    assert "batch (sequences in flight)" in path.read_text()


def test_fields_and_formats_can_be_changed(run) -> None:
    def floor(*more: str) -> float:
        rows = json.loads(run("scaleup", *V3, "--json", *more))["tables"]["sizes"]["rows"]
        return rows[0]["weight_fetch_s"]

    faster = floor("--set", "cluster.chip.memory.bandwidth=16 TB/s")
    assert faster == pytest.approx(floor() / 2)
    assert floor("--weights", "nvfp4") < 0.65 * floor()
    counted = json.loads(
        run("tiers", "--from-counts", "active=100B,total=1T,kv=1667,bits=8", "--on", "hgx-b200",
            "--json")
    )  # fmt: skip
    assert counted["provenance"]["model"] == "given-by-counts"


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no machine": (("tiers", "Qwen3-8B"), "Name a machine with --on"),
    "no model": (("wall", "--on", "h100"), "Name one model"),
    "one ratio": (("tiers", *V3, "--price-ratio", "6"), "come together"),
    "forms only": (("racks", *V3, "--reading", "ideal"), "in the blackboard's forms"),
    "unknown reading": (("tiers", *V3, "--reading", "ideel"), "Did you mean 'ideal'"),
    "no traffic": (("sparsity", *V3, "--requests", "0"), "--requests: a number from 1e-6 to 1e12"),
    "no time": (("wall", *V3, "--tpot", "soon"), "--tpot"),
    "bytes for time": (("scaleup", *V3, "--tpot", "3 GB"), "--tpot: a time from 1 µs"),
    "words for numbers": (("sensitivity", *V3, "--batch", "many"), "--batch"),
    "dense model on racks": (("racks", "Qwen3-8B", "--on", "hgx-h100"), "is dense"),
    "design without limits": (("design", "--on", "hgx-h100"), "needs a machine and its limits"),
    "design without price": (
        ("design", "--on", "vr200", "--tpot", "20ms", "--context", "8k", "--usd-per-mtok", "1"),
        "No price is known",
    ),
    "sparsity below one": (
        ("design", "--on", "h100", "--tpot", "20ms", "--context", "8k", "--sparsity", "0.5"),
        "--sparsity: a number from 1 to 1e6",
    ),
    "unknown chip": (("generations", "h100-smx"), "Did you mean"),
    "unknown picture": (("wall", *V3, "--chart", "costs"), "Did you mean 'cost'"),
    "both forms": (("generations", "--json", "--csv"), "Choose one of --json and --csv"),
    "price by set": (("tiers", *V3, "--set", "price.low=1"), "use --price"),
    "unknown format": (("tiers", *V3, "--out", "x.gif"), "--out: pictures can be written as"),
    "caches too large": (("pipelining", *V3, "--micro-batch", "1M"), "would be the most"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=list(WRONG))
def test_wrong_input_is_told_in_a_sentence(
    arguments: tuple[str, ...], said: str, capsys, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ridgeline: ")
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert not list(tmp_path.iterdir())
