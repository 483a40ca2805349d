r"""Rates inside one tier of a network, when a chip's links lead to different peers.

A chip has one rate over all of its links, and one to a single peer. Behind a switch they are equal:
write infinity for the second. In a mesh, a torus or a ring the links lead to different peers, and a
small group cannot use those that lead out of it. All rates are one way.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import maximum, minimum

__all__ = ["group_rate_bytes_per_s", "peer_rate_bytes_per_s", "transfer_rate_bytes_per_s"]


def group_rate_bytes_per_s(
    n_chips: Any,
    link_bytes_per_s: Any,
    link_per_peer_bytes_per_s: Any,
    oversubscription: Any = 1.0,
) -> Any:
    r"""What one chip can send while it exchanges with all other members of its group.

    .. math:: \beta(n) = \min\bigl(\beta,\ (n - 1)\,\beta_1\bigr) / o

    Parameters
    ----------
    n_chips : array                    Members of the group, n; all in one tier. [1]
    link_bytes_per_s : array           Of one chip, over all its links, beta. [bytes/s]
    link_per_peer_bytes_per_s : array  Of one chip to one peer, beta_1; infinity for a switch.
                                       [bytes/s]
    oversubscription : array           Links down over links up, o, at least 1. [1]

    Returns
    -------
    array   One way, per chip. A group of one sends nothing; it gets the rate of a group of two, so
            that zero bytes take zero seconds. [bytes/s]

    Notes
    -----
    Exact for a switch and for a full mesh. For a ring or a torus it is an upper bound: a group of n
    reaches at most n - 1 neighbours, but a line has only two, and traffic to farther members
    passes through the links of those between. An all-to-all on a large torus is bound by its
    bisection, which is not modelled. Oversubscription holds when all chips of the tier send across
    it at once; a group behind one leaf switch does not see it.

    References
    ----------
    .. [1] Derived: the rates of the links that stay inside the group add up, to at most the chip's
       own rate. Rates of the examples: AMD Instinct MI300X and NVIDIA H100 datasheets.

    Examples
    --------
    MI300X, 7 links of 64 GB/s: two chips share one link, eight use all.

    >>> group_rate_bytes_per_s(2, 448e9, 64e9) / 1e9
    64.0
    >>> group_rate_bytes_per_s(8, 448e9, 64e9) / 1e9
    448.0

    H100 behind NVSwitch: 450 GB/s in any group.

    >>> group_rate_bytes_per_s(2, 450e9, float("inf")) / 1e9
    450.0
    """
    inside = link_per_peer_bytes_per_s * maximum(n_chips - 1, 1)
    return minimum(link_bytes_per_s, inside) / oversubscription


def peer_rate_bytes_per_s(
    link_bytes_per_s: Any, link_per_peer_bytes_per_s: Any, oversubscription: Any = 1.0
) -> Any:
    r"""What one chip can send to one peer: a pipeline stage to the next.

    .. math:: \min(\beta,\ \beta_1) / o

    Parameters
    ----------
    link_bytes_per_s : array           Of one chip, over all its links. [bytes/s]
    link_per_peer_bytes_per_s : array  Of one chip to one peer; infinity for a switch. [bytes/s]
    oversubscription : array           Links down over links up, at least 1. [1]

    Returns
    -------
    array   One way: a group of two. [bytes/s]

    Notes
    -----
    For neighbours. A peer farther away on a torus or a ring gets no more, and less while the chips
    between send too.

    References
    ----------
    .. [1] Derived: `group_rate_bytes_per_s` of two chips.

    Examples
    --------
    >>> peer_rate_bytes_per_s(448e9, 64e9) / 1e9
    64.0
    """
    return minimum(link_bytes_per_s, link_per_peer_bytes_per_s) / oversubscription


def transfer_rate_bytes_per_s(
    n_senders: Any,
    n_receivers: Any,
    link_bytes_per_s: Any,
    link_per_peer_bytes_per_s: Any,
    oversubscription: Any = 1.0,
) -> Any:
    r"""What one group of chips can send to another one in the same tier: a cache that moves.

    .. math:: \min\bigl(s\,\min(\beta,\ r\,\beta_1),\ r\,\min(\beta,\ s\,\beta_1)\bigr) / o

    Parameters
    ----------
    n_senders : array                  s, at least 1. [1]
    n_receivers : array                r, at least 1; none of the senders. [1]
    link_bytes_per_s : array           Of one chip, over all its links. [bytes/s]
    link_per_peer_bytes_per_s : array  Of one chip to one peer; infinity for a switch. [bytes/s]
    oversubscription : array           Links down over links up, at least 1. [1]

    Returns
    -------
    array   One way, all senders together: the narrower side. [bytes/s]

    Notes
    -----
    Every sender spreads what it has over all receivers. Where each one sends to a single partner
    (equal layouts on both sides), use the lesser group times `peer_rate_bytes_per_s`. Like
    `group_rate_bytes_per_s`, an upper bound on a torus or a ring.

    References
    ----------
    .. [1] Derived: neither side exceeds its links, nor the links between the two sides.

    Examples
    --------
    MI300X, four chips to four: 16 links of 64 GB/s. H100: four ports of 450 GB/s.

    >>> transfer_rate_bytes_per_s(4, 4, 448e9, 64e9) / 1e9
    1024.0
    >>> transfer_rate_bytes_per_s(4, 4, 450e9, float("inf")) / 1e9
    1800.0
    """
    sent = n_senders * minimum(link_bytes_per_s, link_per_peer_bytes_per_s * n_receivers)
    taken = n_receivers * minimum(link_bytes_per_s, link_per_peer_bytes_per_s * n_senders)
    return minimum(sent, taken) / oversubscription
