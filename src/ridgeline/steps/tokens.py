"""Which tokens a step carries: groups of sequences that step alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Group", "chunks", "decode", "halved", "prefill"]


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
    drafts : array    Tokens drafted for each: see `ridgeline.steps.drafting`.
    starting : array or None   Prompts that begin in the step; None for all of `n`. A chunk of a
                      prompt in k chunks starts 1/k of one.
    """

    name: str
    n: Any
    new: Any
    prefix: Any
    sampled: Any = 1
    drafts: Any = 0
    starting: Any = None

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


def prefill(n: Any, tokens: Any, prefix: Any = 0, starting: Any = None) -> Group:
    """Return a prefill group: whole prompts, chunks of them, or what follows a cached prefix.

    Parameters
    ----------
    n : array         Prompts. [1]
    tokens : array    New tokens of each. [tokens]
    prefix : array    Tokens already cached. [tokens]
    starting : array or None   Of them, prompts that begin; None for all. [1]
    """
    return Group("prefill", n, tokens, prefix, starting=starting)


def halved(group: Group) -> Group:
    """One of two micro-batches of a group: half of its sequences, or of each prompt's new tokens.

    Of a prompt it is the mean of the two halves, the second of which attends to the first.

    Parameters
    ----------
    group : Group
    """
    if group.name == "prefill":
        return replace(group, new=group.new / 2, prefix=group.prefix + group.new / 4)
    return replace(group, n=group.n / 2)


def chunks(tokens: float, prefix: float, budget: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut a prompt into chunks of at most the budget; the first ones are full.

    Parameters
    ----------
    tokens, prefix : float   New and cached tokens of the prompt. [tokens]
    budget : float           New tokens of a step at most. [tokens]

    Returns
    -------
    new, prefix : 1-D arrays   Of each chunk. [tokens]

    Examples
    --------
    >>> new, cached = chunks(5000, 100, 2048)
    >>> new.tolist(), cached.tolist()
    ([2048.0, 2048.0, 904.0], [100.0, 2148.0, 4196.0])
    """
    starts = np.arange(0.0, max(tokens, 1.0), budget)
    return np.minimum(budget, tokens - starts), prefix + starts
