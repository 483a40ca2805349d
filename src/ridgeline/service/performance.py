"""What requests experience and what a replica gives, in steady state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.laws.queueing import percentile_of_mean

if TYPE_CHECKING:
    from ridgeline.specs.limits import Limits

__all__ = ["PERCENTILES", "TAIL_FIRST", "TAIL_GAP", "Performance"]

#: 99th percentile over the mean under latency limits, as queues near saturation have it
TAIL_FIRST, TAIL_GAP = 2.0, 1.2
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


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
    least_first_s, least_gap_s : array   No request sees less: its own prompt, a bare step. [s]
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
        99th percentiles are twice the mean of TTFT and 1.2 times that of TPOT, with a lognormal
        between: what MLPerf's limits show of servers near saturation. Idle servers have less.
        """
        mean = getattr(self, f"{metric}_s")
        if name == "mean":
            return mean
        share = PERCENTILES[name]
        if metric == "e2e":
            first = self.statistic("ttft", name) - self.ttft_s
            ratio = self.statistic("tpot", name) / self.tpot_s
            return self.ttft_s + first + (self.e2e_s - self.ttft_s) * ratio
        tail = TAIL_FIRST if metric == "ttft" else TAIL_GAP
        least = self.least_first_s if metric == "ttft" else self.least_gap_s
        return np.maximum(percentile_of_mean(mean, share, tail), least)
