"""The table of model families: which there are, what they inherit, and which one a config is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.expressions import names_in, shown
from ridgeline.shipped import read_shipped

__all__ = [
    "Family",
    "family_of",
    "harmless_patterns",
    "known_model_types",
    "structural_words",
    "text_model_type",
]

_TABLE = Path(__file__).with_name("hf_families.toml")
_BY_HAND = (
    "A model that no family fits can be described by hand: as a record in TOML (blocks of mixers "
    "and feed-forward parts; any entry of the catalogue shows how), or by its counts alone with "
    "Model.from_counts, on the command line --from-counts."
)
#: entries whose text is a label or a name, not an expression
_LABELS = frozenset(
    {
        "by",
        "use",
        "hit",
        "miss",
        "name",
        "kind",
        "part",
        "mixer",
        "ffn",
        "beside",
        "suffix",
        "table",
        "last",
    }
)


@dataclass(frozen=True)
class Family:
    """One family: how each part of a model follows from its config.

    Attributes
    ----------
    model, block : mapping     Expressions for the fields of `Model` and `Block`.
    parts : mapping            Mixers and feed-forward parts by label, each with its `kind`.
    layers : mapping           Rules that label the mixer and the feed-forward part of each layer.
    mtp : mapping              How many multi-token-prediction layers there are, and of what.
    aliases, defaults          See `Config`.
    ignore : tuple of str      Keys that change no count in this family.
    modules : mapping          Names under which quantisers list the weights of a part.
    refuse : tuple of mapping  Conditions (`when`) that a record cannot express, and `why`.
    remarks : tuple of mapping  What to `say` of a model where a condition (`when`) holds.
    model_types, architectures, by_keys : tuple of str
        What a config of this family is known by: its type, its class, or the keys it has.
    """

    name: str
    model: Mapping[str, Any] = field(default_factory=dict)
    block: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Any] = field(default_factory=dict)
    mtp: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    modules: Mapping[str, Any] = field(default_factory=dict)
    refuse: tuple[Mapping[str, str], ...] = ()
    note: str = ""
    remarks: tuple[Mapping[str, str], ...] = ()
    model_types: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    by_keys: tuple[str, ...] = ()

    def kinds(self) -> set[str]:
        """Kinds of the parts a model of this family may have."""
        return {self.parts[label]["kind"] for label in self._reachable()}

    def labels(self) -> set[str]:
        """Labels of the parts a model of this family may have."""
        return set(_labels_in([*self.layers.values(), self.mtp]))

    def variants(self, kind: str) -> tuple[Mapping[str, Any], ...]:
        """Rules that vary the labels of a kind of part: ``mixer`` or ``ffn``."""
        rules = self.layers.get(f"{kind}_variant", ())
        return (rules,) if isinstance(rules, Mapping) else tuple(rules)

    def _reachable(self) -> list[str]:
        """Labels with their variants: "window" and "window_shared"."""
        named = self.labels()
        for rule in (*self.variants("mixer"), *self.variants("ffn")):
            suffixes = (rule.get("suffix", ""), *rule.get("names", {}).values())
            named = named | {label + suffix for label in named for suffix in suffixes}
        return [label for label in self.parts if label in named]

    def keys(self) -> set[str]:
        """Every config key, dotted, that this family's expressions may read."""
        used = [self.model, self.block, self.layers, self.mtp, [r["when"] for r in self.refuse]]
        used += [self.parts[label] for label in self._reachable()]
        found = {name for entry in used for name in _names(entry)}
        for name, also in self.aliases.items():
            if name in found or name.partition(".")[0] in found:
                found.update([also] if isinstance(also, str) else also)
        return found


def _labels_in(rules: object) -> Iterator[str]:
    if isinstance(rules, str):
        yield rules
    elif isinstance(rules, Mapping):
        for key in _LABELS:
            yield from _labels_in(rules.get(key))
        yield from rules.get("names", {}).values()
    elif isinstance(rules, (list, tuple)):
        for rule in rules:
            yield from _labels_in(rule)


def _names(entry: object) -> Iterator[str]:
    if isinstance(entry, Mapping):
        for inner, value in entry.items():
            if inner != "names" and not (inner in _LABELS and isinstance(value, str)):
                yield from _names(value)
    elif isinstance(entry, (list, tuple)):
        for value in entry:
            yield from _names(value)
    elif isinstance(entry, str):
        yield from names_in(entry)


@cache
def _table() -> dict[str, Any]:
    return read_shipped(_TABLE)


@cache
def _by_model_type() -> dict[str, str]:
    families = _table()["family"]
    return {t: name for name, entry in families.items() for t in _types(name, entry)}


