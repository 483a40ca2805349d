r"""Exchanges between chips: bytes on the wire by algorithm, and latency plus bandwidth.

Conventions: a link rate is one way and per chip; `message_bytes` is the whole tensor, as every
chip holds it before an all-reduce or after an all-gather. One chip exchanges nothing: zero.
"""

from __future__ import annotations

from typing import Any

from ridgeline.laws._namespace import log2, maximum, minimum

__all__ = [
    "all_reduce_wire_bytes",
    "all_reduce_wire_bytes_in_switch",
    "all_reduce_wire_bytes_one_shot",
    "collective_time_s",
    "crossing_time_s",
    "expert_exchange_time_s",
    "shard_wire_bytes",
]


def shard_wire_bytes(message_bytes: Any, n_chips: Any) -> Any:
    r"""Bytes each chip sends in an all-gather, a reduce-scatter or an all-to-all.

    .. math:: S\,(n - 1) / n

    Parameters
    ----------
    message_bytes : array   The whole tensor, S; of an all-to-all, what one chip holds. [bytes]
    n_chips : array         n. [1]

    Returns
    -------
    array   A chip keeps its own part. [bytes]

    References
    ----------
    .. [1] Thakur et al., "Optimization of Collective Communication in MPICH", 2005.

    Examples
    --------
    >>> shard_wire_bytes(8e6, 8)
    7000000.0
    """
    return message_bytes * ((n_chips - 1) / n_chips)


def all_reduce_wire_bytes(message_bytes: Any, n_chips: Any) -> Any:
    r"""Bytes each chip sends in a ring or two-shot all-reduce: reduce-scatter, then all-gather.

    .. math:: 2 S\,(n - 1) / n

    Parameters
    ----------
    message_bytes : array   The tensor each chip holds, S. [bytes]
    n_chips : array         n. [1]

    Returns
    -------
    array   The least without reduction inside the switch. [bytes]

    References
    ----------
    .. [1] Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", 2009.

    Examples
    --------
    >>> all_reduce_wire_bytes(8e6, 8)
    14000000.0
    """
    return message_bytes * (2 * shard_wire_bytes(1, n_chips))


def all_reduce_wire_bytes_one_shot(message_bytes: Any, n_chips: Any) -> Any:
    """Bytes each chip sends where everyone reads everyone: ``S (n - 1)``, one round.

    Parameters
    ----------
    message_bytes : array   [bytes]
    n_chips : array         [1]

    Returns
    -------
    array   More bytes than a ring, fewer rounds: for small messages. [bytes]

    References
    ----------
    .. [1] Derived: n - 1 peers read the whole tensor.

    Examples
    --------
    >>> all_reduce_wire_bytes_one_shot(8192, 8)
    57344
    """
    return message_bytes * (n_chips - 1)


def all_reduce_wire_bytes_in_switch(message_bytes: Any, n_chips: Any) -> Any:
    r"""Bytes each chip sends where the switch adds (NVLink SHARP), or a ring's where that is less.

    .. math:: \min\left(S\,\frac{n + 1}{n},\ 2 S\,\frac{n - 1}{n}\right)

    Parameters
    ----------
    message_bytes : array   S. [bytes]
    n_chips : array         n. [1]

    Returns
    -------
    array   0 for one chip. [bytes]

    Notes
    -----
    Each chip feeds all n parts to the switch and spreads the sum of its own: that is how an
    H100's all-reduce shows a "bus bandwidth" above its link rate. From n = 4 on it beats the ring.

    References
    ----------
    .. [1] Klenk et al., "An In-Network Architecture for Accelerating Shared-Memory Multiprocessor
       Collectives", ISCA 2020.

    Examples
    --------
    >>> float(all_reduce_wire_bytes_in_switch(8e6, 8))
    9000000.0
    """
    return message_bytes * minimum((n_chips + 1) / n_chips, all_reduce_wire_bytes(1, n_chips))


def collective_time_s(
    wire_bytes: Any,
    n_chips: Any,
    link_bytes_per_s: Any,
    *,
    start_s: Any,
    hop_s: Any,
    fill_s: Any,
    link_efficiency: Any,
    doubling_efficiency: Any,
) -> Any:
    r"""Time of one collective inside a scale-up domain: latency, bandwidth, and filling the pipe.

    .. math:: t = t_0 + (n - 1)\,\alpha + x + 2\sqrt{\sigma x}, \qquad
              x = \frac{w}{e\,\beta\,c^{\log_2 (n/2)}}

    Parameters
    ----------
    wire_bytes : array            Bytes each chip sends, w: from the function of the algorithm.
                                  [bytes]
    n_chips : array               n. [1]
    link_bytes_per_s : array      One-way rate of one chip, beta. [bytes/s]
    start_s : array               Launch and first synchronisation, t0. [s]
    hop_s : array                 Latency for each further chip, alpha. [s]
    fill_s : array                Latency of a stage of the pipeline, sigma: with the best chunk
                                  size a pipe costs the geometric mean of latency and transfer. [s]
    link_efficiency : array       Share of the link that long messages reach, e <= 1. [1]
    doubling_efficiency : array
        Share of the rate left for each doubling of n beyond 2, c <= 1: 1 behind a switch, .8 to 1
        where cards share PCIe roots, .3 where their peer-to-peer copies collapse. [1]

    Returns
    -------
    array   0 for one chip; never less than ``w / beta``. [s]

    Notes
    -----
    Smooth where libraries switch algorithm or protocol by size: 5% typical, 20% near a switch.
    NCCL was measured to 8 chips in a node and to 16 in a rack: beyond, the line in n is a guess.

    References
    ----------
    .. [1] Hockney, "The communication challenge for MPP", 1994, for latency plus rate.
    .. [2] Sanders et al., "Two-tree algorithms", 2009, sec. 2, for the optimal pipeline's root.

    Examples
    --------
    NCCL on 8 H100, 64 MiB: 16 us of latency, 222 us of wire, 50 us to fill the pipe.

    >>> w = all_reduce_wire_bytes_in_switch(2**26, 8)
    >>> t = collective_time_s(w, 8, 450e9, start_s=4e-6, hop_s=1.7e-6, fill_s=2.8e-6,
    ...                       link_efficiency=0.755, doubling_efficiency=1)
    >>> round(float(t) * 1e6)
    288
    """
    doublings = log2(maximum(n_chips, 1) / 2)
    rate = link_efficiency * link_bytes_per_s * doubling_efficiency ** maximum(doublings, 0.0)
    x = wire_bytes / rate
    several = minimum(n_chips - 1, 1)
    return several * (start_s + (n_chips - 1) * hop_s + x + 2 * (fill_s * x) ** 0.5)


