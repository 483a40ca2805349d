"""Every wrong input gets a sentence that says what to do, on stderr, with exit code 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ridgeline.cli import main
from ridgeline.cli.scenario_options import option_of
from ridgeline.specs.scenario import option_fields

CASES: dict[str, tuple[list[str], str]] = {
    "no model": (["serving", "--on", "h100"], "Name one model"),
    "no machine": (["serving", "Qwen3-8B"], "Name a machine with --on"),
    "unknown model": (["serving", "deepseek-v33", "--on", "h100"], "Did you mean"),
    "unknown chip": (["serving", "Qwen3-8B", "--on", "h100-smx"], "Did you mean 'h100-sxm'"),
    "unknown option": (["serving", "Qwen3-8B", "--onn", "h100"], "Did you mean --on"),
    "unknown command": (["serve"], 'Did you mean "serving"'),
    "headroom without a rate": (
        ["serving", "Qwen3-8B", "--on", "h100", "--headroom", "0.9"],
        "headroom applies only to a fleet sized for a rate: give a rate (--rate), too.",
    ),
    "acceptance without drafts": (
        ["layouts", "Qwen3-8B", "--on", "h100", "--acceptance", "0.9"],
        "acceptance applies only to drafted tokens: give drafts (--drafts), too.",
    ),
    "a run without end": (
        ["serving", "Qwen3-8B", "--on", "h100", "--rate", "5", "--n-requests", "9"],
        "give arrival offline (--arrival), not open, or leave it out.",
    ),
    "requests of a batch": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "8", "--n-requests", "9"],
        "n_requests (--n-requests) applies only to a queue that is worked off",
    ),
    "a price and a basis": (
        ["serving", "Qwen3-8B", "--on", "h100,h200-sxm", "--price", "3", "--basis", "spot"],
        "price (--price) is used whatever basis (--basis) says: give one of the two.",
    ),
    "engine of other chips": (
        ["serving", "Qwen3-8B", "--on", "m4-max", "--batch", "1", "--flags", "vllm"],
        "vLLM does not run on Apple M4 Max (40 GPU cores) (it runs on chips of NVIDIA",
    ),
    "engine of other chips, of a search": (
        ["layouts", "Qwen3-8B", "--on", "mi300x", "--chips", "1", "--flags", "trtllm"],
        "Choose --flags vllm or sglang or llama.cpp.",
    ),
    "engine of other chips, of a fleet": (
        ["layouts", "Qwen3-8B", "--on", "mi300x", "--rate", "1", "--flags", "trtllm"],
        "Choose --flags vllm or sglang or llama.cpp.",
    ),
    "negative batch": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "-4"],
        "--batch: a number from 1 to 1e12 or a list of such numbers is expected, not '-4'",
    ),
    "absurd context": (
        ["serving", "Qwen3-8B", "--on", "h100", "--context", "1e99"],
        "--context: a number from 1 to 1e9 or 0",
    ),
    "words for numbers": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "many"],
        "a range 1:16384",
    ),
    "upside-down range": (
        ["serving", "Qwen3-8B", "--on", "h100", "--batch", "9:1"],
        "a range from a number above 0 to one that is not below it",
    ),
    "no chips": (["serving", "Qwen3-8B", "--on", "h100", "--chips", "0"], "a whole number from 1"),
    "negative seed": (["ciphers", "--seed=-1"], "--seed: a whole number from 0 to"),
    "broken seed": (["ciphers", "--seed", "1.5"], "--seed: a whole number from 0 to"),
    "rows by halves": (
        ["layouts", "Qwen3-8B", "--on", "h100", "--top", "2.5"],
        "--top: a whole number from 1 to 1e6 is expected, not '2.5'",
    ),
    "degree by halves": (["validate", "x.json", "--tp", "1.5"], "--tp: a whole number"),
    "unknown picture that is not drawn": (["ciphers", "--chart", "avalance"], "'avalanche'"),
    "picture of a fleet": (
        [
            "serving",
            "Qwen3-8B",
            "--on",
            "h100",
            "--isl",
            "99",
            "--osl",
            "9",
            "--rate",
            "5",
            "--out",
            "fleet.png",
        ],
        "--out does not go with --rate",
    ),
    "a picture of a fleet by name": (
        ["serving", "Qwen3-8B", "--on", "h100", "--rate", "5", "--chart", "cost"],
        "--chart does not go with --rate",
    ),
    "a ranking of a fleet": (
        ["layouts", "Qwen3-8B", "--on", "h100", "--rate", "5", "--rank", "latency"],
        "--rank does not go with --rate",
    ),
    "flags of two fleets": (
        ["layouts", "Qwen3-8B", "--on", "h100,h200", "--rate", "5", "--flags", "vllm"],
        "--flags starts one machine",
    ),
    "a count twice": (
        ["serving", "--from-counts", "active=3B,active=4B", "--on", "h100"],
        "active= is given twice",
    ),
    "negative price": (
        ["serving", "Qwen3-8B", "--on", "h100", "--price", "-1"],
        "--price: a price per hour from $0.001/h",
    ),
    "price in bytes": (
        ["serving", "Qwen3-8B", "--on", "h100", "--price", "3 GB"],
        "--price: a price per hour from $0.001/h",
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
        "Choose compute bf16",
    ),
    "compute the chip lacks": (
        ["serving", "Qwen3-8B", "--on", "a100", "--compute", "fp8"],
        "has no fp8 arithmetic",
    ),
    "more drafts than were measured": (
        ["serving", "Qwen3-8B", "--on", "h100", "--drafts", "12"],
        "No acceptance of 12 drafts by drafting was measured: give it (--acceptance).",
    ),
    "more than all is cached": (
        ["serving", "Qwen3-8B", "--on", "h100", "--isl", "9", "--osl", "9", "--prefix-hit", "1.5"],
        "--prefix-hit: a number from 0 to 1 is expected, not '1.5'",
    ),
    "prefix of no request": (
        ["serving", "Qwen3-8B", "--on", "h100", "--prefix-hit", "0.5"],
        "give isl and osl",
    ),
    "no memory": (
        ["serving", "Qwen3-8B", "--on", "h100", "--memory-utilization", "0"],
        "--memory-utilization: a number above 0 up to 1",
    ),
    "unknown engine": (["serving", "Qwen3-8B", "--on", "h100", "--engine", "vlm"], "mean 'vllm'"),
    "layout of other chips than named": (
        ["serving", "Qwen3-8B", "--on", "8xh100-sxm", "--tp", "4"],
        "but there are 8 chips",
    ),
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
    "no name": (["serving", "", "--on", "h100"], "Name one model"),
    "set of an empty load": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "load.batch="],
        "--batch: a number from 1 to 1e12 or a list of such numbers is expected, not ''",
    ),
    "set of a negative load": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "load.batch=-3"],
        "--batch: a number from 1 to 1e12 or a list of such numbers is expected, not '-3'",
    ),
    "set of no load": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "load.rate=3"],
        "there are load.context, load.batch, load.isl, load.osl",
    ),
    "set of a free price": (
        ["serving", "Qwen3-8B", "--on", "h100", "--set", "price.usd_per_chip_hour=0"],
        "--price: a price per hour from $0.001/h",
    ),
    "negative counts": (
        ["serving", "--from-counts", "active=-8B", "--on", "h100"],
        "--from-counts active: a number from 1000 to 1e18 is expected, not '-8B'.",
    ),
    "counts of nothing": (
        ["serving", "--from-counts", "active=", "--on", "h100"],
        "--from-counts active: a number from 1000 to 1e18 is expected, not ''.",
    ),
    "negative cache": (
        ["serving", "--from-counts", "active=8B,kv=-1", "--on", "h100"],
        "--from-counts kv: a number from 1 to 1e12 or 0 is expected, not '-1'.",
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
    "no such picture, not drawn": (
        ["serving", "Qwen3-8B", "--on", "h100", "--chart", "pie"],
        "no picture 'pie'",
    ),
    "no such picture of layouts": (
        ["layouts", "Qwen3-8B", "--on", "h100", "--chips", "1", "--chart", "pie"],
        "no picture 'pie'",
    ),
    "version of several engines": (
        ["serving", "Qwen3-8B", "--on", "h100", "--engine-version", "0.9.1"],
        "Name the engine, such as vllm",
    ),
    "limit beyond all numbers": (
        ["serving", "Qwen3-8B", "--on", "h100", "--isl=9", "--osl=9", "--ttft", "1e400"],
        "--ttft: a time from 1 µs to 1e6 s",
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
    assert len(printed.err.splitlines()) <= 2
    assert says in printed.err
    assert "Traceback" not in printed.err


#: options that any text is a name of; what it names is looked up later
_NAMES = {"weights", "kv", "activations", "engine", "engine_version"}
#: values that no option of numbers or words takes
_ABSURD = ("-1", "-1e99", "1e99", "nan", "", "x", "1;2", "9:1", "9:-1", "[]", "1" * 400, "☃")


@pytest.mark.parametrize("command", ["serving", "layouts"])
@pytest.mark.parametrize("name", sorted(set(option_fields()) - _NAMES))
def test_absurd_values_of_every_option(name: str, command: str, capsys) -> None:
    for value in _ABSURD:
        assert main([command, "Qwen3-8B", "--on", "h100", f"{option_of(name)}={value}"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"ridgeline: {option_of(name)}"), (value, printed.err)
        assert printed.err.count("\n") == 1
        assert len(printed.err) < 300


@pytest.mark.parametrize("option", ["--batch", "--context"])
def test_a_range_is_an_axis(option: str, capsys) -> None:
    asked = ["serving", "Qwen3-8B", "--on", "h100", "--chips", "1", "--json"]
    assert main([*asked, option, "1:16384"]) == 0
    axis = json.loads(capsys.readouterr().out)["grid"]["axes"][option.removeprefix("--")]["values"]
    assert (axis[0], axis[-1]) == (1, 16_384)
    assert len(axis) > 14
    assert axis == sorted(axis)


def test_no_context_at_all_is_one(capsys) -> None:
    asked = ["serving", "Qwen3-8B", "--on", "h100", "--chips", "1", "--batch", "8", "--json"]
    steps = []
    for context in ("0", "8k"):
        assert main([*asked, "--context", context]) == 0
        steps.append(
            json.loads(capsys.readouterr().out)["grid"]["columns"]["time_s"]["values"][0][0]
        )
    assert 0 < steps[0] < steps[1]


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
