"""What a token costs that a step trains on: dollars and energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.laws.energy import energy_j
from ridgeline.questions.serving.power import power_w

if TYPE_CHECKING:
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.price import Price

__all__ = ["TokenCosts", "token_costs"]

_J_PER_WH, _TOKENS_PER_MTOK = 3600.0, 1e6


class TokenCosts(NamedTuple):
    """Costs of tokens trained on.

    Attributes
    ----------
    usd_per_mtok : float or None      None without a price. [USD/Mtok]
    joule_per_token : float or None   None without a published power. [J/token]
    """

    usd_per_mtok: float | None
    joule_per_token: float | None

    @property
    def wh_per_mtok(self) -> float | None:
        """Energy of a million tokens; None without a published power. [Wh/Mtok]"""
        if self.joule_per_token is None:
            return None
        return self.joule_per_token / _J_PER_WH * _TOKENS_PER_MTOK


def token_costs(
    cluster: Cluster, price: Price | None, time_s: float, n_tokens: float, n_chips: int
) -> TokenCosts:
    """Dollars and energy of the tokens of a step.

    Parameters
    ----------
    cluster : Cluster
    price : Price or None
    time_s : float     Of the step. [s]
    n_tokens : float   That it trains on. [tokens]
    n_chips : int
    """
    usd, watts = None, power_w(cluster)
    if price is not None:
        usd = float(cost_usd_per_mtok(time_s, n_tokens, price.usd_per_chip_hour, n_chips))
    joule = None if watts is None else float(energy_j(watts * n_chips, time_s)) / n_tokens
    return TokenCosts(usd, joule)
