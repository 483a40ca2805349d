"""A quantisation scheme: which modules it means, and what format they have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown

__all__ = ["Scheme", "matches"]

_PREFIXES = ("model.language_model.", "language_model.model.", "language_model.")


@dataclass(frozen=True)
class Scheme:
    """How a checkpoint is quantised.

    Attributes
    ----------
    groups : tuple of (patterns, format)   The first whose patterns match a module decides.
    excluded : tuple of str                Modules that stay as they were.
    head : str or None                     Format of the LM head, where it is quantised too.
    kv_dtype : str or None                 Format of cached keys and values.
    """

    groups: tuple[tuple[tuple[str, ...], str], ...]
    excluded: tuple[str, ...] = ()
    head: str | None = None
    kv_dtype: str | None = None

    @property
    def main(self) -> str:
        """The format of most modules."""
        return self.groups[0][1]

    def format_of(self, module: str) -> str | None:
        """Format of a module by its name, None where it is not quantised.

        Parameters
        ----------
        module : str   Such as ``model.layers.3.mlp.experts.0.up_proj``.
        """
        if any(matches(pattern, module) for pattern in self.excluded):
            return None
        for patterns, dtype in self.groups:
            if any(matches(pattern, module) for pattern in patterns):
                return dtype
        return None


@lru_cache(maxsize=65536)
def matches(pattern: str, module: str) -> bool:
    """Whether a quantiser's pattern means a module.

    Parameters
    ----------
    pattern : str
        A name, a leading or trailing part of one, a glob, or ``re:`` and a regular expression;
        ``Linear`` means every module.
    module : str

    Examples
    --------
    >>> matches("re:.*self_attn.*", "model.layers.0.self_attn.q_proj"), matches("lm_head", "lm")
    (True, False)
    """
    if pattern.startswith("re:"):
        return _regex(pattern[3:]).match(module) is not None
    if pattern in {"Linear", "*"}:
        return True
    for prefix in _PREFIXES:
        if pattern.startswith(prefix):
            pattern = f"model.{pattern.removeprefix(prefix)}"
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(module, pattern) or fnmatchcase(module, f"{pattern}.*")
    return f".{pattern.strip('.')}." in f".{module}."


@lru_cache(maxsize=4096)
def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"{shown(text)} is not a regular expression: {error}.") from None
