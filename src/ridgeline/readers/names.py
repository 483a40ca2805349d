"""Which modules of a model a quantiser's list of names means.

A module is known by the layer it is in and by its name inside it. Lists name thousands of modules,
so names are kept by layer and looked up, not tried one by one; layers about which a list says the
same share the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from ridgeline.errors import ConfigError
from ridgeline.readers.config import shown
from ridgeline.readers.regex import Regex, regex

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

__all__ = ["Module", "Names", "either", "module"]

#: what a list may mean all modules by
_ALL = frozenset({"Linear", "*", "re:.*", "all-linear"})
#: what wrappers and engines put before the names of layers
_WRAPPERS = frozenset({
    "model", "language_model", "text_model", "llm", "thinker", "transformer", "backbone", "decoder",
    "base_model",
})  # fmt: skip
#: one name for what implementations call by several
_SAME = {
    "attn": "self_attn", "attention": "self_attn", "self_attention": "self_attn",
    "ffn": "mlp", "feed_forward": "mlp", "block_sparse_moe": "mlp", "moe": "mlp",
    "shared_expert": "shared_experts", "switch_mlp": "experts",
    "w1": "gate_proj", "w2": "down_proj", "w3": "up_proj",
    "wq": "q_proj", "wk": "k_proj", "wv": "v_proj", "wo": "o_proj",
    "query_key_value": "qkv_proj", "W_pack": "qkv_proj", "c_attn": "qkv_proj", "qkv": "qkv_proj",
    "gate_up": "gate_up_proj", "w13": "gate_up_proj",
    "h": "layers", "blocks": "layers",
    "head": "lm_head", "output": "lm_head", "embed_out": "lm_head", "output_layer": "lm_head",
    "tok_embeddings": "embed_tokens", "wte": "embed_tokens", "word_embeddings": "embed_tokens",
    "embed": "embed_tokens", "embeddings": "embed_tokens", "embedding": "embed_tokens",
}  # fmt: skip
#: modules that engines store as one, under the name of the whole
_FUSED = {
    "q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj",
    "in_proj_qkv": "in_proj_qkvz", "in_proj_z": "in_proj_qkvz",
    "q_a_proj": "fused_qkv_a_proj_with_mqa", "kv_a_proj_with_mqa": "fused_qkv_a_proj_with_mqa",
}  # fmt: skip
#: the parts of a whole, for families that store the whole and lists that name the parts
_PARTS = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
#: matches of a simple pattern that a list may cost
_MOST_WORK = 500_000
_EXPERT = re.compile(r"\bexperts\.\d+\.")
_IN_LAYER = re.compile(r"(?:\*\.?)?(mtp\.)?layers\.(\d+)(?:\.(.*)|$)", re.DOTALL)
#: parts of names that other modules have: encoders, projectors, norms, routers, drafts
_ELSEWHERE = re.compile(
    r"vis|audio|image|video|speech|project|norm|rout|gate|mtp|merg|resampl|connect|tower|head"
    r"|embed|conv|sink|align|adapt|draft|eagle|score|rotary|multi|mm_|wte|wpe|output|lora|patch",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Module:
    """A module's name inside its layer, in every spelling.

    Attributes
    ----------
    spelled : tuple of str        As the family names it, and under the names of what it is part of.
    canonical : tuple of str      The same with one name for each kind of component.
    within : frozenset of str     Every run of components of these.
    prefix : str                  What the family puts before the number of a layer.
    """

    spelled: tuple[str, ...]
    canonical: tuple[str, ...]
    within: frozenset[str]
    prefix: str = "model.layers"


@lru_cache(maxsize=4096)
def module(name: str, prefix: str = "model.layers") -> Module:
    """Read a name such as ``mlp.experts.0.gate_proj``.

    Parameters
    ----------
    name : str     Inside its layer, or of what is in no layer: ``lm_head``.
    prefix : str   What the family puts before the number of a layer.

    Examples
    --------
    >>> module("attention.wq").canonical
    ('self_attn.q_proj', 'self_attn.qkv_proj')
    """
    usual = _variants(name)
    canonical = dict.fromkeys(v for s in usual for v in _variants(_canonical(s)))
    spelled = tuple(dict.fromkeys((*usual, *_parts(name))))
    canonical = tuple(dict.fromkeys((*canonical, *_parts(_canonical(name)))))
    within = frozenset(run for c in canonical for run in _runs(c.split(".")))
    return Module(spelled, canonical, within, prefix)


def either(names: Iterable[str], prefix: str) -> Module:
    """Read a module that lists call by one of several names.

    Parameters
    ----------
    names : iterable of str   As `module` takes them.
    prefix : str              What the family puts before the number of a layer.
    """
    found = [module(name, prefix) for name in names]
    return Module(
        tuple(spelled for one in found for spelled in one.spelled),
        tuple(name for one in found for name in one.canonical),
        frozenset[str]().union(*(one.within for one in found)),
        prefix,
    )


def _variants(name: str) -> tuple[str, ...]:
    names = [name, _EXPERT.sub("experts.", name)]
    for one in names[:]:
        stem, _, leaf = one.rpartition(".")
        if leaf in _FUSED:
            names.append(f"{stem}.{_FUSED[leaf]}".lstrip("."))
    return tuple(dict.fromkeys(names))


def _parts(name: str) -> Iterator[str]:
    """What a whole is made of, in the names that other implementations give to the parts."""
    for one in (name, _EXPERT.sub("experts.", name)):
        stem, _, leaf = one.rpartition(".")
        yield from (f"{stem}.{part}".lstrip(".") for part in _PARTS.get(leaf, ()))


def _runs(parts: list[str]) -> Iterable[str]:
    return (".".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1))


def _canonical(name: str) -> str:
    return ".".join(_SAME.get(part, part) for part in name.split("."))


def _unwrapped(name: str) -> str:
    """A name without what wraps the language model; the wrapper itself stays."""
    parts = name.split(".")
    while len(parts) > 1 and parts[0] in _WRAPPERS:
        parts.pop(0)
    return _canonical(".".join(parts))


class Names:
    """A list of names as a quantiser writes it.

    Each is a name or part of one, a glob, or ``re:`` and a regular expression that matches from the
    start; ``Linear`` means every module.

    Parameters
    ----------
    patterns : iterable of str

    Attributes
    ----------
    patterns : tuple of str
    every : bool   Whether all modules are meant.
    hit : bool     Whether any module asked for was meant, so far.

    Raises
    ------
    ConfigError   A regular expression that is none.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self.every = not _ALL.isdisjoint(self.patterns)
        self.hit = False
        self._anywhere: set[str] = set()
        self._in_layer: dict[str, tuple[set[str], set[str]]] = {}
        self._globs: list[str] = []
        self._regexes: list[Regex] = []
        for pattern in self.patterns:
            self._add(pattern)
        self._tells_digits = any(r.tells_digits for r in self._regexes) or any(
            re.search(r"[\d\[]", glob) for glob in self._globs
        )
        self._names_experts = any(re.search(r"experts\W*[1-9]", p) for p in self.patterns)
        self._known: dict[Hashable, bool] = {}
        self._signatures: dict[str, int] = {}
        self._numbers: dict[Hashable, int] = {}
        self._work = 0

    def __bool__(self) -> bool:
        return bool(self.patterns)

    @property
    def names_experts(self) -> bool:
        """Whether single experts are named, other than the first."""
        return self._names_experts

    @property
    def tells_of_others(self) -> bool:
        """Whether a name means what is no weight of a layer: an encoder, a norm, a router."""
        return any(_ELSEWHERE.search(p) for p in self.patterns)

    def _add(self, pattern: str) -> None:
        if pattern in _ALL:
            return
        if pattern.startswith("re:"):
            self._regexes.append(regex(pattern[3:]))
            return
        name = _unwrapped(pattern.strip("."))
        if name in _WRAPPERS:
            self.every = True
            return
        is_glob = any(mark in name for mark in "*?[")
        found = _IN_LAYER.fullmatch(name)
        if found is not None:
            names, globs = self._in_layer.setdefault(f"{found[1] or ''}{found[2]}", (set(), set()))
            (globs if is_glob else names).add(found[3] or "")
        elif is_glob:
            self._globs.append(name)
        elif name:
            self._anywhere.add(name)

    def mean(self, layer: str, part: Module) -> bool:
        """Whether a module of a layer is meant.

        Parameters
        ----------
        layer : str     The number of its layer, ``mtp.0`` of a token-prediction module, or empty
                        for what is in no layer.
        part : Module
        """
        key = (self.signature(layer), part)
        if key not in self._known:
            names, globs = self._in_layer.get(layer, ((), ()))
            self._known[key] = self._mean(layer, part, names, globs)
        self.hit = self.hit or self._known[key]
        return self._known[key]

    def signature(self, layer: str) -> Hashable:
        """A number for each way the list treats a layer: equal where modules are treated alike."""
        if layer not in self._signatures:
            names, globs = self._in_layer.get(layer, ((), ()))
            about = layer if self._tells_digits else (len(layer), layer.startswith("mtp"))
            said = (frozenset(names), frozenset(globs), about)
            self._signatures[layer] = self._numbers.setdefault(said, len(self._numbers))
        return self._signatures[layer]

    def _mean(self, layer: str, part: Module, names: Iterable[str], globs: Iterable[str]) -> bool:
        if not self._anywhere.isdisjoint(part.within):
            return True
        if layer.startswith("mtp") and "mtp" in self._anywhere:
            return True
        if any(not n or f"{c}.".startswith(f"{n}.") for n in names for c in part.canonical):
            return True
        if any(_globbed(g, c) for g in globs for c in part.canonical):
            return True
        return self._by_full_name(layer, part)

    def _by_full_name(self, layer: str, part: Module) -> bool:
        if not self._globs and not self._regexes:
            return False
        in_layer = f"{layer.replace('mtp.', 'mtp.layers.')}." if layer else ""
        if in_layer and not layer.startswith("mtp"):
            in_layer = f"layers.{in_layer}"
        bare = [f"{in_layer}{c}" for c in part.canonical]
        named = [f"model.{b}" for b in bare]
        own = [f"{part.prefix}.{layer}.{s}" if layer else s for s in part.spelled]
        globbed = dict.fromkeys((*bare, *named, *own))
        self._spend(len(globbed) * len(self._globs))
        if any(_globbed(g, text) for g in self._globs for text in globbed):
            return True
        texts = [*own, *named, *bare]
        texts += [f"{wrapped}{n}" for wrapped in ("model.language_", "language_") for n in named]
        return any(self._matched(r, dict.fromkeys(texts)) for r in self._regexes)

    def _matched(self, pattern: Regex, texts: Iterable[str]) -> bool:
        for text in texts:
            self._spend(pattern.cost)
            if pattern.match(text):
                return True
        return False

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > _MOST_WORK:
            raise ConfigError(
                f"the {len(self.patterns):,} patterns of module names that begin with "
                f"{shown(self.patterns[0])} take too long to try. Write names of modules, or "
                "patterns that begin with the number of a layer."
            )


def _globbed(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
