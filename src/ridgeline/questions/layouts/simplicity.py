"""Which of several layouts is simplest: the choice among those too close to call."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ridgeline.questions.layouts.ranking import Rank
    from ridgeline.specs.layout import Layout

__all__ = ["TOO_CLOSE", "simplest_first", "simplicity", "tied"]

Row = dict[str, Any]

#: layouts this near the best are as good, as far as any model can tell
TOO_CLOSE = 0.05


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


def tied(rows: Sequence[Row], rank: Rank) -> list[Row]:
    """Rows of the first one's cluster that come so near it that no model can tell them apart.

    Parameters
    ----------
    rows : sequence of mapping   Best first.
    rank : Rank
    """
    first = rows[0]
    return [
        row
        for row in rows
        if row["cluster"] == first["cluster"] and abs(rank.ratio(row, first) - 1) <= TOO_CLOSE
    ]


def simplest_first(
    rows: Sequence[Row], rank: Rank, key_of: Callable[[Row], tuple[int, ...]]
) -> list[Row]:
    """Rows with the simplest of those that tie with the best in front; the rest as they were.

    Parameters
    ----------
    rows : sequence of mapping   Best first.
    rank : Rank
    key_of : callable            The `simplicity` of a row's layout.
    """
    if not rows:
        return []
    winner = min(tied(rows, rank), key=key_of)
    return [winner, *(row for row in rows if row is not winner)]
