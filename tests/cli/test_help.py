"""Help: every option explained at any width, every example a command that runs."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import ridgeline
from ridgeline.cli import main
from ridgeline.cli.app import app
from ridgeline.cli.examples import EXAMPLES
from ridgeline.fidelity.shipped import SHIPPED
from ridgeline.questions.registry import QUESTIONS

COMMANDS = [q.name for q in QUESTIONS if q.command]


def help_of(command: str, width: int, capsys, monkeypatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    # The parser measures the terminal once in a process; here its width changes.
    for asked in (app, *(app[name] for name in shlex.split(command))):
        monkeypatch.setattr(asked, "_fallback_console", None)
    assert main([*shlex.split(command), "--help"]) == 0
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", ["", "serving", "layouts", "training", "design", "validate"])
def test_as_people_see_it(
    command: str, width: int, snapshot: SnapshotAssertion, capsys, monkeypatch
) -> None:
    assert "\n".join(help_of(command, width, capsys, monkeypatch)) == snapshot


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str, capsys, monkeypatch) -> None:
    lines = help_of(command, 80, capsys, monkeypatch)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert not re.search(r"default: (\(\)|False|None)|Undefined|\bSTR\b|\bFLOAT\b|\bINT\b", text)
    assert "Examples:" in text
    for argument in app[command].assemble_argument_collection():
        if argument.show:
            assert len(argument.parameter.help or "") > 10, argument.name
    about = lines[: lines.index("Examples:")]
    for line, following in pairwise(about):
        if line and following and not line.startswith("Usage"):
            assert len(line) + 1 + len(following.split()[0]) > 78, "the paragraph is ragged"


def test_the_package_is_the_command(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ridgeline", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("ridgeline", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == ridgeline.__version__


def test_examples_of_every_command_are_understood() -> None:
    assert set(EXAMPLES) == set(COMMANDS)
    for lines in EXAMPLES.values():
        for line in lines:
            app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)


#: examples that need what a test has not: PyTorch, tables of kernels, minutes
_ELSEWHERE = ("reversible", "components", "calibrate")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [e for n, es in EXAMPLES.items() if n not in _ELSEWHERE for e in es]
)
def test_examples_run(line: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    head = SHIPPED.read_text(encoding="utf-8").splitlines()
    (tmp_path / "runs.csv").write_text("\n".join(head[:40]) + "\n", encoding="utf-8")
    results = {
        "model_id": "Qwen/Qwen3-8B", "completed": 160, "num_prompts": 160, "max_concurrency": 16,
        "request_rate": "inf", "total_input_tokens": 163_840, "total_output_tokens": 20_480,
        "output_throughput": 1200.0, "median_ttft_ms": 90.0, "median_tpot_ms": 9.0,
    }  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(results))
    if "--report" in line:
        pytest.importorskip("scipy", reason="a report fits constants: the extra [calibrate]")
    assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("zsh", marks=pytest.mark.slow),
        pytest.param("fish", marks=pytest.mark.slow),
    ],
)
def test_scripts_for_completion_know_the_options_of_commands(shell: str, capsys) -> None:
    assert main(["--completion", shell]) == 0
    script = capsys.readouterr().out
    assert "usd-per-mtok" in script
    assert "sensitivity" in script


@pytest.mark.slow
def test_bash_completes(tmp_path: Path, capsys) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("completion is tried in bash, which is not installed")
    assert main(["--completion", "bash"]) == 0
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    ask = (
        f". {tmp_path}/completion; COMP_WORDS=(ridgeline wall --usd); COMP_CWORD=2; "
        '_ridgeline; echo "${COMPREPLY[@]}"'
    )
    found = subprocess.run([bash, "-c", ask], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["--usd-per-mtok"]
