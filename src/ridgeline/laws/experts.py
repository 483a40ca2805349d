"""Which experts a batch wakes, and how many chips a token's experts lie on."""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import ceil, log, maximum, minimum, where

__all__ = [
    "balanced_rank_load",
    "busiest_rank_experts",
    "busiest_rank_load",
    "destinations",
    "experts_hit",
    "experts_per_chip",
    "hottest_slot",
    "largest_of_normals",
    "padded_tokens",
    "slots_per_chip",
]

_TINY = 1e-12


def experts_hit(
    n_tokens: Any, n_experts: Any, n_experts_active: Any, expert_load_cv: Any = 0.0
) -> Any:
    r"""Distinct experts that at least one of the tokens is routed to.

    .. math:: E\,\left(1 - (1 + v x)^{-1/v}\right), \quad x = -T \ln(1 - k/E)
              \quad\xrightarrow{v \to 0}\quad E\,\left(1 - (1 - k/E)^{T}\right)

    Parameters
    ----------
    n_tokens : array           Tokens in the step, T. [1]
    n_experts : array          Routed experts of the layer, E. [1]
    n_experts_active : array   Experts a token goes to, k. [1]
    expert_load_cv : array      Standard deviation over mean of how often experts are chosen; its
                               square is v. 0: all alike. [1]

    Returns
    -------
    array   Expected count: k for one token of uniform routing, E for many. [1]

    Notes
    -----
    Tokens choose independently, from popularities that follow a gamma distribution: whatever the
    topic of a batch does to its experts beyond that is not in here.

    References
    ----------
    .. [1] Derived: an expert of popularity p is missed by T tokens with probability exp(-p x); the
       mean of that over a gamma distribution of mean 1 and variance v is its Laplace transform.

    Examples
    --------
    >>> round(float(experts_hit(64.0, 256, 8)), 1)
    222.4
    >>> round(float(experts_hit(64.0, 256, 8, 0.5)), 1)
    206.5
    """
    not_chosen = 1 - n_experts_active / n_experts
    single = isinstance(expert_load_cv, float | int)
    if single and expert_load_cv**2 <= _TINY:
        return n_experts * (1 - not_chosen**n_tokens)
    v = maximum(expert_load_cv**2, _TINY)
    x = n_tokens * -log(maximum(not_chosen, _TINY))
    missed = (1 + v * x) ** (-1 / v)
    if not single:
        missed = where(expert_load_cv**2 > _TINY, missed, not_chosen**n_tokens)
    return n_experts * (1 - missed)


def largest_of_normals(n: Any) -> Any:
    """Expected largest of n independent standard normal numbers.

    Parameters
    ----------
    n : array   At least 1. [1]

    Returns
    -------
    array   0 for one, 2.4 for 72. [1]

    References
    ----------
    .. [1] Blom, "Statistical estimates and transformed beta-variables", 1958: the quantile at
       (n - 3/8) / (n + 1/4); here by Tukey's lambda approximation. Within 0.03 of the integral.

    Examples
    --------
    >>> round(largest_of_normals(8), 2), round(largest_of_normals(72), 2)
    (1.44, 2.39)
    """
    return _normal_quantile((n - 0.375) / (n + 0.25))


def _normal_quantile(p: Any) -> Any:
    """Tukey's lambda approximation of the standard normal quantile. [1]"""
    return (p**0.135 - (1 - p) ** 0.135) / 0.1975


def busiest_rank_load(
    n_tokens: Any, n_experts: Any, n_experts_active: Any, n_ranks: Any, expert_load_cv: Any = 0.0
) -> Any:
    r"""Expert tokens of the busiest of n ranks over their mean.

    .. math:: 1 + z_n \sqrt{\frac{v\,n}{E} + \frac{n}{T k}} \le n

    Parameters
    ----------
    n_tokens, n_experts, n_experts_active, expert_load_cv : array   As in `experts_hit`. [1]
    n_ranks : array   Ranks that the experts are dealt out to. [1]

    Returns
    -------
    array   1 for a single rank; towards ``1 + z sqrt(v n / E)`` for many tokens. [1]

    Notes
    -----
    Two sources of chance add up: which experts a rank happens to hold, and which tokens happen to
    come. A load balancer takes away most of the first: see `balanced_rank_load`.

    References
    ----------
    .. [1] Derived: variance of the mean popularity of E/n experts, and of a Poisson count with mean
       T k / n; times the expected largest of n normal numbers.

    Examples
    --------
    >>> round(float(busiest_rank_load(2048.0, 256, 8, 32)), 3)
    1.092
    """
    mean = n_tokens * n_experts_active / n_ranks
    spread = (expert_load_cv**2 * n_ranks / n_experts + 1 / maximum(mean, _TINY)) ** 0.5
    return minimum(1 + largest_of_normals(n_ranks) * spread, n_ranks)


