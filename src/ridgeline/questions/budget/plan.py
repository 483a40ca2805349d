"""Tokens of pre-training, RL and inference: those given, and the rest at equal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ridgeline.answers.words import quantity
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.laws.budget import (
    FORWARD_FLOPS,
    TRAINING_FLOPS,
    cost_tokens,
    expected_tokens,
    inference_weight,
    rl_weight,
    token_flops,
    tokens_at_share,
    total_of_share,
    traffic_tokens,
)

if TYPE_CHECKING:
    from ridgeline.specs.budget_choices import TokensChoice

__all__ = ["ACTIVITIES", "Plan", "equal_cost", "plan_of"]

#: what tokens are for, in the order of tables
ACTIVITIES: Final[tuple[str, ...]] = ("pretraining", "rl", "inference")
#: shares of the cost of each, by split
_SHARES: Final[dict[str, tuple[float, float, float]]] = {
    "thirds": (1 / 3, 1 / 3, 1 / 3),
    "halves": (1 / 4, 1 / 4, 1 / 2),
    "without-rl": (1 / 2, 0.0, 1 / 2),
}
#: what sets the cost of each where it is not given, first
_ANCHORS: Final[dict[str, tuple[str, ...]]] = {
    "pretraining": ("inference", "rl"),
    "rl": ("pretraining", "inference"),
    "inference": ("pretraining", "rl"),
}
#: what sets all others at equal cost, first
_FIRST: Final[tuple[str, ...]] = ("inference", "pretraining", "rl")


@dataclass(frozen=True, slots=True)
class Plan:
    """A token budget.

    Attributes
    ----------
    n_params_active : float
    tokens, rl_tokens : float    Of pre-training and RL. [tokens]
    inference_tokens : float     Served, if the model is deployed. [tokens]
    deployed : float             Chance that it is. [1]
    alpha, beta : float          Tokens of pre-training that a token of RL, of inference costs. [1]
    rl_factor : float            FLOPs of RL per parameter and token. [FLOP]
    given : frozenset of str     Activities whose tokens were given, and ``compute``.
    """

    n_params_active: float
    tokens: float
    rl_tokens: float
    inference_tokens: float
    deployed: float
    alpha: float
    beta: float
    rl_factor: float
    given: frozenset[str] = frozenset()

    @property
    def expected_tokens(self) -> float:
        """Tokens served, derated by the chance that the model is deployed. [tokens]"""
        return expected_tokens(self.inference_tokens, self.deployed)

    @property
    def costs(self) -> dict[str, float]:
        """Cost of each activity, in tokens of pre-training. [tokens]"""
        each = (self.tokens, self.alpha * self.rl_tokens, self.beta * self.expected_tokens)
        return dict(zip(ACTIVITIES, each, strict=True))

    @property
    def total(self) -> float:
        """Cost of all three, in tokens of pre-training. [tokens]"""
        return cost_tokens(self.tokens, self.rl_tokens, self.expected_tokens, self.alpha, self.beta)

    @property
    def demand(self) -> float:
        """Cost of RL and inference, in tokens of pre-training. [tokens]"""
        return self.total - self.tokens

    def source(self, name: str) -> str:
        """What the tokens of an activity come from: given, the compute, equal cost."""
        if name in self.given:
            return "given"
        return "compute" if "compute" in self.given else "equal cost"

    @property
    def flops(self) -> dict[str, float]:
        """FLOPs of each activity, whatever their efficiency. [FLOP]"""
        factors = (TRAINING_FLOPS, self.rl_factor, FORWARD_FLOPS)
        each = (self.tokens, self.rl_tokens, self.expected_tokens)
        return {
            name: token_flops(k, self.n_params_active, d)
            for name, k, d in zip(ACTIVITIES, factors, each, strict=True)
        }


def plan_of(
    choice: TokensChoice, n_params_active: float, mfu_ratio: float, published: float | None
) -> Plan:
    """The budget of what is given, and what follows from it at equal cost.

    Parameters
    ----------
    choice : TokensChoice
    n_params_active : float
    mfu_ratio : float            Of serving over training. [1]
    published : float or None    Tokens that the model was pre-trained on, where nothing is given.
                                 [tokens]

    Raises
    ------
    SpecError         Nothing is given, or too much.
    InfeasibleError   What is given costs more than the compute.
    """
    empty = _empty(choice, n_params_active, mfu_ratio)
    given = _given(choice, published)
    shares = _shares(choice)
    if choice.split == "without-rl" and given.get("rl"):
        raise SpecError(
            "rl_tokens with split without-rl: leave rl_tokens out, or split in thirds or halves."
        )
    weights = {"pretraining": 1.0, "rl": empty.alpha, "inference": empty.beta * empty.deployed}
    costs = {name: weights[name] * n for name, n in given.items()}
    missing = [name for name in ACTIVITIES if name not in costs]
    if choice.compute is not None:
        costs |= _left(choice, n_params_active, costs, {n: shares[n] for n in missing})
    else:
        given_costs = dict(costs)
        for name in missing:
            total = _total(given_costs, shares, _ANCHORS[name])
            costs[name] = tokens_at_share(total, shares[name], 1.0)
    return _with(empty, costs, weights, frozenset(given) | _compute(choice))


def equal_cost(choice: TokensChoice, plan: Plan) -> Plan:
    """The equal-cost point beside a budget: the first of what is given sets all the rest.

    Parameters
    ----------
    choice : TokensChoice
    plan : Plan             Of `plan_of`.
    """
    shares = _shares(choice)
    costs = plan.costs
    total = plan.total
    if choice.compute is None:
        total = _total({n: costs[n] for n in ACTIVITIES if n in plan.given}, shares, _FIRST)
    weights = {"pretraining": 1.0, "rl": plan.alpha, "inference": plan.beta * plan.deployed}
    each = {name: tokens_at_share(total, shares[name], 1.0) for name in ACTIVITIES}
    return _with(plan, each, weights, plan.given)


def _shares(choice: TokensChoice) -> dict[str, float]:
    """Of the cost, by activity."""
    return dict(zip(ACTIVITIES, _SHARES[choice.split], strict=True))


def _empty(choice: TokensChoice, n_params_active: float, mfu_ratio: float) -> Plan:
    alpha = rl_weight(choice.rl_factor, mfu_ratio)
    beta = inference_weight(mfu_ratio)
    return Plan(n_params_active, 0.0, 0.0, 0.0, choice.deployed, alpha, beta, choice.rl_factor)


def _given(choice: TokensChoice, published: float | None) -> dict[str, float]:
    """Tokens that are given, by activity."""
    found: dict[str, float | None] = {
        "pretraining": choice.tokens,
        "rl": choice.rl_tokens,
        "inference": choice.inference_tokens,
    }
    if choice.traffic is not None and choice.lifetime is not None:
        found["inference"] = traffic_tokens(choice.traffic, choice.lifetime)
    given = {name: n for name, n in found.items() if n is not None}
    if choice.compute is not None and len(given) == len(ACTIVITIES):
        raise SpecError(
            "compute with all three kinds of tokens: they cost what they cost. Leave one out."
        )
    if choice.compute is None and not any(given.values()):
        if published is None:
            raise SpecError(
                "Give one number to start from: tokens (of pre-training), inference_tokens, or "
                "traffic and lifetime, rl_tokens or compute."
            )
        given["pretraining"] = published
    return given


def _compute(choice: TokensChoice) -> frozenset[str]:
    return frozenset() if choice.compute is None else frozenset({"compute"})


def _total(costs: dict[str, float], shares: dict[str, float], anchors: tuple[str, ...]) -> float:
    """Cost of everything at equal cost, by the first of some that are given."""
    anchor = next(name for name in anchors if costs.get(name) and shares[name])
    return total_of_share(costs[anchor], shares[anchor], 1.0)


def _left(
    choice: TokensChoice, n: float, costs: dict[str, float], shares: dict[str, float]
) -> dict[str, float]:
    """What the compute leaves, shared among what is not given."""
    assert choice.compute is not None
    total = choice.compute / token_flops(TRAINING_FLOPS, n, 1.0)
    left = total - sum(costs.values())
    if left <= 0:
        needed = token_flops(TRAINING_FLOPS, n, sum(costs.values()))
        raise InfeasibleError(
            f"The tokens given cost {quantity(needed, 'FLOP')} at the MFU of training, and "
            f"compute is {quantity(choice.compute, 'FLOP')}: give at least as much, or fewer "
            "tokens."
        )
    whole = sum(shares.values())
    if not whole:
        raise SpecError(
            f"compute with tokens and inference_tokens in split {choice.split}: nothing is left "
            "to follow from it. Leave one of the three out, or split in thirds or halves."
        )
    return {name: tokens_at_share(left, share / whole, 1.0) for name, share in shares.items()}


def _with(
    plan: Plan, costs: dict[str, float], weights: dict[str, float], given: frozenset[str]
) -> Plan:
    tokens = {name: tokens_at_share(costs[name], 1.0, weights[name]) for name in ACTIVITIES}
    return Plan(
        plan.n_params_active, tokens["pretraining"], tokens["rl"], tokens["inference"],
        plan.deployed, plan.alpha, plan.beta, plan.rl_factor, given,
    )  # fmt: skip
