"""Options of a budget that its answer would not use: refused by name, not left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.specs.budget_scenario import BudgetScenario

__all__ = ["refuse_unused"]

#: what the step is that is trained, and the load that is served, both on a machine
_OF_STEP: Final = ("train_layout", "seq", "global_batch")
_OF_SERVING: Final = ("context", "isl", "osl")


def refuse_unused(scenario: BudgetScenario, *, on_machine: bool) -> None:
    """Refuse options that change nothing beside the others.

    Parameters
    ----------
    scenario : BudgetScenario
    on_machine : bool   Whether there is a machine, named here or found already.

    Raises
    ------
    SpecError   One sentence for each.
    """
    found = [*_of_demand(scenario), *(_beside if on_machine else _without_machine)(scenario)]
    if found:
        raise SpecError("\n".join(found))


def _given(scenario: BudgetScenario) -> list[str]:
    """Options of efficiency that are not their defaults, by name."""
    use = scenario.efficiency
    return [n for n, f in type(use).model_fields.items() if getattr(use, n) != f.get_default()]


def _of_demand(scenario: BudgetScenario) -> Iterator[str]:
    demand = scenario.demand
    usual = type(demand).model_fields["rl_factor"].get_default()
    if demand.split == "without-rl" and demand.rl_factor != usual:
        yield (
            "rl_factor (--rl-factor) is of RL, which split without-rl leaves out: leave out one of "
            "the two."
        )


def _without_machine(scenario: BudgetScenario) -> Iterator[str]:
    price = scenario.price
    names = [n for n in _given(scenario) if n in (*_OF_STEP, *_OF_SERVING, "chips")]
    prices = {"price": price.usd_per_chip_hour, "basis": price.basis, "prices": price.prices}
    names += [n for n, value in prices.items() if value is not None]
    if scenario.reading is not None:
        names.append("reading")
    for name in names:
        yield f"{name} ({_flag(name)}) is of a machine: give one (--on), too."


def _beside(scenario: BudgetScenario) -> Iterator[str]:
    use, given = scenario.efficiency, _given(scenario)
    if use.train_mfu is not None:
        for name in given:
            if name in _OF_STEP:
                yield (
                    f"{name} ({_flag(name)}) is of the step whose MFU train_mfu (--train-mfu) "
                    "gives: leave out one of the two."
                )
    for other in ("decode_mfu", "mfu_ratio"):
        if other in given:
            for name in given:
                if name in _OF_SERVING:
                    yield (
                        f"{name} ({_flag(name)}) is of the serving whose MFU {other} "
                        f"({_flag(other)}) gives: leave out one of the two."
                    )
    if "isl" in given and "context" in given:
        yield (
            "context (--context) is of serving without lengths: leave it out, or isl and osl "
            "(--isl, --osl)."
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
