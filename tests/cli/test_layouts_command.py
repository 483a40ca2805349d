"""``ridgeline layouts``: what it prints, that all modes tell the same, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from ridgeline.cli import main

V3 = ("layouts", "deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run the command line; return its output, and fail on any complaint."""

    def call(*arguments: str) -> str:
        code = main(list(arguments))
        printed = capsys.readouterr()
        complaints = [x for x in printed.err.splitlines() if not x.startswith("Wrote ")]
        assert (code, complaints) == (0, [])
        return printed.out

    return call


def test_printed(run, snapshot) -> None:
    out = run(*V3, "--reading", "ideal", "--ttft", "500", "--tpot", "20ms", "--top", "4")
    assert out == snapshot


def test_json_csv_and_table_tell_the_same(run) -> None:
    arguments = (*V3, "--tpot", "30", "--batch", "64,1024")
    told = json.loads(run(*arguments, "--json"))
    rows = list(csv.DictReader(io.StringIO(run(*arguments, "--csv"))))
    assert len(rows) == told["about"]["n_points"] == 2 * told["about"]["n_layouts"]
    best = told["rows"][0]
    twin = next(
        r for r in rows
        if r["layout"] == best["layout"] and float(r["batch"]) == best["batch"]
    )  # fmt: skip
    assert float(twin["tpot_s"]) == pytest.approx(best["tpot_s"])
    assert best["layout"] in run(*arguments)


def test_units_of_limits(run) -> None:
    """A bare number is in milliseconds; a unit is heeded."""
    same = [
        json.loads(run(*V3, "--tpot", text, "--batch", "64", "--json"))["about"]["limits"]
        for text in ("30", "30 ms", "0.03s")
    ]
    assert same == [{"ttft": "mean <= 2 s", "tpot": "mean <= 30 ms"}] * 3


def test_pools_and_the_engine_s_command(run) -> None:
    out = run(*V3, "--tpot", "30", "--ttft", "1000", "--disaggregate", "--flags", "vllm")
    assert "Disaggregated: " in out
    assert "vllm serve deepseek-ai/DeepSeek-V3" in out
    assert "# Prefill" in out
    assert "# Decode" in out
    told = json.loads(run(*V3, "--tpot", "30", "--disaggregate", "--flags", "sglang", "--json"))
    assert told["pools"]["n_chips"] == 72
    assert "# Prefill" in told["command"]
    assert "sglang serve" in told["command"]
    assert {c["title"].split(",")[0] for c in told["launch"]["commands"]} == {"Prefill", "Decode"}


def test_notes_of_a_command_are_comments_that_fit_the_screen(run, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = run(*V3, "--tpot", "30", "--ttft", "1000", "--flags", "vllm", "--tp", "1")
    after = out[out.index("# Options of vLLM") :].splitlines()
    assert len(after) > 4
    assert all(line.startswith("# ") and len(line) <= 80 for line in after)


def test_the_fewest_chips_that_serve(run) -> None:
    asked = ("layouts", "Qwen3-32B", "--on", "h100-sxm", "--tpot", "15", "--reading", "ideal")
    told = json.loads(run(*asked, "--chips", "fewest", "--json"))
    assert told["about"]["clusters"] == {"2 x h100-sxm": 2}
    (note,) = [n for n in told["notes"] if "too few" in n]
    assert note.startswith("1 x NVIDIA H100 SXM5 80 GB are too few: at best TTFT ")
    assert re.search(r"and TPOT 19\.\d ms", note)


def test_changed_fields_count(run) -> None:
    faster = ("--set", "cluster.chip.memory.bandwidth=20 TB/s")
    arguments = (*V3, "--context", "32k", "--batch", "1024", "--json")
    slow, fast = (json.loads(run(*arguments, *more)) for more in ((), faster))
    assert fast["rows"][0]["tpot_s"] < slow["rows"][0]["tpot_s"]


def test_explain_tells_every_family(run) -> None:
    short, long = run(*V3, "--tpot", "30"), run(*V3, "--tpot", "30", "--explain")
    assert len(long.splitlines()) > len(short.splitlines()) + 10
    assert "does not divide the 128 attention heads" in long


@pytest.mark.parametrize("chart", ["front", "roofline", "memory", "rack", "timeline"])
def test_pictures_are_written(capsys, tmp_path: Path, chart: str) -> None:
    path = tmp_path / f"{chart}.svg"
    assert main([*V3, "--tpot", "30", "--chart", chart, "--out", str(path)]) == 0
    assert capsys.readouterr().err == f"Wrote {path}.\n"
    assert path.read_text().startswith("<svg")


def test_limits_nothing_meets_are_an_answer(run) -> None:
    out = run(*V3, "--tpot", "0.1")
    assert "No layout meets the limits" in out
    assert "Closest comes" in out
    told = json.loads(run(*V3, "--tpot", "0.1", "--json"))
    assert told["meets_limits"] is False
    assert told["rows"]


REFUSED: dict[str, tuple[list[str], str]] = {
    "no machine": (["layouts", "Qwen3-8B"], "Name a machine with --on"),
    "no model": (["layouts", "--on", "h100"], "Name one model"),
    "unknown model": (["layouts", "Qwen3-8C", "--on", "h100"], "Did you mean"),
    "unknown machine": (["layouts", "Qwen3-8B", "--on", "h100-smx"], "Did you mean"),
    "unknown rank": ([*V3, "--rank", "money"], "There are usd, throughput, latency"),
    "unknown picture": ([*V3, "--chart", "rok", "--out", "x.png"], "There is no picture"),
    "unknown engine": (
        [*V3, "--flags", "trtlm"],
        "Did you mean 'tensorrt-llm'? There are vllm, sglang",
    ),
    "unknown reading": ([*V3, "--reading", "blackboard"], "ideal or calibrated"),
    "limit in words": ([*V3, "--tpot", "fast"], "--tpot: a time from 1 µs to 1e6 s, such as 50 ms"),
    "limit of another kind": ([*V3, "--tpot", "3 GB"], "--tpot"),
    "negative limit": ([*V3, "--tpot", "-3"], "--tpot: a time from 1 µs"),
    "chips in words": (
        [*V3, "--chips", "many"],
        "--chips: a whole number from 1 to 1e6, or fewest or best",
    ),
    "two lengths": ([*V3, "--isl", "1,2", "--osl", "2"], "--isl: a length such as 2048 or 8k"),
    "no rows": ([*V3, "--top", "0"], "--top: a whole number from 1"),
    "both modes": ([*V3, "--json", "--csv"], "Choose one"),
    "pools without prompts": ([*V3, "--context", "8k", "--disaggregate"], "Pools need requests"),
    "does not fit": (["layouts", "DeepSeek-V3", "--on", "hgx-h100"], "GB that a chip has"),
    "price": ([*V3, "--price", "cheap"], "price"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=list(REFUSED))
def test_refused_with_a_sentence(capsys, tmp_path, monkeypatch, arguments, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert "Traceback" not in printed.err
    assert not list(tmp_path.iterdir())