def expert_exchange_time_s(
    n_tokens: Any,
    n_chips: Any,
    inside_bytes: Any,
    outside_bytes: Any,
    link_bytes_per_s: Any,
    scale_out_bytes_per_s: Any,
    *,
    start_s: Any,
    hop_s: Any,
    token_s: Any,
    link_efficiency: Any,
    scale_out_efficiency: Any,
) -> Any:
    r"""Time to send tokens to their experts, or the results back: the slower wire decides.

    .. math:: t = t_0 + \alpha \log_2 n + \tau T
              + \max\left(\frac{w_i}{e_i \beta_i},\ \frac{w_o}{e_o \beta_o}\right)

    Parameters
    ----------
    n_tokens : array                Tokens one chip sends out, T. [tokens]
    n_chips : array                 Chips the experts are spread over, n. [1]
    inside_bytes : array            Bytes a chip sends over the scale-up fabric, wi. [bytes]
    outside_bytes : array           Bytes a chip sends to other domains, wo; 0 inside one. [bytes]
    link_bytes_per_s : array        One-way scale-up rate of a chip. [bytes/s]
    scale_out_bytes_per_s : array   One-way network rate of a chip. [bytes/s]
    start_s : array                 Launch and first synchronisation, t0. [s]
    hop_s : array                   Latency for each doubling of chips, alpha. [s]
    token_s : array                 Packing and counting, for each token, tau. [s]
    link_efficiency, scale_out_efficiency : array   At most 1. [1]

    Returns
    -------
    array   0 for one chip; never less than either wire's time. [s]

    Notes
    -----
    Balanced routing: a hot chip receives more and decides. Measured up to 64 chips.

    References
    ----------
    .. [1] Zhao et al., "DeepEP", 2025, for the two kinds of exchange (one copy a chosen expert,
       for latency; one copy a node, for throughput).

    Examples
    --------
    128 tokens, 8 copies of 7392 bytes, 16 H100 in two nodes: half goes over 50 GB/s.

    >>> t = expert_exchange_time_s(128, 16, 7.1e6, 3.8e6, 450e9, 50e9, start_s=0, hop_s=5e-6,
    ...     token_s=0, link_efficiency=0.56, scale_out_efficiency=0.95)
    >>> round(float(t) * 1e6)
    100
    """
    inside_s = inside_bytes / (link_efficiency * link_bytes_per_s)
    outside_s = outside_bytes / (scale_out_efficiency * scale_out_bytes_per_s)
    hops = log2(n_chips)
    latency_s = start_s + hop_s * hops + token_s * n_tokens
    return minimum(n_chips - 1, 1) * (latency_s + maximum(inside_s, outside_s))


def crossing_time_s(
    wire_bytes: Any,
    n_domains: Any,
    scale_out_bytes_per_s: Any,
    *,
    start_s: Any,
    hop_s: Any,
    scale_out_efficiency: Any,
    n_phases: Any = 1,
) -> Any:
    r"""Time of the part of a collective between scale-up domains, after that within them.

    .. math:: t = [R > 1]\,p\,(t_0 + \alpha \log_2 R) + \frac{w}{e\,\beta}

    Parameters
    ----------
    wire_bytes : array              Bytes a chip sends to other domains, w. [bytes]
    n_domains : array               R. [1]
    scale_out_bytes_per_s : array   One-way network rate of a chip. [bytes/s]
    start_s, hop_s : array          Latency of a message, and of each doubling of domains. [s]
    scale_out_efficiency : array    At most 1. [1]
    n_phases : array                p: 2 where sums go up and results come back. [1]

    Returns
    -------
    array   0 within one domain. [s]

    References
    ----------
    .. [1] Derived: domains exchange in a tree, each level at the network's latency.

    Examples
    --------
    An all-reduce of 100 kB a chip over four nodes at 25 GB/s:

    >>> t = crossing_time_s(1e5, 4, 25e9, start_s=0, hop_s=16e-6, scale_out_efficiency=1,
    ...                     n_phases=2)
    >>> round(float(t) * 1e6, 3)
    68.0
    """
    several = minimum(n_domains - 1, 1)
    latency_s = n_phases * (start_s + hop_s * log2(n_domains))
    return several * latency_s + wire_bytes / (scale_out_efficiency * scale_out_bytes_per_s)
