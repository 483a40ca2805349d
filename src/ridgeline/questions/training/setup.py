"""From a training scenario to a job: machine, model, framework, load and recipe, said once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ridgeline import catalog
from ridgeline.errors import InfeasibleError, SpecError
from ridgeline.questions.prices import prices_of
from ridgeline.questions.setup import chosen_constants, one_machine, reading_of
from ridgeline.questions.training.unused import refuse_unused
from ridgeline.specs.cluster import MOST_CARDS
from ridgeline.specs.framework import FrameworkEra
from ridgeline.specs.training import TrainingLayout, TrainingLoad, TrainingRecipe
from ridgeline.steps.machine import joined, network_hint
from ridgeline.trainer.job import TrainingJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ridgeline.catalog import MachineNamed
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.framework import Framework
    from ridgeline.specs.model import Model
    from ridgeline.specs.price import Price
    from ridgeline.specs.training_choices import FrameworkChoice
    from ridgeline.specs.training_scenario import TrainingScenario

__all__ = ["GLOBAL_BATCH", "TrainingSetup", "framework_with"]

#: sequences of a step where nobody says: of 4,096 tokens each, 4 Mi tokens
GLOBAL_BATCH = 1024
_FACTORS = ("tp", "pp", "cp", "dp")


@dataclass(frozen=True)
class TrainingSetup:
    """What a training scenario means.

    Attributes
    ----------
    scenario : TrainingScenario
    given_layout : TrainingLayout or None   A layout record, instead of the scenario's degrees.
    given_machine : MachineNamed or None    Found already; None to look it up.
    given_framework : Framework or None     With facts of one's own, instead of the scenario's name.
    are_open : bool   Whether degrees that are not given are searched.

    Raises
    ------
    SpecError   Options that change nothing beside the others: see `refuse_unused`.
    """

    scenario: TrainingScenario
    given_layout: TrainingLayout | None = None
    given_machine: MachineNamed | None = None
    given_framework: Framework | None = None
    are_open: bool = False

    def __post_init__(self) -> None:
        """Refuse what no answer would use."""
        refuse_unused(self.scenario, self.given_layout, are_open=self.are_open)

    @cached_property
    def model(self) -> Model:
        """The model; the recipe says in which format it is trained."""
        named = self.scenario.model
        return catalog.model(named) if isinstance(named, str) else named

    @property
    def reading(self) -> str:
        """The reading; the calibrated where none is given and the model's shape is known."""
        return reading_of(self.model, self.scenario.reading)

    @cached_property
    def named(self) -> MachineNamed:
        """The machine, and how much of it is meant.

        Raises
        ------
        SpecError   Several machines.
        """
        return one_machine(self.scenario.machines, self.given_machine)

    @cached_property
    def n_chips(self) -> int:
        """Chips of the job: as given; else all of a cluster, or of a chip one host's."""
        asked, named = self.scenario.layout.chips, self.named
        if asked is None:
            asked = named.n_chips
        whole = named.cluster.n_chips
        if asked is None and not named.is_chip:
            return whole
        if asked is None:
            host, least = named.cluster.chips_per_host, self._least_chips
            return host if host % least == 0 and not self._is_whole else least
        if not named.is_chip and named.n_chips is None and asked > whole:
            more = -(-asked // named.cluster.domain_size)
            raise InfeasibleError(
                f"There are {whole:,} chips in {named.cluster.name}, not {asked:,}: name more of "
                f"it, such as {more}x{named.cluster.id}."
            )
        return asked

    @property
    def _degrees(self) -> dict[str, int]:
        if self.given_layout is not None:
            return {n: getattr(self.given_layout, n) for n in _FACTORS}
        return self.scenario.layout.degrees

    @property
    def _least_chips(self) -> int:
        return math.prod(self._degrees.get(n, 1) for n in _FACTORS)

    @property
    def _is_whole(self) -> bool:
        """Whether the degrees leave no number open."""
        return "dp" in self._degrees

    @cached_property
    def cluster(self) -> Cluster:
        """The machine with as many domains as the job needs.

        Raises
        ------
        InfeasibleError   Nothing joins so many chips.
        """
        found, n = self.named.cluster, self.n_chips
        if n <= found.n_chips:
            return found
        if found.scale_out is not None:
            return found.replaced({"n_domains": -(-n // found.domain_size)}, where=found.id)
        if found.domain_size == 1 and n <= MOST_CARDS:
            return joined(found, n)
        hint = network_hint(found) or (
            " Give the rate of its network in a cluster's TOML file, or with --set "
            'cluster.scale_out="50 GB/s".'
        )
        raise InfeasibleError(f"Nothing joins {n:,} x {found.chip.name}.{hint}")

    @cached_property
    def framework(self) -> Framework:
        """The framework named, or the mean of the newest.

        Raises
        ------
        CatalogError, SpecError   A framework or a version that nobody knows.
        """
        return self.given_framework or _framework(self.scenario.framework)

    @property
    def set_words(self) -> list[str]:
        """What was set about the framework, in a sentence; none where nothing was."""
        if self.given_framework is None:
            return []
        chosen = self.scenario.framework
        usual, own = _framework(chosen).on(chosen.version), self.default
        changed = [
            f"{name} {_fact(getattr(own, name))} (not {_fact(getattr(usual, name))})"
            for name in type(own).model_fields
            if name not in ("eras", "sources") and getattr(own, name) != getattr(usual, name)
        ]
        return [f"Set about {own.name}: {', '.join(changed)}."] if changed else []

    @cached_property
    def default(self) -> Framework:
        """The framework with the facts of its release."""
        return self.framework.on(self.scenario.framework.version)

    @cached_property
    def constants(self) -> EngineConstants | None:
        """Constants of frameworks that were chosen; None for those of the catalogue."""
        return chosen_constants(self.scenario.framework.constants)

    @cached_property
    def price(self) -> Price | None:
        """The price per chip-hour; None where none is known."""
        return prices_of([self.named.cluster], self.scenario.price).prices[0]

    def load(self, layout: TrainingLayout) -> TrainingLoad:
        """What a step takes in: sequences as asked, else about as many as ranks and stages divide.

        Parameters
        ----------
        layout : TrainingLayout
        """
        asked = self.scenario.load
        batch = asked.global_batch
        if batch is None:
            # Of stages each round is whole, and there is one at least.
            round_of = layout.dp * self.scenario.recipe.micro_batch * layout.pp
            rounds = max(round(GLOBAL_BATCH / round_of), 2 if layout.pp > 1 else 1)
            batch = rounds * round_of
        return TrainingLoad(seq_len=asked.seq, global_batch=batch, document=asked.document)

    @property
    def recompute(self) -> str | None:
        """What is computed again, where it is given."""
        asked = self.scenario.recipe
        return asked.recompute or ("layers" if asked.recompute_layers else None)

    def recipe(self, recompute: str | None = None) -> TrainingRecipe:
        """The recipe.

        Parameters
        ----------
        recompute : str or None   Where the scenario says nothing; None for the framework's default.
        """
        asked = self.scenario.recipe
        again = self.recompute or recompute or self.default.recompute
        own: dict[str, Any] = {} if asked.lora_rank is None else {"lora_rank": asked.lora_rank}
        return TrainingRecipe(
            precision=asked.precision,
            optimizer=asked.optimizer,
            micro_batch=asked.micro_batch,
            schedule=asked.schedule,
            recompute=again,  # pyright: ignore[reportArgumentType]
            recompute_layers=asked.recompute_layers or 0,
            offload=asked.offload,
            overlap=asked.overlap,
            task=asked.task,
            **own,
        )

    def layout(self, degrees: dict[str, int], zero: int | None = None) -> TrainingLayout:
        """A layout of degrees, with the scenario's other choices or the framework's default.

        Parameters
        ----------
        degrees : dict       By name; those that are not there are 1.
        zero : int or None   Where the scenario says nothing; None for the framework's default.
        """
        asked, default = self.scenario.layout, self.default
        sharded = zero if zero is not None else default.zero
        spread = asked.sequence_parallel
        own: dict[str, Any] = {
            "zero": sharded if asked.zero is None else asked.zero,
            "shard": asked.shard,
            "sequence_parallel": default.sequence_parallel if spread is None else spread,
            "cp_kind": asked.cp_kind,
            "order": asked.order,
        }
        # What does not go together is told by `legal.problems`, with the nearest that does.
        usual = {n: f.default for n, f in TrainingLayout.model_fields.items()}
        return TrainingLayout.model_construct(**{**usual, **degrees, **own})

    def job(self, layout: TrainingLayout, recipe: TrainingRecipe) -> TrainingJob:
        """The job of a layout and a recipe."""
        return TrainingJob(
            model=self.model,
            cluster=self.cluster,
            layout=layout,
            recipe=recipe,
            load=self.load(layout),
            framework=self.framework,
            version=self.scenario.framework.version,
            reading=self.reading,
            expert_load_cv=self.scenario.load.expert_load_cv,
            constants=self.constants,
        )


def _framework(chosen: FrameworkChoice) -> Framework:
    found = catalog.framework(chosen.name or "current")
    if chosen.version and found.stands_for:
        raise SpecError(
            f"framework_version: a version is of one framework, and {found.id} stands for "
            "several. Name the framework, such as megatron-lm."
        )
    if chosen.version and not found.knows(chosen.version):
        eras = "; ".join(f"{era.id}: {', '.join(era.versions)}" for era in found.eras)
        raise SpecError(
            f"{found.name} {chosen.version!r} is no version that is known ({eras}). Leave the "
            "version out for the newest."
        )
    return found


def framework_with(chosen: FrameworkChoice, facts: Mapping[str, Any]) -> Framework:
    """A framework with facts of one's own, which hold for its release as well.

    Parameters
    ----------
    chosen : FrameworkChoice
    facts : mapping   Fields of `Framework` to their values; text of several has commas between.

    Raises
    ------
    CatalogError, SpecError   A framework that nobody knows; a field that is none, or its value.
    """
    found = _framework(chosen)
    read = {
        name: [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str) and isinstance(getattr(found, name, None), tuple)
        else value
        for name, value in facts.items()
    }
    changed = found.replaced(read, "--set framework")
    open_again = {name: None for name in facts if name in FrameworkEra.model_fields}
    eras = tuple(era.model_copy(update=open_again) for era in changed.eras)
    return changed.model_copy(update={"eras": eras})


def _fact(value: Any) -> str:
    """A fact of a framework in a word: ``none``, ``dp, tp``, ``on``."""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
