"""Which experts a batch wakes, and how many chips a token's experts lie on."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import minimum

__all__ = ["destinations", "experts_hit", "experts_per_chip"]


def experts_hit(n_tokens: Any, n_experts: Any, n_experts_active: Any) -> Any:
    r"""Distinct experts that at least one of the tokens is routed to, at uniform routing.

    .. math:: E\,\left(1 - (1 - k/E)^{T}\right)

    Parameters
    ----------
    n_tokens : array           Tokens in the step, T. [1]
    n_experts : array          Routed experts of the layer, E. [1]
    n_experts_active : array   Experts a token goes to, k. [1]

    Returns
    -------
    array   Expected count: k for one token, E for many. [1]

    Notes
    -----
    Tokens choose independently. Real routing is skewed, so that fewer experts are hit and the
    busiest one is busier.

    References
    ----------
    .. [1] Derived: each expert is missed by one token with probability 1 - k/E.

    Examples
    --------
    >>> round(float(experts_hit(64.0, 256, 8)), 1)
    222.4
    """
    missed = (1 - n_experts_active / n_experts) ** n_tokens
    return n_experts * (1 - missed)


def experts_per_chip(n_experts: Any, n_chips: Any) -> Any:
    """Experts on the fullest chip when they are dealt out whole: E / n rounded up.

    Parameters
    ----------
    n_experts, n_chips : array   [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    Where n does not divide E, some chips hold fewer, and ``n - E / that`` of them none at all:
    256 experts on 72 chips are 4 a chip, 8 chips idle.

    References
    ----------
    .. [1] The lecture, ch. 2.

    Examples
    --------
    >>> experts_per_chip(256, 72)
    4
    """
    return -(-n_experts // n_chips)


def destinations(n_experts_active: Any, n_chips: Any) -> Any:
    r"""Distinct chips one token's experts lie on, at uniform routing.

    .. math:: n\,\left(1 - (1 - 1/n)^{k}\right) \le \min(k, n)

    Parameters
    ----------
    n_experts_active : array   Experts a token goes to, k. [1]
    n_chips : array            Chips the layer's experts are spread over, n. [1]

    Returns
    -------
    array   Copies of a token that are sent, its own chip included. [1]

    Notes
    -----
    With replacement: a little low where k is near the number of experts. Group-limited routing
    (DeepSeek-V3 sends to at most 4 nodes) lowers the share that leaves a domain, not this count.

    References
    ----------
    .. [1] Derived as `experts_hit`.

    Examples
    --------
    >>> round(float(destinations(8, 64.0)), 2)
    7.58
    """
    spread = n_chips * (1 - (1 - 1 / n_chips) ** n_experts_active)
    return minimum(spread, n_experts_active)
