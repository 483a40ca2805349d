"""Fill quantities into nested templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["filled"]

_WHOLE = re.compile(r"\{(\w+)\}")
#: a field of this name brings the fields of its value into the mapping around it
_MERGE = "<<"


def filled(template: Any, known: Mapping[str, Any]) -> Any:
    """Return a template with its places filled.

    Text that is a place alone becomes the quantity itself, a number or a list; within other text it
    is written out. What becomes None is left out, and so is a table that loses all it had.

    Parameters
    ----------
    template : mapping, list or scalar   With places such as ``{name}`` in its texts.
    known : mapping                      Quantities by name.

    Examples
    --------
    >>> filled({"a": "{n}", "b": {"c": "{gone}"}, "d": ["x{n}"], "e": {}}, {"n": 2, "gone": None})
    {'a': 2, 'd': ['x2'], 'e': {}}
    """
    if isinstance(template, Mapping):
        found: dict[str, Any] = {}
        for name, item in template.items():
            value = filled(item, known)
            if value is None:
                continue
            if name == _MERGE:
                found |= value
            else:
                found[_WHOLE.sub(lambda m: str(known[m[1]]), name)] = value
        return found if found or not template else None
    if isinstance(template, list | tuple):
        items = [filled(item, known) for item in template]
        return [item for item in items if item is not None] or None
    if not isinstance(template, str):
        return template
    whole = _WHOLE.fullmatch(template)
    return known[whole[1]] if whole else _WHOLE.sub(lambda m: str(known[m[1]]), template)
