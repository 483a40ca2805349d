"""How unsure a time is because a machine's own numbers are estimates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.cluster import Cluster

__all__ = ["Z80", "estimated_rates", "input_log_variance"]

#: half-width of an 80 % interval, in standard deviations; low and high of an estimate are one, too
Z80 = 1.2816
_NUDGE = 0.01
#: numbers that times depend on
_RATES = ("chip.memory.bandwidth", "chip.peak.", "link", "scale_out")


def estimated_rates(cluster: Cluster) -> dict[str, float]:
    """Rates of a machine that are estimates, with the standard deviation of their logarithm.

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    dict   Dotted path from the cluster to sigma, for numbers whose source gives a range. [1]

    Examples
    --------
    >>> from ridgeline.catalog import cluster
    >>> estimated_rates(cluster("hgx-h100"))
    {}
    """
    sources = {f"chip.{path}": s for path, s in cluster.chip.sources.items()} | cluster.sources
    return {
        path: math.log(s.high / s.low) / (2 * Z80)
        for path, s in sources.items()
        if path.startswith(_RATES) and s.low and s.high and s.high > s.low
    }


def input_log_variance(cluster: Cluster, time_of: Callable[[Cluster], Any], time_s: Any) -> Any:
    r"""Variance of ln(time) from estimated rates.

    .. math:: \sum_x \left(\frac{\partial \ln t}{\partial \ln x}\,\sigma_x\right)^2

    Parameters
    ----------
    cluster : Cluster
    time_of : callable   The time on another cluster. [s]
    time_s : array       The time on this one. [s]

    Returns
    -------
    array   0 where nothing is estimated. [1]

    Notes
    -----
    Slopes by a nudge of one in a hundred; estimates are taken as independent.
    """
    variance: Any = 0.0
    for path, sigma in estimated_rates(cluster).items():
        value = _value(cluster, path)
        nudged = bound({"cluster": cluster}, {f"cluster.{path}": value * (1 + _NUDGE)})["cluster"]
        slope = (time_of(nudged) - time_s) / time_s / _NUDGE
        variance = variance + (slope * sigma) ** 2
    return variance


def _value(cluster: Cluster, path: str) -> float:
    found: Any = cluster
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found
