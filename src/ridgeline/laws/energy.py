"""Power into tokens."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import divide

__all__ = ["energy_j", "energy_per_token_j", "sustained_clock", "tokens_per_s_per_mw"]

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


def sustained_clock(
    power_w: Any, peak_flops_per_s: Any, reference_j_per_flop: Any, exponent: Any
) -> Any:
    r"""Clock that a chip holds under its power limit, beside that of a reference chip.

    .. math:: c = \left(\frac{P / F}{p_0}\right)^\beta

    Parameters
    ----------
    power_w : array            Power limit of the chip. [W]
    peak_flops_per_s : array   Dense peak, at its boost clock. [FLOP/s]
    reference_j_per_flop : array   Power over peak of the reference. [J/FLOP]
    exponent : array           1/3 where power grows with the cube of the clock, as voltage follows
                               it; 0 where no limit binds. [1]

    Returns
    -------
    array   Above 1 for a chip with more power for its peak. [1]

    Notes
    -----
    Long runs of large GEMMs run at the power limit; lone kernels timed in short loops do not.
    Breaks between processes that differ much in energy per operation, and above the boost clock:
    callers cap the rate at the peak.

    References
    ----------
    .. [1] A. Chandrakasan et al., "Low-power CMOS digital design", 1992: P = C V^2 f.

    Examples
    --------
    >>> round(float(sustained_clock(400.0, 312e12, 700.0 / 989.4e12, 1 / 3)), 3)  # 1.81 times
    1.219
    """
    return (power_w / peak_flops_per_s / reference_j_per_flop) ** exponent
