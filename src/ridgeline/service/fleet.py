"""Replicas for a rate: the most that one of each layout takes within limits, and how many it needs.

Every number is that of `Server.open`, so that a fleet and `service.deployment.steady` agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.service.edges import largest_kept
from ridgeline.service.server import MOST_SEQUENCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.service.performance import Performance
    from ridgeline.service.server import Server
    from ridgeline.specs.limits import Limits

    Floats = NDArray[np.float64]

__all__ = [
    "LONG_RUN",
    "Miss",
    "Terms",
    "as_numbers",
    "domains_filled",
    "is_saturated",
    "largest_rates",
    "misses",
    "overshoot",
    "replicas_needed",
    "step_wait_s",
]

#: requests, per replica, of a run that is a steady state: more than any server holds at a time, so
#: that the run's start and end take no part in it
LONG_RUN = int(MOST_SEQUENCES)
#: rates looked at on the way to the largest, from this share of it up
_N_RATES = 49
_LEAST_SHARE = 1e-4
_HALVINGS = 32
#: equal to this is within a limit
_CLOSE = 1e-9
_TINY = 1e-12
#: a fleet without a steady state is worse than any with one
_WORST = 1e6


@dataclass(frozen=True)
class Terms:
    """What a fleet has to keep.

    Attributes
    ----------
    limits : Limits       Latencies, each with its statistic.
    utilization : float   Most of its capacity that is to be used; 1 leaves no headroom. [1]
    """

    limits: Limits
    utilization: float = 1.0

    def ratios(self, found: Performance, rate: Any) -> dict[str, Any]:
        """Each metric over what is allowed of it; above 1 it is missed. [1]

        Parameters
        ----------
        found : Performance
        rate : array   Arrivals that it is of, which may be more than are finished. [1/s]
        """
        used = {"utilization": rate / found.capacity_per_s / self.utilization}
        return used | {
            name: found.statistic(name, limit.statistic) / limit.seconds
            for name, limit in self.limits.items()
        }

    def kept(self, found: Performance, rate: Any) -> Any:
        """Whether all of it is kept; not where any of it is no number."""
        good: Any = True
        for ratio in self.ratios(found, rate).values():
            good = good & (ratio <= 1 + _CLOSE)
        return good


@dataclass(frozen=True, slots=True)
class Miss:
    """A limit that a fleet does not keep.

    Attributes
    ----------
    metric : str      ``ttft``, ``tpot``, ``e2e`` or ``utilization``.
    statistic : str   ``mean``, ``p50``, ``p90`` or ``p99``.
    value : float     What it is; inf where a queue grows without end. [s], [1]
    limit : float     What is allowed. [s], [1]
    """

    metric: str
    statistic: str
    value: float
    limit: float

    @property
    def excess(self) -> float:
        """By how much of the limit it is missed. [1]"""
        return self.value / self.limit - 1


def is_saturated(found: Performance, rate: Any) -> Any:
    """Whether more arrives than can be finished, so that there is no steady state."""
    return rate > found.capacity_per_s * (1 + _CLOSE)


def overshoot(found: Performance, rate: Any, terms: Terms) -> Any:
    """The worst ratio of a metric to what is allowed; those without a steady state last. [1]"""
    ratios = terms.ratios(found, rate)
    worst: Any = 0.0
    for ratio in ratios.values():
        worst = np.maximum(worst, ratio)
    return np.where(is_saturated(found, rate), _WORST * ratios["utilization"], worst)


def misses(found: Performance, rate: float, terms: Terms) -> tuple[Miss, ...]:
    """Limits that a performance does not keep, worst first.

    Parameters
    ----------
    found : Performance   Of one case, in numbers.
    rate : float          Arrivals that it is of. [1/s]
    terms : Terms
    """
    full = bool(is_saturated(found, rate))
    missed = []
    for metric, ratio in terms.ratios(found, rate).items():
        if float(ratio) <= 1 + _CLOSE:
            continue
        if metric == "utilization":
            value = float(rate / found.capacity_per_s)
            missed.append(Miss(metric, "mean", value, terms.utilization))
            continue
        limit = getattr(terms.limits, metric)
        unbounded = full and metric != "tpot"
        value = np.inf if unbounded else float(found.statistic(metric, limit.statistic))
        missed.append(Miss(metric, limit.statistic, value, limit.seconds))
    return tuple(sorted(missed, key=lambda miss: -miss.excess))


def largest_rates(server: Server, terms: Terms) -> Floats:
    """The largest rate of one replica of each row up to which the terms are kept at every rate.

    Parameters
    ----------
    server : Server   A row per layout, of runs of `LONG_RUN` requests; each holds a sequence.
    terms : Terms

    Returns
    -------
    array   0 where not even a replica that is nearly idle keeps them. [1/s]

    Notes
    -----
    TTFT does not always grow with the rate: ranks that read prompts side by side are slower with
    a few than with many. So a ladder of rates comes first, and halving goes on below its first rate
    at which the terms are not kept.
    """
    row = np.arange(server.surface.n_rows)
    top = terms.utilization * np.asarray(server.service(row).capacity_per_s(), dtype=float)
    ladder = np.geomspace(_LEAST_SHARE, 1.0, _N_RATES)
    rates = top[:, None] * ladder
    kept = _kept(server, terms, rates, row[:, None])
    n_kept = np.where(kept.all(axis=1), _N_RATES, kept.argmin(axis=1))
    low = np.where(n_kept > 0, rates[row, np.maximum(n_kept - 1, 0)], 0.0)
    high = rates[row, np.minimum(n_kept, _N_RATES - 1)]
    open_ = np.flatnonzero((n_kept > 0) & (n_kept < _N_RATES))
    if open_.size:
        low[open_] = largest_kept(
            low[open_],
            high[open_],
            lambda rates: _kept(server, terms, rates, open_[:, None]),
            lambda below, above: (below + above) / 2,
            halvings=_HALVINGS,
        )
    return low


def _kept(server: Server, terms: Terms, rates: Any, row: Any) -> Any:
    return np.broadcast_to(terms.kept(server.open(rates, row), rates), np.shape(rates))


def replicas_needed(rate: Any, largest: Any) -> Any:
    """The fewest replicas that share a rate so that none takes more than its largest.

    Parameters
    ----------
    rate : array      Of the whole system. [1/s]
    largest : array   Of one replica, from `largest_rates`. [1/s]

    Returns
    -------
    array   At least 1; inf where one takes nothing.

    Examples
    --------
    >>> replicas_needed(40.0, np.array([15.0, 20.0, 0.0])).tolist()
    [3.0, 2.0, inf]
    """
    some = np.asarray(largest) > 0
    each = np.where(some, largest, 1.0)
    return np.where(some, np.maximum(np.ceil(rate / each * (1 - _TINY)), 1.0), np.inf)


def domains_filled(chips_per_replica: int, replicas: int, domain_size: int) -> int:
    """Scale-up domains (nodes, racks) that replicas fill, each whole in as few as hold it.

    Examples
    --------
    Three replicas of 4 chips on nodes of 8; one of 16; five of 3, two to a node:

    >>> domains_filled(4, 3, 8), domains_filled(16, 1, 8), domains_filled(3, 5, 8)
    (2, 2, 3)
    """
    if chips_per_replica > domain_size:
        return replicas * -(-chips_per_replica // domain_size)
    return -(-replicas // (domain_size // chips_per_replica))


def step_wait_s(found: Performance) -> Any:
    """Of the TTFT, the steps until the engine takes the prompt and its token is heard of. [s]"""
    return found.admission_s


def as_numbers(found: Performance) -> Performance:
    """A performance of one case, in numbers instead of arrays."""
    return found.mapped(lambda value: float(np.ravel(value)[0]))
