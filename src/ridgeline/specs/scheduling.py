"""How clients load a server and engines share it, where nobody says."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.record import Record

__all__ = ["Scheduling"]


class Scheduling(Record):
    """Numbers of a service that are neither of the chip nor of the model.

    Attributes
    ----------
    requests_per_place : float   Requests of a closed loop for each kept in flight. [1]
    requests_per_run : float     Requests of any other run. [1]
    steady_share : float         Share of its capacity at which a server under limits is run. [1]
    gap_tail : float             99th percentile over mean of the time per token. [1]
    chance_sigma : float         Standard deviation of ln of the share that a median waits for.
    pools_sigma : float          Standard deviation of ln(time) that two pools add, to which nothing
                                 was fitted. [1]
    why : mapping                Field to what its value rests on.
    """

    id: str
    requests_per_place: float = Field(gt=1)
    requests_per_run: float = Field(ge=1)
    steady_share: float = Field(gt=0, le=1)
    gap_tail: float = Field(ge=1)
    chance_sigma: float = Field(ge=0)
    pools_sigma: float = Field(ge=0)
    why: dict[str, str] = Field(default_factory=dict)
