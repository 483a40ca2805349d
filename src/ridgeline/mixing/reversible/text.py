"""Text to train on that every Python brings along: the language reference behind ``help()``."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import numpy as np

from ridgeline.errors import RidgelineError

__all__ = ["python_text", "text_as_codes"]


@cache
def python_text() -> str:
    """The topics of Python's own help, in alphabetical order: about 450 thousand characters.

    Raises
    ------
    RidgelineError   This Python came without them.

    Examples
    --------
    >>> "The " in python_text()
    True
    """
    try:
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
    except ModuleNotFoundError:
        raise RidgelineError(
            "This Python lacks its module pydoc_data.topics, the text to train on. "
            "Install the full standard library."
        ) from None
    return "\n\n".join(topics[name] for name in sorted(topics))


@cache
def text_as_codes() -> tuple[np.ndarray, str]:
    """The text as numbers from 0, one a character, and the characters in their order.

    Examples
    --------
    >>> codes, characters = text_as_codes()
    >>> "".join(characters[c] for c in codes[:5]) == python_text()[:5]
    True
    """
    text = python_text()
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    found, codes = np.unique(points, return_inverse=True)
    return codes.astype(np.int64), "".join(map(chr, found))
