"""What published models were pre-trained on, as their authors state it."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ridgeline.specs.record import Record

__all__ = ["PublishedRun", "PublishedRuns"]


class PublishedRun(Record):
    """Parameters and tokens of one model.

    Attributes
    ----------
    model : str               ``org/name``, as in the catalogue where it is there.
    n_params : float          [1]
    n_params_active : float   For one token, as the authors count them. [1]
    n_tokens : float          Of pre-training, repetitions counted. [tokens]
    released : str            Year and month.
    source : str
    """

    model: str
    n_params: float = Field(gt=0)
    n_params_active: float = Field(gt=0)
    n_tokens: float = Field(gt=0)
    released: str = ""
    source: str

    @property
    def name(self) -> str:
        """Without the organisation."""
        return self.model.rpartition("/")[2]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_params_active > self.n_params:
            raise ValueError("n_params_active is more than n_params.")
        return self


class PublishedRuns(Record):
    """All of them, by date of release."""

    id: str
    runs: tuple[PublishedRun, ...]
