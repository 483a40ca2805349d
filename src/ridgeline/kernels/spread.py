"""How unsure an answer is: effects not known where it is asked, and rates that are estimates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.kernels.extrapolation import extrapolation_sigma
from ridgeline.kernels.links import between_machines_sigma
from ridgeline.steps.bind import bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.specs.cluster import Cluster

__all__ = ["Z80", "estimated_rates", "log_variance"]

#: half-width of an 80% interval, in standard deviations; low and high of an estimate are one, too
Z80 = 1.2816
_NUDGE = 0.001
#: numbers that times depend on
_RATES = ("chip.memory.bandwidth", "chip.peak.", "link", "scale_out")


def estimated_rates(cluster: Cluster) -> dict[str, Any]:
    """Rates of a machine that are estimates, with the standard deviation of their logarithm.

    The rate between cards on PCIe is one: it differs from machine to machine.

    Parameters
    ----------
    cluster : Cluster

    Returns
    -------
    dict   Dotted path from the cluster to sigma, for numbers whose source gives a range, and for
           the link of cards on PCIe. [1]

    Examples
    --------
    >>> from ridgeline.catalog import cluster
    >>> estimated_rates(cluster("hgx-h100"))
    {}
    """
    sources = {f"chip.{path}": s for path, s in cluster.chip.sources.items()} | cluster.sources
    found = {
        path: math.log(s.high / s.low) / (2 * Z80)
        for path, s in sources.items()
        if path.startswith(_RATES) and s.low and s.high and s.high > s.low
    }
    machines = between_machines_sigma(cluster)
    if np.any(machines > 0):
        found["link"] = np.hypot(found.get("link", 0.0), machines)
    return found


def log_variance(cal: Calibration, value_of: Callable[[Calibration], Any], value: Any) -> Any:
    r"""Variance of the logarithm of anything that rests on a calibration.

    .. math:: \sum_x \left(\frac{\partial \ln y}{\partial \ln x}\,\sigma_x\right)^2

    Over the engine's effects, as far as they are not known at the machine's and engine's scopes,
    and over rates of the machine that are estimates; and for a chip unlike those measured, what
    extrapolating the laws to it adds.

    Parameters
    ----------
    cal : Calibration
    value_of : callable   The value under another calibration.
    value : array         The value under this one.

    Returns
    -------
    array   0 where nothing is unknown. [1]

    Notes
    -----
    Slopes by a small nudge of each; unknowns are taken as independent.
    """
    variance: Any = extrapolation_sigma(cal.cluster.chip) ** 2
    for name, sigma in cal.effect_sigmas.items():
        if sigma > 0:
            moved = value_of(cal.with_effect(name, 1 - _NUDGE))
            variance = variance + (_slope(moved, value, -_NUDGE) * sigma) ** 2
    for path, sigma in estimated_rates(cal.cluster).items():
        rate = _value(cal.cluster, path) * (1 + _NUDGE)
        nudged = bound({"cluster": cal.cluster}, {f"cluster.{path}": rate})["cluster"]
        variance = variance + (_slope(value_of(cal.on(nudged)), value, _NUDGE) * sigma) ** 2
    return variance


def _slope(moved: Any, value: Any, nudge: float) -> Any:
    """D ln y / d ln x; 0 where there is no value."""
    value = np.asarray(value, dtype=float)
    there = np.isfinite(value) & (value > 0)
    safe = np.where(there, value, 1.0)
    return np.where(there, (np.where(there, moved, safe) - safe) / safe / nudge, 0.0)


def _value(cluster: Cluster, path: str) -> float:
    found: Any = cluster
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found
