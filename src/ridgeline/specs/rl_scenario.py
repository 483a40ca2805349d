"""A question about a step of reinforcement learning as one validated record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self, Unpack

from pydantic import model_validator

from ridgeline.specs.choices import PriceChoice
from ridgeline.specs.fields import option
from ridgeline.specs.question_record import MACHINES, Machines, QuestionRecord, read_question
from ridgeline.specs.rl_choices import (
    MOST_SAMPLES,
    MOST_SEQUENCE_TOKENS,
    GenerationChoice,
    RolloutChoice,
)
from ridgeline.specs.training_choices import FrameworkChoice, RecipeChoice, TrainingLayoutChoice
from ridgeline.specs.training_scenario import JobOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.lengths import Lengths

__all__ = ["RLOptions", "RLScenario"]


class RLOptions(JobOptions, total=False):
    """Flat names of all options of an `RLScenario`, as library functions take them.

    None is as if an option were not given. Units, ranges and meanings are those of the records'
    fields.
    """

    prompts: int | str | None
    samples: int | str | None
    isl: float | str | Sequence[float] | Lengths | None
    osl: float | str | Sequence[float] | Lengths | None
    seq: float | str | None
    packing: bool | str | None
    updates: int | str | None
    algorithm: str | None
    off_policy: int | str | None
    gen_chips: int | str | None
    gen_tp: int | str | None
    gen_pp: int | str | None
    gen_attn_dp: int | str | None
    gen_ep: int | str | None
    gen_weights: str | None
    engine: str | None
    engine_version: str | None
    memory_utilization: float | str | None
    max_sequences: int | str | None


class RLScenario(QuestionRecord):
    """A question about one step of reinforcement learning: samples, log-probabilities, updates.

    Make one from flat names with `of`, or from groups with `from_dict`.
    """

    machine: Annotated[Machines, MACHINES] = option(
        ...,
        "Machine: a cluster is used whole (16xhgx-h100 is 16 nodes); of a chip, one host's.",
    )
    rollout: RolloutChoice = option(
        None, "Samples of a step, and what is done with them.", factory=RolloutChoice
    )
    generation: GenerationChoice = option(
        None, "How samples are generated.", factory=GenerationChoice
    )
    layout: TrainingLayoutChoice = option(
        None, "Layout of training, and its number of chips.", factory=TrainingLayoutChoice
    )
    recipe: RecipeChoice = option(
        None, "Formats, optimizer and what saves memory.", factory=RecipeChoice
    )
    framework: FrameworkChoice = option(None, "The training framework.", factory=FrameworkChoice)
    price: PriceChoice = option(None, "The price per chip-hour.", factory=PriceChoice)

    @classmethod
    def of(cls, model: Any, machine: Any, **options: Unpack[RLOptions]) -> Self:
        """Make a scenario from flat names.

        Parameters
        ----------
        model : str or Model        HuggingFace id, path of a ``config.json``, or a record.
        machine : str, Cluster or Chip
        **options : RLOptions       See the fields of the groups; None is as if not given.

        Raises
        ------
        SpecError   One sentence for each option that cannot be read or does not exist.

        Examples
        --------
        >>> RLScenario.of("m", "4xhgx-h100", prompts=64, samples=16, osl="1k:8k@mean=3k")
        RLScenario('m', '4xhgx-h100', osl='1000:8000@mean=3000')
        """
        return read_question(cls, model, machine, options)

    def with_options(self, **options: Unpack[RLOptions]) -> Self:
        """The same scenario with some options changed.

        Parameters
        ----------
        **options : RLOptions   As in `of`; None puts an option back to its default.

        Raises
        ------
        SpecError   As in `of`.
        """
        return self._with(options)

    @property
    def seq(self) -> int:
        """Tokens of a sequence in training: as given, else the longest prompt and sample."""
        return self.rollout.seq or round(self.rollout.isl.high + self.rollout.osl.high)

    @model_validator(mode="after")
    def _check(self) -> Self:
        asked, longest = self.rollout, self.rollout.isl.mean + self.rollout.osl.high
        if asked.isl.high + asked.osl.high > MOST_SEQUENCE_TOKENS:
            raise ValueError(
                f"isl and osl together are up to {asked.isl.high + asked.osl.high:,.0f} tokens: a "
                f"sequence that is trained on has at most {MOST_SEQUENCE_TOKENS:,.0f}."
            )
        if asked.prompts * asked.samples > MOST_SAMPLES:
            raise ValueError(
                f"prompts x samples are {asked.prompts * asked.samples:,}: at most "
                f"{MOST_SAMPLES:,.0f} samples of a step are expected."
            )
        if asked.seq is not None and asked.seq < longest:
            raise ValueError(
                f"seq ({asked.seq:,} tokens) is shorter than a prompt and its longest sample "
                f"({longest:,.0f}): give at least as many, or a lower end of osl."
            )
        if asked.updates > asked.prompts * asked.samples:
            raise ValueError(
                f"updates ({asked.updates:,}) are more than samples "
                f"({asked.prompts * asked.samples:,}): each needs one at least."
            )
        if self.generation.chips is not None and not asked.off_policy:
            raise ValueError(
                "gen_chips (--gen-chips) only generate, which needs off-policy samples: give "
                "off_policy (--off-policy), such as 1, too, or leave gen_chips out."
            )
        return self
