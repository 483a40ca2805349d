"""What is being done, on the terminal's last line while a command takes long; nothing in pipes."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["note", "tell", "working"]

_QUIET_S = 1.0
_EVERY_S = 0.25
_ERASE = "\r\033[K"


class _Line:
    """A line on standard error that is written anew now and then, from a thread of its own."""

    def __init__(self, what: str) -> None:
        self.what, self.done, self.of = what, 0, 0
        self.begun = time.monotonic()
        self.shown = False
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def run(self) -> None:
        """Write until the end."""
        self.ended.wait(_QUIET_S)
        while not self.ended.is_set():
            with self.lock, suppress(OSError, ValueError):
                if not self.ended.is_set():
                    sys.stderr.write(_ERASE + self.text())
                    sys.stderr.flush()
                    self.shown = True
            self.ended.wait(_EVERY_S)

    def text(self) -> str:
        """What is done, how far it is, and for how long."""
        share = f" {self.done:,} of {self.of:,}," if self.of else ""
        share = share or (f" {self.done:,}," if self.done else "")
        return f"{self.what}:{share} {time.monotonic() - self.begun:,.0f} s"

    def say(self, text: str) -> None:
        """Write a line that stays, in its place."""
        with self.lock:
            self._erase()
            print(text, file=sys.stderr)  # noqa: T201  (beside the answer)

    def end(self) -> None:
        """Erase, and write no more."""
        self.ended.set()
        with self.lock, suppress(OSError, ValueError):
            self._erase()

    def _erase(self) -> None:
        if self.shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
            self.shown = False


class _Printed:
    """Standard output that ends the line before anything is printed beside it."""

    def __init__(self, stream: Any, line: _Line) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        """Write, without a line in the way."""
        self._line.end()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_lines: list[_Line] = []


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what is done for how long, where standard error is a terminal, once it takes a second.

    Parameters
    ----------
    what : str   Until `tell` says it better.
    """
    if not sys.stderr.isatty() or _lines:
        yield
        return
    line, usual = _Line(what), sys.stdout
    _lines.append(line)
    thread = threading.Thread(target=line.run, daemon=True)
    thread.start()
    sys.stdout = _Printed(usual, line)
    try:
        yield
    finally:
        sys.stdout = usual
        line.end()
        thread.join()
        _lines.remove(line)


def tell(what: str, done: int = 0, of: int = 0) -> None:
    """Say what is being done now, and how much of it is done."""
    for line in _lines:
        line.what, line.done, line.of = what, done, of


def note(text: str) -> None:
    """Say something beside the answer, on standard error."""
    if _lines:
        _lines[-1].say(text)
    else:
        print(text, file=sys.stderr)  # noqa: T201  (beside the answer)
