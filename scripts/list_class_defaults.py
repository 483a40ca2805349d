"""Write down what keys mean that a config leaves out: the defaults of its class in transformers.

Run it with transformers installed (torch is not needed), whenever the table of families grows::

    PYTHONPATH=src python scripts/list_class_defaults.py

It writes ``src/ridgeline/readers/hf_class_defaults.toml``: for each model type that the families
know and transformers has a class for, the defaults of the keys that the family reads. Truth values
are left out: what an absent flag means is in the table of families itself.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from ridgeline.readers.families import family_of, known_model_types, synonyms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.readers.families import Family

__all__ = ["defaults_of", "main"]

_TARGET = Path(__file__).parents[1] / "src/ridgeline/readers/hf_class_defaults.toml"
_HEAD = """\
# Written by scripts/list_class_defaults.py: do not edit. What a key means that a config leaves out,
# by its model_type: the defaults of that config's class in HuggingFace transformers.

"""


def _plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_plain(v) for v in value)
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def defaults_of(fields: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Choose the defaults that a family may need: numbers, texts and lists of its keys.

    What the family's own expressions say already (``interval | 4``) is left out.

    Parameters
    ----------
    fields : mapping    Field of the class -> its default.
    family : Family
    """
    read = family.keys()
    wanted = {also for key in read for also in (key, *synonyms(key))}
    said = str(family)
    chosen = {
        k: v
        for k, v in fields.items()
        if k in wanted and _plain(v) and not re.search(rf"\b{k} \| {re.escape(str(v))}\b", said)
    }
    return {k: list(v) if isinstance(v, tuple) else v for k, v in chosen.items()}


def _fields(cls: Any) -> dict[str, Any]:
    """Defaults as the class declares them, not as its constructor then derives them."""
    missing = dataclasses.MISSING
    return {f.name: f.default for f in dataclasses.fields(cls) if f.default is not missing}


def main() -> int:
    """Write the table; return the exit status."""
    transformers = importlib.import_module("transformers")
    auto = importlib.import_module("transformers.models.auto.configuration_auto")
    table: dict[str, Any] = {"transformers": transformers.__version__, "class": {}}
    for model_type in known_model_types():
        if model_type not in auto.CONFIG_MAPPING_NAMES:
            continue
        family = family_of({"model_type": model_type}, model_type)
        found = defaults_of(_fields(auto.CONFIG_MAPPING[model_type]), family)
        if found:
            table["class"][model_type] = dict(sorted(found.items()))
    _TARGET.write_text(_HEAD + tomli_w.dumps(table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
