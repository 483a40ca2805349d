"""Which of a cluster's prices an answer uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.specs.price import Price, PriceBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.cluster import Cluster

__all__ = ["choose_price", "common_basis"]

#: what renting costs somebody without a contract comes first, then contracts, then owning
_PREFERENCE: tuple[PriceBasis, ...] = (
    "user", "on-demand", "spot", "contract", "rental-3yr",
    "own-tco-neocloud", "own-tco-hyperscaler", "derived",
)  # fmt: skip


def choose_price(cluster: Cluster, basis: str | None = None) -> Price | None:
    """The latest price of the basis asked for, or of the most usual basis there is.

    Parameters
    ----------
    cluster : Cluster
    basis : str or None   One of `PriceBasis`.

    Returns
    -------
    Price or None   None where the cluster has no price at all.

    Raises
    ------
    SpecError   The cluster has no price of the basis asked for.
    """
    if basis is None:
        order = _PREFERENCE
    elif basis in get_args(PriceBasis):
        order = (basis,)
    else:
        known = get_args(PriceBasis)
        raise SpecError(
            f"There is no price basis {basis!r}.{did_you_mean(basis, known)} "
            f"There are {', '.join(known)}."
        )
    for wanted in order:
        dated = [p for p in cluster.prices if p.basis == wanted]
        if dated:
            # A price from memory carries the day it was written down: anything read comes first.
            return max(dated, key=lambda p: (p.kind != "recalled", p.date))
    if basis is None:
        return None
    have = sorted({p.basis for p in cluster.prices}) or ["no price"]
    raise SpecError(
        f"{cluster.name} has no {basis} price; it has {', '.join(have)}. "
        "Name one of these with --basis, or give --price in USD per chip-hour."
    )


def common_basis(clusters: Sequence[Cluster]) -> str | None:
    """The most usual basis on which all of several machines have a price; None where there is none.

    Parameters
    ----------
    clusters : sequence of Cluster
    """
    each = [{p.basis for p in cluster.prices} for cluster in clusters]
    return next((b for b in _PREFERENCE if all(b in known for known in each)), None)
