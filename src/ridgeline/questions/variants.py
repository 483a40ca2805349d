"""The same answer with something changed: another record in, time and cost out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.errors import InfeasibleError
from ridgeline.laws.economics import cost_usd_per_mtok
from ridgeline.specs.layout import Layout

if TYPE_CHECKING:
    from ridgeline.questions.serving import Serving
    from ridgeline.replica import Replica
    from ridgeline.specs.cluster import Cluster
    from ridgeline.specs.model import Model

__all__ = ["MOST_SEQUENCES", "Point", "fits", "point", "reading_with", "require_a_time"]

#: where nothing is cached any number fits; no batch is taken to be larger than this
MOST_SEQUENCES = 1e7


@dataclass(frozen=True, slots=True)
class Point:
    """What a step takes and a token costs at a batch, and with the most sequences that fit.

    Attributes
    ----------
    time_s, usd_per_mtok : float             At the batch asked for.
    full_batch : float                       The most that fit; below 1 where not even one does.
    time_full_s, usd_per_mtok_full : float   With those; inf where there are none.
    """

    time_s: float
    usd_per_mtok: float
    full_batch: float
    time_full_s: float
    usd_per_mtok_full: float


def reading_with(
    answer: Serving,
    *,
    model: Model | None = None,
    cluster: Cluster | None = None,
    n_chips: int | None = None,
) -> Replica:
    """The replica of an answer with other records.

    Parameters
    ----------
    answer : Serving
    model : Model or None       Numeric fields may hold any number: see `ridgeline.steps.bind`.
    cluster : Cluster or None   As well.
    n_chips : int or None       Only where the reading knows no layout.
    """
    own = answer.replica
    layout = own.layout if n_chips is None else Layout(tp=n_chips)
    return replace(
        own,
        model=own.model if model is None else model,
        cluster=own.cluster if cluster is None else cluster,
        layout=layout,
    )


def fits(replica: Replica, context: float, *, drafts: bool = False) -> float:
    """Sequences that fit in a replica, not rounded down. [1]"""
    return float(replica.max_sequences(context, drafts=drafts))


def require_a_time(answer: Serving, time_s: Any) -> None:
    """Refuse steps that take forever: exchanges over a link that is not there.

    Raises
    ------
    InfeasibleError   Says which rate to set.
    """
    if not np.isfinite(time_s).all():
        cluster = answer.machine.cluster
        missing = "scale_out" if cluster.link is not None else "link"
        raise InfeasibleError(
            f"{answer.machine_name} has no {missing} rate to exchange over, so that a step in this "
            f"layout takes forever: set one (--set cluster.{missing}='25 GB/s'), take fewer chips, "
            "or ask in the blackboard reading."
        )


def point(answer: Serving, replica: Replica, batch: float, context: float | None = None) -> Point:
    """Time and cost of a replica at a batch and at the most that fits.

    Parameters
    ----------
    answer : Serving          For its price (without one a chip-hour is a dollar) and context.
    replica : Replica
    batch : float             Sequences in flight in the replica. [1]
    context : float or None   None for the answer's. [tokens]
    """
    context = answer.context if context is None else context
    requests = replace(answer.requests, decode_context=context)
    full = min(fits(replica, context, drafts=requests.has_drafts), MOST_SEQUENCES)
    rent = answer.price.usd_per_chip_hour if answer.price else 1.0
    batches = np.asarray([batch, max(full, 1.0)])
    time_s = np.broadcast_to(replica.seconds(requests.decode(batches)), batches.shape)
    token_s = time_s / requests.tokens_per_step
    usd = cost_usd_per_mtok(token_s, batches, rent, replica.n_chips)
    time_full, usd_full = (float(time_s[1]), float(usd[1])) if full >= 1 else (math.inf, math.inf)
    return Point(float(time_s[0]), float(usd[0]), full, time_full, usd_full)
