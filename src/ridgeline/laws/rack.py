r"""One scale-up domain and what lies beyond it: experts on chips, exchanges, physical limits.

A *domain* is the chips the fast fabric joins; the lecture calls it a rack.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum
from ridgeline.laws.experts import experts_per_chip
from ridgeline.laws.parallel import share_across

__all__ = [
    "chips_used",
    "chips_within",
    "coolant_power_w",
    "egress_time_s",
    "fewest_layers_per_stage",
    "n_cables",
    "scale_up_over_scale_out",
    "spread_slowdown",
]

#: one all-to-all takes tokens to their experts, one brings the results back
_EXCHANGES_PER_LAYER = 2
#: heat capacity of water by volume, 4.18 MJ/(m3 K) at 25 to 50 C
_WATER_J_PER_M3_K = 4.18e6


def chips_used(n_experts: Any, n_chips: Any) -> Any:
    r"""Chips that hold at least one expert when whole experts are dealt out.

    .. math:: \left\lceil E / \lceil E / n \rceil \right\rceil

    Parameters
    ----------
    n_experts, n_chips : array   E and n. [1]

    Returns
    -------
    array   At most n; the rest idle during the experts' part of a layer. [1]

    References
    ----------
    .. [1] The lecture, ch. 2 (claim C2-01).

    Examples
    --------
    256 experts on 72 chips are 4 a chip, on 64 of them:

    >>> chips_used(256, 72)
    64
    """
    return -(-n_experts // experts_per_chip(n_experts, n_chips))


def egress_time_s(total_bytes: Any, n_senders: Any, rate_bytes_per_s: Any, share: Any = 1.0) -> Any:
    r"""Time for senders to get their equal parts out: ``f B / (n W)``.

    Parameters
    ----------
    total_bytes : array        Of the whole exchange, B. [bytes]
    n_senders : array          Chips, or whole domains with one way out each, n. [1]
    rate_bytes_per_s : array   One-way rate of one sender, W. [bytes/s]
    share : array              Share of the bytes that takes this way, f. [1]

    Returns
    -------
    array   [s]

    Notes
    -----
    No latency, and balanced senders; `ridgeline.laws.collectives` has what engines reach.

    References
    ----------
    .. [1] Austin et al., "How to Scale Your Model", 2025, chapter on GPUs (claim C2-13).

    Examples
    --------
    From a node of 8 at 450 GB/s a chip to two nodes with 400 GB/s each:

    >>> egress_time_s(1e9, 2, 400e9) / egress_time_s(1e9, 8, 450e9)
    4.5
    """
    return share * total_bytes / (n_senders * rate_bytes_per_s)


def spread_slowdown(n_domains: Any, bandwidth_ratio: Any) -> Any:
    r"""How much longer an all-to-all takes over several domains than inside one, chip for chip.

    .. math:: \max(1 - f,\ f\,r), \qquad f = (R - 1) / R

    Parameters
    ----------
    n_domains : array         Domains that one layer's experts are spread over, R. [1]
    bandwidth_ratio : array   Scale-up over scale-out rate of a chip, r. [1]

    Returns
    -------
    array   1 for one domain; nearly r for many. [1]

    Notes
    -----
    Uniform routing, one copy a chosen expert; the two fabrics work at the same time. Sending one
    copy a domain and fanning out inside divides the part that leaves.

    References
    ----------
    .. [1] Derived from the lecture, ch. 2 (claim C2-05).

    Examples
    --------
    >>> float(spread_slowdown(2, 8)), float(spread_slowdown(4, 8)), float(spread_slowdown(1, 8))
    (4.0, 6.0, 1.0)
    """
    leaves = share_across(n_domains)
    return maximum(1 - leaves, leaves * bandwidth_ratio)


def scale_up_over_scale_out(
    n_experts_active: Any, n_layers_per_stage: Any, bandwidth_ratio: Any
) -> Any:
    r"""Time on the scale-up fabric over time between stages, when layers are cut into a pipeline.

    A stage hands one activation a token to the next stage. Inside it every layer sends a copy to
    each chosen expert, and one back.

    .. math:: \frac{t_{up}}{t_{out}} = \frac{2\,k\,l}{r}

    Parameters
    ----------
    n_experts_active : array     Experts a token goes to, k. [1]
    n_layers_per_stage : array   l. [1]
    bandwidth_ratio : array      Scale-up over scale-out rate of a chip, r. [1]

    Returns
    -------
    array   At least 1 where the slow network is not what one waits for. [1]

    Notes
    -----
    The same number of bytes in dispatch, combine and hop; engines dispatch in fp8 and combine in
    bf16, and send one copy where two experts share a chip.

    References
    ----------
    .. [1] The lecture, ch. 3 (claims C3-01 to C3-04).

    Examples
    --------
    >>> scale_up_over_scale_out(8, 1, 8), scale_up_over_scale_out(1, 1, 8)
    (2.0, 0.25)
    """
    return _EXCHANGES_PER_LAYER * n_experts_active * n_layers_per_stage / bandwidth_ratio


def fewest_layers_per_stage(n_experts_active: Any, bandwidth_ratio: Any) -> Any:
    r"""Layers a stage needs so that the hop between stages is not the bottleneck.

    .. math:: \lceil r / (2 k) \rceil

    Parameters
    ----------
    n_experts_active, bandwidth_ratio : array   As in `scale_up_over_scale_out`. [1]

    Returns
    -------
    array   At least 1. [1]

    References
    ----------
    .. [1] Derived (claim C3-05).

    Examples
    --------
    >>> [int(fewest_layers_per_stage(k, 8)) for k in (1, 2, 4, 8)]
    [4, 2, 1, 1]
    """
    return -(-bandwidth_ratio // (_EXCHANGES_PER_LAYER * n_experts_active))


def chips_within(budget: Any, fixed: Any, per_chip: Any) -> Any:
    """Whole chips that a physical budget of a rack bears: power, heat, weight or cables.

    Parameters
    ----------
    budget : array     What the rack or its place bears. [W, kg, 1]
    fixed : array      What switches, frame and shelves take of it. [the same]
    per_chip : array   What a chip adds, with its share of host and fans. [the same]

    Returns
    -------
    array   0 where nothing is left. [1]

    References
    ----------
    .. [1] Derived; the lecture, ch. 2, names the limits without numbers.

    Examples
    --------
    >>> float(chips_within(132e3, 3.6e3, 1625))
    79.0
    """
    return maximum(budget - fixed, 0 * budget) // per_chip


def coolant_power_w(flow_m3_per_s: Any, rise_k: Any) -> Any:
    r"""Heat that water carries away.

    .. math:: P = \rho c\,\dot V\,\Delta T

    Parameters
    ----------
    flow_m3_per_s : array   Volume flow. [m3/s]
    rise_k : array          Outlet over inlet temperature. [K]

    Returns
    -------
    array   [W]

    Notes
    -----
    Pure water; a quarter of propylene glycol carries about 5% less. Pressure drop, which sets how
    much flow a manifold can give, is left out.

    References
    ----------
    .. [1] Derived: heat capacity times mass flow.

    Examples
    --------
    150 litres a minute warmed by 10 K, as the Open Compute Project sizes a rack of 100 kW:

    >>> round(coolant_power_w(150e-3 / 60, 10) / 1e3, 1)
    104.5
    """
    return _WATER_J_PER_M3_K * flow_m3_per_s * rise_k


def n_cables(n_chips: Any, n_links_per_chip: Any, n_pairs_per_link: Any) -> Any:
    """Copper cables behind the chips of a domain: one differential pair each.

    Parameters
    ----------
    n_chips : array            [1]
    n_links_per_chip : array   Links to the switches. [1]
    n_pairs_per_link : array   Pairs of a link, both ways together. [1]

    Returns
    -------
    array   Twice the chips, twice the cables in the same backplane. [1]

    References
    ----------
    .. [1] Derived; the lecture, ch. 2 (claim C2-11).

    Examples
    --------
    An NVL72 rack: 18 links of 2 lanes each way.

    >>> n_cables(72, 18, 4)
    5184
    """
    return n_chips * n_links_per_chip * n_pairs_per_link
