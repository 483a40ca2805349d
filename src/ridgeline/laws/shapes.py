"""The two things every layer comes down to: products of weights, and streams of cached entries.

A layer's weights are a list of `Product`; what it remembers of a sequence is a list of `Stream`
and a fixed state. Parameters, FLOPs and bytes are sums over these, so that the same list serves
counting, timing and memory.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ridgeline.laws._namespace import maximum, minimum

__all__ = [
    "Layer",
    "Product",
    "Stream",
    "core_macs",
    "entries_read",
    "entries_spanned",
    "entries_stored",
    "mean_entries_visible",
    "pair_macs",
    "product_macs",
    "product_params",
]


class Product(NamedTuple):
    """A weight matrix that multiplies a token's activations, ``(k,) @ (k, n)``.

    Fields may be arrays; `count` matrices of this shape exist, `active` of them see a given token.
    `split` says which way tensor parallelism cuts it: its outputs (``n``), its inputs (``k``), its
    outputs but not below one KV head (``kv``), its copies (``count``), or not at all (empty).
    """

    name: str
    part: str
    k: Any
    n: Any
    count: Any = 1
    active: Any = 1
    split: str = ""


class Stream(NamedTuple):
    """Cached entries of one kind in one layer.

    Attributes
    ----------
    elements : array     Values an entry holds.
    macs : array         Multiply-adds one query token spends on one entry it reads.
    expanded_macs, expansion_macs : array   The same where entries are expanded before they are
                         read, and what expanding one costs; inf where that is no choice.
    tokens_per_entry : array   Tokens that share an entry (1 except where history is compressed).
    keep : array         Entries kept at most (a window), inf for all.
    read : array         Entries read at most by one query, inf for all.
    owned : array        1 where the layer stores the entries, 0 where it reads another layer's.
    cache : str          ``kv`` or ``index``: which storage format applies.
    split : str          What tensor parallelism cuts: ``kv`` entries and work by KV head, ``heads``
                         the work alone (one entry serves all heads), nothing if empty.
    """

    name: str
    elements: Any
    macs: Any
    tokens_per_entry: Any = 1
    keep: Any = float("inf")
    read: Any = float("inf")
    owned: Any = 1
    cache: str = "kv"
    split: str = "heads"
    expanded_macs: Any = float("inf")
    expansion_macs: Any = 0


class Layer(NamedTuple):
    """All that a mixer or a feed-forward part is made of.

    Attributes
    ----------
    n_vector_params : array   Parameters that add or scale instead of multiplying (norms, biases).
    n_active_vector_params : array or None   Those a token passes, where not all (expert biases).
    state_elements : array    Values of fixed state a sequence (0 for attention).
    state_macs : array        Multiply-adds a token spends on that state.
    """

    products: tuple[Product, ...] = ()
    n_vector_params: Any = 0
    streams: tuple[Stream, ...] = ()
    state_elements: Any = 0
    state_macs: Any = 0
    n_active_vector_params: Any = None


def product_params(product: Product) -> Any:
    """Parameters of a product: ``count * k * n``. [1]

    Examples
    --------
    >>> product_params(Product("up", "experts", 7168, 2048, count=256, active=8))
    3758096384
    """
    return product.count * product.k * product.n


def product_macs(product: Product) -> Any:
    """Multiply-adds of a product for one token: ``active * k * n``. [1]

    Equal to the parameters that token passes: the reason why "active parameters" measure compute.

    Examples
    --------
    >>> product_macs(Product("up", "experts", 7168, 2048, count=256, active=8))
    117440512
    """
    return product.active * product.k * product.n


def pair_macs(stream: Stream, prefix_tokens: Any, new_tokens: Any, visible: Any) -> Any:
    r"""Multiply-adds of a query and an entry it sees, in the form that needs fewer.

    .. math:: \min\left(m,\ m_x + \frac{x\,L}{n\,\bar v}\right)

    Parameters
    ----------
    stream : Stream
    prefix_tokens, new_tokens : array   Cached before, L, and new, n, of a sequence. [tokens]
    visible : array                     Entries that a query sees on the mean. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    New tokens are expanded as a product of the layer, whatever the form; cached ones once for all
    new tokens. So prompts expand a latent, and single tokens do not.

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V2", 2024, sec. 2.1, for both forms; vLLM and TensorRT-LLM expand
       in prefill.

    Examples
    --------
    DeepSeek-V3, 128 heads: a prompt, and a decode step.

    >>> v3 = Stream("latent", 576, 139264, expanded_macs=40960, expansion_macs=16777216)
    >>> float(pair_macs(v3, 0, 4096, 2048.5)), float(pair_macs(v3, 4095, 1, 4096))
    (40960.0, 139264.0)
    """
    cached = stream.expansion_macs * prefix_tokens / maximum(new_tokens * visible, 1e-300)
    return minimum(stream.macs, stream.expanded_macs + cached)


def entries_stored(stream: Stream, context_tokens: Any) -> Any:
    r"""Entries a sequence keeps of this stream.

    .. math:: \mathrm{owned}\,\min(L / r,\ \mathrm{keep})

    Parameters
    ----------
    stream : Stream
    context_tokens : array   Tokens in the sequence, L. [tokens]

    Returns
    -------
    array   Entries; fractional where r tokens share one (the mean over positions). [1]

    Examples
    --------
    >>> float(entries_stored(Stream("window", 256, 0, keep=128), 8192))
    128.0
    """
    return stream.owned * minimum(context_tokens / stream.tokens_per_entry, stream.keep)


def entries_read(stream: Stream, context_tokens: Any) -> Any:
    r"""Entries one query token reads of this stream: ``min(L/r, keep, read)``.

    Parameters
    ----------
    stream : Stream
    context_tokens : array   Tokens in the sequence, L. [tokens]

    Returns
    -------
    array   Entries. [1]

    Examples
    --------
    >>> float(entries_read(Stream("latent", 576, 0, read=2048), 100_000))
    2048.0
    """
    visible = minimum(context_tokens / stream.tokens_per_entry, stream.keep)
    return minimum(visible, stream.read)


def entries_spanned(stream: Stream, prefix_tokens: Any, new_tokens: Any) -> Any:
    r"""Distinct entries that the new tokens of one sequence read together.

    .. math:: \min\left(\frac{P+S}{r},\ \mathrm{keep} + \frac{S-1}{r},\ S\,\mathrm{read}\right)

    Parameters
    ----------
    stream : Stream
    prefix_tokens : array   Tokens cached before, P. [tokens]
    new_tokens : array      Tokens added now, S; 1 when decoding. [tokens]

    Returns
    -------
    array   What has to come from memory once, however many queries share it. [1]

    Examples
    --------
    >>> entries_spanned(Stream("kv", 256, 0), 8191, 1)
    8192.0
    """
    r = stream.tokens_per_entry
    kept = minimum((prefix_tokens + new_tokens) / r, stream.keep + (new_tokens - 1) / r)
    return minimum(kept, new_tokens * stream.read)


def mean_entries_visible(stream: Stream, prefix_tokens: Any, new_tokens: Any) -> Any:
    r"""Entries a new token reads, on the mean over the new tokens (causal).

    .. math:: \frac1S \sum_{j=1}^{S} \min\left(\frac{P+j}{r},\ c\right), \qquad
              c = \min(\mathrm{keep}, \mathrm{read})

    Parameters
    ----------
    stream : Stream
    prefix_tokens : array   P. [tokens]
    new_tokens : array      S. [tokens]

    Returns
    -------
    array   Entries. [1]

    Notes
    -----
    In closed form: n tokens below the cap see a growing past, the other S - n see c.

    Examples
    --------
    >>> mean_entries_visible(Stream("kv", 256, 0), 0, 1024)
    512.5
    >>> mean_entries_visible(Stream("window", 256, 0, keep=128), 4096, 1024)
    128.0
    """
    r, last = stream.tokens_per_entry, prefix_tokens + new_tokens
    cap = minimum(minimum(stream.keep, stream.read) * r, last)
    below = maximum(cap - prefix_tokens, 0.0)
    growing = below * (prefix_tokens + (below + 1) / 2)
    return (growing + (new_tokens - below) * cap) / new_tokens / r


def core_macs(layer: Layer, context_tokens: Any) -> Any:
    """Multiply-adds one token spends on what the layer remembers (no weights in it).

    Parameters
    ----------
    layer : Layer
    context_tokens : array   [tokens]

    Returns
    -------
    array   Multiply-adds a token. [1]
    """
    streams = sum(s.macs * entries_read(s, context_tokens) for s in layer.streams)
    return streams + layer.state_macs
