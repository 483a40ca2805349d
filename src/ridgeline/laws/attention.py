"""Attention layers as products and streams: MHA/GQA/MQA, latent (MLA), compressed; indexers.

Shapes follow the papers: GQA (Ainslie et al. 2023), MLA (DeepSeek-V2, 2024), DSA (DeepSeek-V3.2,
2025), compressed attention (DeepSeek-V4, 2026).
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import namespace
from ridgeline.laws.shapes import Layer, Product, Stream

__all__ = [
    "attention_layer",
    "compressed_layer",
    "compressor_products",
    "indexer_layer",
    "latent_layer",
]


def _gate(kind: str, n_heads: Any, d_head_v: Any, d_model: Any) -> tuple[Product, ...]:
    if kind == "none":
        return ()
    width = n_heads if kind == "head" else n_heads * d_head_v
    return (Product("output_gate", "attention", d_model, width, split="n"),)


def indexer_layer(
    *,
    d_query_in: Any,
    d_model: Any,
    n_heads: Any,
    d_head: Any,
    key_products: tuple[Product, ...] | None = None,
    tokens_per_entry: Any = 1,
    head_weights: bool = True,
    n_params_other: Any = 0,
) -> Layer:
    """Lightning indexer: multi-query scores over all cached index keys (DeepSeek-V3.2, eq. 1).

    Parameters
    ----------
    d_query_in : array    Width its queries are projected from. [1]
    d_model : array       Width its keys and head weights are projected from. [1]
    n_heads, d_head : array   Index heads and their size; one key of `d_head` is cached. [1]
    key_products : tuple or None   Products that make the key, where it is not one projection.
    tokens_per_entry : array  Tokens behind one index key. [tokens]
    head_weights : bool   Whether a weight a head is projected from the hidden state.
    n_params_other : array    Its vectors. [1]

    Returns
    -------
    Layer   With one stream in the ``index`` cache: `d_head` elements, all entries read.

    Notes
    -----
    Selection itself (top-k) costs no products and is left out.
    """
    keys = key_products or (Product("index_key", "indexer", d_model, d_head),)
    weights = (Product("index_weights", "indexer", d_model, n_heads),) if head_weights else ()
    products = (Product("index_query", "indexer", d_query_in, n_heads * d_head), *keys, *weights)
    stream = Stream(
        "index",
        d_head,
        n_heads * d_head,
        tokens_per_entry=tokens_per_entry,
        cache="index",
        split="",
    )
    return Layer(products, n_params_other, (stream,))


def attention_layer(
    *,
    d_model: Any,
    n_heads: Any,
    n_kv_heads: Any,
    d_head: Any,
    d_head_v: Any = None,
    window: Any = None,
    qkv_bias: bool = False,
    out_bias: bool = False,
    output_gate: str = "none",
    value_from_key: bool = False,
    reads_other_cache: bool = False,
    q_lora_rank: Any = None,
    top_k: Any = None,
    indexer: Layer | None = None,
    n_params_other: Any = 0,
) -> Layer:
    r"""Softmax attention with per-head keys and values.

    .. math:: \text{cached per token} = n_{kv}\,(d_{qk} + d_v), \qquad
              \text{multiply-adds per entry} = n_h\,(d_{qk} + d_v)

    Parameters
    ----------
    d_model, n_heads, n_kv_heads, d_head : array   [1]
    d_head_v : array or None   Value head size, if not `d_head`. [1]
    window : array or None     Tokens a query sees; None for all. [tokens]
    top_k : array or None      Entries an indexer picks; None reads all it sees. [1]
    indexer : Layer or None    What picks them.
    qkv_bias, out_bias, output_gate, value_from_key, reads_other_cache, q_lora_rank, n_params_other
        As in `ridgeline.specs.Attention`.

    Returns
    -------
    Layer

    Examples
    --------
    Llama-2-13B caches ``2 * 40 * 128`` values a layer and token:

    >>> layer = attention_layer(d_model=5120, n_heads=40, n_kv_heads=40, d_head=128)
    >>> layer.streams[0].elements
    10240
    """
    d_v = d_head if d_head_v is None else d_head_v
    n_values = 0 if value_from_key else 1
    down, up = _query(d_model, q_lora_rank, n_heads * d_head)
    projections = [*down, *up]
    bias_width = n_heads * d_head
    if not reads_other_cache:
        projections.append(Product("key", "attention", d_model, n_kv_heads * d_head, split="kv"))
        bias_width = bias_width + n_kv_heads * d_head
        if not value_from_key:
            projections.append(Product("value", "attention", d_model, n_kv_heads * d_v, split="kv"))
            bias_width = bias_width + n_values * n_kv_heads * d_v
    projections.append(Product("output", "attention", n_heads * d_v, d_model, split="k"))
    gate = _gate(output_gate, n_heads, d_v, d_model)
    bias = (bias_width if qkv_bias else 0) + (d_model if out_bias else 0)
    stream = Stream(
        "kv",
        n_kv_heads * (d_head + d_v),
        n_heads * (d_head + d_v),
        keep=float("inf") if window is None else window,
        read=float("inf") if top_k is None else top_k,
        owned=0 if reads_other_cache else 1,
        split="kv",
    )
    own = Layer((*projections, *gate), bias + n_params_other, (stream,))
    return own if indexer is None else _join(own, indexer)


def _query(d_model: Any, rank: Any, width: Any) -> tuple[tuple[Product, ...], tuple[Product, ...]]:
    """The query's projection: in one step, or down to a rank and up again."""
    if rank is None:
        return (Product("query", "attention", d_model, width, split="n"),), ()
    return (
        (Product("query_down", "attention", d_model, rank),),
        (Product("query_up", "attention", rank, width, split="n"),),
    )


