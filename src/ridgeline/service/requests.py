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

__all__ = ["Requests", "mixed_requests", "prompts_at_once"]


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
    drafts_sigma : float    Standard deviation of ln(time) that the drafts add. [1]
    mix : tuple of (weight, Requests)   Requests of single lengths that stand for a distribution, of
                            which the other fields are means; empty where all are alike. [1]
    """

    isl: Any = 0.0
    osl: Any = 0.0
    cached: Any = 0.0
    decode_context: Any = None
    drafts: Any = 0
    acceptance: Any = 0.0
    drafts_sigma: float = 0.0
    mix: tuple[tuple[float, Requests], ...] = ()

    @property
    def parts(self) -> tuple[tuple[float, Requests], ...]:
        """Representative requests and their weights; by itself where all are alike."""
        return self.mix or ((1.0, self),)

    @property
    def is_fixed(self) -> bool:
        """Whether all requests have the same lengths."""
        return not self.mix

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
        return bool(np.any(self.drafts > 0))

    def kept(self, engine: Engine) -> Any:
        """Tokens that memory must hold for a sequence: all its output where that is reserved."""
        if engine.reserves_output:
            return self.isl + self.osl
        return maximum(self.context, self.isl + self.osl / 2) if self.mix else self.context

    def n_chunks(self, engine: Engine) -> Any:
        """Steps a prompt is cut into by the engine's token budget. [1]"""
        return sum(w * prefill_chunks(part.new, engine.token_budget) for w, part in self.parts)

    def decode(self, n: Any) -> Group:
        """The group of so many sequences that decode."""
        return decode(n, self.context, self.drafts)

    def prompts(self, n: Any, engine: Engine) -> Group:
        """The group of a step with a chunk of each of so many prompts: the mean chunk.

        What a chunk reads and multiplies in attention is linear in its prefix, so that k chunks at
        the mean prefix are the prompt.
        """
        k = prefill_chunks(self.new, engine.token_budget)
        before = mean_prefix_tokens(self.cached, self.new, k)
        return prefill(n, self.new / k, before, n / k)


def mixed_requests(
    weights: Any,
    isl: Any,
    osl: Any,
    *,
    prefix_hit: float = 0.0,
    drafts: Any = 0,
    acceptance: Any = 0.0,
    drafts_sigma: float = 0.0,
) -> Requests:
    r"""Requests of several lengths, by representatives of their distribution.

    .. math:: L = \frac{\sum_i w_i\,o_i\,(l_i + o_i / 2)}{\sum_i w_i\,o_i}

    Parameters
    ----------
    weights : 1-D array       Shares of the requests; they add up to one. [1]
    isl, osl : 1-D array      Lengths of each. [tokens]
    prefix_hit : float        Share of the input that is cached. [1]
    drafts, acceptance, drafts_sigma : number   As in `Requests`.

    Returns
    -------
    Requests   Means, with the representatives in `mix`. The context while decoding weighs each
               request by its output, since a long one is there for longer.

    Examples
    --------
    Half the requests have ten times the output: live sequences are mostly those.

    >>> found = mixed_requests([0.5, 0.5], [1000, 1000], [100, 1000])
    >>> found.osl, round(float(found.context))
    (550.0, 1459)
    """
    w, isl, osl = (np.asarray(x, dtype=float) for x in (weights, isl, osl))
    parts = tuple(
        (float(share), Requests(float(i), float(o), float(i) * prefix_hit))
        for share, i, o in zip(w, isl, osl, strict=True)
    )
    context = float((w * osl * (isl + osl / 2)).sum() / (w * osl).sum())
    mean_isl, mean_osl = float((w * isl).sum()), float((w * osl).sum())
    cached = mean_isl * prefix_hit
    return Requests(mean_isl, mean_osl, cached, context, drafts, acceptance, drafts_sigma, parts)


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
    array   As many as end in a step, at least one; no more than the budgets of all ranks take
            whole, but one for each rank and micro-batch. [1]
    """
    per_step = ranks * maximum(engine.token_budget / maximum(requests.new, 1.0), 1.0)
    ending = minimum(maximum(n / requests.n_steps, 1.0), per_step)
    return maximum(ending, minimum(ranks, n))
