"""Refuse, by name, every key that may change the counts and that nobody has read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.families import (
    Family,
    harmless_patterns,
    harmless_texts,
    moot_patterns,
    structural_words,
    width_patterns,
)

__all__ = ["audit", "looks_structural"]

_INERT: tuple[Any, ...] = (None, False, 0, "", [], {})
_MOST_LOOKED_AT = 64
_MOST_NAMED = 40
_LONGEST_KEY = 120
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@lru_cache(maxsize=8192)
def _words(key: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(key))


def looks_structural(key: str, value: object = 1) -> bool:
    """Whether a key's name and the kind of its value hint that it shapes weights or caches.

    A whole number may be a size, a truth value may switch a part on, a text may name a design or a
    pattern of layers, and a number with a fraction may only scale a width.

    Examples
    --------
    >>> looks_structural("num_memory_slots"), looks_structural("transformers_version")
    (True, False)
    >>> looks_structural("key_scale_ratio", 0.5), looks_structural("ffn_ratio", 0.5)
    (False, True)
    """
    words = _words(key)
    if isinstance(value, (list, tuple)):
        return any(looks_structural(key, entry) for entry in value[:_MOST_LOOKED_AT])
    if isinstance(value, bool):
        return not words.isdisjoint(structural_words("flags"))
    if isinstance(value, str):
        return not words.isdisjoint(structural_words("texts")) and not _shapes_nothing(value)
    if isinstance(value, float) and not value.is_integer():
        return all(not words.isdisjoint(structural_words(k)) for k in ("factors", "factored"))
    return not words.isdisjoint(structural_words())


def _shapes_nothing(text: str) -> bool:
    return _any(text.lower(), harmless_texts())


@lru_cache(maxsize=8192)
def _harmless(key: str, more: frozenset[str]) -> bool:
    if key in more or _any(key, more):
        return True
    return not _any(key, width_patterns()) and _any(key, harmless_patterns())


@lru_cache(maxsize=256)
def _compiled(patterns: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")


def _any(text: str, patterns: Collection[str]) -> bool:
    return _compiled(patterns).match(text) is not None


def audit(
    raw: Mapping[str, Any], family: Family, *, assume_harmless: Collection[str] = (), where: str
) -> None:
    """Raise unless every key is read by the family, known to be harmless, or without effect.

    Parameters
    ----------
    raw : mapping          The language model's part of a config.
    family : Family
    assume_harmless : collection of str   Keys (or globs) the caller vouches for.
    where : str            What to call the config in the message.

    Raises
    ------
    ConfigError   Names each such key and its value, and says how to go on.
    """
    known = family.keys()
    vouched = (assume_harmless,) if isinstance(assume_harmless, str) else assume_harmless
    harmless = frozenset((*family.ignore, *vouched, *_moot(raw, family, known)))
    doubtful = list(_doubtful(raw, known, harmless))
    if not doubtful:
        return
    doubtful = [(key[:_LONGEST_KEY], value) for key, value in doubtful]
    listed = ", ".join(f"{key} = {shown(value)}" for key, value in doubtful[:6])
    more = f" and {len(doubtful) - 6} more" if len(doubtful) > 6 else ""
    names = ", ".join(f'"{key}"' for key, _ in doubtful[:_MOST_NAMED])
    near = did_you_mean(doubtful[0][0], [k for k in known if "." not in k], n=1)
    one = len(doubtful) == 1
    raise ConfigError(
        f"{where}: the family {family.name!r} does not know {listed}{more}; "
        f"{'it' if one else 'they'} may change the size of weights or caches.{near} If "
        f"{'it does' if one else 'they do'} not, pass assume_harmless=({names},), on the command "
        f"line {' '.join(f'--assume-harmless {key}' for key, _ in doubtful[:6])}; if "
        f"{'it does' if one else 'they do'}, describe the model by hand: a record in TOML, or its "
        "counts with Model.from_counts (--from-counts)."
    )


def _moot(raw: Mapping[str, Any], family: Family, known: Collection[str]) -> list[str]:
    """Factors whose product the config states outright, in a key the family reads."""
    globs: list[str] = []
    for size, factors in moot_patterns().items():
        also = family.aliases.get(size, ())
        names = (size, *((also,) if isinstance(also, str) else also))
        if any(name in known and isinstance(raw.get(name), int) for name in names):
            globs.extend(factors)
    numbers = [key for key, value in raw.items() if isinstance(value, (int, float))]
    return [key for key in numbers if key not in known and _any(key, tuple(globs))]


def _doubtful(
    raw: Mapping[str, Any], known: Collection[str], harmless: frozenset[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    roots = {name.partition(".")[0] for name in known}
    for key, value in raw.items():
        path = f"{prefix}{key}"
        if key in known or _is_inert(value) or _harmless(path, harmless):
            continue
        inner = {name.partition(".")[2] for name in known if name.startswith(f"{key}.")}
        if isinstance(value, Mapping) and not _harmless(str(key), harmless):
            yield from _doubtful(value, inner, harmless, f"{path}.")
        elif key in roots:
            continue
        elif looks_structural(path, value) and not _harmless(str(key), harmless):
            yield path, value


def _is_inert(value: Any) -> bool:
    return any(value is inert or value == inert for inert in _INERT)
