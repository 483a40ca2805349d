"""What a model weighs, remembers and multiplies: counts only, no machine.

Conventions, one place: `n_params` has the embedding table, the LM head and all experts, but not the
multi-token-prediction layers, which are `n_params_mtp`. `n_params_active` is what multiplies for
one token: with the LM head, without the embedding table (which is looked up). Publishers differ;
`n_params_active_with_embedding` and `n_params_active_without_head` are the other two conventions.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import dtype as dtype_of
from ridgeline.catalog import model as named_model
from ridgeline.errors import SpecError
from ridgeline.laws.shapes import (
    Layer,
    Product,
    Stream,
    core_macs,
    entries_read,
    entries_stored,
    product_macs,
    product_params,
)
from ridgeline.layers import block_layers
from ridgeline.specs.arguments import MODEL
from ridgeline.specs.ranges import CONTEXT_TOKENS
from ridgeline.specs.shown import shown
from ridgeline.steps.alike import identity

if TYPE_CHECKING:
    from ridgeline.specs.dtype import Dtype
    from ridgeline.specs.model import Model

__all__ = ["Counts", "counts"]

_BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class _Cache:
    """One stream or state of one kind of layer, with its repeat and bytes a value."""

    stream: Stream
    repeat: Any
    element_bytes: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything countable about a model. Parameters in [1], sizes in bytes, FLOPs = 2 x macs.

    Attributes
    ----------
    params, active : mapping (part, dtype id) -> parameters
        Where the weights are, all of them and those that one token passes.
    kv_bytes_per_token : float
        Growth of keys and values (or latents) per token while every layer still keeps everything:
        the full-context upper bound where there are windows.
    index_bytes_per_token : float
        The same of the indexers' keys.
    state_bytes : float
        Fixed state a sequence, of recurrent layers.
    """

    params: dict[tuple[str, str], Any]
    active: dict[tuple[str, str], Any]
    n_params_mtp: Any
    weight_bytes_mtp: Any
    n_params_embedding: Any
    n_params_head: Any
    kv_bytes_per_token: Any
    index_bytes_per_token: Any
    state_bytes: Any
    dtypes: dict[str, Dtype] = field(repr=False)
    _caches: tuple[_Cache, ...] = field(repr=False)
    _layers: tuple[tuple[Any, Layer], ...] = field(repr=False)

    @property
    def n_params(self) -> Any:
        """All parameters but those of the MTP layers."""
        return sum(self.params.values())

    @property
    def n_params_active(self) -> Any:
        """Parameters that multiply for one token: with LM head, without embedding table."""
        return sum(self.active.values())

    @property
    def n_params_active_with_embedding(self) -> Any:
        """Active parameters counting the embedding table too, as many model cards do."""
        return self.n_params_active + self.n_params_embedding

    @property
    def n_params_active_without_head(self) -> Any:
        """Active parameters of the layers alone, without embedding table and LM head."""
        return self.n_params_active - self.n_params_head

    @property
    def weight_bytes(self) -> Any:
        """Bytes of all weights as stored, scales included, without the MTP layers."""
        return sum(self.weight_bytes_by_part.values())

    @property
    def weight_bytes_by_part(self) -> dict[str, Any]:
        """`weight_bytes` by part: attention, experts, embedding…"""
        sizes: dict[str, Any] = defaultdict(float)
        for (part, dtype), n in self.params.items():
            sizes[part] = sizes[part] + n * self.dtypes[dtype].bits / _BITS_PER_BYTE
        return dict(sizes)

    def cache_bytes(self, context: Any) -> Any:
        """Bytes one sequence keeps at a context: keys, values, index keys and state.

        Parameters
        ----------
        context : array   Tokens in the sequence, or text such as ``8k``. [tokens]

        Raises
        ------
        SpecError   No number of tokens, or a negative one.
        """
        context = _tokens(context)
        kept = sum(
            c.repeat * entries_stored(c.stream, context) * c.stream.elements * c.element_bytes
            for c in self._caches
        )
        return kept + self.state_bytes

    def cache_read_bytes(self, context: Any) -> Any:
        """Bytes one decode step reads of one sequence at a context; state is read and written.

        Parameters
        ----------
        context : array   Tokens in the sequence, or text such as ``8k``. [tokens]

        Raises
        ------
        SpecError   No number of tokens, or a negative one.
        """
        context = _tokens(context)
        read = sum(
            c.repeat * entries_read(c.stream, context) * c.stream.elements * c.element_bytes
            for c in self._caches
        )
        return read + 2 * self.state_bytes

    def flops_per_token(self, context: Any = 0) -> Any:
        """Model FLOPs of one token's forward pass at a context, attention included.

        Parameters
        ----------
        context : array   Tokens the token attends to, or text such as ``8k``. [tokens]

        Raises
        ------
        SpecError   No number of tokens, or a negative one.
        """
        context = _tokens(context)
        core = sum(repeat * core_macs(layer, context) for repeat, layer in self._layers)
        return 2 * (self.n_params_active + core)


