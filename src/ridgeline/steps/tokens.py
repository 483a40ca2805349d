"""Which tokens a step carries: groups of sequences that step alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Group", "decode", "prefill"]


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences of one replica that each add `new` tokens to `prefix` cached ones.

    Attributes
    ----------
    name : str        ``decode`` or ``prefill``.
    n : array         Sequences. [1]
    new : array       New tokens of each. [tokens]
    prefix : array    Tokens cached before. [tokens]
    sampled : array   Logits wanted of each: 1, or all new tokens where drafts are verified.
    drafts : array    Tokens drafted for each by the model's own prediction layers.
    """

    name: str
    n: Any
    new: Any
    prefix: Any
    sampled: Any = 1
    drafts: Any = 0

    @property
    def tokens(self) -> Any:
        """New tokens of the whole group."""
        return self.n * self.new


def decode(batch: Any, context: Any, drafts: Any = 0) -> Group:
    """Return a decode group: one new token a sequence, and drafts to be verified with it.

    Parameters
    ----------
    batch : array     Sequences in flight. [1]
    context : array   Tokens the new token attends to, itself included. [tokens]
    drafts : array    Speculated tokens a sequence. [1]
    """
    return Group("decode", batch, 1 + drafts, context - 1, 1 + drafts, drafts)


def prefill(n: Any, tokens: Any, prefix: Any = 0) -> Group:
    """Return a prefill group: whole prompts, chunks of them, or what follows a cached prefix.

    Parameters
    ----------
    n : array         Prompts. [1]
    tokens : array    New tokens of each. [tokens]
    prefix : array    Tokens already cached. [tokens]
    """
    return Group("prefill", n, tokens, prefix)
