"""A question about a token budget as one validated record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict, Unpack

from pydantic import model_validator

from ridgeline.specs.budget_choices import EfficiencyChoice, LossChoice, SizeChoice, TokensChoice
from ridgeline.specs.choices import PriceChoice
from ridgeline.specs.fields import option
from ridgeline.specs.question_record import (
    MACHINES,
    MODEL_RULE,
    Machines,
    ModelNamed,
    QuestionRecord,
    read_question,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ridgeline.specs.loss_law import LossLaw
    from ridgeline.specs.price_list import PriceList

__all__ = ["BudgetOptions", "BudgetScenario"]


class BudgetOptions(TypedDict, total=False):
    """Flat names of all options of a `BudgetScenario`, as library functions take them.

    None is as if an option were not given. Text is read as on the command line, but times need
    their unit. Units, ranges and meanings are those of the records' fields.
    """

    reading: str | None
    params: float | str | None
    active: float | str | None
    tokens: float | str | None
    rl_tokens: float | str | None
    inference_tokens: float | str | None
    traffic: float | str | None
    lifetime: float | str | None
    deployed: float | str | None
    compute: float | str | None
    split: str | None
    rl_factor: float | str | None
    train_mfu: float | str | None
    train_layout: str | None
    decode_mfu: float | str | None
    mfu_ratio: float | str | None
    seq: float | str | None
    global_batch: float | str | None
    context: float | str | None
    isl: float | str | None
    osl: float | str | None
    chips: int | str | None
    law: str | LossLaw | Mapping[str, Any] | None
    unique_tokens: float | str | None
    experts: float | str | None
    price: float | str | None
    basis: str | None
    prices: str | Path | Sequence[Mapping[str, Any]] | PriceList | None


class BudgetScenario(QuestionRecord):
    """A question about tokens for pre-training, RL and inference.

    Make one from flat names with `of`, or from groups with `from_dict`.
    """

    model: Annotated[ModelNamed | None, MODEL_RULE] = option(  # type: ignore[assignment]
        None,
        "Model: a HuggingFace id of the catalogue, the path of a config.json, or a record; its "
        "size is enough.",
    )
    machine: Annotated[Machines | None, MACHINES] = option(  # type: ignore[assignment]
        None,
        "Machine to train on, whose chips serve, too: a cluster is used whole (256xhgx-h100 is 256 "
        "nodes). Without one, costs are FLOPs.",
    )
    size: SizeChoice = option(None, "How large the model is.", factory=SizeChoice)
    demand: TokensChoice = option(None, "Tokens that are given.", factory=TokensChoice)
    efficiency: EfficiencyChoice = option(
        None, "MFU of training and of serving.", factory=EfficiencyChoice
    )
    loss: LossChoice = option(None, "The law of the loss.", factory=LossChoice)
    price: PriceChoice = option(None, "The price per chip-hour.", factory=PriceChoice)

    @classmethod
    def of(cls, model: Any = None, machine: Any = None, **options: Unpack[BudgetOptions]) -> Self:
        """Make a scenario from flat names.

        Parameters
        ----------
        model : str, Model or None        None where ``params`` or ``active`` says its size.
        machine : str, Cluster, Chip or None
        **options : BudgetOptions   See the fields of the groups; None is as if not given.

        Raises
        ------
        SpecError   One sentence for each option that cannot be read or does not exist.

        Examples
        --------
        >>> BudgetScenario.of(active="100B", traffic="50M", lifetime="60 d")
        BudgetScenario(active=1e11, traffic=5e7, lifetime=5.184e6)
        """
        return read_question(cls, model, machine, options)

    def with_options(self, **options: Unpack[BudgetOptions]) -> Self:
        """The same scenario with some options changed.

        Parameters
        ----------
        **options : BudgetOptions   As in `of`; None puts an option back to its default.

        Raises
        ------
        SpecError   As in `of`.
        """
        return self._with(options)

    @model_validator(mode="after")
    def _check(self) -> Self:
        size, demand, use = self.size, self.demand, self.efficiency
        if self.model is not None and (size.params is not None or size.active is not None):
            raise ValueError(
                "params and active are for a question without a model: leave them out, or the "
                "model."
            )
        if self.model is None and size.params is None and size.active is None:
            raise ValueError(
                "Name a model, or say how large it is: active (parameters that multiply for a "
                "token), and params where it is sparse."
            )
        if size.params is not None and size.active is not None and size.active > size.params:
            raise ValueError(
                f"active ({size.active:,.0f}) is more than params ({size.params:,.0f}), which "
                "counts all: exchange them, or leave params out."
            )
        if (demand.traffic is None) != (demand.lifetime is None):
            missing = "lifetime" if demand.lifetime is None else "traffic"
            raise ValueError(
                f"traffic and lifetime come together: {missing} is missing, such as "
                f"{'lifetime 60 d' if missing == 'lifetime' else 'traffic 50M'}."
            )
        if demand.traffic is not None and demand.inference_tokens is not None:
            raise ValueError("inference_tokens is traffic times lifetime: give one of the two.")
        if use.mfu_ratio is not None and use.decode_mfu is not None:
            raise ValueError("mfu_ratio is decode_mfu over train_mfu: give one of the two.")
        if (use.isl is None) != (use.osl is None):
            missing = "osl" if use.osl is None else "isl"
            raise ValueError(f"isl and osl come together: {missing} is missing.")
        return self
