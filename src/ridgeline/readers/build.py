"""Turn the labels of a model's layers into records, each distinct layer once."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError

from ridgeline.errors import ConfigError
from ridgeline.readers.config import Config, PartScope, shown
from ridgeline.readers.expressions import Missing
from ridgeline.specs.blocks import (
    Attention,
    Block,
    CompressedAttention,
    DeltaRule,
    Dense,
    ExtraProduct,
    Indexer,
    LatentAttention,
    LightningAttention,
    Mamba1,
    Mamba2,
    MixtureOfExperts,
    ShortConv,
)

if TYPE_CHECKING:
    from ridgeline.readers.families import Family
    from ridgeline.readers.layers import Label
    from ridgeline.specs.record import Record

__all__ = ["LayerPlan", "build_blocks", "fields_of"]

_RECORDS: dict[str, type[Record]] = {
    "attention": Attention,
    "mla": LatentAttention,
    "compressed": CompressedAttention,
    "delta": DeltaRule,
    "lightning": LightningAttention,
    "mamba1": Mamba1,
    "mamba2": Mamba2,
    "conv": ShortConv,
    "dense": Dense,
    "moe": MixtureOfExperts,
    "indexer": Indexer,
    "extra": ExtraProduct,
}
_NOT_FIELDS = frozenset({"kind", "when"})
_LIMITS = {"n_layers": 10_000, "d_model": 10**7, "vocab_size": 10**9}


class LayerPlan(NamedTuple):
    """What one layer is made of, before it is built; `beside` is a mixer parallel to the first."""

    number: int
    mixer: Label
    ffn: Label
    beside: Label

    def scope(self, value: Any = None) -> dict[str, Any]:
        """What expressions see as ``layer``."""
        return {"mixer": self.mixer.part, "ffn": self.ffn.part, "value": value}


def build_blocks(family: Family, config: Config, plan: LayerPlan) -> tuple[Block, ...]:
    """Build the record of one layer; none where it is empty, two where two mixers are parallel.

    Parameters
    ----------
    family : Family
    config : Config
    plan : LayerPlan

    Raises
    ------
    ConfigError   A size that is missing, of the wrong kind, or impossible.
    """
    mixer = _part(family, config, plan, plan.mixer)
    ffn = _part(family, config, plan, plan.ffn)
    beside = _part(family, config, plan, plan.beside)
    first = () if beside is None else (_alone(beside),)
    scope = PartScope(config, family.block, plan.scope())
    names = [name for name in family.block if name != "extra" and not name.startswith("_")]
    fields = {
        name: _fit(_field(scope, name, f"{name} of a layer"), int, f"{name} of a layer", config)
        for name in names
    }
    products = tuple(
        _record("extra", entry, PartScope(config, entry, plan.scope()), config)
        for entry in family.block.get("extra", ())
        if _wanted(entry, config, plan)
    )
    if mixer is None and ffn is None and not products:
        return first
    values = {"mixer": mixer, "ffn": ffn, "extra": products, **fields}
    try:
        return (*first, Block.model_validate(values))
    except ValidationError as error:
        raise ConfigError(_refusal(error, "a layer", {})) from None


def _alone(part: Any) -> Block:
    """A block for what is parallel to the rest of a layer and shares its norms."""
    is_ffn = isinstance(part, (Dense, MixtureOfExperts))
    return Block(**{"ffn" if is_ffn else "mixer": part}, n_norm_vectors=0)


def _wanted(entry: Mapping[str, Any], config: Config, plan: LayerPlan) -> bool:
    if "when" not in entry:
        return True
    try:
        return bool(PartScope(config, entry, plan.scope()).field("when"))
    except Missing:
        return False


def _part(family: Family, config: Config, plan: LayerPlan, label: Label) -> Any:
    spec = family.parts[label.part]
    if spec["kind"] == "none":
        return None
    return _record(spec["kind"], spec, PartScope(config, spec, plan.scope(label.value)), config)


def _record(kind: str, spec: Mapping[str, Any], scope: PartScope, config: Config) -> Any:
    cls = _RECORDS[kind]
    values: dict[str, Any] = {}
    trails: dict[str, str] = {}
    for name, entry in spec.items():
        if name in _NOT_FIELDS or name.startswith("_"):
            continue
        if isinstance(entry, Mapping):
            values[name] = _nested(name, entry, scope, config)
        elif cls is ExtraProduct and name in {"name", "part"}:
            values[name] = entry
        else:
            what = f"{name} of {kind}"
            values[name] = _fit(_field(scope, name, what), _type_of(cls, name), what, config)
            trails[name] = config.trail()
    try:
        return cls.model_validate(values, strict=True)
    except ValidationError as error:
        raise ConfigError(_refusal(error, kind, trails)) from None


def _nested(name: str, entry: Mapping[str, Any], outer: PartScope, config: Config) -> Any:
    scope = PartScope(config, entry, outer.layer)
    try:
        if "when" in entry and not scope.field("when"):
            return None
    except Missing:
        return None
    return _record(name, entry, scope, config)


def _field(scope: PartScope, name: str, what: str) -> Any:
    scope.config.start_trail()
    try:
        return scope.field(name)
    except Missing as missing:
        raise ConfigError(
            f"{missing.key} is missing, and {what} is not known without it."
        ) from None


def _type_of(cls: type[Record], name: str) -> Any:
    field = cls.model_fields[name]
    kinds = get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    plain = [k for k in kinds if k is not type(None)]
    optional = type(None) in kinds
    kind: Any = plain[0]
    if get_origin(kind) is Literal:
        kind = str
    elif get_args(kind) and isinstance(get_args(kind)[0], type):
        kind = get_args(kind)[0]
    return (kind, optional)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in {Union, types.UnionType}


_NAMES = {int: "a whole number", bool: "true or false", str: "a name"}


def _fit(value: Any, wanted: Any, what: str, config: Config) -> Any:
    """Check the plain type of a value; 0 where none is allowed means none."""
    kind, optional = wanted if isinstance(wanted, tuple) else (wanted, False)
    if value is None and optional:
        return None
    if optional and kind is int and value == 0 and not isinstance(value, bool):
        return None
    if kind is bool and isinstance(value, int) and value in {0, 1}:
        return bool(value)
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not right:
        raise ConfigError(
            f"{what} is {shown(value)}, and {_NAMES.get(kind, kind)} is expected{_because(config)}."
        )
    return value


def _because(config: Config) -> str:
    trail = config.trail()
    return f" (from {trail})" if trail else ""


def _refusal(error: ValidationError, kind: str, trails: Mapping[str, str]) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}".rstrip(".")
    if not name:
        # The sentence names fields of the record: say which keys they came from.
        named = ", ".join(text for field, text in trails.items() if text and field in message)
        return f"{kind}: {message} (from {named})." if named else f"{kind}: {message}."
    trail = f" (from {trails[name]})" if trails.get(name) else ""
    return f"{name} of {kind} is {shown(problem['input'])}{trail}: {message}."


def fields_of(family: Family, config: Config) -> dict[str, Any]:
    """Evaluate the fields of the model itself, checked for their plain type.

    Parameters
    ----------
    family : Family
    config : Config
    """
    scope = PartScope(config, family.model)
    out: dict[str, Any] = {}
    for name in family.model:
        value = _field(scope, name, name)
        kind = bool if name in {"tied", "head_bias"} else str if name.endswith("dtype") else int
        out[name] = _fit(value, (kind, name == "max_context"), name, config)
        most = _LIMITS.get(name)
        if most is not None and not 1 <= out[name] <= most:
            raise ConfigError(
                f"{name} is {shown(out[name])}{_because(config)}; 1 to {most} is what a model has."
            )
    return out
