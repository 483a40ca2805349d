"""Which mixer and which feed-forward part each layer has: the patterns configs write them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ridgeline.errors import ConfigError, did_you_mean
from ridgeline.readers.config import Config, shown

__all__ = ["Label", "Rule", "labels", "varied", "whole_number"]

Rule = Mapping[str, Any]


class Label(NamedTuple):
    """What one layer has: the label of a part, and what the pattern said there."""

    part: str
    value: Any = None


def labels(rules: object, config: Config, n_layers: int, n_mtp: int = 0) -> list[Label]:
    """Label every layer by the first rule that applies.

    Parameters
    ----------
    rules : text or list of tables
        A label for all layers, or rules tried in order: ``by = "list" | "letters" | "cycle" |
        "stride" | "indices" | "all"``; one that needs an absent key, or whose ``when`` is false,
        is passed. ``given`` is a second list that says something else of each layer.
    config : Config
    n_layers, n_mtp : int   A list may also cover the multi-token-prediction layers.

    Returns
    -------
    list of Label   One a layer.

    Raises
    ------
    ConfigError   A list of the wrong length or kind, an unknown entry, or no rule that applies.
    """
    if isinstance(rules, str):
        return [Label(rules)] * n_layers
    assert isinstance(rules, (list, tuple))
    for rule in rules:
        if "when" in rule and not config.get(rule["when"], default=False):
            continue
        found = _METHODS[rule["by"]](rule, config, n_layers, n_mtp)
        if found is not None:
            return found
    wanted = ", ".join(str(rule["key"]) for rule in rules if "key" in rule)
    raise ConfigError(
        f"nothing says what each layer is: {wanted or 'a layer pattern'} is expected."
    )


def varied(found: list[Label], variants: Sequence[Rule], config: Config) -> list[Label]:
    """Give the layers that a variant's rule picks another label: the same with a suffix.

    Parameters
    ----------
    found : list of Label
    variants : sequence of mapping
        Rules like those of `labels`, applied in turn, with a ``suffix`` for their hits (or
        ``names`` that give suffixes); ``of`` limits one to the layers of one label.
    config : Config
    """
    for variant in variants:
        rule = {"by": "stride", "hit": variant.get("suffix", ""), "miss": "", **variant}
        if "when" in rule and not config.get(rule["when"], default=False):
            continue
        marks = _METHODS[rule["by"]](rule, config, len(found), 0)
        if marks is not None:
            only = variant.get("of")
            found = [
                Label(a.part + b.part, a.value) if only in {None, a.part} else a
                for a, b in zip(found, marks, strict=True)
            ]
    return found


def whole_number(
    config: Config, expression: object, what: str, default: int | None = None, least: int = 0
) -> int:
    """Evaluate an expression to a whole number, or say what it was.

    Parameters
    ----------
    config : Config
    expression : text or int
    what : str              What it is called in the message.
    default : int or None   Where a key is absent; None requires it.
    least : int             Smallest sensible value.

    Raises
    ------
    ConfigError   Absent without a default, no whole number, or below `least`.
    """
    value = config.get(expression, default)
    if value is None:
        raise ConfigError(f"{expression} is missing: {what} is not known without it.")
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(
            f"{expression} is {shown(value)}; {what} is a whole number of at least {least}."
        )
    return value


def _all(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    return [Label(rule["use"])] * n_layers


def _entries(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Any] | None:
    """Return the list under the rule's key, one entry a layer."""
    values = config.get(rule["key"])
    if values is None or (isinstance(values, (int, bool)) and rule.get("or_number")):
        return None
    kind = str if rule["by"] == "letters" else (list, tuple)
    if not isinstance(values, kind):
        what = "a text" if rule["by"] == "letters" else "a list"
        raise ConfigError(
            f"{rule['key']} is {shown(values)}; {what} with one entry for each of the "
            f"{n_layers} layers is expected."
        )
    if len(values) not in {n_layers, n_layers + n_mtp} and not (
        not values and rule.get("or_empty")
    ):
        raise ConfigError(
            f"{rule['key']} has {len(values)} entries for {n_layers} layers; one each is expected."
        )
    return list(values)[:n_layers] or None


