"""A line on the terminal while a long grid is evaluated."""

from __future__ import annotations

import sys
import time
from typing import TextIO

__all__ = ["ProgressLine"]

_QUIET_S = 1.0
_EVERY_S = 0.2


class ProgressLine:
    """Write how far a grid has come, once it has taken a second; erase the line at its end.

    Parameters
    ----------
    stream : text stream or None   Standard error by default; silent where that is no terminal.

    Examples
    --------
    >>> line = ProgressLine()
    >>> line(10, 100)
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.start = self.last = time.monotonic()

    def __call__(self, done: int, whole: int) -> None:
        """Take note of points done and points in all."""
        now = time.monotonic()
        shown = self.last > self.start
        if not self.stream.isatty() or now - self.start < _QUIET_S:
            return
        if done >= whole:
            self.stream.write("\r\033[K" if shown else "")
        elif now - self.last >= _EVERY_S:
            left = (now - self.start) * (whole - done) / done
            self.stream.write(
                f"\r\033[K{done / whole:.0%} of {whole:.3g} points, {left:,.0f} s left"
            )
            self.last = now
        self.stream.flush()
