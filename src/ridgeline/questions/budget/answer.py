"""The answer to a question about a token budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ridgeline.answers import Answer
from ridgeline.answers.answered import Answered
from ridgeline.answers.words import quantity
from ridgeline.laws.budget import (
    CHINCHILLA_TOKENS_PER_PARAM,
    chinchilla_tokens,
    chip_seconds,
    overtraining_factor,
)
from ridgeline.laws.economics import cost_per_step_usd
from ridgeline.laws.energy import energy_j
from ridgeline.questions.budget.pictures import PICTURES, draw
from ridgeline.questions.budget.plan import ACTIVITIES
from ridgeline.questions.budget.sentences import sentences
from ridgeline.questions.budget.tables import tables
from ridgeline.questions.budget.working import explain
from ridgeline.questions.prices import price_words
from ridgeline.questions.serving.power import power_w
from ridgeline.questions.training.run import run_of
from ridgeline.specs.training_choices import RunChoice
from ridgeline.units import DAY_S, HOUR_S

if TYPE_CHECKING:
    from ridgeline.answers import Table
    from ridgeline.charts import Chart
    from ridgeline.questions.budget.efficiency import Efficiency
    from ridgeline.questions.budget.optimum import Optimum
    from ridgeline.questions.budget.plan import Plan
    from ridgeline.questions.training.run import Run
    from ridgeline.specs.budget_scenario import BudgetScenario
    from ridgeline.specs.model import Model
    from ridgeline.specs.published_run import PublishedRun

__all__ = ["Budget"]


@dataclass(frozen=True, repr=False)
class Budget(Answered):
    """Tokens of pre-training, RL and inference, what they cost, and the optimum beside them.

    Attributes
    ----------
    scenario : BudgetScenario   The question.
    model : Model               As named, or one of the size that was given.
    plan : Plan                 What is given, and the rest at equal cost.
    equal : Plan                All at equal cost; the same where one number is given.
    efficiency : Efficiency     MFU of training and serving, and the chips.
    optimum : Optimum           By the loss law that was chosen.
    others : tuple of Optimum   By the other laws of the catalogue.
    changes : tuple             What is changed, the plan then, and its optimum: what the answer
                                depends on; the first is the question itself.
    params_ratio : float        Dense parameters that an active one is worth in the loss. [1]
    published : PublishedRun or None   What the model was trained on.
    notes : tuple of str        What is assumed, and what a careful reader should know.
    """

    scenario: BudgetScenario
    model: Model
    plan: Plan
    equal: Plan
    efficiency: Efficiency
    optimum: Optimum
    others: tuple[Optimum, ...]
    changes: tuple[tuple[str, Plan, Optimum], ...]
    params_ratio: float
    published: PublishedRun | None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model in a few words."""
        if self.model.blocks or self.model.name:
            return self.model.name or self.model.id
        return f"A model of {quantity(self.plan.n_params_active, 'params')} active parameters"

    @property
    def is_equal(self) -> bool:
        """Whether all that is given and all that follows is at equal cost."""
        own, same = self.plan.costs, self.equal.costs
        return all(math.isclose(own[name], same[name], rel_tol=1e-9) for name in ACTIVITIES)

    @property
    def overtraining(self) -> float:
        """Tokens of pre-training over Chinchilla's. [1]"""
        return overtraining_factor(self.plan.tokens, self.plan.n_params_active)

    @cached_property
    def chip_s(self) -> dict[str, float]:
        """Time of a single chip that each activity takes; empty without a machine. [s]"""
        use, fleet = self.efficiency, self.efficiency.fleet
        if fleet is None:
            return {}
        mfus = dict.fromkeys(ACTIVITIES, use.decode_mfu) | {"pretraining": use.train_mfu}
        return {
            name: chip_seconds(flops, fleet.peak_flops_per_s, mfus[name])
            for name, flops in self.plan.flops.items()
        }

    def usd(self, chip_s: float) -> float | None:
        """Rent of so much time of a chip; None without a price. [USD]"""
        fleet = self.efficiency.fleet
        if fleet is None or fleet.price is None:
            return None
        return cost_per_step_usd(chip_s, fleet.price.usd_per_chip_hour, 1)

    def energy_wh(self, chip_s: float) -> float | None:
        """Of so much time at thermal design power; None where it is not published. [Wh]"""
        fleet = self.efficiency.fleet
        watts = None if fleet is None else power_w(fleet.cluster)
        return None if watts is None else energy_j(watts, chip_s) / HOUR_S

    @cached_property
    def run(self) -> Run | None:
        """Pre-training as a run, with its interruptions; None where no step was timed."""
        fleet = self.efficiency.fleet
        if fleet is None or fleet.training is None:
            return None
        step = fleet.training
        times = (step.step_s, None, None)
        return run_of(step.job, self.plan.tokens, times, RunChoice(), fleet.price)

    @property
    def serving_chips(self) -> float | None:
        """Chips that serve the traffic while the model is deployed; None without a lifetime."""
        lifetime = self.scenario.demand.lifetime
        if lifetime is None or not self.chip_s:
            return None
        return self.chip_s["inference"] / self.plan.deployed / lifetime

    def sentences(self) -> list[str]:
        """The answer in a few sentences."""
        return sentences(self)

    def explain(self) -> str:
        """The working: every number with the equation that it is from."""
        return explain(self)

    def chart(self, name: str = "budget") -> Chart:
        """A picture of the answer.

        Parameters
        ----------
        name : str   ``budget`` (the costs of the three against tokens at equal quality) or
                     ``iso-loss`` (models of equal loss, the optimum of each demand, published
                     models).

        Raises
        ------
        SpecError   There is no such picture.
        """
        return draw(self, name)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Tokens and their cost; the optimum; what each loss law says."""
        return tables(self)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Single numbers by name."""
        plan, best = self.plan, self.optimum
        found: dict[str, Any] = {
            "n_params_active": plan.n_params_active,
            "tokens": plan.tokens,
            "rl_tokens": plan.rl_tokens,
            "inference_tokens": plan.inference_tokens,
            "alpha": plan.alpha,
            "beta": plan.beta,
            "mfu_ratio": self.efficiency.ratio,
            "train_mfu": self.efficiency.train_mfu,
            "decode_mfu": self.efficiency.decode_mfu,
            "equal_cost_tokens": self.equal.tokens,
            "chinchilla_tokens": chinchilla_tokens(plan.n_params_active),
            "overtraining_factor": self.overtraining,
            "overtraining_cost": best.overtraining_cost,
            "loss": best.plan.loss,
            "demand_over_training": plan.demand / plan.tokens,
            "optimal_demand_over_training": best.cheapest.demand / best.cheapest.tokens,
            "exponent": best.exponent,
            "cheapest_params": best.cheapest.n_params_active,
            "cheapest_tokens": best.cheapest.tokens,
            "cheapest_saves": best.saves,
            "best_params": best.best.n_params_active,
            "best_tokens": best.best.tokens,
            "best_loss": best.best.loss,
        }
        fleet = self.efficiency.fleet
        if fleet is not None:
            total = sum(self.chip_s.values())
            found |= {
                "n_chips": fleet.n_chips,
                "training_days": self.chip_s["pretraining"] / fleet.n_chips / DAY_S,
                "run_days": None if self.run is None else self.run.total_s / DAY_S,
                "chip_hours": total / HOUR_S,
                "usd": self.usd(total),
                "energy_wh": self.energy_wh(total),
                "serving_chips": self.serving_chips,
            }
        return found

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`."""
        return Answer(
            question="budget",
            title=self.name,
            sentences=tuple(self.sentences()),
            tables=self.tables,
            values=self.values,
            charts={name: partial(self.chart, name) for name in PICTURES},
            notes=self.notes,
            provenance=self._about,
        )

    @property
    def _about(self) -> dict[str, Any]:
        fleet = self.efficiency.fleet
        about: dict[str, Any] = {
            "scenario": self.scenario.to_dict(),
            "model": self.model.id,
            "law": self.optimum.law.id,
            "laws": {
                one.law.id: {n: s.source for n, s in one.law.sources.items()}
                for one in (self.optimum, *self.others)
            },
            "tokens_per_param": CHINCHILLA_TOKENS_PER_PARAM,
        }
        if self.published is not None:
            about["published"] = self.published.source
        if fleet is not None:
            about |= {
                "machine": fleet.name,
                "price": None if fleet.price is None else price_words(fleet.price),
                "training": None if fleet.training is None else fleet.training.name,
                "serving": None if fleet.serving is None else fleet.serving.name,
            }
        return about
