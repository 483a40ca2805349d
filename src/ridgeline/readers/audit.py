"""Refuse, by name, every key that may change the counts and that nobody has read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import shown
from ridgeline.readers.families import Family, harmless_patterns, structural_words

__all__ = ["audit", "looks_structural"]

_INERT: tuple[Any, ...] = (None, False, 0, "", [], {})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@lru_cache(maxsize=4096)
def looks_structural(key: str) -> bool:
    """Whether a key's name hints that its value shapes weights or caches.

    Examples
    --------
    >>> looks_structural("num_memory_slots"), looks_structural("transformers_version")
    (True, False)
    """
    words = (word.lower() for word in _WORD.findall(key))
    return not structural_words().isdisjoint(words)


@lru_cache(maxsize=8192)
def _harmless(key: str, more: frozenset[str]) -> bool:
    patterns = (*harmless_patterns(), *more)
    return any(key == pattern or fnmatchcase(key, pattern) for pattern in patterns)


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
    harmless = frozenset((*family.ignore, *vouched))
    doubtful = list(_doubtful(raw, known, harmless))
    if not doubtful:
        return
    listed = ", ".join(f"{key} = {shown(value)}" for key, value in doubtful[:6])
    more = f" and {len(doubtful) - 6} more" if len(doubtful) > 6 else ""
    names = ", ".join(f'"{key}"' for key, _ in doubtful)
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


def _doubtful(
    raw: Mapping[str, Any], known: Collection[str], harmless: frozenset[str], prefix: str = ""
) -> Any:
    roots = {name.partition(".")[0] for name in known}
    for key, value in raw.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and key in roots and key not in known and value:
            inner = {name.partition(".")[2] for name in known if name.startswith(f"{key}.")}
            yield from _doubtful(value, inner, harmless, f"{path}.")
        elif key in roots or _is_inert(value) or _harmless(path, harmless):
            continue
        elif looks_structural(key) and not _harmless(key, harmless):
            yield path, value


def _is_inert(value: Any) -> bool:
    return any(value is inert or value == inert for inert in _INERT)
