"""Where the regimes of an answer meet: floor, balance batch, the most sequences that fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.grid import logspace
from ridgeline.steps import balance

if TYPE_CHECKING:
    from ridgeline.replica import Replica
    from ridgeline.service.requests import Requests
    from ridgeline.steps import Balance, Machine

__all__ = ["landmarks", "most_sequences"]

_LARGEST_BATCH = 2**24


def landmarks(replica: Replica, machine: Machine, requests: Requests, context: float) -> Balance:
    """The landmarks of a replica at one context.

    Parameters
    ----------
    replica : Replica
    machine : Machine   All its chips as one: for the blackboard's closed forms.
    requests : Requests   For drafts.
    context : float     Cached tokens per sequence. [tokens]

    Returns
    -------
    Balance   Batches are of one replica. In closed form for the blackboard; for the others by
              looking for the first batch of a fine row at which compute is the bottleneck.
    """
    closed = balance(replica.counts, machine, context)
    if replica.how.whole:
        return closed
    fits = most_sequences(replica, machine, requests, context)
    first = replica.seconds(replace(requests, decode_context=context).decode(1.0))
    return replace(
        closed,
        latency_floor_s=float(first),
        batch=_compute_bound_from(replica, requests, context),
        batch_without_kv=_compute_bound_from(replica, requests, 1.0),
        largest_batch=fits,
    )


def most_sequences(replica: Replica, machine: Machine, requests: Requests, context: float) -> float:
    """The most sequences of a replica that fit at a context: see `landmarks`."""
    if replica.how.whole:
        return balance(replica.counts, machine, context).largest_batch
    return float(replica.max_sequences(context, drafts=requests.has_drafts))


def _compute_bound_from(replica: Replica, requests: Requests, context: float) -> float:
    row = logspace(1, _LARGEST_BATCH, per_octave=8)
    step = replica.step(replace(requests, decode_context=context).decode(row))
    hits = np.flatnonzero(np.broadcast_to(step.bottleneck, row.shape) == 0)
    return float(row[hits[0]]) if hits.size else float("inf")