def hottest_slot(n_experts: Any, n_slots: Any, expert_load_cv: Any = 0.0) -> Any:
    r"""Load of the busiest slot over the mean load of an expert, where hot experts have copies.

    .. math:: \theta = \max\left(\left(1 - \frac{v}{9} + z_p \frac{\sqrt{v}}{3}\right)^3,\
              \frac{E}{S}\right), \quad p = 1 - \frac{S - E + 5/8}{S + 1/4}

    Parameters
    ----------
    n_experts, expert_load_cv : array   As in `experts_hit`: E, and the root of v. [1]
    n_slots : array                     Places for experts on all ranks, S >= E. [1]

    Returns
    -------
    array   The hottest expert where there are no copies; towards E / S, the mean, for many. [1]

    Notes
    -----
    Copies go one by one to the expert with the most load per copy. That leaves no slot above
    theta when there are as many copies as ``sum floor(p / theta)``; of popularities that fall off
    exponentially a share of slots equal to that of the copies has experts above theta, so theta is
    their quantile. Against the greedy rule itself on gamma popularities: within 10% up to
    v = 1.5 and half as many copies as experts; low by a quarter at v = 4.

    References
    ----------
    .. [1] Derived. Wilson and Hilferty, "The distribution of chi-square", 1931, for quantiles of a
       gamma distribution; the largest of n as in `largest_of_normals`.
    .. [2] DeepSeek-AI, EPLB, 2025: the rule of the copies.

    Examples
    --------
    The hottest of 256 experts gets 7.6 times the mean; with 32 copies no slot gets 2.4:

    >>> round(hottest_slot(256, 256, 1.2), 1), round(hottest_slot(256, 288, 1.2), 1)
    (7.6, 2.3)
    """
    copied = (n_slots - n_experts + 0.625) / (n_slots + 0.25)
    v = expert_load_cv**2
    root = 1 - v / 9 + _normal_quantile(1 - copied) * expert_load_cv / 3
    return maximum(maximum(root, 0.0) ** 3, n_experts / n_slots)


def balanced_rank_load(
    n_tokens: Any,
    n_experts: Any,
    n_experts_active: Any,
    n_ranks: Any,
    n_slots: Any,
    expert_load_cv: Any = 0.0,
) -> Any:
    r"""Expert tokens of the busiest of n ranks over their mean, where a balancer places experts.

    .. math:: \rho + z_n \sqrt{\frac{\rho\,n}{T k}}, \quad
              \rho = \max\left(1,\ \theta\,\frac{n}{E}\right)

    Parameters
    ----------
    n_tokens, n_experts, n_experts_active, expert_load_cv : array   As in `experts_hit`. [1]
    n_ranks : array   Ranks of as many slots each, n. [1]
    n_slots : array   Places for experts on all ranks; those beyond E hold copies. [1]

    Returns
    -------
    array   At most n; 1 and the chance of the tokens where no slot is hotter than a whole rank. [1]

    Notes
    -----
    Hot slots are put beside cold ones, so that ranks are even unless one slot alone outweighs the
    mean rank. What packing leaves besides is 1 to 5% with three slots a rank or more, 15% with
    two. The balancer knows popularities as they are: how they shift before it moves experts again
    is not in here.

    References
    ----------
    .. [1] Derived: `hottest_slot`, and a Poisson count as in `busiest_rank_load`.
    .. [2] NVIDIA AIConfigurator 0.12.0, measured products of EP 2 to 256: with 288 slots on up to
       32 ranks the busiest rank has the mean; with 256 it has it up to 16 ranks, and on 64 and 128
       as many tokens as the hottest expert alone.

    Examples
    --------
    DeepSeek-V3 on 72 ranks of 4 slots, and on as many without copies or balancer:

    >>> round(balanced_rank_load(18432.0, 256, 8, 72, 288, 1.2), 2)
    1.05
    >>> round(busiest_rank_load(18432.0, 256, 8, 72, 1.2), 2)
    2.52
    """
    even = maximum(hottest_slot(n_experts, n_slots, expert_load_cv) * n_ranks / n_experts, 1.0)
    mean = maximum(n_tokens * n_experts_active / n_ranks, _TINY)
    return minimum(even + largest_of_normals(n_ranks) * (even / mean) ** 0.5, n_ranks)