def latent_layer(
    *,
    d_model: Any,
    n_heads: Any,
    q_lora_rank: Any | None,
    kv_lora_rank: Any,
    d_head_nope: Any,
    d_head_rope: Any,
    d_head_v: Any,
    output_gate: str = "none",
    top_k: Any = None,
    indexer: Layer | None = None,
    n_params_other: Any = 0,
) -> Layer:
    r"""Multi-head latent attention (MLA): absorbed for single tokens, expanded for prompts.

    .. math:: \text{cached per token} = r_{kv} + d_{rope}, \qquad
              \text{multiply-adds per entry} = n_h\,(2 r_{kv} + d_{rope})

    The up-projection of the latent is counted once as a product: absorbed into query and output
    it costs the same multiply-adds for the one new token.

    Parameters
    ----------
    d_model, n_heads, kv_lora_rank, d_head_nope, d_head_rope, d_head_v : array   [1]
    q_lora_rank : array or None   Rank of the query's low-rank projection; None for a full one. [1]
    top_k, indexer                As in `attention_layer`.
    output_gate, n_params_other   As in `ridgeline.specs.LatentAttention`.

    Returns
    -------
    Layer

    Notes
    -----
    Prompts expand the latent instead: fewer multiply-adds a pair (``d_nope + d_rope + d_v`` a
    head), same cache. See `ridgeline.laws.shapes.pair_macs`.

    Examples
    --------
    >>> layer = latent_layer(d_model=7168, n_heads=128, q_lora_rank=1536, kv_lora_rank=512,
    ...                      d_head_nope=128, d_head_rope=64, d_head_v=128)
    >>> 61 * layer.streams[0].elements * 2   # DeepSeek-V3, bf16 bytes a token
    70272
    """
    d_query = n_heads * (d_head_nope + d_head_rope)
    down, up = _query(d_model, q_lora_rank, d_query)
    products = (
        *down,
        Product("kv_down", "attention", d_model, kv_lora_rank + d_head_rope),
        *up,
        Product("kv_up", "attention", kv_lora_rank, n_heads * (d_head_nope + d_head_v), split="n"),
        Product("output", "attention", n_heads * d_head_v, d_model, split="k"),
        *_gate(output_gate, n_heads, d_head_v, d_model),
    )
    stream = Stream(
        "latent",
        kv_lora_rank + d_head_rope,
        n_heads * (2 * kv_lora_rank + d_head_rope),
        read=float("inf") if top_k is None else top_k,
        # Entries that an indexer picks differ from query to query: expanding all gains nothing.
        expanded_macs=n_heads * (d_head_nope + d_head_rope + d_head_v)
        if top_k is None
        else float("inf"),
        expansion_macs=kv_lora_rank * n_heads * (d_head_nope + d_head_v),
    )
    own = Layer(products, n_params_other, (stream,))
    return own if indexer is None else _join(own, indexer)


