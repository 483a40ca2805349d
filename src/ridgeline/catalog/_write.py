"""Write a record as the TOML a person would have written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from ridgeline.specs.record import Record

__all__ = ["to_toml"]

_NUMBER_LIST = re.compile(r"\[\n((?:\s+-?\d+,\n)+)\]")


def to_toml(record: Record) -> str:
    """Write the fields of a record that differ from their defaults, so that it reads back equal.

    Parameters
    ----------
    record : Record

    Returns
    -------
    str   TOML; lists of numbers on one line.
    """
    import tomli_w  # noqa: PLC0415  (reading needs none of it)

    text = tomli_w.dumps(_written(record))
    return _NUMBER_LIST.sub(lambda m: f"[{' '.join(m[1].split()).rstrip(',')}]", text)


def _written(value: Any) -> Any:
    if isinstance(value, BaseModel):
        kept = {}
        for name, field in type(value).model_fields.items():
            item = getattr(value, name)
            # `kind` tells the members of a union apart, default or not.
            if name == "kind" or item != field.get_default(call_default_factory=True):
                kept[name] = item
        return {n: _written(v) for n, v in kept.items() if v is not None}
    if isinstance(value, dict):
        return {str(k): _written(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_written(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
