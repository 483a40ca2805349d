"""Compare names the way people type them: by words and numbers, not by characters."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["folded", "nearest", "share", "tokens"]

#: a number with at most one letter behind it (``3.3``, ``70b``, ``300x``), or a word
_TOKEN = re.compile(r"\d+(?:\.\d+)*(?:[a-z](?![a-z]))?|[a-z]+")
_LONGEST = 200
_CLOSE = 0.6
_HALF = 0.5


@lru_cache(maxsize=8192)
def tokens(name: str) -> tuple[str, ...]:
    """Split a name into words and numbers, without regard to case and separators.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> tokens("Llama-3.3 70B"), tokens("llama3.3:70b"), tokens("H100_SXM5")
    (('llama', '3.3', '70b'), ('llama', '3.3', '70b'), ('h', '100', 'sxm', '5'))
    """
    return tuple(_TOKEN.findall(name.casefold()))


def folded(name: str) -> str:
    """Fold what people type alike: case, underscores and spaces."""
    return name.strip().casefold().replace("_", "-").replace(" ", "-")


def share(asked: Sequence[str], text: str) -> float:
    """Share of the words asked for that a text has; numbers must be the same, words may go on.

    Parameters
    ----------
    asked : sequence of str   From `tokens`.
    text : str

    Examples
    --------
    >>> share(tokens("llama 3.3"), "Llama-3.1-8B"), share(tokens("deep v3"), "DeepSeek-V3")
    (0.5, 1.0)
    """
    has = tokens(text)
    found = sum(any(_begins(token, other) for other in has) for token in asked)
    return found / len(asked) if asked else 0.0


def _begins(token: str, other: str) -> bool:
    """Whether a word is the beginning of another: ``deep`` of ``deepseek``, ``70`` of ``70b``."""
    if token == other or len(token) == 1:
        return token == other
    return other.startswith(token) and (token.isalpha() or other[len(token) :].isalpha())


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Rank known names by what they have in common with the one asked for; the far are left out.

    Words and numbers in common come first, then how few others there are, then likeness of
    characters: ``llama 3.3 70b`` is nearer to ``Llama-3.3-70B-Instruct`` than to ``Llama-3.1-70B``.

    Parameters
    ----------
    name : str
    known : iterable of str
    n : int   At most so many.

    Examples
    --------
    >>> nearest("h100-smx", ["b200-sxm", "h100-sxm", "h100-pcie"], n=1)
    ['h100-sxm']
    """
    folded = _last(name.casefold()[:_LONGEST])
    asked = tokens(folded)
    ranked: list[tuple[float, float, float, int, str]] = []
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(folded)
    for place, candidate in enumerate(dict.fromkeys(known)):
        other = _last(candidate.casefold())
        common = share(asked, other)
        part = bool(folded) and folded in other
        matcher.set_seq1(other)
        shared = common >= _HALF and len(asked) > 1
        if not (part or shared) and (
            matcher.real_quick_ratio() < _CLOSE or matcher.quick_ratio() < _CLOSE
        ):
            continue
        ratio = matcher.ratio()
        if part or shared or ratio >= _CLOSE:
            rest = share(tokens(other), folded)
            ranked.append((-(common + part), -rest, -ratio, place, candidate))
    return [candidate for *_, candidate in sorted(ranked)[:n]]


def _last(name: str) -> str:
    """The name without its organisation: who publishes a model says little about its shape."""
    return name.rpartition("/")[2] or name
