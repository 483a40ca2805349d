"""Tables of a token budget: tokens and their cost, the optimum, what each loss law says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ridgeline.answers import Table
from ridgeline.laws.budget import overtraining_factor
from ridgeline.questions.budget.plan import ACTIVITIES
from ridgeline.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    from ridgeline.questions.budget.answer import Budget
    from ridgeline.questions.budget.optimum import Optimum, Point

__all__ = ["changes_table", "laws_table", "optimum_table", "tables", "tokens_table"]

ACTIVITY_WORDS: Final = {"pretraining": "pre-training", "rl": "RL", "inference": "inference"}


def tables(answer: Budget) -> tuple[Table, ...]:
    """All tables, tokens first."""
    found = [tokens_table(answer), optimum_table(answer), laws_table(answer)]
    if answer.changes:
        found.append(changes_table(answer))
    return tuple(found)


def tokens_table(answer: Budget) -> Table:
    """Tokens of each activity, and what they cost."""
    plan, equal, fleet = answer.plan, answer.equal, answer.efficiency.fleet
    amounts = (plan.tokens, plan.rl_tokens, plan.expected_tokens)
    at_equal = (equal.tokens, equal.rl_tokens, equal.expected_tokens)
    rows: list[dict[str, Any]] = []
    for name, n, same in zip(ACTIVITIES, amounts, at_equal, strict=True):
        rows.append({
            "activity": name,
            "of": ACTIVITY_WORDS[name],
            "tokens": n,
            "equal_cost_tokens": same,
            "from": plan.source(name),
            "flops": plan.flops[name],
            "share": plan.costs[name] / plan.total,
            **_chips(answer, answer.chip_s.get(name)),
        })  # fmt: skip
    total = sum(answer.chip_s.values()) if answer.chip_s else None
    rows.append({
        "activity": "total",
        "of": "all",
        "tokens": None,
        "equal_cost_tokens": None,
        "from": "",
        "flops": sum(plan.flops.values()),
        "share": 1.0,
        **_chips(answer, total),
    })  # fmt: skip
    columns = {
        "of": ("for", ""),
        "tokens": ("tokens", "tokens"),
        "equal_cost_tokens": ("at equal cost", "tokens"),
        "from": ("from", ""),
        "flops": ("FLOPs", "FLOP"),
        "share": ("of the cost", "%"),
    }
    if answer.is_equal:
        del columns["equal_cost_tokens"]
    if fleet is not None:
        columns |= {
            "chip_hours": ("chip-hours", "tokens"),
            "days": ("days on these chips", "1"),
            "usd": ("USD", "USD"),
            "energy_wh": ("energy (TDP)", "Wh"),
        }
    if fleet is None or fleet.price is None:
        columns.pop("usd", None)
    if fleet is None or rows[0]["energy_wh"] is None:
        columns.pop("energy_wh", None)
    first = ("tokens", "share", "usd", "chip_hours", "flops", "from", "days")
    return Table("tokens", "Tokens and what they cost", columns, rows, first=first)


def _chips(answer: Budget, chip_s: float | None) -> dict[str, Any]:
    fleet = answer.efficiency.fleet
    if chip_s is None or fleet is None:
        return {"chip_hours": None, "days": None, "usd": None, "energy_wh": None}
    return {
        "chip_hours": chip_s / HOUR_S,
        "days": chip_s / fleet.n_chips / DAY_S,
        "usd": answer.usd(chip_s),
        "energy_wh": answer.energy_wh(chip_s),
    }


def optimum_table(answer: Budget) -> Table:
    """The budget beside the optimum of the loss law that was chosen."""
    best = answer.optimum
    own = best.plan.total_flops
    each = (
        ("plan", "this budget", best.plan),
        ("cheapest", "cheapest of its loss", best.cheapest),
        ("best", "best for its cost", best.best),
        ("compute_optimal", "its loss, least training", best.compute_optimal),
    )
    rows = [_point(name, words, point, answer, own) for name, words, point in each]
    columns = {
        "of": ("model", ""),
        "n_params_active": ("active", "params"),
        "tokens": ("tokens", "tokens"),
        "tokens_per_param": ("per param", "1"),
        "loss": ("loss", "nats"),
        "training_flops": ("pre-training", "FLOP"),
        "demand_flops": ("RL, inference", "FLOP"),
        "relative": ("cost", "x"),
    }
    first = ("n_params_active", "tokens", "relative", "loss", "tokens_per_param")
    title = f"The optimum by {best.law.name}; cost in FLOPs at the MFU of training"
    return Table("optimum", title, columns, rows, first=first)


def _point(name: str, words: str, point: Point, answer: Budget, own: float) -> dict[str, Any]:
    """A row; what serving the compute-optimal model costs is counted, too."""
    demand = point.demand_flops
    if name == "compute_optimal":
        demand = point.n_params_active / answer.plan.n_params_active
        demand *= answer.optimum.plan.demand_flops
    return {
        "model": name,
        "of": words,
        "n_params_active": point.n_params_active,
        "tokens": point.tokens,
        "tokens_per_param": point.tokens_per_param,
        "loss": point.loss,
        "training_flops": point.training_flops,
        "demand_flops": demand,
        "relative": (point.training_flops + demand) / own,
    }


def laws_table(answer: Budget) -> Table:
    """What each loss law says of the budget."""
    rows = [_law(one) for one in (answer.optimum, *answer.others)]
    columns = {
        "id": ("law", ""),
        "exponent": ("exponent", "1"),
        "cheapest_params": ("cheapest of its loss", "params"),
        "cheapest_tokens": ("on", "tokens"),
        "saves": ("saves", "%"),
        "best_params": ("best for its cost", "params"),
        "best_tokens": ("tokens", "tokens"),
        "overtraining_cost": ("training over its least", "x"),
        "loss": ("loss", "nats"),
    }
    first = (
        ("cheapest_params", "cheapest_tokens"), "saves", "overtraining_cost", "exponent",
        ("best_params", "best_tokens"),
    )  # fmt: skip
    title = (
        "What each loss law says; exponent: with which training gets cheaper as parameters grow at "
        "equal loss"
    )
    return Table("laws", title, columns, rows, first=first)


def changes_table(answer: Budget) -> Table:
    """What the budget depends on: the same question with one number changed."""
    rows = [
        {
            "what": what,
            "tokens": plan.tokens,
            "rl_tokens": plan.rl_tokens,
            "inference_tokens": plan.expected_tokens,
            "overtraining_factor": overtraining_factor(plan.tokens, plan.n_params_active),
            "cheapest_params": best.cheapest.n_params_active,
            "cheapest_tokens": best.cheapest.tokens,
            "saves": best.saves,
        }
        for what, plan, best in answer.changes
    ]
    columns = {
        "what": ("with", ""),
        "tokens": ("pre-training", "tokens"),
        "rl_tokens": ("RL", "tokens"),
        "inference_tokens": ("served", "tokens"),
        "overtraining_factor": ("over 20 N", "x"),
        "cheapest_params": ("cheapest of its loss", "params"),
        "cheapest_tokens": ("on", "tokens"),
        "saves": ("saves", "%"),
    }
    first = (
        "tokens", "rl_tokens", "inference_tokens", "overtraining_factor",
        ("cheapest_params", "cheapest_tokens"),
    )  # fmt: skip
    return Table("changes", "What it depends on", columns, rows, first=first)


def _law(one: Optimum) -> dict[str, Any]:
    law = one.law
    return {
        "id": law.id,
        "law": law.name,
        "about": law.about,
        "e": law.e,
        "a": law.a,
        "b": law.b,
        "alpha": law.alpha,
        "beta": law.beta,
        "exponent": one.exponent,
        "cheapest_params": one.cheapest.n_params_active,
        "cheapest_tokens": one.cheapest.tokens,
        "saves": one.saves,
        "best_params": one.best.n_params_active,
        "best_tokens": one.best.tokens,
        "best_loss": one.best.loss,
        "overtraining_cost": one.overtraining_cost,
        "loss": one.plan.loss,
        "is_beyond_fit": one.is_beyond,
    }
