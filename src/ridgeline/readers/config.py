"""A config seen through its family: synonyms, defaults, and which keys were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ridgeline.errors import ConfigError
from ridgeline.readers.class_defaults import class_default
from ridgeline.readers.expressions import Missing, evaluate, shown

__all__ = ["Config", "PartScope", "shown"]

_TRAIL = 12


class Config:
    """The raw keys of a config under the names the family table uses.

    Parameters
    ----------
    raw : mapping        As read from JSON.
    aliases : mapping    Name -> the keys under which it may stand instead.
    defaults : mapping   What an absent key means in this family.

    Attributes
    ----------
    taken : dict   Keys that the config lacks and that the class of its model type gave.
    """

    def __init__(
        self,
        raw: Mapping[str, Any],
        aliases: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.raw = raw
        self._aliases = aliases or {}
        self._defaults = defaults or {}
        self._trail: dict[str, Any] = {}
        self.taken: dict[str, Any] = {}

    def lookup(self, path: tuple[str, ...]) -> Any:
        """Return the value of a dotted name; `Missing` where it is absent or null."""
        name = ".".join(path)
        candidates: list[tuple[str, ...]] = [path]
        also: str | Sequence[str] = self._aliases.get(name, ())
        candidates += [tuple(a.split(".")) for a in ([also] if isinstance(also, str) else also)]
        for candidate in candidates:
            value = self._descend(candidate)
            if value is not None:
                self._note(".".join(candidate), value)
                return _whole(value)
        value = class_default(self.raw, [".".join(c) for c in candidates])
        if value is not None:
            self.taken[name] = value
            self._note(name, value)
            return value
        if name in self._defaults:
            return self._defaults[name]
        raise Missing(name)

    def get(self, expression: object, default: Any = None) -> Any:
        """Evaluate an expression over the config's keys; `default` where a key is missing."""
        try:
            return evaluate(expression, self)
        except Missing:
            return default

    def _descend(self, path: tuple[str, ...]) -> Any:
        value: Any = self.raw
        for depth, part in enumerate(path):
            if value is None:
                return None
            if not isinstance(value, Mapping):
                name = ".".join(path[:depth])
                raise ConfigError(f"{name} is {shown(value)}, and a table with {part} is expected.")
            value = value.get(part)
        return value

    def _note(self, key: str, value: object) -> None:
        self._trail.pop(key, None)
        self._trail[key] = value
        while len(self._trail) > _TRAIL:
            self._trail.pop(next(iter(self._trail)))

    def start_trail(self) -> None:
        """Forget which keys were read, before evaluating a field whose message may need them."""
        self._trail = {}

    def trail(self) -> str:
        """Say which keys were read since `start_trail`: ``hidden_size = 4096, …``."""
        return ", ".join(f"{key} = {shown(value)}" for key, value in self._trail.items())


def _whole(value: Any) -> Any:
    """Read 4096.0 as the whole number it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


class PartScope:
    """Names seen from one part of one layer: the config, its own fields, and the layer."""

    def __init__(
        self, config: Config, fields: Mapping[str, Any], layer: Mapping[str, Any] | None = None
    ) -> None:
        self.config = config
        self._fields = fields
        self.layer = layer or {}
        self._known: dict[str, Any] = {}

    def lookup(self, path: tuple[str, ...]) -> Any:
        """Return the value of a dotted name of the config, of ``own`` or of ``layer``."""
        if path[0] == "own":
            return self.field(path[1])
        if path[0] == "layer":
            value: Any = self.layer
            for part in path[1:]:
                value = value.get(part) if isinstance(value, Mapping) else None
            return _whole(value)
        return self.config.lookup(path)

    def field(self, name: str) -> Any:
        """Evaluate a field of this part, once."""
        if name not in self._known:
            self._known[name] = evaluate(self._fields[name], self)
        return self._known[name]
