"""The shape of the code: arrows run one way, public names exist, nothing heavy comes in early."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import ridgeline
from ridgeline.questions.registry import QUESTIONS

ROOT = Path(ridgeline.__file__).parent

#: package -> what it may import of the others (everybody may import errors, units and files)
MAY_IMPORT = {
    "laws": set(),
    "specs": set(),
    "layers": {"laws", "specs"},
    "formats": {"specs"},
    "readers": {"laws", "specs", "layers", "formats"},
    "catalog": {"laws", "specs", "layers", "formats", "readers"},
    "compiled": set(),
    "grid": {"compiled"},
    "answers": {"grid", "charts"},
    "steps": {"laws", "specs", "layers", "catalog"},
    "kernels": {"laws", "specs", "catalog", "steps"},
    "replica": {"laws", "specs", "catalog", "steps", "kernels"},
    "service": {"laws", "specs", "catalog", "steps", "kernels", "replica"},
    "trainer": {"laws", "specs", "layers", "catalog", "steps", "kernels", "replica"},
    "questions": {
        "answers",
        "laws",
        "specs",
        "layers",
        "catalog",
        "grid",
        "steps",
        "kernels",
        "replica",
        "service",
        "trainer",
        "charts",
    },
    "charts": {"grid"},
    "mixing": {"laws", "grid", "charts"},
    "fidelity": {
        "answers",
        "laws",
        "specs",
        "catalog",
        "grid",
        "steps",
        "kernels",
        "replica",
        "service",
        "trainer",
    },
    "cli": {
        "answers",
        "specs",
        "readers",
        "catalog",
        "grid",
        "steps",
        "questions",
        "charts",
        "mixing",
        "fidelity",
    },
}
EVERYBODY = {
    "errors", "naming", "units", "files", "cache", "shipped", "lazy", "clock", "__version__",
    "spreadsheets", "markup",
}  # fmt: skip


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = [node.module]
            if node.module == "ridgeline":
                modules = [f"ridgeline.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        found |= {m.split(".")[1] for m in modules if m.startswith("ridgeline.")}
    return found


PACKAGES = sorted(p.name for p in ROOT.iterdir() if p.is_dir() and list(p.glob("*.py")))


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_run_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package] | EVERYBODY | {package}
    for path in (ROOT / package).rglob("*.py"):
        assert _imports(path) <= allowed, path


def test_the_check_sees_a_wrong_arrow(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from ridgeline.steps import counts\nfrom ridgeline import specs\n")
    assert _imports(wrong) == {"steps", "specs"}


@pytest.mark.parametrize("name", ridgeline.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(ridgeline, name) is not None


def test_names_are_those_that_are_public() -> None:
    shown = {name for name in dir(ridgeline) if not name.startswith("_")}
    assert shown == set(ridgeline.__all__)
    tree = ast.parse(Path(ridgeline.__file__).read_text())
    typed = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for alias in node.names if (node.module or "").startswith("ridgeline.")}  # fmt: skip
    assert typed == set(ridgeline._HOME) == set(ridgeline.__all__)


@pytest.mark.parametrize("package", ["catalog", "formats", "specs", "steps"])
def test_names_that_are_loaded_when_used_are_those_that_type_checkers_see(package: str) -> None:
    module = import_module(f"ridgeline.{package}")
    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse((ROOT / package / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ridgeline.")
        for alias in node.names
    }
    del typed["from_modules"]
    assert sorted(typed) == module.__all__
    for name, home in typed.items():
        found = getattr(import_module(home or ""), name)
        # Also where a module has the name of what is in it, and was imported before.
        assert getattr(module, name) is module.__getattr__(name) is found
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.__getattr__("nothing")


QUESTION_NAMES = {question.name for question in QUESTIONS}


def test_no_part_of_the_package_has_the_name_of_a_question() -> None:
    """Importing a module puts it under its name in its package: in place of a function there."""
    parts = {p.stem for p in Path(ridgeline.__file__).parent.iterdir() if p.name != "__init__.py"}
    assert not parts & {n for n in ridgeline.__all__ if n.islower() and n in QUESTION_NAMES}


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ridgeline.nothing  # pyright: ignore[reportAttributeAccessIssue]


#: what no command loads that writes text
_HEAVY = {"altair", "vl_convert", "scipy", "polars", "numba", "dask", "rich.table", "numpy.ma"}
_LISTS = _HEAVY | {"numpy", "pydantic", "rich.console", "concurrent.futures"}
_ANSWERS = _HEAVY | {
    "concurrent.futures", "ridgeline.charts", "ridgeline.trainer", "ridgeline.questions.layouts",
    "ridgeline.questions.launch", "ridgeline.questions.training", "ridgeline.specs.framework",
    "ridgeline.specs.engine_flags",
}  # fmt: skip


@pytest.mark.parametrize(
    ("commands", "unwanted", "runs"),
    [
        ([["chips"], ["models"]], _LISTS, 2),  # the first makes the index, and keeps the rows
        ([["serving", "Qwen/Qwen3-8B", "--on", "h100-sxm"]], _ANSWERS, 1),
    ],
)
def test_commands_load_what_they_need(
    commands: list[list[str]], unwanted: set[str], runs: int, tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom ridgeline.cli import main\n"
        f"for command in {commands!r}:\n    assert main(command) == 0\n"
        "print(*sys.modules)"
    )
    environment = {**os.environ, "RIDGELINE_CACHE": str(tmp_path)}
    environment.pop("RIDGELINE_CATALOG", None)
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env=environment,
        ).stdout
        for _ in range(runs)
    ]  # fmt: skip
    shown = {text.rpartition("\n")[0].rpartition("\n")[0] for text in said}
    assert len(shown) == 1
    assert unwanted & set(said[-1].splitlines()[-1].split()) == set()


def test_import_brings_nothing_heavy() -> None:
    code = "import ridgeline, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"numpy", "pydantic", "rich", "cyclopts", "polars", "vl_convert", "torch", "altair"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: p.name)
def test_files_are_rooms_not_halls(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 410
