"""What is said beside the answer: progress on terminals only, names of written files."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from ridgeline.cli import main
from ridgeline.cli import working as of_working
from ridgeline.cli.working import note, tell, working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch) -> Terminal:
    """Standard error as a terminal; made within a test, as what captures it is reset before."""
    stream = Terminal()
    monkeypatch.setattr(of_working, "_QUIET_S", 0.01)
    monkeypatch.setattr(of_working, "_EVERY_S", 0.01)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def wait_for(stream: io.StringIO, text: str) -> None:
    end = time.monotonic() + 5
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.005)


def test_long_work_is_told_and_erased_before_the_answer(monkeypatch, capsys) -> None:
    terminal = terminal_of(monkeypatch)
    with working("layouts"):
        wait_for(terminal, "layouts: 0 s")
        tell("rows predicted", 1500, 3000)
        wait_for(terminal, "rows predicted: 1,500 of 3,000, 0 s")
        note("Wrote x.png.")
        wait_for(terminal, "\r\033[KWrote x.png.\n\r\033[Krows")
        sys.stdout.write("the answer\n")
        said = terminal.getvalue()
        assert said.endswith("\r\033[K")
        time.sleep(0.05)
        assert terminal.getvalue() == said
    assert capsys.readouterr().out == "the answer\n"
    assert not isinstance(sys.stdout, of_working._Printed)


def test_an_error_leaves_no_line_behind(monkeypatch) -> None:
    terminal = terminal_of(monkeypatch)

    def fail() -> None:
        with working("ciphers"):
            wait_for(terminal, "ciphers")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert terminal.getvalue().endswith("\r\033[K")


def test_pipes_hear_nothing(monkeypatch, capsys) -> None:
    monkeypatch.setattr(of_working, "_QUIET_S", 0.0)
    with working("layouts"):
        tell("rows", 1)
        time.sleep(0.03)
    assert capsys.readouterr() == ("", "")


def test_written_pictures_are_named_beside_clean_output(tmp_path: Path, capsys) -> None:
    path = tmp_path / "cost.json"
    asked = ["serving", "Qwen/Qwen3-8B", "--on", "h100-sxm,mi300x", "--batch", "1", "--csv"]
    assert main([*asked, "--out", str(path)]) == 0
    printed = capsys.readouterr()
    written = sorted(p.name for p in tmp_path.iterdir())
    assert written == ["cost-hgx-h100.json", "cost-mi300x-8.json"]
    assert all(f"Wrote {tmp_path / name}.\n" in printed.err for name in written)
    assert "Wrote" not in printed.out


def test_pictures_that_cannot_be_are_refused_before_anything_is_computed(capsys) -> None:
    begun = time.monotonic()
    assert main(["ciphers", "--out", "x.gif"]) == 2
    assert time.monotonic() - begun < 2
    assert "--out: pictures can be written as .png" in capsys.readouterr().err
