"""What format each part of a layer has, by the names and the sizes of its modules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.formats import dtype, mixture
from ridgeline.laws.shapes import Product, product_params
from ridgeline.layers import block_layers
from ridgeline.readers.names import Module, either, module
from ridgeline.readers.scheme import Scheme, Stored
from ridgeline.specs.blocks import Block, MixtureOfExperts

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from ridgeline.readers.families import Family
    from ridgeline.readers.storage import Storage

__all__ = ["ENDS", "PartFormats"]

#: parts that are in no layer, and the name of their module
ENDS: dict[str, str] = {"embedding": "embed_tokens", "head": "lm_head"}
_ROUTERS = ("mlp.gate", "mlp.router")
#: which matrices a module's last name stands for; others go with the heaviest module of their part
_MATRICES = {
    "q_proj": ("query", "output_gate"), "k_proj": ("key",), "v_proj": ("value",),
    "o_proj": ("output", "output_down", "output_up"), "out_proj": ("output",),
    "dense": ("output",), "c_proj": ("output", "down"),
    "qkv_proj": ("query", "key", "value", "qkv", "output_gate"),
    "q_a_proj": ("query_down",), "q_b_proj": ("query_up",), "wq_a": ("query_down",),
    "wq_b": ("query_up", "index_query"), "wk": ("index_key",), "wkv": ("kv",),
    "wo_a": ("output_down",), "wo_b": ("output_up",),
    "kv_a_proj_with_mqa": ("kv_down",), "kv_b_proj": ("kv_up",),
    "gate_proj": ("gate",), "up_proj": ("up",), "down_proj": ("down",),
    "gate_up_proj": ("gate", "up"), "in_proj": ("in", "qkv"), "in_proj_qkvz": ("qkv", "gate"),
    "in_proj_qkv": ("qkv",), "in_proj_z": ("gate",), "x_proj": ("x",), "dt_proj": ("dt",),
    "dense_h_to_4h": ("gate", "up"), "dense_4h_to_h": ("down",), "c_fc": ("gate", "up"),
    "input_linear": ("gate", "up"), "output_linear": ("down",), "fc1": ("up",), "fc2": ("down",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A module of a part with what it holds."""

    module: Module
    n_params: float
    n_matrices: float


class PartFormats:
    """Decides the format of each part by the names and sizes of its modules."""

    def __init__(self, storage: Storage, family: Family, d_model: int) -> None:
        self._storage = storage
        self._modules = family.modules
        self._d_model = d_model
        self._weighed: dict[int, dict[str, list[_Weighed]]] = {}
        self._known: dict[Hashable, dict[str, str]] = {}

    def of(self, layer: tuple[str, ...], block: Block) -> dict[str, str]:
        """Formats of a block's parts in a layer; layers that lists treat alike are decided once."""
        scheme = self._storage.scheme
        lists = () if scheme is None else (scheme.excluded, *(g.names for g in scheme.groups))
        key = (id(block), *(names.signature(name) for names in lists for name in layer))
        if key not in self._known:
            weighed = self._weights(block)
            parts = {part: self._decide(part, layer, weighed[part]) for part in weighed}
            self._known[key] = parts
        return self._known[key]

    def end(self, part: str) -> str:
        """Format of the embedding or of the LM head."""
        scheme = self._storage.scheme
        if scheme is None:
            return self._storage.base
        linear = scheme.whole or (part == "head" and scheme.linear_head)
        found = scheme.format_of(("",), module(ENDS[part]), by_name=not linear)
        if found is None and part == "head":
            found = scheme.head
        return self._storage.base if found is None else dtype(found.dtype).id

    def _weights(self, block: Block) -> dict[str, list[_Weighed]]:
        if id(block) not in self._weighed:
            products = [p for layer in block_layers(block, self._d_model) for p in layer.products]
            experts = block.ffn.n_experts if isinstance(block.ffn, MixtureOfExperts) else 0
            self._weighed[id(block)] = {
                part: list(self._modules_of(part, [p for p in products if p.part == part], experts))
                for part in dict.fromkeys(p.part for p in products)
            }
        return self._weighed[id(block)]

    def _modules_of(self, part: str, products: list[Product], n_experts: int) -> Iterator[_Weighed]:
        prefix = self._modules["prefix"]
        if part == "router" and part not in self._modules:
            n_matrices = float(sum(p.count for p in products))
            yield _Weighed(either(_ROUTERS, prefix), _params(products), n_matrices)
            return
        names = self._modules.get(part, (part,))
        claimed = [_claimed(module(n).canonical[0].rpartition(".")[2], products) for n in names]
        rest = [p for p in products if not any(p in c for c in claimed)]
        heaviest = max(range(len(names)), key=lambda i: _params(claimed[i]))
        unknown = not any(claimed)
        for i, name in enumerate(names):
            own = [*claimed[i], *(rest if i == heaviest or unknown else ())]
            share = 1 / len(names) if unknown else 1.0
            n_params = _params(own) * share
            n_matrices = sum(p.count for p in own) * share
            spread = self._each_expert(name) if part == "experts" and n_experts else None
            for one in [name] if spread is None else [f"{spread}{e}{name[len(spread) + 1 :]}"
                                                      for e in range(n_experts)]:  # fmt: skip
                k = 1 if spread is None else n_experts
                yield _Weighed(module(one, prefix), n_params / k, n_matrices / k)

    def _each_expert(self, name: str) -> str | None:
        """What comes before the number of an expert, where lists name single ones."""
        scheme = self._storage.scheme
        at = name.find("experts.0.")
        if scheme is None or at < 0 or not any(names.names_experts for names in scheme.lists):
            return None
        return name[: at + len("experts.")]

    def _decide(self, part: str, layer: tuple[str, ...], weighed: list[_Weighed]) -> str:
        storage, scheme = self._storage, self._storage.scheme
        if part == "experts" and storage.experts and not _renamed(scheme):
            return storage.experts
        # Routers choose; most quantisers leave them, and what is neither mixer nor feed-forward.
        if scheme is None or part == "other":
            return storage.base
        by_name = part == "router" and not scheme.whole
        base = Stored(storage.base)
        found = [(scheme.format_of(layer, w.module, by_name=by_name) or base, w) for w in weighed]
        return _mixture(found)


def _renamed(scheme: Scheme | None) -> bool:
    """Whether a scheme says by name what its experts are."""
    return scheme is not None and any(
        "experts" in p for g in scheme.groups for p in g.names.patterns
    )


def _claimed(leaf: str, products: list[Product]) -> list[Product]:
    return [p for p in products if p.name in _MATRICES.get(leaf, ())]


def _params(products: Iterable[Product]) -> float:
    return float(sum(product_params(p) for p in products))


def _mixture(found: list[tuple[Stored, _Weighed]]) -> str:
    """Name the format of a part by those of its modules."""
    sizes: Counter[str] = Counter()
    beside = 0.0
    for stored, weighed in found:
        sizes[dtype(stored.dtype).id] += weighed.n_params  # pyright: ignore[reportArgumentType]
        beside += stored.matrix_bits * weighed.n_matrices
    return mixture(sizes, beside)
