"""``ridgeline training --flags``: to be pasted, in JSON, refused before all else."""

from __future__ import annotations

import json
import shlex

import pytest

import ridgeline as rl
from ridgeline.cli import main

JOB = ["training", "Qwen/Qwen3-8B", "--on", "2xhgx-h100", "--tp", "2", "--seq", "8k"]
OPTIONS = {"tp": 2, "seq": "8k"}


def test_what_is_printed_is_the_librarys_and_can_be_pasted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*JOB, "--flags", "megatron"]) == 0
    printed = capsys.readouterr().out
    found = rl.training("Qwen/Qwen3-8B", "2xhgx-h100", **OPTIONS).command("megatron-lm")
    assert str(found) in printed
    after = printed[printed.index(str(found)) + len(str(found)) :].strip()
    assert after
    assert all(line.startswith("# ") for line in after.splitlines())
    # A shell reads one command, its environment before it.
    words = shlex.split(str(found).replace("\\\n", " "), comments=True)
    assert words[0] == "CUDA_DEVICE_MAX_CONNECTIONS=1"
    assert tuple(words[1:]) == found.commands[0].argv


@pytest.mark.parametrize("tool", ["torchtitan", "deepspeed", "maxtext"])
def test_json_has_text_and_parts(tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--zero", "3", "--recompute", "full", "--framework", tool]
    more += ["--sequence-parallel", "off"] if tool == "deepspeed" else []
    assert main([*JOB, *more, "--flags", tool, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["launch"]["engine"] == tool
    assert printed["values"]["n_chips"] == 16
    for name, text in printed["launch"]["files"].items():
        assert text in printed["command"]
        assert name in printed["command"]
    argv = printed["launch"]["commands"][0]["argv"]
    assert all(shlex.quote(word) in printed["command"] or "=" in word for word in argv)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--flags", "megatorn"], "Did you mean 'megatron-lm'"),
        (["--flags", "nemo", "--csv"], "--flags goes with the text and with --json"),
        (["--schedule", "zb-v", "--pp", "2", "--flags", "nemo"], "NeMo has no schedule zb-v"),
        (["--flags", "torchtitan"], "torchtitan has no ZeRO 1: it has 0, 2, 3 (--zero)"),
        (["--optimizer", "adafactor", "--flags", "maxtext"], "MaxText has no optimizer adafactor"),
    ],
)
def test_what_cannot_be_started_is_refused_before_anything_is_shown(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*JOB, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in " ".join(printed.err.split())


def test_a_search_starts_the_first_that_the_tool_can_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = ["training", "Qwen/Qwen3-8B", "--on", "hgx-h100", "--seq", "4k", "--global-batch", "64"]
    assert main([*job, "--search", "--flags", "torchtitan", "--json"]) == 0
    launch = json.loads(capsys.readouterr().out)["launch"]
    assert launch["notes"][0].startswith("torchtitan has no ZeRO 1")
    assert "of the ranking" in launch["notes"][0]
    assert "times the winner's time" in launch["notes"][0]
    assert "data_parallel_shard_degree" in launch["files"]["torchtitan.toml"]


@pytest.mark.slow
def test_a_search_of_which_nothing_runs_says_what_to_fix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = ["training", "Qwen/Qwen3-8B", "--on", "hgx-h100", "--seq", "4k", "--global-batch", "64"]
    assert main([*job, "--tp", "2", "--search", "--flags", "deepspeed"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "None of the layouts found: DeepSpeed has no recompute layers" in said
    assert "Search what it runs" in said
