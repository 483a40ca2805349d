"""Ways to attend to a long context: what a step reads of a sequence, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.context import shared_context_tokens, windowed_context_tokens
from ridgeline.laws.roofline import sqrt_sparse_context_tokens

if TYPE_CHECKING:
    from ridgeline.steps import Counts

__all__ = ["AttentionKind", "attention_kinds"]

_WINDOW_TOKENS, _FULL_SHARE = 1024, 1 / 6
_LAYERS_PER_CACHE = 4
_SQRT_FROM_TOKENS = 2048
_PROBE_TOKENS = 1e6

_Tokens = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class AttentionKind:
    """Bytes one step reads of a sequence, and bytes kept of it, both of a context. [bytes]"""

    name: str
    read: _Tokens
    kept: _Tokens


def attention_kinds(tally: Counts) -> list[AttentionKind]:
    """The model as it is, then the same growth a token under other ways to read and keep.

    Parameters
    ----------
    tally : Counts   Of the model; its fixed states stay in every kind.

    Returns
    -------
    list of AttentionKind
        As it is; dense, where that is another; windows in five of six layers; four layers on one
        cache; reads that grow with the root of the context. The first alone where nothing grows.

    Examples
    --------
    >>> from ridgeline.specs import Model
    >>> from ridgeline.steps import counts
    >>> kinds = attention_kinds(counts(Model.from_counts("8B", kv_bytes_per_token=1000)))
    >>> [k.name for k in kinds][-1], float(kinds[-1].read(2048 * 100)) / 1000
    ('sparse, sqrt(L)', 20480.0)
    """
    grows = float(tally.kv_bytes_per_token + tally.index_bytes_per_token)
    as_is = AttentionKind("as it is", tally.cache_read_bytes, tally.cache_bytes)
    if not grows:
        return [as_is]

    state = float(tally.state_bytes)

    def attention(name: str, read: _Tokens, kept: _Tokens) -> AttentionKind:
        """Fixed states stay, read and written once a step."""
        return AttentionKind(
            name,
            lambda context: grows * read(context) + 2 * state,
            lambda context: grows * kept(context) + state,
        )

    def dense(context: Any) -> Any:
        return context

    def windowed(context: Any) -> Any:
        return windowed_context_tokens(context, _WINDOW_TOKENS, _FULL_SHARE)

    def shared(context: Any) -> Any:
        return shared_context_tokens(context, _LAYERS_PER_CACHE)

    def rooted(context: Any) -> Any:
        return np.minimum(context, sqrt_sparse_context_tokens(context, _SQRT_FROM_TOKENS))

    differs = float(as_is.read(_PROBE_TOKENS)) < 0.99 * grows * _PROBE_TOKENS
    return [
        as_is,
        *([attention("dense", dense, dense)] if differs else []),
        attention(f"5 of 6 layers with a window of {_WINDOW_TOKENS:,}", windowed, windowed),
        attention(f"{_LAYERS_PER_CACHE} layers share a cache", shared, shared),
        attention("sparse, sqrt(L)", rooted, dense),
    ]
