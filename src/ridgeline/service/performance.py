"""What requests experience and what a replica gives, in steady state."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.catalog import scheduling
from ridgeline.laws.queueing import (
    deviation_of_lognormal,
    percentile_of_mean,
    random_wait_percentile_s,
)
from ridgeline.laws.scheduling import burst_wait_s, burst_waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.limits import Limits

__all__ = ["PERCENTILES", "Performance", "Waits"]

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Waits:
    """What the time to the first token varies by between requests; arrays, an entry per case.

    Attributes
    ----------
    together : array    Share of the requests that come in a burst. [1]
    burst_s : array     Wait of the last one of the burst for the prompts of the others. [s]
    random_s : array    Mean wait in a queue of random arrivals. [s]
    busy : array        Share of the time that one is served there. [1]
    late_s : array      Mean wait in a run that falls behind: it grows from request to request.
    admission_s : array   Mean wait until the engine takes a request in: it comes at any time of it.
    own_s : array       Of one's own prompt, beyond the steps it shares. [s]
    variation : array   Variance of prompts' times over their squared mean. [1]
    """

    together: Any = 0.0
    burst_s: Any = 0.0
    random_s: Any = 0.0
    busy: Any = 0.0
    late_s: Any = 0.0
    admission_s: Any = 0.0
    own_s: Any = 0.0
    variation: Any = 0.0

    def deviation_s(self, share: float) -> Any:
        """How far a percentile of the TTFT lies from its mean. [s]

        Parameters
        ----------
        share : float   The percentile, such as 0.99. [1]

        Notes
        -----
        Waits are independent of each other and of the prompt's length: deviations add up by their
        squares, those below the mean by themselves.
        """
        burst = burst_wait_s(self.burst_s, self.together, share)
        burst = burst - burst_waited(self.together) * self.burst_s
        queue = random_wait_percentile_s(self.random_s, self.busy, share) - self.random_s
        late, admission = ((2 * share - 1) * x for x in (self.late_s, self.admission_s))
        own = deviation_of_lognormal(self.own_s, self.variation, share)
        each = np.broadcast_arrays(burst, queue, late, admission, own)
        above = sum(np.maximum(x, 0.0) ** 2 for x in each) ** 0.5
        return above - sum(np.maximum(-x, 0.0) ** 2 for x in each) ** 0.5


@dataclass(frozen=True, slots=True)
class Performance:
    """Steady state of a replica; arrays, an entry per case.

    Attributes
    ----------
    ttft_s, tpot_s, e2e_s : array   Means over requests: to the first token, between tokens after
                             it, and to the last. [s]
    requests_per_s : array   Finished by one replica. [1/s]
    capacity_per_s : array   Requests it finishes with every slot taken. [1/s]
    n_live : array           Sequences that decode at a time. [1]
    slots : array            Sequences that memory and settings allow. [1]
    step_s, prompt_s : array   Decode step there; what a prompt adds. [s]
    wait_s : array           Of the TTFT, waiting for a slot or in a queue. [s]
    admission_s : array      Of the TTFT, steps until the engine takes the request. [s]
    least_first_s, least_gap_s : array   No request sees less: its own prompt, a bare step. [s]
    waits : Waits            What the TTFT varies by between requests.
    """

    ttft_s: Any
    tpot_s: Any
    e2e_s: Any
    requests_per_s: Any
    capacity_per_s: Any
    n_live: Any
    slots: Any
    step_s: Any
    prompt_s: Any
    wait_s: Any
    least_first_s: Any
    least_gap_s: Any
    admission_s: Any = 0.0
    waits: Waits = Waits()

    @property
    def utilization(self) -> Any:
        """Requests finished over requests that every slot would finish. [1]"""
        return np.minimum(self.requests_per_s / self.capacity_per_s, 1.0)

    def of_system(self, replicas: Any) -> Performance:
        """The same of so many replicas that share the requests evenly: rates and slots add up."""
        return replace(
            self,
            requests_per_s=self.requests_per_s * replicas,
            capacity_per_s=self.capacity_per_s * replicas,
            n_live=self.n_live * replicas,
            slots=self.slots * replicas,
        )

    def mapped(self, of: Callable[..., Any], *others: Performance) -> Performance:
        """A function of each number, and of the same number of `others`.

        Parameters
        ----------
        of : callable   ``(own, *others)`` to an array.
        """

        def each(one: Any, rest: list[Any]) -> dict[str, Any]:
            names = [f.name for f in fields(one) if f.name != "waits"]
            return {n: of(getattr(one, n), *(getattr(x, n) for x in rest)) for n in names}

        waits = Waits(**each(self.waits, [x.waits for x in others]))
        return Performance(**each(self, list(others)), waits=waits)

    def keeps(self, limits: Limits) -> Any:
        """Whether every limit is kept, case by case; not where a statistic is no number. [bool]"""
        kept: Any = np.isfinite(self.tpot_s)
        for metric, limit in limits.items():
            kept = kept & (np.asarray(self.statistic(metric, limit.statistic)) <= limit.seconds)
        return kept

    def statistic(self, metric: str, name: str = "mean") -> Any:
        """A metric's mean or percentile.

        Parameters
        ----------
        metric : str   ``ttft``, ``tpot`` or ``e2e``.
        name : str     ``mean``, ``p50``, ``p90`` or ``p99``.

        Returns
        -------
        array   Percentiles grow with their share and never fall below what every request takes.
                [s]

        Notes
        -----
        A TTFT varies by what `Waits` says. A TPOT's 99th percentile is a fixed multiple of its mean
        (`Scheduling.gap_tail`), with a lognormal between.
        """
        mean = getattr(self, f"{metric}_s")
        if name == "mean":
            return mean
        share = PERCENTILES[name]
        if metric == "e2e":
            first = self.statistic("ttft", name) - self.ttft_s
            ratio = self.statistic("tpot", name) / self.tpot_s
            return self.ttft_s + first + (self.e2e_s - self.ttft_s) * ratio
        if metric == "ttft":
            return np.maximum(mean + self.waits.deviation_s(share), self.least_first_s)
        tail = scheduling().gap_tail
        return np.maximum(percentile_of_mean(mean, share, tail), self.least_gap_s)
