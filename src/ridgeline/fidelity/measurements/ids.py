"""Ids of rows, each of which is to be met once."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np

__all__ = ["Seen"]


class Seen:
    """Ids met so far, at eight bytes each beyond the present chunk."""

    def __init__(self) -> None:
        self._old = array("q")
        self._new: set[int] = set()

    def add(self, name: str) -> bool:
        """Whether the id is new."""
        if self.has(name):
            return False
        self._new.add(hash(name))
        return True

    def has(self, name: str) -> bool:
        """Whether an id was met."""
        key = hash(name)
        return key in self._new or self._is_old(key)

    def _is_old(self, key: int) -> bool:
        at = bisect_left(self._old, key)
        return at < len(self._old) and self._old[at] == key

    def settle(self) -> None:
        """Put the ids of a chunk away."""
        new = np.fromiter(self._new, dtype=np.int64, count=len(self._new))
        every = np.concatenate([np.frombuffer(self._old, dtype=np.int64), np.sort(new)])
        self._old = array("q", np.sort(every, kind="stable").tobytes())
        self._new.clear()
