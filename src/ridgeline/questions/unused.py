"""Options that an answer would not use: refused by name, rather than left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.errors import SpecError
from ridgeline.specs.workload import DEFAULT_HEADROOM

if TYPE_CHECKING:
    from ridgeline.specs.scenario import Scenario

__all__ = ["refuse_unused"]


def refuse_unused(scenario: Scenario) -> None:
    """Refuse options that change nothing beside the others.

    Parameters
    ----------
    scenario : Scenario

    Raises
    ------
    SpecError   One sentence for each.
    """
    load, price = scenario.workload, scenario.price
    found = []
    if load.acceptance is not None and not load.drafts:
        found.append("acceptance applies only to drafted tokens: give drafts (--drafts), too.")
    if load.headroom != DEFAULT_HEADROOM and load.arrival != "open":
        found.append(
            "headroom applies only to a fleet sized for a rate: give a rate (--rate), too."
        )
    if load.n_requests is not None and load.arrival != "offline":
        found.append(
            "n_requests (--n-requests) applies only to a queue that is worked off: give arrival "
            f"offline (--arrival), not {load.arrival}, or leave it out."
        )
    if scenario.engine.constants is not None and scenario.reading in ("ideal", "blackboard"):
        found.append(
            f"constants (--constants) are of the calibrated reading, not of the {scenario.reading}"
            " one: leave one of the two out."
        )
    if price.usd_per_chip_hour is not None:
        found += [
            f"price (--price) is used whatever {name} (--{name}) says: give one of the two."
            for name, value in (("basis", price.basis), ("prices", price.prices))
            if value is not None
        ]
    if found:
        raise SpecError("\n".join(found))
