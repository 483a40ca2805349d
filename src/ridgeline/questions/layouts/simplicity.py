"""Which of several layouts is simplest: the choice among those too close to call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridgeline.specs.layout import Layout

__all__ = ["simplicity"]


def simplicity(layout: Layout, domain_size: int, host_size: int = 1) -> tuple[int, ...]:
    """A key that sorts layouts, simplest first.

    Parameters
    ----------
    layout : Layout
    domain_size : int   Chips of a scale-up domain. [1]
    host_size : int     Chips of a host. [1]

    Returns
    -------
    tuple of int
        In this order: scale-up domains that a replica spans; whether it leaves part of a host over,
        which engines refuse; kinds of parallelism within it (TP, EP, attention DP, PP; experts that
        are both spread and cut count as one more); chips of a replica; then the degrees themselves,
        from the one that is rarest in use (PP, attention DP, EP, TP). Replicas are no kind: they
        exchange nothing.

    Examples
    --------
    Four pairs before one group of eight, and tensor parallelism before pipeline stages:

    >>> from ridgeline.specs import Layout
    >>> found = [Layout(pp=4, tp=2), Layout(replicas=4, pp=2), Layout(replicas=4, tp=2)]
    >>> [(x.pp, x.tp) for x in sorted(found, key=lambda x: simplicity(x, 8))]
    [(1, 2), (2, 1), (4, 2)]
    """
    chips = layout.pp * layout.attn_dp * layout.tp
    kinds = sum(d > 1 for d in (layout.pp, layout.attn_dp, layout.ep, layout.tp))
    kinds += 1 < layout.ep < layout.attn_dp * layout.tp
    domains = math.ceil(chips / domain_size)
    uneven = int(max(chips, host_size) % min(chips, host_size) > 0)
    return (domains, uneven, kinds, chips, layout.pp, layout.attn_dp, layout.ep, layout.tp)