def _types(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(entry.get("model_types", (name,)))


@cache
def _by_architecture() -> dict[str, str]:
    families = _table()["family"]
    return {a: name for name, entry in families.items() for a in entry.get("architectures", ())}


@cache
def _by_keys() -> dict[str, frozenset[str]]:
    families = _table()["family"]
    return {name: frozenset(e["keys"]) for name, e in families.items() if "keys" in e}


def known_model_types() -> list[str]:
    """All values of ``model_type`` that are understood.

    Returns
    -------
    list of str   Sorted.
    """
    return sorted(_by_model_type())


def families() -> list[Family]:
    """Every family that a config may be of, by name."""
    return [found for name in sorted(_table()["family"]) if (found := _family(name)).model_types]


def known_wrappers() -> Mapping[str, str]:
    """The type of the language model by the ``model_type`` of a multimodal wrapper."""
    return _table()["wrappers"]


def not_described() -> Mapping[str, str]:
    """Model types and classes that are known and that no record can say, with the reason."""
    return _table()["beyond"]


def harmless_patterns() -> tuple[str, ...]:
    """Keys, or globs of keys, that never change a count in any family."""
    return tuple(_table()["harmless"]["keys"])


def harmless_texts() -> tuple[str, ...]:
    """Texts, or globs of texts in small letters, that shape nothing under any key."""
    return tuple(_table()["harmless"]["texts"])


def width_patterns() -> tuple[str, ...]:
    """Globs of keys that scale a width, whatever harmless glob they match as well."""
    return tuple(_table()["structural"]["widths"])


@cache
def structural_words(kind: str = "words") -> frozenset[str]:
    """Words in a key's name that hint at shapes.

    Parameters
    ----------
    kind : str   ``words`` for whole numbers, ``flags`` for truth values, ``texts`` for text,
        ``factors`` and ``factored`` for what a number with a fraction may scale.
    """
    return frozenset(_table()["structural"][kind])


@cache
def moot_patterns() -> Mapping[str, tuple[str, ...]]:
    """Globs of keys that would give a size, by the key that gives that size outright."""
    return {size: tuple(globs) for size, globs in _table()["structural"]["moot"].items()}


@cache
def _synonyms() -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(group) for group in _table()["synonyms"]["groups"] for name in group}


def synonyms(name: str) -> tuple[str, ...]:
    """Every name that families give to the same size, the given one among them."""
    return _synonyms().get(name, (name,))


def text_model_type(wrapper: object) -> str | None:
    """The language model's ``model_type`` where a wrapper of this type does not state it.

    Parameters
    ----------
    wrapper : object   The wrapper's own ``model_type``.
    """
    found = known_wrappers().get(wrapper) if isinstance(wrapper, str) else None
    if found is None and isinstance(wrapper, str) and wrapper in _by_model_type():
        return wrapper
    return found


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a family over what it inherits: tables join, anything else replaces."""
    out = dict(below)
    for key, value in above.items():
        lower = out.get(key)
        if isinstance(value, Mapping) and isinstance(lower, Mapping):
            out[key] = _merged(lower, value)
        else:
            out[key] = value
    return out


@cache
def _family(name: str) -> Family:
    entry = _inherited(name)
    parts = {label: _part(label, entry["parts"]) for label in entry["parts"]}
    wanted = {k: entry[k] for k in ("model", "block", "layers", "mtp", "aliases", "defaults")}
    return Family(
        name=name,
        parts=parts,
        ignore=tuple(entry.get("ignore", ())),
        modules=entry.get("modules", {}),
        refuse=tuple(entry.get("refuse", ())),
        note=entry.get("note", ""),
        remarks=tuple(entry.get("remarks", ())),
        model_types=_types(name, _table()["family"][name]),
        architectures=tuple(_table()["family"][name].get("architectures", ())),
        by_keys=tuple(_table()["family"][name].get("keys", ())),
        **wanted,
    )


def _inherited(name: str) -> dict[str, Any]:
    table = _table()
    own = table["family"][name]
    below = _inherited(own["like"]) if "like" in own else table["base"]
    merged = _merged(below, own)
    merged["ignore"] = [*below.get("ignore", ()), *own.get("ignore", ())]
    return merged


def _part(label: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a part that is ``like`` another one of the same family."""
    own = parts[label]
    if "like" not in own:
        return dict(own)
    return _merged(_part(own["like"], parts), {k: v for k, v in own.items() if k != "like"})


def family_of(raw: Mapping[str, Any], where: str) -> Family:
    """Find the family of a config: by its ``architectures``, ``model_type``, or the keys it has.

    Parameters
    ----------
    raw : mapping   The config of the language model (not of a multimodal wrapper around it).
    where : str     What to call it in messages.

    Raises
    ------
    ConfigError   Neither is known; names near ones and says how to go on.
    """
    model_type = raw.get("model_type")
    architectures = raw.get("architectures")
    listed = (
        [a for a in architectures if isinstance(a, str)] if isinstance(architectures, list) else []
    )
    # Old configs keep the model_type they were derived from; the class may say more.
    named = [*listed, *([model_type] if isinstance(model_type, str) else [])]
    for name in named:
        _refuse_by_name(name, where)
    for architecture in listed:
        if architecture in _by_architecture():
            return _family(_by_architecture()[architecture])
    if isinstance(model_type, str) and model_type in _by_model_type():
        return _family(_by_model_type()[model_type])
    if not named and model_type is None:
        return _family_by_keys(raw, where)
    name = model_type if isinstance(model_type, str) else shown(model_type)
    near = did_you_mean(str(name), known_model_types())
    raise ConfigError(
        f"{where}: model_type {name!r} is not among the {len(_by_model_type())} known ones.{near} "
        f"{_BY_HAND}"
    )


def _refuse_by_name(name: str, where: str) -> None:
    why = not_described().get(name)
    if why is not None:
        raise ConfigError(f"{where}: {name!r} is known, but not described: {why}. {_BY_HAND}")


def _family_by_keys(raw: Mapping[str, Any], where: str) -> Family:
    for name, keys in _by_keys().items():
        if keys <= set(raw):
            return _family(name)
    raise ConfigError(
        f"{where} has neither model_type nor architectures, so its family is unknown. Is it a "
        f"model's config.json? {_BY_HAND}"
    )
