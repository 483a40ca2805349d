"""Power into tokens."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide

__all__ = ["energy_j", "energy_per_token_j", "tokens_per_s_per_mw"]

_W_PER_MW = 1e6


def energy_j(power_w: Any, time_s: Any) -> Any:
    """Energy drawn over a time.

    Parameters
    ----------
    power_w, time_s : array   [W, s]

    Returns
    -------
    array   [J]

    Notes
    -----
    Chips are taken to draw this power all the time: see `energy_per_token_j`.

    References
    ----------
    Derived.

    Examples
    --------
    >>> energy_j(700.0, 3600.0)  # 700 Wh
    2520000.0
    """
    return power_w * time_s


def energy_per_token_j(power_w: Any, tokens_per_s: Any) -> Any:
    """Energy that one token takes.

    Parameters
    ----------
    power_w : array        Of the chips that make it. [W]
    tokens_per_s : array   Of the same chips. [tokens/s]

    Returns
    -------
    array   [J/token]

    Notes
    -----
    Chips are taken to draw this power all the time. While memory binds they draw less.

    References
    ----------
    .. [1] InferenceX, "J/tok = kW x 1000 / (tok/s/GPU)".

    Examples
    --------
    >>> energy_per_token_j(1200.0, 400.0)
    3.0
    """
    return divide(power_w, tokens_per_s)


def tokens_per_s_per_mw(power_w: Any, tokens_per_s: Any) -> Any:
    """Rate of tokens that a megawatt of such chips gives.

    Parameters
    ----------
    power_w, tokens_per_s : array   Of the same chips. [W, tokens/s]

    Returns
    -------
    array   [tokens/s/MW]

    Examples
    --------
    >>> round(tokens_per_s_per_mw(2000.0, 400.0))
    200000
    """
    return tokens_per_s / power_w * _W_PER_MW
