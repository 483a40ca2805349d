"""What a token budget depends on: the same question with one number changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.questions.budget.plan import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.questions.budget.plan import Plan
    from ridgeline.specs.budget_choices import TokensChoice

__all__ = ["Change", "changes_of"]

#: FLOPs of RL per parameter and token: rollouts alone, all trained on
_RL_FACTORS = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Change:
    """A budget with one number changed.

    Attributes
    ----------
    what : str   In a few words.
    plan : Plan
    """

    what: str
    plan: Plan


def changes_of(
    choice: TokensChoice, n_params_active: float, mfu_ratio: float, published: float | None
) -> tuple[Change, ...]:
    """Budgets with one number changed: efficiency, RL factor, tokens served.

    Parameters
    ----------
    choice, n_params_active, mfu_ratio, published : as for `plan_of`

    Returns
    -------
    tuple of Change   None where compute is given, and what is given beside it may cost more.
    """
    if choice.compute is not None:
        return ()

    def changed(what: str, ratio: float = mfu_ratio, **new: float) -> Change:
        own = choice.model_copy(update=new) if new else choice
        return Change(what, plan_of(own, n_params_active, ratio, published))

    def every() -> Iterator[Change]:
        yield changed("as asked")
        yield changed("serving at half its MFU", mfu_ratio / 2)
        yield changed("serving at twice its MFU", mfu_ratio * 2)
        if choice.split != "without-rl":
            for k in _RL_FACTORS:
                if k != choice.rl_factor:
                    yield changed(f"RL of {k:g} FLOPs per parameter", rl_factor=k)
        for name in ("inference_tokens", "traffic"):
            served = getattr(choice, name)
            if served:
                yield changed("half the tokens served", **{name: served / 2})
                yield changed("twice the tokens served", **{name: served * 2})

    base, *others = every()
    return (base, *(one for one in others if not _is_same(one.plan, base.plan)))


def _is_same(plan: Plan, base: Plan) -> bool:
    """Whether a change changes neither tokens nor costs."""
    amounts = ((p.tokens, p.rl_tokens, p.inference_tokens, p.costs) for p in (plan, base))
    return next(amounts) == next(amounts)
