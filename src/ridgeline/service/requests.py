"""What requests ask of a replica: lengths, cached input, drafts; as arrays over cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws._namespace import maximum, minimum
from ridgeline.laws.memory import mean_decode_context_tokens
from ridgeline.laws.pools import mean_prefix_tokens, prefill_chunks
from ridgeline.laws.speculation import tokens_per_step
from ridgeline.steps.tokens import Group, decode, prefill

if TYPE_CHECKING:
    from ridgeline.specs.engine import Engine

__all__ = ["Requests", "prompts_at_once"]


@dataclass(frozen=True, slots=True)
class Requests:
    """Lengths of requests, and what a step of theirs holds. Fields may be arrays over cases.

    Attributes
    ----------
    isl, osl : array        Input and output tokens; `osl` 0: sequences only decode. [tokens]
    cached : array          Of the input, found in a prefix cache. [tokens]
    decode_context : array or None   Mean tokens attended to while decoding; None to follow from the
                            lengths. [tokens]
    drafts, acceptance : array   Tokens drafted per sequence and step; how often one is accepted.
    """

    isl: Any = 0.0
    osl: Any = 0.0
    cached: Any = 0.0
    decode_context: Any = None
    drafts: Any = 0
    acceptance: Any = 0.0

    @property
    def new(self) -> Any:
        """Input tokens to be computed: one at least, whose logits are wanted. [tokens]"""
        return maximum(self.isl - self.cached, minimum(self.isl, 1.0))

    @property
    def context(self) -> Any:
        """Mean tokens that a new token attends to. [tokens]"""
        if self.decode_context is not None:
            return self.decode_context
        return mean_decode_context_tokens(self.isl, self.osl)

    @property
    def tokens_per_step(self) -> Any:
        """Tokens a sequence gains in a step, with the drafts accepted."""
        return tokens_per_step(self.drafts, self.acceptance)

    @property
    def n_steps(self) -> Any:
        """Decode steps in which a request gains as many tokens as its output has. [1]"""
        return maximum(self.osl, 1.0) / self.tokens_per_step

    @property
    def has_drafts(self) -> bool:
        """Whether any are made, in any case."""
        return bool(np.any(np.asarray(self.drafts) > 0))

    def kept(self, engine: Engine) -> Any:
        """Tokens that memory must hold for a sequence: all its output where that is reserved."""
        return self.isl + self.osl if engine.reserves_output else self.context

    def n_chunks(self, engine: Engine) -> Any:
        """Steps a prompt is cut into by the engine's token budget. [1]"""
        return prefill_chunks(self.new, engine.token_budget)

    def decode(self, n: Any) -> Group:
        """The group of so many sequences that decode."""
        return decode(n, self.context, self.drafts)

    def prompts(self, n: Any, engine: Engine) -> Group:
        """The group of a step with a chunk of each of so many prompts: the mean chunk.

        What a chunk reads and multiplies in attention is linear in its prefix, so that k chunks at
        the mean prefix are the prompt.
        """
        k = self.n_chunks(engine)
        before = mean_prefix_tokens(self.cached, self.new, k)
        return prefill(n, self.new / k, before, n / k)


def prompts_at_once(n: Any, requests: Requests, engine: Engine, ranks: Any) -> Any:
    """Prompts in the steps that hold any, with so many sequences live.

    Parameters
    ----------
    n : array             Sequences live in the replica. [1]
    requests : Requests
    engine : Engine       For its token budget.
    ranks : array         Attention-data-parallel ranks times pipeline stages. [1]

    Returns
    -------
    array   As many as end in a step, at least one; no more than the budget takes whole, but one for
            each rank and micro-batch. [1]
    """
    per_step = maximum(engine.token_budget / maximum(requests.new, 1.0), 1.0)
    ending = minimum(maximum(n / requests.n_steps, 1.0), per_step)
    return maximum(ending, minimum(ranks, n))
