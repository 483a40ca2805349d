"""Beside a budget at equal cost, the exact optimum of a loss law."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline.laws.budget import TRAINING_FLOPS, demand_exponent, token_flops
from ridgeline.laws.loss import (
    best_at_cost,
    cheapest_at_loss,
    coefficient_of_active,
    loss_nats,
    loss_slope_ratio,
    tokens_at_loss,
)
from ridgeline.laws.repetition import (
    repeated_elasticity,
    repeated_worth_tokens,
    tokens_of_worth,
)

if TYPE_CHECKING:
    from typing import Any

    from ridgeline.questions.budget.plan import Plan
    from ridgeline.specs.loss_law import LossLaw

__all__ = ["Optimum", "Point", "optimum_of"]


@dataclass(frozen=True, slots=True)
class Point:
    """A model and its training, of equal demand.

    Attributes
    ----------
    n_params_active, tokens : float   [1, tokens]
    loss : float                      [nats/token]
    demand : float                    Cost of RL and inference, in tokens of pre-training. [tokens]
    """

    n_params_active: float
    tokens: float
    loss: float
    demand: float

    @property
    def training_flops(self) -> float:
        """[FLOP]"""
        return token_flops(TRAINING_FLOPS, self.n_params_active, self.tokens)

    @property
    def demand_flops(self) -> float:
        """RL and inference, at what they cost in FLOPs of training. [FLOP]"""
        return token_flops(TRAINING_FLOPS, self.n_params_active, self.demand)

    @property
    def total_flops(self) -> float:
        """[FLOP]"""
        return self.training_flops + self.demand_flops

    @property
    def tokens_per_param(self) -> float:
        """[tokens]"""
        return self.tokens / self.n_params_active


@dataclass(frozen=True, slots=True)
class Optimum:
    """What one loss law says of a budget.

    Attributes
    ----------
    law : LossLaw
    a : float                  A, of active parameters. [nats/token]
    unique_tokens : float      Infinite for no want of text. [tokens]
    plan : Point               The budget itself.
    exponent : float           With which training gets cheaper as parameters grow at equal loss,
                               at the budget; at the optimum, all else over the training. [1]
    cheapest : Point           Of the same loss, all that is done with it counted.
    best : Point               For the same cost.
    compute_optimal : Point    Of the same loss, training alone counted.
    """

    law: LossLaw
    a: float
    unique_tokens: float
    plan: Point
    exponent: float
    cheapest: Point
    best: Point
    compute_optimal: Point

    @property
    def saves(self) -> float:
        """Share of the cost that the cheapest model of the same loss saves. [1]"""
        return 1 - self.cheapest.total_flops / self.plan.total_flops

    @property
    def overtraining_cost(self) -> float:
        """FLOPs of training over those of the compute-optimal model of the same loss. [1]"""
        return self.plan.training_flops / self.compute_optimal.training_flops

    @property
    def is_beyond(self) -> bool:
        """Whether the budget lies beyond the law's fit."""
        most_params = self.law.most_params or math.inf
        most_tokens = self.law.most_tokens or math.inf
        return self.plan.n_params_active > most_params or self.plan.tokens > most_tokens

    def loss(self, n_params_active: Any, tokens: Any) -> Any:
        """Loss of any model. [nats/token]"""
        law = self.law
        worth = repeated_worth_tokens(tokens, self.unique_tokens)
        return loss_nats(n_params_active, worth, law.e, self.a, law.b, law.alpha, law.beta)

    def tokens(self, n_params_active: Any, loss: Any) -> Any:
        """Tokens after which models have a loss; infinite where never. [tokens]"""
        law = self.law
        worth = tokens_at_loss(n_params_active, loss, law.e, self.a, law.b, law.alpha, law.beta)
        return tokens_of_worth(worth, self.unique_tokens)

    def cheapest_of(self, loss: Any, demand: Any) -> tuple[Any, Any]:
        """Parameters and tokens of the cheapest models of losses under a demand. [1, tokens]"""
        law = self.law
        return cheapest_at_loss(
            loss - law.e, demand, self.a, law.b, law.alpha, law.beta, self.unique_tokens
        )


def optimum_of(
    law: LossLaw, plan: Plan, *, params_ratio: float = 1.0, unique_tokens: float = math.inf
) -> Optimum:
    """What a loss law says of a budget.

    Parameters
    ----------
    law : LossLaw
    plan : Plan
    params_ratio : float    Dense parameters that an active one is worth. [1]
    unique_tokens : float   [tokens]
    """
    a = coefficient_of_active(law.a, law.alpha, params_ratio)
    rest = law.b, law.alpha, law.beta
    n, d, demand = plan.n_params_active, plan.tokens, plan.demand
    worth = repeated_worth_tokens(d, unique_tokens)

    def point(n: float, d: float, demand: float) -> Point:
        seen = repeated_worth_tokens(d, unique_tokens)
        return Point(float(n), float(d), float(loss_nats(n, seen, law.e, a, *rest)), demand)

    own = point(n, d, demand)
    rho = loss_slope_ratio(n, worth, a, *rest)
    cost = token_flops(TRAINING_FLOPS, n, plan.total)
    excess = own.loss - law.e
    return Optimum(
        law=law,
        a=a,
        unique_tokens=unique_tokens,
        plan=own,
        exponent=float(demand_exponent(rho, repeated_elasticity(d, unique_tokens))),
        cheapest=point(*cheapest_at_loss(excess, demand, a, *rest, unique_tokens), demand),
        best=point(*best_at_cost(cost, demand, a, *rest, unique_tokens), demand),
        compute_optimal=point(*cheapest_at_loss(excess, 0.0, a, *rest, unique_tokens), 0.0),
    )
