"""Options of training that an answer would not use: refused by name, not left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.errors import SpecError
from ridgeline.specs.training_choices import RunChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ridgeline.specs.training import TrainingLayout
    from ridgeline.specs.training_scenario import TrainingScenario

__all__ = ["refuse_unused"]

_OF_LAYOUT = ("zero", "shard", "sequence_parallel")


def refuse_unused(
    scenario: TrainingScenario, layout: TrainingLayout | None, *, are_open: bool = False
) -> None:
    """Refuse options that change nothing beside the others.

    Parameters
    ----------
    scenario : TrainingScenario
    layout : TrainingLayout or None   A layout record, where there is one.
    are_open : bool   Whether degrees that are not given are searched, and not 1.

    Raises
    ------
    SpecError   One sentence for each.
    """
    found = [*_of_layout(scenario, layout, are_open), *_of_recipe(scenario), *_of_run(scenario)]
    if found:
        raise SpecError("\n".join(found))


def _of_layout(
    scenario: TrainingScenario, layout: TrainingLayout | None, are_open: bool
) -> Iterator[str]:
    asked = scenario.layout
    if layout is not None:
        names = [*asked.degrees, *(n for n in _OF_LAYOUT if getattr(asked, n) is not None)]
        for name in names:
            yield f"{name} is given beside a layout record: give one of the two."
        return
    pp, cp = (None if are_open and n is None else n or 1 for n in (asked.pp, asked.cp))
    if asked.vp and asked.vp > 1 and pp == 1:
        yield (
            f"vp (--vp {asked.vp}) is chunks of a pipeline stage, and there is one stage: give pp "
            "(--pp), too, or leave vp out."
        )
    if asked.cp_kind != type(asked).model_fields["cp_kind"].default and cp == 1:
        yield "cp_kind (--cp-kind) is of context-parallel ranks: give cp (--cp), too."
    if asked.shard is not None and asked.zero == 0:
        yield "shard (--shard) is of what ranks share out, which ZeRO 0 does not: leave out one."


def _of_recipe(scenario: TrainingScenario) -> Iterator[str]:
    asked = scenario.recipe
    if asked.lora_rank is not None and asked.task not in ("lora", "qlora"):
        yield (
            "lora_rank (--lora-rank) is of adapters: give task lora or qlora (--task), or leave it "
            "out."
        )
    if asked.recompute_layers is not None and asked.recompute not in (None, "layers"):
        yield (
            f"recompute_layers (--recompute-layers) is of recompute layers, not {asked.recompute}: "
            "leave out one of the two."
        )
    if asked.recompute == "layers" and asked.recompute_layers is None:
        yield (
            "recompute layers needs the number of layers of a stage: give recompute_layers "
            "(--recompute-layers), such as 1, too; full computes all again."
        )


def _of_run(scenario: TrainingScenario) -> Iterator[str]:
    price, run = scenario.price, scenario.run
    if scenario.load.tokens is None:
        usual = RunChoice()
        for name in RunChoice.model_fields:
            if getattr(run, name) != getattr(usual, name):
                yield (
                    f"{name} (--{name.replace('_', '-')}) is of a whole run: give its tokens "
                    "(--tokens), too."
                )
    if scenario.framework.constants is not None and scenario.reading in ("ideal", "blackboard"):
        yield (
            f"constants (--constants) are of the calibrated reading, not of the {scenario.reading} "
            "one: leave one of the two out."
        )
    if price.usd_per_chip_hour is not None:
        for name, value in (("basis", price.basis), ("prices", price.prices)):
            if value is not None:
                yield f"price (--price) is used whatever {name} (--{name}) says: give one of them."
