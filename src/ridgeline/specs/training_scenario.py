"""A question about training as one validated record: which model, on what, under which choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict, Unpack

from pydantic import model_validator

from ridgeline.specs.choices import PriceChoice
from ridgeline.specs.fields import option
from ridgeline.specs.question_record import MACHINES, Machines, QuestionRecord, read_question
from ridgeline.specs.training_choices import (
    FrameworkChoice,
    RecipeChoice,
    RunChoice,
    TrainingLayoutChoice,
    TrainingLoadChoice,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ridgeline.specs.constants import EngineConstants
    from ridgeline.specs.price_list import PriceList

__all__ = ["JobOptions", "TrainingOptions", "TrainingScenario"]


class JobOptions(TypedDict, total=False):
    """Flat names of options of every question about a training job: how it is laid out and run."""

    reading: str | None
    tp: int | str | None
    pp: int | str | None
    vp: int | str | None
    cp: int | str | None
    dp: int | str | None
    ep: int | str | None
    expert_tp: int | str | None
    zero: int | str | None
    shard: int | str | None
    order: str | Sequence[str] | None
    sequence_parallel: bool | str | None
    cp_kind: str | None
    chips: int | str | None
    micro_batch: float | str | None
    schedule: str | None
    recompute: str | None
    recompute_layers: int | str | None
    offload: str | Sequence[str] | None
    overlap: str | Sequence[str] | None
    precision: str | None
    optimizer: str | None
    task: str | None
    lora_rank: int | str | None
    framework: str | None
    framework_version: str | None
    constants: str | Path | EngineConstants | None
    price: float | str | None
    basis: str | None
    prices: str | Path | Sequence[Mapping[str, Any]] | PriceList | None


class TrainingOptions(JobOptions, total=False):
    """Flat names of all options of a `TrainingScenario`, as library functions take them.

    None is as if an option were not given. Text is read as on the command line, but times need
    their unit. Units, ranges and meanings are those of the records' fields.
    """

    seq: float | str | None
    global_batch: float | str | None
    tokens: float | str | None
    document: float | str | None
    expert_load_cv: float | str | None
    interruptions: float | str | None
    checkpoint_rate: float | str | None
    restart: float | str | None


class TrainingScenario(QuestionRecord):
    """A question about one optimizer step, and about the run that it is a step of.

    Make one from flat names with `of`, or from groups with `from_dict`.
    """

    machine: Annotated[Machines, MACHINES] = option(
        ...,
        "Machine: a cluster is used whole (128xhgx-h100 is 128 nodes); of a chip, one host's or as "
        "many as chips says. Several, between commas, are compared.",
    )
    load: TrainingLoadChoice = option(
        None, "What a step takes in, and the tokens of the run.", factory=TrainingLoadChoice
    )
    layout: TrainingLayoutChoice = option(
        None, "Layout and number of chips.", factory=TrainingLayoutChoice
    )
    recipe: RecipeChoice = option(
        None, "Formats, optimizer and what saves memory.", factory=RecipeChoice
    )
    framework: FrameworkChoice = option(None, "The training framework.", factory=FrameworkChoice)
    price: PriceChoice = option(None, "The price per chip-hour.", factory=PriceChoice)
    run: RunChoice = option(None, "What a run of days meets.", factory=RunChoice)

    @classmethod
    def of(cls, model: Any, machine: Any, **options: Unpack[TrainingOptions]) -> Self:
        """Make a scenario from flat names.

        Parameters
        ----------
        model : str or Model        HuggingFace id, path of a ``config.json``, or a record.
        machine : str, Cluster or Chip
        **options : TrainingOptions   See the fields of the groups; None is as if not given.

        Raises
        ------
        SpecError   One sentence for each option that cannot be read or does not exist.

        Examples
        --------
        >>> TrainingScenario.of("m", "128xhgx-h100", seq="8k", global_batch=2048, tokens="15T")
        TrainingScenario('m', '128xhgx-h100', seq=8000, global_batch=2048, tokens=1.5e13)
        """
        return read_question(cls, model, machine, options)

    def with_options(self, **options: Unpack[TrainingOptions]) -> Self:
        """The same scenario with some options changed.

        Parameters
        ----------
        **options : TrainingOptions   As in `of`; None puts an option back to its default.

        Raises
        ------
        SpecError   As in `of`.
        """
        return self._with(options)

    @model_validator(mode="after")
    def _check(self) -> Self:
        load = self.load
        if load.document is not None and load.document > load.seq:
            raise ValueError(
                f"document ({load.document:,} tokens) is longer than seq ({load.seq:,}): give seq "
                "at least as many tokens."
            )
        return self
