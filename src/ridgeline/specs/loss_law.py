"""A fit of the loss of language models to their parameters and tokens."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.record import Sourced

__all__ = ["LossLaw"]

#: coefficients and exponents beyond these are slips: exponents of published fits are .2 to .5
_COEFFICIENT = Field(gt=0, le=1e9)
_EXPONENT = Field(ge=0.05, le=2)


class LossLaw(Sourced):
    r"""Constants of :math:`L(N, D) = E + A N^{-\alpha} + B D^{-\beta}`, of one fit.

    Attributes
    ----------
    id, name : str
    aliases : tuple of str
    e : float               Loss that no model goes below: the entropy of the text. [nats/token]
    a, alpha : float        Of parameters, as a number. [nats/token, 1]
    b, beta : float         Of tokens, as a number. [nats/token, 1]
    most_params : float     The largest model of the fit. [1]
    most_tokens : float     The longest training of the fit. [tokens]
    about : str             How the fit differs from others, in a clause.
    notes : str
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    e: float = Field(ge=0, le=20)
    a: float = _COEFFICIENT
    b: float = _COEFFICIENT
    alpha: float = _EXPONENT
    beta: float = _EXPONENT
    most_params: float | None = Field(default=None, gt=0)
    most_tokens: float | None = Field(default=None, gt=0)
    about: str = ""
    notes: str = ""

    def in_words(self) -> str:
        """The formula with its numbers."""
        return (
            f"{self.name}: {self.e:g} + {self.a:g} / N^{self.alpha:g} + "
            f"{self.b:g} / D^{self.beta:g} nats per token"
        )

    @property
    def constants(self) -> tuple[float, float, float, float, float]:
        """E, A, B, alpha, beta, as `ridgeline.laws.loss.loss_nats` takes them."""
        return self.e, *self.slopes

    @property
    def slopes(self) -> tuple[float, float, float, float]:
        """A, B, alpha, beta: all that an optimum needs."""
        return self.a, self.b, self.alpha, self.beta
