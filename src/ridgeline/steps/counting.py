"""What every op of one step needs to know: its groups, degrees, and what many of them ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ridgeline.catalog import dtype as dtype_of
from ridgeline.laws.parallel import domains_spanned, share_across, share_of_sequences

if TYPE_CHECKING:
    from ridgeline.specs.blocks import Block
    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.tokens import Group

__all__ = ["StepCount"]


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
    allgather_dispatch_max_chips: Any
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
