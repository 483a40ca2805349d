"""One wrong value for every option of every command: a sentence says which, and what is taken.

Options are taken from the commands themselves, so that a new one is tried, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ridgeline.cli import main
from ridgeline.cli.app import app
from ridgeline.questions.registry import QUESTIONS

V3 = ["deepseek-ai/DeepSeek-V3", "--on", "gb200-nvl72"]
#: a question of each command that is answered; of those on files, one whose file is not there
LECTURE = ("tiers", "sparsity", "racks", "pipelining", "scaleup", "wall", "sensitivity")
TABLES = ("predict", "validate", "calibrate", "components")
BASE = dict.fromkeys(LECTURE, V3) | {name: ["no.csv"] for name in TABLES}
BASE |= {
    "serving": ["Qwen/Qwen3-8B", "--on", "h100-sxm", "--batch", "1"],
    "layouts": ["Qwen/Qwen3-8B", "--on", "h100-sxm", "--chips", "1"],
    "training": ["Qwen/Qwen3-8B", "--on", "hgx-h100", "--tp", "2", "--tokens", "1T"],
    "scaling": ["Qwen/Qwen3-8B", "--on", "hgx-h100", "--tp", "2", "--tokens", "1T"],
    "budget": ["Qwen/Qwen3-8B", "--tokens", "1T"],
    "rl-step": ["Qwen/Qwen3-8B", "--on", "hgx-h100"],
    "sweep": ["Qwen/Qwen3-8B", "--on", "h100-sxm", "--over", "load.batch=1,8", "--best", "time_s"],
    "design": ["--on", "gb200-nvl72", "--tpot", "20", "--context", "8k"],
    "generations": [],
    "ciphers": ["--samples", "1", "--layers", "1", "--nets", "1"],
    "reversible": [],
    "models": ["Qwen/Qwen3-8B"],
    "chips": ["h100-sxm"],
}  # fmt: skip
#: what takes any text: names of files to write, and an engine, of which answers say it is unknown
_ANY_TEXT = {
    (command, option)
    for command in ("predict", "validate", "calibrate")
    for option in ("--engine", "--predictions", "--chart", "--report", "--out")
} | {
    ("components", "--report"), ("models", "--assume-harmless"), ("sweep", "--resume"),
}  # fmt: skip
#: read by PyTorch, where that is installed
_OF_TORCH = {("reversible", "--device"), ("reversible", "--chart")}
#: said before the value is looked at, in other words
_OTHERWISE = {
    "--from-counts": "Name one model",
    "--assume-harmless": "name one",
    "--engine-version": "Name the engine",
    "--framework-version": "Name the framework",
    "--device": "[torch]",
    "--out": "",
}


def options() -> list[tuple[str, str]]:
    found = []
    for question in QUESTIONS:
        if question.command:
            for argument in app[question.name].assemble_argument_collection():
                names = [n for n in argument.names if n.startswith("--")]
                if names and argument.hint is not bool and not argument.children:
                    found.append((question.name, names[0]))
    return found


def asked(command: str, option: str) -> list[str]:
    base = list(BASE[command])
    names = next(a.names for a in app[command].assemble_argument_collection() if option in a.names)
    for name in names:
        if name in base:
            at = base.index(name)
            del base[at : at + 2]
    return [command, *base]


def refuse(command: str, option: str, value: str, capsys) -> str:
    code = main([*asked(command, option), f"{option}={value}"])
    printed = capsys.readouterr()
    assert code == 2, printed
    assert printed.out == ""
    assert printed.err.startswith("ridgeline: ")
    assert len(printed.err.splitlines()) <= 2
    assert "Traceback" not in printed.err
    for raw in ("Input should", "validation error", "array(", "pydantic", "got {"):
        assert raw not in printed.err
    return printed.err


FEW = [
    ("design", "--tpot"), ("design", "--sparsities"), ("pipelining", "--hop"), ("layouts", "--top"),
    ("ciphers", "--seed"), ("predict", "--tp"), ("validate", "--isl"), ("generations", "--out"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "option"), FEW)
def test_a_few(command: str, option: str, capsys) -> None:
    assert refuse(command, option, "☃?", capsys).startswith(f"ridgeline: {option}: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "option"), [o for o in options() if o not in _ANY_TEXT | _OF_TORCH]
)
def test_every_option(command: str, option: str, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in ("☃?", "1;2", "x" * 300):
        said = refuse(command, option, value, capsys)
        known = (option, option.removeprefix("--").replace("-", "_"), value[:20])
        assert any(k in said for k in known) or _OTHERWISE.get(option, "\0") in said, said


def _has_range(command: str, option: str) -> bool:
    argument = next(a for a in app[command].assemble_argument_collection() if option in a.names)
    return "from " in (argument.parameter.help or "").rpartition("[")[2]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "option"), [o for o in options() if _has_range(*o)])
def test_numbers_out_of_range(command: str, option: str, capsys) -> None:
    for value in ("-1", "1e99", "nan", ""):
        assert refuse(command, option, value, capsys).startswith(f"ridgeline: {option}: ")