def _by_list(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    values = _entries(rule, config, n_layers, n_mtp)
    if values is None:
        return None
    names: Mapping[str, str] = rule["names"]
    letters = rule["by"] == "letters"
    given = _given(rule, config, n_layers, n_mtp) or values
    return [
        Label(_named(value, names, rule["key"], layer, letters=letters), given[layer])
        for layer, value in enumerate(values)
    ]


def _given(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Any] | None:
    """The list that says something else of each layer, such as its number of heads."""
    if "given" not in rule:
        return None
    return _entries({"by": "list", "key": rule["given"]}, config, n_layers, n_mtp)


def _by_cycle(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    """A list or letters that repeat until the layers are through; `last` is the last layer's."""
    values = config.get(rule["key"])
    kinds = (list, tuple) if rule.get("or_number") else (list, tuple, str)
    if not isinstance(values, kinds) or not values:
        return None
    if n_layers % len(values) and "last" not in rule:
        raise ConfigError(
            f"{rule['key']} has {len(values)} entries, which do not repeat evenly over the "
            f"{n_layers} layers."
        )
    names: Mapping[str, str] = rule["names"]
    found = [
        Label(_named("none" if value is None else value, names, rule["key"], i), value)
        for i, value in enumerate(values[i % len(values)] for i in range(n_layers))
    ]
    return [*found[:-1], Label(rule["last"])] if "last" in rule else found


def _named(
    value: Any, names: Mapping[str, str], key: str, layer: int, *, letters: bool = False
) -> str:
    text = str(int(value)) if isinstance(value, (bool, int)) else value
    found = names.get(text) if isinstance(text, str) else None
    if found is None and not letters:  # where "*" is a letter, it stands for itself
        found = names.get("*")
    if found is None:
        near = did_you_mean(text, names) if isinstance(text, str) else ""
        raise ConfigError(
            f"{key} says {shown(value)} for layer {layer}, which is not a known kind of layer."
            f"{near} Known are {', '.join(names)}."
        )
    return found


def _by_stride(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    every = config.get(rule.get("every", 1))
    if every is None:
        return None
    every = whole_number(config, rule.get("every", 1), "the stride of a layer pattern", least=1)
    start = whole_number(config, rule.get("start", 0), "the first layer of a pattern", 0)
    end = config.get(rule.get("end", n_layers), n_layers)
    end = n_layers if end == -1 else end
    phase = whole_number(config, rule.get("phase", 0), "the offset of a layer pattern", 0)
    if isinstance(end, bool) or not isinstance(end, int):
        raise ConfigError(f"{rule['end']} is {shown(end)}; a layer number is expected.")
    skip = _layer_numbers(config, rule["skip"], n_layers, 0) if "skip" in rule else frozenset()
    head = whole_number(config, rule.get("head", 0), "the head of a layer pattern", 0)
    tail = whole_number(config, rule.get("tail", n_layers), "the tail of a layer pattern", 0)
    hits = (
        i < head or i >= tail or (start <= i < end and i % every == phase % every and i not in skip)
        for i in range(n_layers)
    )
    return [Label(rule["hit"] if hit else rule["miss"]) for hit in hits]


def _layer_numbers(config: Config, key: str, n_layers: int, base: int) -> frozenset[int]:
    values = config.get(key, [])
    if isinstance(values, str):
        values = _numbers_in(values)
    if not isinstance(values, (list, tuple)):
        raise ConfigError(f"{key} is {shown(values)}; a list of layer numbers is expected.")
    for value in values:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not base <= value < n_layers + base:
            raise ConfigError(
                f"{key} names layer {shown(value)}; the layers are {base} to {n_layers - 1 + base}."
            )
    return frozenset(value - base for value in values)


def _numbers_in(text: str) -> list[Any] | str:
    """Read "4,5,6" as the numbers it lists."""
    entries = [entry.strip() for entry in text.split(",")]
    return [int(e) for e in entries] if all(e.isdecimal() and len(e) < 6 for e in entries) else text


def _by_indices(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    if config.get(rule["key"]) is None:
        return None
    chosen = _layer_numbers(config, rule["key"], n_layers, rule.get("base", 0))
    if "rest" in rule:
        rest = _layer_numbers(config, rule["rest"], n_layers, rule.get("base", 0))
        if chosen | rest != set(range(n_layers)) or chosen & rest:
            raise ConfigError(
                f"{rule['key']} and {rule['rest']} do not name each of the {n_layers} layers once."
            )
    return [Label(rule["hit"] if i in chosen else rule["miss"]) for i in range(n_layers)]


def _by_blocks(rule: Rule, config: Config, n_layers: int, n_mtp: int) -> list[Label] | None:
    """Per-layer tables ({no_op, replace_with_linear, sizes…}), as searched architectures have."""
    values = _entries(rule, config, n_layers, n_mtp)
    if values is None:
        return None
    out: list[Label] = []
    for layer, value in enumerate(values):
        part = value.get(rule["table"]) if isinstance(value, Mapping) else None
        if not isinstance(part, Mapping):
            raise ConfigError(
                f"{rule['key']}[{layer}] is {shown(value)}; a table with a table "
                f"{rule['table']} is expected."
            )
        states = [s for s in ("no_op", "replace_with_linear") if part.get(s)]
        out.append(Label(rule["names"][states[0] if states else "*"], dict(part)))
    return out


_METHODS: dict[str, Callable[[Rule, Config, int, int], list[Label] | None]] = {
    "all": _all,
    "list": _by_list,
    "cycle": _by_cycle,
    "letters": _by_list,
    "stride": _by_stride,
    "indices": _by_indices,
    "blocks": _by_blocks,
}
