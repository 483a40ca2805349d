"""Plain dicts and lists as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["to_yaml"]

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+=-]*(:[A-Za-z0-9_./@+=-]+)*")
#: what a YAML file may not hold as it is, or takes for the end of a line
_UNPRINTABLE = re.compile(
    "[^ -~\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
#: plain words that YAML readers take for something else
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n", ".nan", ".inf"}


def to_yaml(value: Any, indent: int = 0) -> str:
    """Write nested dicts and lists as YAML, two spaces a level.

    Parameters
    ----------
    value : mapping or list   Of text, numbers, truth values and further ones.
    indent : int              Spaces before each line.

    Examples
    --------
    >>> print(to_yaml({"name": "a", "args": ["--tp", "8"], "route": {}}))
    name: a
    args:
      - --tp
      - "8"
    route: {}
    """
    space = " " * indent
    lines = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            lines += _entry(f"{space}{_scalar(str(key))}:", item, indent)
    else:
        for item in value:
            if isinstance(item, Mapping | list) and item:
                text = to_yaml(item, indent + 2)
                lines.append(f"{space}- {text[indent + 2 :]}")
            else:
                lines.append(f"{space}- {_scalar(item)}")
    return "\n".join(lines)


def _entry(head: str, item: Any, indent: int) -> list[str]:
    if isinstance(item, Mapping | list) and item:
        return [head, to_yaml(item, indent + 2)]
    return [f"{head} {_scalar(item)}"]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # An option is plain text: its dashes are followed by a letter.
        if re.fullmatch(r"--?[a-zA-Z][A-Za-z0-9_-]*", value):
            return value
        plain = _PLAIN.fullmatch(value) and value.casefold() not in _RESERVED
        if plain:
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return _UNPRINTABLE.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)
    written = json.dumps(value)
    if isinstance(value, float) and "e" in written and "." not in written:
        return written.replace("e", ".0e")  # without a point it would be text
    return written
