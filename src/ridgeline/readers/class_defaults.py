"""What a key that a config lacks means: the defaults of its class in transformers.

A config that transformers wrote leaves out what equals its class's default, in the table of a
language model inside a wrapper above all. The table of defaults is generated
(``scripts/list_class_defaults.py``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.readers.families import synonyms
from ridgeline.shipped import read_shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["class_default", "version"]

_TABLE = Path(__file__).with_name("hf_class_defaults.toml")


@cache
def _table() -> dict[str, Any]:
    return read_shipped(_TABLE)


def version() -> str:
    """The release of transformers whose defaults these are."""
    return str(_table()["transformers"])


def class_default(raw: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the default of the config's class for a key, or None where there is none.

    A key that is there and null stays null: its class's default does not apply.

    Parameters
    ----------
    raw : mapping            The config, with its ``model_type``.
    names : iterable of str  The key, and others under which it may stand.
    """
    model_type = raw.get("model_type")
    if not isinstance(model_type, str):
        return None
    also = {other for name in names for other in (name.partition(".")[0], *synonyms(name))}
    if not also.isdisjoint(raw):
        return None
    known: Mapping[str, Any] = _table()["class"].get(model_type, {})
    return next((known[name] for name in names if name in known), None)
