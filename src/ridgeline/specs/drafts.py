"""How many drafted tokens a model accepts: what was measured, and what a question takes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from ridgeline.specs.record import Record

__all__ = ["AcceptedDrafts", "DraftMethod", "DraftTable", "Drafting"]

#: ``mtp``: the model's own prediction layers; ``eagle``, ``eagle3``, ``dspark``: a head trained
#: for it, which reads its hidden states
DraftMethod = Literal["mtp", "eagle", "eagle3", "dspark"]


class AcceptedDrafts(Record):
    """Tokens a step yields by how many were drafted, of one model on one kind of text.

    Attributes
    ----------
    model : str                  Id in the catalogue.
    dataset : str                What was written, and how the model was set.
    drafts : tuple of int        Tokens drafted a sequence and step.
    lengths : tuple of float     Tokens a step yields with each: those accepted and one more.
    source : str                 Who measured it, with what.
    """

    model: str
    method: DraftMethod
    dataset: str
    drafts: tuple[int, ...] = Field(min_length=1)
    lengths: tuple[float, ...] = Field(min_length=1)
    source: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.drafts) != len(self.lengths):
            raise ValueError("drafts and lengths go in pairs.")
        for n, length in zip(self.drafts, self.lengths, strict=True):
            if not 1 <= length <= n + 1:
                raise ValueError(f"{n} drafts yield from 1 to {n + 1} tokens a step.")
        return self


class DraftTable(Record):
    """All that was measured, and what is taken where nobody says.

    Attributes
    ----------
    usual_drafts : int            Drafts of a run that names a method without a number. [1]
    task_log_odds_sigma : float   Standard deviation of the log odds that a draft is accepted,
                                  between kinds of text. [1]
    number_sigma : float          Of ln(time per token), where the number of drafts is not stated.
    step_sigma : float            Of ln(time) of steps with drafts, which nothing was fitted on. [1]
    why : mapping                 Field to what its value rests on.
    """

    id: str
    usual_drafts: int = Field(ge=1)
    task_log_odds_sigma: float = Field(ge=0)
    number_sigma: float = Field(ge=0)
    step_sigma: float = Field(ge=0)
    why: dict[str, str] = Field(default_factory=dict)
    measured: tuple[AcceptedDrafts, ...] = ()


@dataclass(frozen=True, slots=True)
class Drafting:
    """How a run or a question drafts.

    Attributes
    ----------
    drafts : float            Tokens drafted a sequence and step. [1]
    acceptance : float        Probability that a draft is accepted when all before it are. [1]
    sigma : float             Standard deviation of ln(time per token) that it adds. [1]
    said : tuple of str       What was assumed, a clause each.
    """

    drafts: float
    acceptance: float
    sigma: float = 0.0
    said: tuple[str, ...] = ()
