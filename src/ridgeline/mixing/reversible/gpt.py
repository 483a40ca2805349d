# pyright: reportMissingImports=false
"""A small GPT whose stack is standard, checkpointed or reversible by one switch."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.mixing.reversible.adapter import from_prenorm

__all__ = ["GPT", "KINDS", "CausalAttention", "Kind", "PreNormBlock", "stack_of"]

Kind = Literal["standard", "checkpointed", "reversible", "reversible-stored"]
#: what a stack can be; the last computes the reversible function with stored activations
KINDS: tuple[Kind, ...] = get_args(Kind)


class CausalAttention(nn.Module):
    """The attention branch: norm, queries, keys and values at once, attention, projection."""

    def __init__(self, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(d_model)
        self.into = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the branch adds to the residual stream."""
        b, t, d = x.shape
        parts = self.into(self.norm(x)).view(b, t, 3, self.n_heads, d // self.n_heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.dropout(self.out(y.transpose(1, 2).reshape(b, t, d)))


def _feedforward(d_model: int, d_ff: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(d_model),
        nn.Linear(d_model, d_ff),
        nn.GELU(),
        nn.Linear(d_ff, d_model),
        nn.Dropout(dropout),
    )


class PreNormBlock(nn.Module):
    """The standard block: each branch is added to the stream it reads."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = CausalAttention(d_model, n_heads, dropout)
        self.feedforward = _feedforward(d_model, d_ff, dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream after both branches."""
        x = x + self.attention(x)
        return x + self.feedforward(x)


class StandardStack(nn.Module):
    """Pre-norm blocks; with `per_segment`, only the input of each segment of blocks is stored."""

    def __init__(self, blocks: list[nn.Module], per_segment: int | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.per_segment = per_segment

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the stack."""
        if self.per_segment is None or not torch.is_grad_enabled():
            return self._through(0, len(self.blocks), x)
        for start in range(0, len(self.blocks), self.per_segment):
            stop = min(start + self.per_segment, len(self.blocks))
            x = checkpoint(self._through, start, stop, x, use_reentrant=False)  # pyright: ignore
        return x

    def _through(self, start: int, stop: int, x: torch.Tensor) -> torch.Tensor:
        for i in range(start, stop):
            x = self.blocks[i](x)
        return x


def stack_of(blocks: list[nn.Module], kind: str, *, per_segment: int | None = None) -> nn.Module:
    """Make a stack of `PreNormBlock`, of one of `KINDS`.

    Parameters
    ----------
    blocks : list of PreNormBlock   Their weights are used as they are.
    kind : str                      ``standard``, ``checkpointed``, ``reversible`` (another
                                    function than the first two) or ``reversible-stored``.
    per_segment : int or None       Checkpointed: blocks a segment; None: the root of their number.

    Raises
    ------
    SpecError   There is no such kind.
    """
    if kind not in KINDS:
        raise SpecError(
            f"There is no stack {kind!r}.{did_you_mean(kind, KINDS)} There are {', '.join(KINDS)}."
        )
    if kind.startswith("reversible"):
        return from_prenorm(
            blocks,
            split=lambda b: (b.attention, b.feedforward),  # pyright: ignore
            f_keywords=(),
            store_activations=kind == "reversible-stored",
        )
    if kind == "standard":
        return StandardStack(blocks)
    return StandardStack(blocks, per_segment or max(1, round(math.sqrt(len(blocks)))))


class GPT(nn.Module):
    """A decoder-only transformer with learned positions and tied embeddings.

    Parameters
    ----------
    n_characters : int    Vocabulary. [1]
    n_context : int       Longest input. [tokens]
    d_model, n_heads, n_layers : int
    blocks : str          One of `KINDS`: how the stack keeps its activations. The reversible ones
                          compute another function than the standard ones, with as many parameters.
    dropout : float       Share of values dropped after each branch.

    Raises
    ------
    SpecError   Heads do not divide d_model, or there is no such kind.

    Examples
    --------
    >>> model = GPT(n_characters=50, n_context=8, d_model=16, n_heads=2, n_layers=2)
    >>> model(torch.zeros(1, 8, dtype=torch.int64)).shape
    torch.Size([1, 8, 50])
    """

    def __init__(
        self,
        *,
        n_characters: int,
        n_context: int,
        d_model: int,
        n_heads: int,
        n_layers: int,
        blocks: Kind = "standard",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if d_model % n_heads:
            raise SpecError(f"d_model {d_model} is not divisible by {n_heads} heads.")
        self.characters = nn.Embedding(n_characters, d_model)
        self.positions = nn.Embedding(n_context, d_model)
        layers: list[nn.Module] = [
            PreNormBlock(d_model, n_heads, 4 * d_model, dropout) for _ in range(n_layers)
        ]
        self.stack = stack_of(layers, blocks)
        self.norm = nn.LayerNorm(d_model)
        self.apply(_initialised)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Logits of the next character at every position."""
        if codes.shape[-1] > self.positions.num_embeddings:
            raise SpecError(
                f"{codes.shape[-1]} characters are longer than the context of "
                f"{self.positions.num_embeddings}."
            )
        places = torch.arange(codes.shape[-1], device=codes.device)
        x = self.characters(codes) + self.positions(places)
        return self.norm(self.stack(x)) @ self.characters.weight.T

    def loss(self, codes: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of each character given those before it. [nats a character]"""
        logits = self(codes[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), codes[:, 1:].flatten())


def _initialised(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
