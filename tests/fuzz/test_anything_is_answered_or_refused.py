"""Whatever is brought, the answer is an answer or a sentence: no traceback, no hang, no growth.

A case that fails names its seed; ``RIDGELINE_FUZZ_SEED=… pytest -m fuzz`` plays the cases again.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from inputs import broken_config, command_line, record_case, results_case, seeds, table_case

from ridgeline.cli import main
from ridgeline.errors import ConfigError, SpecError
from ridgeline.readers import read_config
from ridgeline.specs import Model

LONGEST_S = 2.0
_GIVE_UP_S = 20
_MOST_GROWTH_BYTES = 300e6
#: cases in the default suite always begin here; under -m fuzz each run begins elsewhere
_DEFAULT_SEED = 20261127


class HangError(BaseException):
    """Not an Exception: no handler of the program may take it for a fault."""


@contextlib.contextmanager
def _within(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _timed(call: Callable[[], None], what: Any) -> None:
    """Run a case; one that took long is run again, since the machine may have been busy."""
    for last in (False, True):
        begun = time.process_time()
        try:
            with _within(_GIVE_UP_S):
                call()
        except HangError:
            pytest.fail(f"hangs: {what}")
        if time.process_time() - begun <= LONGEST_S:
            return
        assert not last, f"takes over {LONGEST_S} s: {what}"


def _command(words: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    said = err.getvalue()
    assert code in (0, 2), (code, words, said)
    assert "Traceback" not in said, (words, said)
    assert "Warning" not in said, (words, said)
    assert code == 0 or len(said) > 20, (words, said)


def _config(config: Any) -> None:
    try:
        assert isinstance(read_config(config), Model)
    except (ConfigError, SpecError) as error:
        assert len(str(error)) > 20


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if pages.exists() else 0


def _try(kind: str, first: int, n: int, folder: Path) -> None:
    make = _COMMANDS.get(kind)
    warm = 0
    for i, source in enumerate(seeds(first, n)):
        case: Any = broken_config(source) if make is None else make(source, folder)
        try:
            _timed(partial(_config if make is None else _command, case), case)
        except Exception as error:  # commands have their own last handler
            pytest.fail(f"seed {first}, case {i}, {type(error).__name__}: {error}: {case}")
        if i == n // 4:
            warm = _resident_bytes()
    assert _resident_bytes() - warm < _MOST_GROWTH_BYTES


_COMMANDS: dict[str, Callable[[random.Random, Path], list[str]]] = {
    "commands": command_line,
    "records": record_case,
    "tables": table_case,
    "results": results_case,
}


@pytest.mark.parametrize(
    ("kind", "n"),
    [("configs", 300), ("commands", 100), ("records", 100), ("tables", 100), ("results", 100)],
)
def test_some(kind: str, n: int, tmp_path: Path) -> None:
    _try(kind, _DEFAULT_SEED, n, tmp_path)


@pytest.mark.fuzz
@pytest.mark.parametrize(
    ("kind", "n"),
    [("configs", 20_000), ("commands", 2_000), ("records", 2_000), ("tables", 2_000),
     ("results", 2_000)],
)  # fmt: skip
def test_many(kind: str, n: int, tmp_path: Path, fuzz_seed: int) -> None:
    _try(kind, fuzz_seed, n, tmp_path)


@pytest.fixture
def fuzz_seed() -> int:
    """Of this run, or of the one to be played again."""
    return int(os.environ.get("RIDGELINE_FUZZ_SEED") or time.time_ns() % 10**9)
