"""One question of a service in full: replicas, what comes, and what its requests experience."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import drafting
from ridgeline.errors import SpecError
from ridgeline.service.pools import closed_pools
from ridgeline.service.requests import Requests, mixed_requests
from ridgeline.service.server import Server

if TYPE_CHECKING:
    from ridgeline.replica import Replica
    from ridgeline.service.performance import Performance
    from ridgeline.service.pools import Pools
    from ridgeline.specs.model import Model
    from ridgeline.specs.workload import Workload

__all__ = ["N_LENGTHS", "Deployment", "requests_of", "steady"]

#: representative requests of a distribution of lengths
N_LENGTHS = 9


@dataclass(frozen=True)
class Deployment:
    """Replicas that share the requests evenly, or two pools.

    Attributes
    ----------
    replica : Replica          One of them; its layout says how many there are.
    pools : Pools or None      Instead: prefill and decode on chips of their own.
    max_sequences : float or None   Sequences of a rank that the engine is set to take at most; None
                               for as many as memory holds.
    exact_lengths : bool       Requests have their lengths exactly, rather than on average.
    """

    replica: Replica
    pools: Pools | None = None
    max_sequences: float | None = None
    exact_lengths: bool = True

    @property
    def replicas(self) -> int:
        """Copies of the model that serve requests whole."""
        return 1 if self.pools is not None else self.replica.layout.replicas


def requests_of(workload: Workload, model: Model, n_lengths: int = N_LENGTHS) -> Requests:
    """Requests of a workload, for a replica.

    Parameters
    ----------
    workload : Workload   With lengths, or a context.
    model : Model         For how often drafts are accepted, where the workload does not say.
    n_lengths : int       Representatives of a distribution, at most. [1]
    """
    found = drafting(model, workload.drafts, workload.acceptance)
    how: dict[str, Any] = {
        "drafts": found.drafts,
        "acceptance": found.acceptance,
        "drafts_sigma": found.sigma,
    }
    if workload.isl is None or workload.osl is None:
        context = float(np.atleast_1d(np.asarray(workload.context, dtype=float))[0])
        return Requests(decode_context=context, **how)
    isl, osl = workload.isl, workload.osl
    if isl.is_fixed and osl.is_fixed:
        cached = isl.mean * workload.prefix_hit
        return Requests(isl.mean, osl.mean, cached, None, **how)
    pairs = workload.pairs(n_lengths)
    return mixed_requests(*pairs, prefix_hit=workload.prefix_hit, **how)


def steady(deployment: Deployment, workload: Workload) -> Performance:
    """What the requests of a workload experience, and how many are finished.

    Parameters
    ----------
    deployment : Deployment
    workload : Workload   With lengths; loads are of the whole system (`batch`: of one replica).

    Returns
    -------
    Performance   Of the whole system; arrays where several concurrencies are given.

    Raises
    ------
    SpecError   A load that the arrival needs is missing, or one that two pools cannot take.
    """
    replica = deployment.replica if deployment.pools is None else deployment.pools.decode
    requests = requests_of(workload, replica.model)
    if not requests.osl:
        raise SpecError("A service has requests: give isl and osl instead of a context.")
    if deployment.pools is not None:
        return _of_pools(deployment.pools, deployment.max_sequences, workload, requests)
    ways = deployment.replicas
    load = _per_replica(workload, ways)
    most = float(np.max(load)) if workload.arrival in ("closed", "fixed") else np.inf
    server = Server(
        deployment.replica,
        requests,
        most=most,
        max_sequences=deployment.max_sequences,
        n_requests=(workload.n_requests or math.nan) / ways,
        exact_lengths=deployment.exact_lengths,
    )
    row = np.zeros(np.shape(load), dtype=np.intp)
    if workload.arrival == "closed":
        found = server.closed(load, row)
    elif workload.arrival == "open":
        found = server.open(load, row)
    elif workload.arrival == "offline":
        found = server.offline(row)
    else:
        found = server.fixed(float(load))
    return found.of_system(ways)


def _per_replica(workload: Workload, ways: int) -> Any:
    """The load of one replica. [1], or [1/s] of an open loop"""
    if workload.arrival == "open":
        return np.asarray(workload.rate_per_s) / ways
    if workload.arrival == "offline":
        return np.asarray(np.inf)
    if workload.concurrency is not None:
        return np.asarray(workload.concurrency, dtype=float) / ways
    if workload.batch is None:
        raise SpecError(
            f"{workload.arrival.capitalize()} arrivals need a concurrency of the whole system, or "
            "a batch of one replica."
        )
    return np.asarray(workload.batch, dtype=float)


def _of_pools(
    pools: Pools, max_sequences: float | None, workload: Workload, requests: Requests
) -> Performance:
    if workload.arrival != "closed" or workload.concurrency is None:
        raise SpecError("Two pools are answered in a closed loop: give a concurrency.")
    concurrency = np.asarray(workload.concurrency, dtype=float)
    return closed_pools(pools, requests, concurrency, max_sequences)
