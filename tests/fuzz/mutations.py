"""Break a value, a table or a text in the ways that files and people break them."""

from __future__ import annotations

import copy
import random
from typing import Any

__all__ = ["Mutator"]

_NUMBERS = [-1, 0, 1, 2, 3, 7, 10**6, 10**9, 10**15, 10**40, 10**400, -(10**20),
            0.5, -2.5, 1e300, 1e-300, float("nan"), float("inf"), float("-inf"), 4.0, True,
            False]  # fmt: skip
_TEXTS = ["", " ", "auto", "eight", "full_attention", "re:((", "re:(a+)+!", "\0", "4", "-1", "2,35",
          "4,8 TB/s", "1,,,,2 GB", "1e400", "9" * 400, "9" * 5000,
          "1" + " " * 40_000 + "GB", "=1+1", "M-*E" * 3, "x" * 5000, "é漢\u202e",
          "141 GB", "20 ms", "nan", "null", "true", "[5]", "../..", "*", "Linear", "h100-sxm",
          "q4_k_m", "int999-g1", "exl2_99bpw", "Qwen/Qwen3-8B", "٣", "0x10", "1_000",
          "\n"]  # fmt: skip
_LISTS: list[Any] = [[], {}, [0], [None], [[[]]], {"x": 1}, ["a", "b"], [1, 2, 3], {"": ""}, None]


class Mutator:
    """Changes that follow from a seed.

    Parameters
    ----------
    source : random.Random
    """

    def __init__(self, source: random.Random) -> None:
        self.source = source

    def junk(self) -> Any:
        """A value of any kind."""
        pool: list[Any] = self.source.choice([_NUMBERS, _TEXTS, _LISTS])
        return copy.deepcopy(self.source.choice(pool))

    def word(self) -> str:
        """A text of any kind."""
        return str(self.source.choice([self.source.choice(_TEXTS), self.source.choice(_NUMBERS)]))

    def nested(self, value: Any, other: Any) -> Any:
        """A copy of nested tables with one to four of their places broken.

        Parameters
        ----------
        value, other : object   The second lends keys and values.
        """
        value = copy.deepcopy(value)
        for _ in range(self.source.randint(1, 4)):
            places = list(_places(value))
            if not places:
                return self.junk()
            self._break(value, self.source.choice(places), other)
        return value

    def _break(self, value: Any, path: tuple[Any, ...], other: Any) -> None:
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        key = path[-1]
        kind = self.source.randrange(7)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = [holder[key]] * self.source.choice([1, 3])
        elif kind == 2:
            holder[key] = self.source.choice(list(_values(other)) or [None])
        elif kind == 3 and isinstance(holder, dict):
            holder[f"{key}{self.source.choice(['', 's', '_2', 'x'])}{self.word()[:8]}"] = holder[
                key
            ]
        elif kind == 4 and isinstance(holder[key], int | float) and abs(holder[key]) < 1e100:
            holder[key] = holder[key] * self.source.choice([-1, 0, 0.5, 1000, 10**30])
        else:
            holder[key] = self.junk()

    def text(self, text: str) -> str:
        """A copy of a text with pieces cut, doubled, moved or replaced."""
        for _ in range(self.source.randint(1, 4)):
            i, j = sorted(self.source.randrange(len(text) + 1) for _ in range(2))
            j = min(j, i + 40)
            piece = self.source.choice(
                ["", text[i:j] * 2, self.word(), text[i:j][::-1], '"', ",", "[", "\r\n", "\ufeff"]
            )
            text = text[:i] + piece + text[j:]
        return text if self.source.random() < 0.9 else text[: self.source.randrange(len(text) + 1)]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    if path:
        yield path
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _values(value: Any) -> Any:
    for path in _places(value):
        inner = value
        for key in path:
            inner = inner[key]
        yield copy.deepcopy(inner)
