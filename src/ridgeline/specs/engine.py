"""What an engine adds to a step besides kernels."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.quantities import Seconds
from ridgeline.specs.record import Sourced

__all__ = ["Engine"]


class Engine(Sourced):
    """Scheduling and host work of a serving engine.

    Attributes
    ----------
    host_s : s
        Time of a step in which the chips wait for the host: scheduling, sampling, bookkeeping.
    release_scatter : float
        Standard deviation of ln(step time) between releases and set-ups of good engines: no
        prediction that does not know them can be surer.
    """

    id: str
    host_s: Seconds
    release_scatter: float = Field(ge=0, le=1)
    notes: str = ""
