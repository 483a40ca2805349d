"""The question about a token budget: how many tokens to train on, to spend on RL, to serve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Unpack

from ridgeline import catalog
from ridgeline.answers.words import listed, quantity
from ridgeline.laws.roofline import sparsity
from ridgeline.laws.scaling import effective_params_routed
from ridgeline.questions.budget.answer import Budget
from ridgeline.questions.budget.efficiency import efficiency_of
from ridgeline.questions.budget.optimum import optimum_of
from ridgeline.questions.budget.plan import equal_cost, plan_of
from ridgeline.questions.budget.unused import refuse_unused
from ridgeline.questions.budget.what_if import changes_of
from ridgeline.specs.budget_scenario import BudgetScenario
from ridgeline.specs.model import Model
from ridgeline.steps.counts import counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.catalog import MachineNamed
    from ridgeline.questions.budget.optimum import Optimum
    from ridgeline.questions.budget.plan import Plan
    from ridgeline.specs.budget_scenario import BudgetOptions
    from ridgeline.specs.chip import Chip
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.loss_law import LossLaw
    from ridgeline.specs.published_run import PublishedRun

__all__ = ["budget", "plan_budget"]


def budget(
    model: Model | str | None = None,
    on: Cluster | Chip | str | None = None,
    **options: Unpack[BudgetOptions],
) -> Budget:
    """Ask how many tokens to pre-train on, to spend on RL and to serve.

    Parameters
    ----------
    model : Model, str or None      Record, HuggingFace id, or path of a ``config.json``; None where
                                    ``params`` or ``active`` says its size.
    on : Cluster, Chip, str or None   Machine to train on: MFU of training and serving are then
                                    computed, and the budget is in chip-hours, days and dollars.
    **options : BudgetOptions       Everything else, by the names of the command line; see
                                    `ridgeline.specs.budget_scenario`. One number to start from is
                                    enough: ``tokens``, ``rl_tokens``, ``inference_tokens`` (or
                                    ``traffic`` and ``lifetime``) or ``compute``.

    Returns
    -------
    Budget   Tokens at equal cost, the over-training factor, and the optimum of each loss law.

    Raises
    ------
    CatalogError, ConfigError, SpecError, UnitError   Input that cannot be read.
    InfeasibleError   What is given costs more than the compute; nothing joins so many chips.

    Examples
    --------
    The lecture's: 100 billion active parameters, 200 trillion tokens served.

    >>> import ridgeline as rl
    >>> found = rl.budget(active="100B", inference_tokens="200T")
    >>> plan = found.plan
    >>> [round(n / 1e12, 1) for n in (plan.tokens, plan.rl_tokens, plan.inference_tokens)]
    [200.0, 133.3, 200.0]
    >>> found.values["overtraining_factor"]
    100.0
    """
    return plan_budget(BudgetScenario.of(model, on, **options))


def plan_budget(scenario: BudgetScenario, *, named: MachineNamed | None = None) -> Budget:
    """Answer `budget` for a scenario.

    Parameters
    ----------
    scenario : BudgetScenario
    named : MachineNamed or None   The scenario's machine, found already.

    Raises
    ------
    As for `budget`.
    """
    refuse_unused(scenario, on_machine=named is not None or bool(scenario.machines))
    model = _model(scenario)
    tally = counts(model)
    active = float(tally.n_params_active)
    published = catalog.published_run(model.id) if scenario.model is not None else None
    found = efficiency_of(scenario, model, active, named)
    n_published = None if published is None else published.n_tokens
    plan = plan_of(scenario.demand, active, found.ratio, n_published)
    law = scenario.loss.law
    chosen = catalog.loss_law(law) if isinstance(law, str) else law
    ratio, said = _params_ratio(scenario, float(tally.n_params), active)
    unique = scenario.loss.unique_tokens or math.inf

    def of(law: LossLaw, plan: Plan = plan) -> Optimum:
        return optimum_of(law, plan, params_ratio=ratio, unique_tokens=unique)

    changes = changes_of(scenario.demand, active, found.ratio, n_published)
    others = [one for one in catalog.loss_laws() if one.id != chosen.id]
    return Budget(
        scenario=scenario,
        model=model,
        plan=plan,
        equal=equal_cost(scenario.demand, plan),
        efficiency=found,
        optimum=of(chosen),
        others=tuple(of(one) for one in others),
        changes=tuple((one.what, one.plan, of(chosen, one.plan)) for one in changes),
        params_ratio=ratio,
        published=published,
        notes=(*found.said, *said, *_notes(scenario, plan, of(chosen), published)),
    )


def _model(scenario: BudgetScenario) -> Model:
    """The model, or one of the size that is given."""
    named = scenario.model
    if isinstance(named, str):
        return catalog.model(named)
    if named is not None:
        return named
    size = scenario.size
    active = size.active if size.active is not None else size.params
    assert active is not None
    return Model.from_counts(active, size.params or active)


def _params_ratio(
    scenario: BudgetScenario, n_params: float, active: float
) -> tuple[float, tuple[str, ...]]:
    """Dense parameters that an active one is worth, and what to say of it."""
    choice = scenario.loss.experts
    s = float(sparsity(n_params, active))
    if choice == "clark":
        ratio = float(effective_params_routed(active, s)) / active
        return ratio, (
            f"An active parameter is taken to be worth {ratio:.2f} dense ones, by Clark et al.'s "
            f"law for a top-1 router over {s:.3g} experts: fitted on up to 1.3 billion active, and "
            "a guess beyond.",
        )
    if choice == "active":
        if s < _SPARSE:
            return 1.0, ()
        return 1.0, (
            f"The loss counts the {active / 1e9:,.3g} B active parameters alone; the other experts "
            "make it better than that (--experts clark, or a factor).",
        )
    return float(choice), ()


#: of Muennighoff et al.'s fit
_MOST_EPOCHS = 1500

#: total over active parameters, from which on a model is no longer called dense
_SPARSE = 1.5


def _notes(
    scenario: BudgetScenario, plan: Plan, optimum: Optimum, published: PublishedRun | None
) -> Iterator[str]:
    law = optimum.law
    if optimum.is_beyond:
        most = [
            f"{quantity(n, unit)} {what}"
            for n, unit, what in (
                (law.most_params, "params", "parameters"),
                (law.most_tokens, "tokens", "tokens"),
            )
            if n is not None
        ]
        yield (f"{law.name} was fitted on up to {listed(most)}: what it says here is extrapolated.")
    if scenario.demand.deployed < 1:
        yield (
            f"Tokens served are derated by the chance of {scenario.demand.deployed:.0%} that the "
            "model is deployed."
        )
    if published is not None and "pretraining" in plan.given and scenario.demand.tokens is None:
        yield (
            f"Tokens of pre-training are those of {published.name} as published "
            f"({published.source})."
        )
    unique = scenario.loss.unique_tokens
    if unique is not None and plan.tokens > unique:
        yield (
            f"Text is seen {plan.tokens / unique:,.3g} times, and repeated tokens are worth less "
            f"by Muennighoff et al. 2023 (fitted on up to {_MOST_EPOCHS:,} epochs); parameters "
            "beyond what the unique tokens warrant are taken at full worth."
        )
