"""What every op of one step needs to know: its groups, degrees, and what many of them ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws.parallel import domains_spanned, share_across, share_of_sequences

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.engine import Engine
    from ridgeline.specs.eras import Era
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.tokens import Group

__all__ = ["ExpertRules", "StepCount"]


class ExpertRules(NamedTuple):
    """What an engine does about experts on many chips; fields may be arrays over steps.

    Attributes
    ----------
    allgather_dispatch_max_chips : array   Ranks of attention data parallelism gather all tokens,
                               and scatter what experts made of them, up to so many chips; more of
                               them send each token to its experts: what follows is of those. [1]
    copies_share : array       Copies of hot experts over experts, which a balancer deals out; below
                               zero: experts stay where they are, however hot. [1]
    split_min_tokens, split_min_prompt_tokens : array   New tokens of a rank from which a step runs
                               in two micro-batches, where exchanges leave a domain: of steps that
                               only decode, and of those with prompts. [tokens]
    """

    allgather_dispatch_max_chips: Any = 0
    copies_share: Any = -1.0
    split_min_tokens: Any = inf
    split_min_prompt_tokens: Any = inf

    @classmethod
    def of(cls, engine: Engine, era: Era) -> ExpertRules:
        """The rules of an engine's releases of an era.

        Examples
        --------
        >>> from ridgeline.catalog import engine
        >>> vllm = engine("vllm")
        >>> ExpertRules.of(vllm, vllm.era("0.6.3")).split_min_tokens
        inf
        """
        found = cls(engine.allgather_dispatch_max_chips)
        split, copies = engine.micro_batches, engine.expert_copies
        if split is not None and (not split.eras or era.id in split.eras):
            found = found._replace(
                split_min_tokens=split.min_tokens, split_min_prompt_tokens=split.min_prompt_tokens
            )
        if copies is not None and (not copies.eras or era.id in copies.eras):
            found = found._replace(copies_share=copies.share)
        return found

    def sends(self, layout: Layout) -> Any:
        """Whether ranks send each token to its experts, under a layout. [bool]"""
        chips = layout.attn_dp * layout.tp
        return (layout.attn_dp > 1) & (layout.ep > 1) & (chips > self.allgather_dispatch_max_chips)

    def balances(self, layout: Layout) -> Any:
        """Whether hot experts have copies, under a layout. [bool]"""
        return self.sends(layout) & (self.copies_share >= 0)


@dataclass(frozen=True)
class StepCount:
    """What every piece of one step needs to know; what many of them ask for is kept."""

    model: Model
    layout: Layout
    groups: tuple[Group, ...]
    domain_size: Any
    activation_bytes: float
    dispatch_bytes: float
    expert_load_cv: Any
    rules: ExpertRules
    even: bool
    sequence_parallel: bool

    @cached_property
    def chips(self) -> Any:
        """Chips of one pipeline stage: those that hold one layer."""
        return self.layout.attn_dp * self.layout.tp

    @cached_property
    def tokens_all(self) -> Any:
        """New tokens of the micro-batch."""
        return sum(g.tokens for g in self.groups)

    @cached_property
    def tokens(self) -> Any:
        """New tokens of the fullest attention-data-parallel rank: what its chips multiply."""
        return sum(self.here(g) * g.new for g in self.groups)

    @cached_property
    def hidden_bytes(self) -> Any:
        """Hidden states of those tokens. [bytes]"""
        return self.tokens * self.model.d_model * self.activation_bytes

    def here(self, group: Group) -> Any:
        """Sequences of a group on the fullest rank."""
        return share_of_sequences(group.n, self.layout.attn_dp)

    def bits(self, part: Any, block: Block | None = None) -> tuple[str, float]:
        """Format of a part of the weights, and its bits per number."""
        own = block.dtypes if block is not None else {}
        name = own.get(part) or self.model.dtypes.get(part) or self.model.weight_dtype
        found = dtype_of(name)
        return found.id, found.bits

    def across(self, group: Any) -> tuple[Any, Any]:
        """Domains a group of neighbouring chips lies in, and the share of traffic across."""
        n = domains_spanned(group, self.domain_size)
        return n, share_across(n)

    @cached_property
    def across_tp(self) -> tuple[Any, Any]:
        """The same of the tensor-parallel group."""
        return self.across(self.layout.tp)
