"""The list of questions: commands, pages and the library's names agree with it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import ridgeline
from ridgeline.cli import main
from ridgeline.cli.app import app
from ridgeline.questions.registry import GROUPS, QUESTIONS, Question, load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = {q.name for q in QUESTIONS}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_functions_and_commands_exist(question: Question) -> None:
    if question.name == "reversible" and find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    assert callable(load(question.function))
    if question.command:
        assert callable(load(question.command))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_a_summary_is_one_line_of_help(question: Question) -> None:
    assert len(question.summary) <= 63
    assert question.summary.endswith(".")
    assert question.group in GROUPS


def test_names_are_unique() -> None:
    assert len(NAMES) == len(QUESTIONS)


def test_commands_are_those_of_the_list() -> None:
    flags = {"--help", "-h", "--version", "--completion"}
    assert set(app) - flags == {q.name for q in QUESTIONS if q.command}


#: commands whose function is not a name of the library, and why
NO_SHORT_NAME = {
    "calibrate": "takes rows and gives constants, which the command writes",
    "components": "takes measured kernels, which the command reads",
    "ciphers": "a study of its own, with its own records: ridgeline.mixing.ciphers",
    "reversible": "needs PyTorch, and nets that are the user's: ridgeline.mixing.reversible",
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_a_question_has_one_name_everywhere(question: Question) -> None:
    if question.name in NO_SHORT_NAME:
        assert question.name not in ridgeline.__all__
        return
    assert getattr(ridgeline, question.name.replace("-", "_")) is load(question.function)


def test_every_function_of_a_question_is_in_the_list() -> None:
    places = ("ridgeline.questions", "ridgeline.fidelity")
    exported = {
        name
        for name in ridgeline.__all__
        if getattr(ridgeline, name).__module__.startswith(places) and name.islower()
    }
    assert exported <= {name.replace("-", "_") for name in NAMES}


def test_pages_name_every_command_and_no_other() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    command = r"([a-z][a-z-]*)"
    written = rf"^\$ ridgeline {command}|`ridgeline {command}"
    named = set(re.findall(written, text, re.MULTILINE))
    commands = {a or b for a, b in named}
    assert commands == {q.name for q in QUESTIONS if q.command}


def test_the_page_of_questions_is_the_list() -> None:
    path = ROOT / "scripts" / "list_questions.py"
    spec = spec_from_file_location("list_questions", path)
    assert spec
    assert spec.loader
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "questions.md").read_text()
    assert script.built(page) == page, "run scripts/list_questions.py"


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for heading in GROUPS.values():
        assert heading in shown
    for question in QUESTIONS:
        if question.command:
            assert re.search(rf"│ {question.name} +{re.escape(question.summary)} *│", shown)


def test_a_commands_own_help_is_its_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chips", "--help"]) == 0
    assert "Without a name all are listed." in capsys.readouterr().out


def test_help_imports_no_question() -> None:
    code = "from ridgeline.cli import main; main(['--help']); import sys; print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    heavy = {"numpy", "pydantic", "polars", "vl_convert", "torch", "ridgeline.cli.serving"}
    assert not heavy & set(printed.split())
