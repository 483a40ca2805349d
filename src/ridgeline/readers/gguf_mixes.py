"""What llama.cpp's quantiser stores each tensor of a model as, by the name of the file's format.

A format such as Q4_K_M is a mix: it says the type of most tensors and rules for the others, which
depend on the class of the tensor, its layer and the model. ``gguf_mixes.toml`` has the rules.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgeline.formats import mixture
from ridgeline.layers import weights_of
from ridgeline.shipped import read_shipped
from ridgeline.specs.blocks import Attention, MixtureOfExperts, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.laws.shapes import Product
    from ridgeline.specs.model import Model

__all__ = [
    "dtype_of_type",
    "gguf_mixes",
    "gguf_types",
    "is_gguf_mix",
    "with_gguf_mix",
]

_TABLE = Path(__file__).with_name("gguf_mixes.toml")
#: types that the catalogue knows by another name
_NAMES = {"f32": "fp32", "f16": "fp16", "q2_k": "q2_k_block"}
#: products of layers that are a class of their own to the quantiser
_CLASSES = {
    "query": "query", "key": "key", "value": "value", "kv_up": "value", "qkv": "value",
    "output": "attn_output", "gate": "gate", "up": "up", "down": "down",
}  # fmt: skip
#: products that the quantiser leaves in 32 bits
_KEPT = frozenset({"router", "shared_gate"})
_FUSED = frozenset({"query", "key", "value"})


@cache
def _table() -> dict[str, Any]:
    return read_shipped(_TABLE)


def gguf_mixes() -> tuple[str, ...]:
    """Names of the formats of whole files: ``q4_k_m``, ``iq2_xs``…"""
    return tuple(_table()["mix"])


def is_gguf_mix(dtype: str) -> bool:
    """Whether a format is one of whole GGUF files."""
    return dtype in _table()["mix"]


def gguf_types() -> dict[str, tuple[int, int]]:
    """Types of single tensors: how many values a block holds, in how many bytes."""
    return {name: (values, size) for name, (values, size) in _table()["types"].items()}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules ask of a model."""

    family: str
    n_layers: int
    n_experts: int
    gqa: int

    @classmethod
    def of(cls, model: Model) -> _Facts:
        attention = [b.mixer for b in model.blocks if isinstance(b.mixer, Attention)]
        experts = [b.ffn.n_experts for b in model.blocks if isinstance(b.ffn, MixtureOfExperts)]
        ratios = [a.n_heads // a.n_kv_heads for a in attention]
        n_layers = sum(b.repeat for b in model.blocks)
        return cls(model.family, n_layers, max(experts, default=0), max(ratios, default=1))

    @property
    def is_falcon(self) -> bool:
        return self.family == "falcon"

    @property
    def is_seventy_b(self) -> bool:
        named = _table()["seventy_b"]
        return self.family in named["families"] and self.n_layers == named["layers"]


def _more_bits(i: int, n: int) -> bool:
    """Layers that a mix of medium size spends more bits on."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


_CONDITIONS = {
    "first_share": lambda value, i, facts: i < facts.n_layers // value,
    "first": lambda value, i, facts: i < value,
    "more_bits": lambda value, i, facts: _more_bits(i, facts.n_layers) is value,
    "middle": lambda value, i, facts: (facts.n_layers // 8 <= i < 7 * facts.n_layers // 8) is value,
    "gqa": lambda value, i, facts: facts.gqa >= value,
    "many_experts": lambda value, i, facts: facts.n_experts >= value,
    "experts": lambda value, i, facts: facts.n_experts == value,
    "falcon": lambda value, i, facts: facts.is_falcon is value,
}


def _ruled(rules: list[Mapping[str, Any]], base: str, i: int, facts: _Facts) -> str:
    for rule in rules:
        if all(_CONDITIONS[k](v, i, facts) for k, v in rule.items() if k != "use"):
            return rule["use"]
    return base


def _widened(kind: str, found: str, mix: Mapping[str, Any], facts: _Facts) -> str:
    """What all mixes but the smallest do to values and keys of some models."""
    if facts.n_experts == 8 and kind in ("value", "key"):
        low = "q4_k" if kind == "key" else found
        return low if mix.get("low_bit") else "q8_0"
    if kind == "value" and facts.is_seventy_b and not mix.get("low_bit"):
        return {"q3_k": "q5_k", "q4_k": "q5_k"}.get(found, found)
    return found


def _fitting(found: str, row: int) -> str:
    """The type, or what stands for it where rows do not divide into its blocks."""
    types = gguf_types()
    for name in (found, _table()["fallback"].get(found, "f16")):
        if row % types[name][0] == 0:
            return name
    return "f16"


class _Assigner:
    """Decides the type of each tensor under one mix."""

    def __init__(self, mix: str, model: Model) -> None:
        own = _table()["mix"][mix]
        self.mix = {**_table()["mix"][own["like"]], **own} if "like" in own else own
        self.base = self.mix["base"]
        self.facts = _Facts.of(model)
        stored = model.dtypes.get("experts", model.weight_dtype)
        self.experts = stored if stored in _table()["kept"] else self.mix.get("experts")
        self.fused = model.family in _table()["fused_qkv"]

    def layer(self, index: int, product: Product) -> str:
        if product.name in _KEPT:
            return "f32"
        if product.part == "experts" and self.experts:
            return _fitting(self.experts, product.k)
        kind = _CLASSES.get(product.name, "other")
        if product.part not in ("attention", "recurrent", "ffn", "experts", "shared_experts"):
            kind = "other"
        if kind in _FUSED and self.fused and product.part == "attention":
            kind = "value"
        if product.part == "recurrent" and kind != "value":
            kind = "other"
        found = _ruled(self.mix.get(kind, []), self.base, index, self.facts)
        return _fitting(_widened(kind, found, self.mix, self.facts), product.k)

    def output(self, row: int) -> str:
        if self.facts.is_falcon or row % gguf_types()[self.base][0]:
            return _fitting("q8_0", row)
        return _fitting(self.mix.get("output", "q6_k"), row)

    def embedding(self, row: int, *, tied: bool) -> str:
        return self.output(row) if tied else _fitting(self.mix.get("embedding", self.base), row)


def dtype_of_type(name: str) -> str:
    """The catalogue's id of a tensor's type.

    Examples
    --------
    >>> dtype_of_type("f32"), dtype_of_type("q4_k")
    ('fp32', 'q4_k')
    """
    return _NAMES.get(name, name)


def with_gguf_mix(model: Model, mix: str) -> Model:
    """Return the model as llama.cpp's quantiser would store it.

    Parameters
    ----------
    model : Model   Given by its blocks.
    mix : str       One of `gguf_mixes`.

    Returns
    -------
    Model   Each part in its mean bits; `weight_dtype` is the mix.
    """
    assigner, weights = _Assigner(mix, model), weights_of(model)
    sizes: dict[Part, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for index, product in weights.matrices():
        n = product.count * product.k * product.n
        sizes[product.part][assigner.layer(index, product)] += n  # pyright: ignore[reportArgumentType]
    table = weights.embedding
    stored = assigner.embedding(table.k, tied=model.tied)
    sizes["embedding"][stored] += table.k * table.n
    sizes["embedding"]["f32"] += weights.n_learned_positions * table.k
    if weights.head is not None:
        sizes["head"][assigner.output(table.k)] += table.k * table.n
    second = stored if model.family in _table()["token_tables"] else "f32"
    sizes["other"][second] += weights.n_params_other
    sizes["other"]["f32"] += weights.n_vector_params
    dtypes = {
        part: mixture({dtype_of_type(kind): n for kind, n in found.items()})
        for part, found in sizes.items()
        if sum(found.values())
    }
    blocks = tuple(b.model_copy(update={"dtypes": {}}) for b in model.blocks)
    mtp = tuple(b.model_copy(update={"dtypes": {}}) for b in model.mtp)
    return model.model_copy(
        update={"weight_dtype": mix, "dtypes": dtypes, "blocks": blocks, "mtp": mtp}
    )