def busiest_rank_experts(n_hit: Any, n_experts: Any, n_held: Any, n_ranks: Any) -> Any:
    r"""Distinct experts hit on the rank where most are.

    .. math:: e\,h + z_n \sqrt{e\,h\,(1-h)}, \quad h = \mathrm{hit}/E

    Parameters
    ----------
    n_hit : array       Distinct experts hit of the whole layer. [1]
    n_experts : array   E. [1]
    n_held : array      Experts a rank holds, e. [1]
    n_ranks : array     [1]

    Returns
    -------
    array   At least one where any is hit, at most what the rank holds. [1]

    References
    ----------
    .. [1] Derived: each expert of a rank is hit with probability h, as good as independently.

    Examples
    --------
    >>> round(float(busiest_rank_experts(8.0, 256, 4, 72)), 2)  # one token
    1.0
    >>> round(float(busiest_rank_experts(128.0, 256, 4, 72)), 2)
    4.0
    """
    h = n_hit / n_experts
    mean = n_held * h
    spread = maximum(mean * (1 - h), 0.0) ** 0.5
    most = maximum(mean + largest_of_normals(n_ranks) * spread, minimum(n_hit, 1.0))
    return minimum(most, n_held)


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
    if isinstance(n_experts, int) and isinstance(n_chips, int):
        return -(-n_experts // n_chips)
    # Quotients of whole numbers are exact where they are whole; arrays floor slowly.
    return ceil(n_experts / n_chips)


def slots_per_chip(n_experts: Any, n_chips: Any, copies_share: Any = 0.0) -> Any:
    """Places for experts on a chip, where a share of the experts has copies: filled up to whole.

    Parameters
    ----------
    n_experts, n_chips : array   [1]
    copies_share : array         Copies over experts, at the least. [1]

    Returns
    -------
    array   ``E (1 + share) / n`` rounded up; `experts_per_chip` without copies. [1]

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, sec. 3.4: 32 copies of 256 experts.

    Examples
    --------
    >>> float(slots_per_chip(256, 72, 0.125)), float(slots_per_chip(256, 144, 0.125))
    (4.0, 2.0)
    """
    # A copy more or less is not to hang on the last digit of a share.
    return ceil(n_experts * (1 + copies_share) / n_chips - 1e-9)


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


def padded_tokens(n_tokens: Any, smallest_tile: Any = 16, largest_tile: Any = 128) -> Any:
    r"""Tokens a grouped product multiplies for an expert that got so many, on the mean.

    .. math:: T + \tfrac12 \min(\max(T,\ m_0),\ m_1)

    Parameters
    ----------
    n_tokens : array   Tokens of one expert, T. [1]
    smallest_tile, largest_tile : array
        Rows of the tiles there are, m0 to m1: the last of an expert is filled up. [1]

    Returns
    -------
    array   [1]

    Notes
    -----
    Half a tile is the mean of a last tile filled at random. Kernels take tiles about as large as
    what an expert has: matrix units multiply 16 rows at least, and more than 128 gain nothing.

    References
    ----------
    .. [1] Gale et al., "MegaBlocks", MLSys 2023, for grouped products in tiles of 128.
    .. [2] vLLM, fused_moe/configs: BLOCK_SIZE_M from 16 for few tokens to 128 for many.

    Examples
    --------
    >>> padded_tokens(2), padded_tokens(64), padded_tokens(1000)
    (10.0, 96.0, 1064.0)
    """
    return n_tokens + minimum(maximum(n_tokens, smallest_tile), largest_tile) / 2