def _tokens(context: Any) -> Any:
    """Check a context: text is read, arrays are looked at as they are."""
    if isinstance(context, str):
        return CONTEXT_TOKENS.read(context)
    if isinstance(context, int | float | np.ndarray) and not np.all(np.asarray(context) >= 0):
        raise SpecError(f"context: {CONTEXT_TOKENS.expected} is expected, not {shown(context)}.")
    return context


class _Tally:
    """Adds up the layers of a model by part and dtype."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.params: dict[tuple[str, str], Any] = defaultdict(int)
        self.active: dict[tuple[str, str], Any] = defaultdict(int)
        self.layers: list[tuple[Any, Layer]] = []
        self._caches: dict[tuple[Any, ...], _Cache] = {}
        self.state_elements: Any = 0
        self.dtypes: dict[str, Dtype] = {}

    def dtype(self, part: str, overrides: dict[Any, str]) -> str:
        name = overrides.get(part) or self.model.dtypes.get(part) or self.model.weight_dtype  # pyright: ignore[reportArgumentType, reportCallIssue]
        found = dtype_of(name)  # a record may use an alias
        self.dtypes[found.id] = found
        return found.id

    def product(self, product: Product, repeat: Any, overrides: dict[Any, str]) -> None:
        key = (product.part, self.dtype(product.part, overrides))
        self.params[key] = self.params[key] + repeat * product_params(product)
        self.active[key] = self.active[key] + repeat * product_macs(product)

    def vectors(self, n: Any, n_active: Any, repeat: Any, overrides: dict[Any, str]) -> None:
        key = ("other", self.dtype("other", overrides))
        self.params[key] = self.params[key] + repeat * n
        self.active[key] = self.active[key] + repeat * n_active

    @property
    def caches(self) -> list[_Cache]:
        """Streams of all layers, equal ones as one."""
        return list(self._caches.values())

    def cache(self, stream: Stream, repeat: Any, element_bytes: float) -> None:
        key = (*map(identity, stream), element_bytes)
        if key in self._caches:
            repeat = self._caches[key].repeat + repeat
        self._caches[key] = _Cache(stream, repeat, element_bytes)

    def blocks(self, blocks: tuple[Any, ...]) -> None:
        cache_bytes = {
            "kv": dtype_of(self.model.kv_dtype).bits / _BITS_PER_BYTE,
            "index": dtype_of(self.model.index_dtype).bits / _BITS_PER_BYTE,
        }
        for block in blocks:
            for layer in block_layers(block, self.model.d_model):
                for product in layer.products:
                    self.product(product, block.repeat, block.dtypes)
                n = layer.n_vector_params
                n_active = (
                    n if layer.n_active_vector_params is None else layer.n_active_vector_params
                )
                self.vectors(n, n_active, block.repeat, block.dtypes)
                self.layers.append((block.repeat, layer))
                for stream in layer.streams:
                    self.cache(stream, block.repeat, cache_bytes[stream.cache])
                self.state_elements = self.state_elements + block.repeat * layer.state_elements


def _growth(caches: list[_Cache], kind: str) -> Any:
    """Bytes a new token adds while nothing has been dropped yet."""
    return sum(
        c.repeat * c.stream.owned * c.stream.elements / c.stream.tokens_per_entry * c.element_bytes
        for c in caches
        if c.stream.cache == kind
    )


def _by_shape(model: Model) -> Counts:
    tally = _Tally(model)
    tally.blocks(model.blocks)
    d_model, vocab = (0 if v is None else v for v in (model.d_model, model.vocab_size))
    table = d_model * (vocab + model.n_learned_positions)
    head = Product("head", "head", d_model, vocab)
    if model.tied:
        # One table, stored once, looked up at the input and multiplied with at the output.
        key = ("head", tally.dtype("embedding", {}))
        tally.active[key] = tally.active[key] + product_macs(head)
    else:
        tally.product(head, 1, {})
    key = ("embedding", tally.dtype("embedding", {}))
    tally.params[key] = tally.params[key] + table
    rest = model.n_final_norm_vectors * d_model + model.head_bias * vocab + model.n_params_other
    tally.vectors(rest, rest, 1, {})
    mtp = _Tally(model)
    mtp.blocks(model.mtp)
    state_bytes = dtype_of(model.state_dtype).bits / _BITS_PER_BYTE
    return Counts(
        params=dict(tally.params),
        active=dict(tally.active),
        n_params_mtp=sum(mtp.params.values()),
        weight_bytes_mtp=sum(
            n * mtp.dtypes[dtype].bits / _BITS_PER_BYTE for (_, dtype), n in mtp.params.items()
        ),
        n_params_embedding=0 if model.tied else table,
        n_params_head=product_params(head),
        kv_bytes_per_token=_growth(tally.caches, "kv"),
        index_bytes_per_token=_growth(tally.caches, "index"),
        state_bytes=tally.state_elements * state_bytes,
        dtypes=tally.dtypes,
        _caches=tuple(tally.caches),
        _layers=tuple(tally.layers),
    )


def _by_counts(model: Model) -> Counts:
    given = model.counts
    assert given is not None
    name = f"{given.weight_bits:g}bit"
    stream = Stream("kv", given.kv_bytes_per_token, 0)
    return Counts(
        params={("all", name): given.n_params},
        active={("all", name): given.n_params_active},
        n_params_mtp=0,
        weight_bytes_mtp=0,
        n_params_embedding=0,
        n_params_head=0,
        kv_bytes_per_token=given.kv_bytes_per_token,
        index_bytes_per_token=0,
        state_bytes=0,
        dtypes={name: dtype_of(name)},
        _caches=(_Cache(stream, 1, 1.0),),
        _layers=(),
    )


def counts(model: Model | str) -> Counts:
    """Count a model: parameters, bytes, cache, FLOPs.

    Parameters
    ----------
    model : Model or str   By shape or by counts; numeric fields may hold arrays. Or a name, as
                           `ridgeline.model` takes it.

    Returns
    -------
    Counts

    Raises
    ------
    CatalogError   A storage format, or a model, nobody knows.
    SpecError      What is no model.

    Examples
    --------
    >>> import ridgeline as rl
    >>> c = counts(rl.model("deepseek-ai/DeepSeek-V3"))
    >>> round(c.n_params / 1e9), round(c.n_params_active / 1e9, 1), c.kv_bytes_per_token
    (671, 36.6, 70272.0)
    """
    record: Model = MODEL.read(named_model(model) if isinstance(model, str) else model)
    return _by_counts(record) if record.counts is not None else _by_shape(record)
