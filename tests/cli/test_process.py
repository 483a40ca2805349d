"""What surrounds an answer: signals, streams, places that are gone; and faults of the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgeline.cli import app, main
from ridgeline.files import writing_whole


@pytest.fixture(autouse=True)
def _ctrl_c_is_not_ignored() -> Iterator[None]:
    """Jobs in the background of a shell ignore it, and what they start inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _script(*arguments: str, code: str = "", **more) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after some code."""
    start = f"import sys, os; {code}\nfrom ridgeline.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        text=True, stderr=subprocess.PIPE, check=False, **{"stdout": subprocess.PIPE, **more},
    )  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_leaves_nothing_behind(name, code, tmp_path: Path, monkeypatch, capsys) -> None:
    def killed(_: object) -> None:
        with writing_whole(tmp_path / "out") as file:
            file.write(b"half")
            os.kill(os.getpid(), getattr(signal, name))
            raise AssertionError("the signal should have ended this")

    monkeypatch.setattr(app, "run", killed)
    before = signal.getsignal(signal.SIGTERM)
    assert main([]) == code
    assert signal.getsignal(signal.SIGTERM) == before
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_a_signal_that_a_library_turns_into_its_own_error(monkeypatch, capsys) -> None:
    def killed(_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("numpy.core.multiarray failed to import") from None

    monkeypatch.setattr(app, "run", killed)
    assert main([]) == 130
    assert capsys.readouterr().err == ""


def test_ctrl_c_while_importing() -> None:
    for module in ("ridgeline.cli.main", "cyclopts", "numpy"):
        code = (
            "import signal\n"
            "class Finder:\n"
            "    def find_spec(self, name, *_):\n"
            f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Finder())"
        )
        found = _script("serving", "Qwen3-8B", "--on", "h100", code=code)
        assert (found.returncode, found.stderr, found.stdout) == (130, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_and_closed_outputs() -> None:
    with Path("/dev/full").open("w") as full:
        found = _script("--version", stdout=full)
    assert found.returncode == 2
    assert found.stderr == "ridgeline: The output cannot be used: No space left on device.\n"
    assert _script("--version", code="sys.stdout = None").returncode == 0
    assert _script("models", "zz", "--toml", code="sys.stderr = None").returncode == 2


def test_no_home_and_no_working_directory(tmp_path: Path) -> None:
    gone = (
        f"os.mkdir({str(tmp_path / 'gone')!r}); os.chdir({str(tmp_path / 'gone')!r});"
        f"os.rmdir({str(tmp_path / 'gone')!r});"
        "import pathlib; pathlib.Path.home = lambda: (_ for _ in ()).throw(RuntimeError('none'))"
    )
    package = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    env = {k: v for k, v in os.environ.items() if k != "XDG_CONFIG_HOME"} | package
    found = _script("serving", "Qwen3-8B", "--on", "h100", code=gone, env=env)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_fault_of_the_program_is_one_line(monkeypatch, capsys) -> None:
    def broken(_: object) -> None:
        raise KeyError("int4\nmore")

    monkeypatch.setattr(app, "run", broken)
    monkeypatch.delenv("RIDGELINE_DEBUG", raising=False)
    assert main(["serving"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("ridgeline: internal error: KeyError: 'int4")
    assert "report" in said
    assert said.count("\n") == 1
    monkeypatch.setenv("RIDGELINE_DEBUG", "1")
    assert main(["serving"]) == 3
    assert "in broken" in capsys.readouterr().err


def test_too_little_memory_is_no_fault(monkeypatch, capsys) -> None:
    def large(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(app, "run", large)
    assert main([]) == 2
    assert "more memory than there is" in capsys.readouterr().err
