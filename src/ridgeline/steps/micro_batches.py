"""Steps in two micro-batches: where an engine runs them so, and what one half of the tokens is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws._namespace import where
from ridgeline.laws.parallel import domains_spanned, share_of_sequences
from ridgeline.specs.blocks import MixtureOfExperts
from ridgeline.steps.op import StepOps
from ridgeline.steps.ops import count_ops
from ridgeline.steps.tokens import halved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.layout import Layout
    from ridgeline.specs.model import Model
    from ridgeline.steps.counting import ExpertRules
    from ridgeline.steps.tokens import Group

__all__ = ["count_step", "count_whole", "may_split", "splits"]


def splits(
    model: Model, layout: Layout, groups: Sequence[Group], domain_size: Any, rules: ExpertRules
) -> Any:
    """Whether an engine may run a step in two micro-batches.

    Parameters
    ----------
    model : Model
    layout : Layout              Degrees; may hold arrays.
    groups : sequence of Group   Tokens of the whole replica.
    domain_size : array          Chips of a scale-up domain. [1]
    rules : ExpertRules          Of the engine.

    Returns
    -------
    array of bool   True where ranks send tokens to experts in other domains, and each rank has as
                    many new tokens as the engine wants of such a step.
    """
    may = may_split(model, layout, domain_size, rules)
    if may is False:
        return False
    ways = layout.attn_dp * layout.pp
    tokens = sum(share_of_sequences(g.n, ways) * g.new for g in groups)
    prompts = sum(g.tokens for g in groups if g.name == "prefill")
    wanted = where(prompts > 0, rules.split_min_prompt_tokens, rules.split_min_tokens)
    return may & (tokens >= wanted)


def may_split(model: Model, layout: Layout, domain_size: Any, rules: ExpertRules) -> Any:
    """The same of any step, however many tokens it has: see `splits`. [bool]"""
    if not any(isinstance(block.ffn, MixtureOfExperts) for block in model.blocks):
        return False
    if not np.any(np.isfinite(rules.split_min_tokens) | np.isfinite(rules.split_min_prompt_tokens)):
        return False
    across = domains_spanned(layout.attn_dp * layout.tp, domain_size) > 1
    return rules.sends(layout) & across


def count_whole(model: Model, layout: Layout, groups: Sequence[Group], **counted: Any) -> StepOps:
    """Count a step in one batch.

    Parameters
    ----------
    model, layout, groups, **counted   As in `count_ops`.
    """
    return StepOps(count_ops(model, layout, groups, roles=False, **counted))


def count_step(
    model: Model,
    layout: Layout,
    groups: Sequence[Group],
    *,
    domain_size: Any,
    rules: ExpertRules,
    **counted: Any,
) -> StepOps:
    """Count a step in one batch, and in two where an engine may run it so.

    Parameters
    ----------
    model, layout, groups, domain_size, rules, **counted   As in `count_ops`.
    """
    counted |= {"domain_size": domain_size, "rules": rules}
    may = splits(model, layout, groups, domain_size, rules)
    if not np.any(may):
        return StepOps(count_ops(model, layout, groups, roles=False, **counted))
    whole = count_ops(model, layout, groups, **counted)
    ops = count_ops(model, layout, [halved(group) for group in groups], **counted)
    return StepOps(whole, tuple(op for op in ops if op.role), may)
