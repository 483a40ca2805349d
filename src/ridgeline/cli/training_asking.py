"""What commands about training share: options, and what ``--set`` changes of the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ridgeline.cli.inputs import machines_from, model_from, settings
from ridgeline.cli.scenario_options import (
    ScenarioOptions,
    option_of,
    options_class,
    scenario_from,
)
from ridgeline.errors import SpecError, did_you_mean
from ridgeline.questions.training.setup import framework_with
from ridgeline.specs.question_record import fields_by_option
from ridgeline.specs.training_scenario import TrainingScenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.framework import Framework

__all__ = ["TrainingAsked", "TrainingOptions", "training_asked"]

if TYPE_CHECKING:

    class TrainingOptions(ScenarioOptions):
        """All options of a question about training; see `specs.training_scenario`."""

else:
    TrainingOptions = options_class("TrainingOptions", of=TrainingScenario)

#: records of the question whose fields are options, too: ``--set recipe.micro_batch=2``
_GROUPS: Final = ("load", "layout", "recipe", "framework", "run", "price")
_RECORDS: Final = ("model", "chip", "cluster", *_GROUPS)


@dataclass(frozen=True)
class TrainingAsked:
    """A question about training as it was typed.

    Attributes
    ----------
    scenarios : tuple             One of each machine.
    named : tuple of MachineNamed   The machines.
    framework : Framework or None   With facts that were set; None where none were.
    """

    scenarios: tuple[TrainingScenario, ...]
    named: tuple[MachineNamed, ...]
    framework: Framework | None = None

    @property
    def machine(self) -> MachineNamed:
        """The only machine: see `scenario`."""
        return next(iter(self.named))

    @property
    def scenario(self) -> TrainingScenario:
        """The question about the only machine.

        Raises
        ------
        SpecError   Several machines.
        """
        if len(self.scenarios) > 1:
            raise SpecError("--on: one machine at a time here; ask about each of them by itself.")
        return next(iter(self.scenarios))


def training_asked(
    model: str | None,
    options: Any,
    *,
    chip: str | None = None,
    set_: tuple[str, ...] = (),
    from_counts: str | None = None,
    assume_harmless: tuple[str, ...] = (),
    fetch: bool = False,
) -> TrainingAsked:
    """Read a question about training as typed.

    Parameters
    ----------
    model : str or None
    options : TrainingOptions or None
    chip, set_, from_counts, assume_harmless, fetch   As the options of these names.

    Raises
    ------
    RidgelineError   Anything that cannot be read.
    """
    changes = settings(set_, _RECORDS)
    record = model_from(model, from_counts, assume_harmless, changes["model"], fetch=fetch)
    given = options or TrainingOptions()
    named = machines_from(given.on, chip, changes["cluster"])
    facts: dict[str, str] = {}
    more = _options_set(changes, given, facts)
    scenarios = tuple(
        scenario_from(record, given, machine=[one.cluster], more=more, of=TrainingScenario)
        for one in named
    )
    framework = framework_with(scenarios[0].framework, facts) if facts else None
    return TrainingAsked(scenarios, tuple(named), framework)


def _options_set(
    changes: Mapping[str, Mapping[str, str]], given: Any, facts: dict[str, str]
) -> dict[str, str]:
    """Options that are set by the name of their field; facts of the framework go to `facts`."""
    by_field = {path: flat for flat, (path, _) in fields_by_option(TrainingScenario).items()}
    found: dict[str, str] = {}
    for group in _GROUPS:
        known = [path[1] for path in by_field if path[0] == group]
        for field, value in changes[group].items():
            flat = by_field.get((group, field))
            if flat is None and group == "framework":
                facts[field] = value
                continue
            if flat is None:
                raise SpecError(
                    f"--set {group}.{field}: there is no such field.{did_you_mean(field, known)} "
                    f"There are {', '.join(known)}."
                )
            if getattr(given, flat, None) is not None:
                raise SpecError(
                    f"--set {group}.{field} and {option_of(flat)} say the same: give one of them."
                )
            found[flat] = value
    return found