def compressor_products(part: str, d_model: Any, width: Any) -> tuple[Product, ...]:
    """Key-value and gate projections of a compressor, each `width` wide."""
    name = "index_compress" if part == "indexer" else "compress"
    return (
        Product(f"{name}_kv", part, d_model, width),
        Product(f"{name}_gate", part, d_model, width),
    )


def compressed_layer(
    *,
    d_model: Any,
    n_heads: Any,
    d_head: Any,
    window: Any,
    q_lora_rank: Any,
    o_lora_rank: Any,
    o_groups: Any,
    compress_ratio: Any = 0,
    overlap: bool = False,
    top_k: Any = None,
    indexer: Layer | None = None,
    n_params_other: Any = 0,
) -> Layer:
    r"""Attention over a raw window and a compressed history; key and value are one vector.

    .. math:: \text{entries} = \min(L, w) + \min(L / r,\ k), \qquad
              \text{multiply-adds per entry} = 2\,n_h\,d

    Parameters
    ----------
    d_model, n_heads, d_head, q_lora_rank, o_lora_rank, o_groups : array   [1]
    window : array            Raw tokens kept, w. [tokens]
    compress_ratio : array    Tokens behind one entry of the history, r; 0 for none. [tokens]
    overlap : bool            Two interleaved series: a compressor twice as wide.
    top_k, indexer            Entries of the history that are read, k, and what picks them.
    n_params_other            As in `ridgeline.specs.CompressedAttention`.

    Returns
    -------
    Layer

    Notes
    -----
    The output projection is grouped: `o_groups` matrices down to `o_lora_rank` each, then one up.
    Tokens not yet filling an entry wait in a buffer, which is left out.

    References
    ----------
    .. [1] DeepSeek-V4, arXiv 2606.19348, 2026.
    """
    d_concat = n_heads * d_head
    products = [
        Product("query_down", "attention", d_model, q_lora_rank),
        Product("query_up", "attention", q_lora_rank, d_concat, split="n"),
        Product("kv", "attention", d_model, d_head),
        Product(
            "output_down",
            "attention",
            d_concat // o_groups,
            o_lora_rank,
            o_groups,
            o_groups,
            split="count",
        ),
        Product("output_up", "attention", o_groups * o_lora_rank, d_model, split="k"),
    ]
    streams = [Stream("window", d_head, 2 * d_concat, keep=window)]
    if namespace(compress_ratio).any(compress_ratio):
        width = d_head * (2 if overlap else 1)
        products += compressor_products("attention", d_model, width)
        history = Stream(
            "history",
            d_head,
            2 * d_concat,
            tokens_per_entry=compress_ratio,
            read=float("inf") if top_k is None else top_k,
        )
        streams.append(history)
    own = Layer(tuple(products), n_params_other, tuple(streams))
    return own if indexer is None else _join(own, indexer)


def _join(a: Layer, b: Layer) -> Layer:
    return Layer(
        a.products + b.products,
        a.n_vector_params + b.n_vector_params,
        a.streams + b.streams,
        a.state_elements + b.state_elements,
        a.state_macs + b.state_macs,
    )
