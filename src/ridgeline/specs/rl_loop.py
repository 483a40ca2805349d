"""What a loop of reinforcement learning adds to an engine and a framework by themselves."""

from __future__ import annotations

from pydantic import Field

from ridgeline.specs.record import Record

__all__ = ["RLLoop"]


class RLLoop(Record):
    """Factors of the calibrated reading, fitted to published steps; lower bounds take none.

    Attributes
    ----------
    generation : float            Time of generation over that of a tuned server. [1]
    training : float              Time of passes over samples over that of the same in a tuned
                                  pre-training run. [1]
    host_copy_bytes_per_s : float   Rate at which a chip's state goes to its host, or comes back,
                                  where both sides share the chip. [bytes/s]
    matrix_s : float              Host's time for each weight matrix that is given anew to an engine
                                  on the same chips. [s]
    scatter : float               Standard deviation of ln(predicted / measured) on steps that no
                                  factor was fitted to. [1]
    why : mapping                 Field to what its value rests on.
    """

    id: str
    generation: float = Field(gt=0)
    training: float = Field(gt=0)
    host_copy_bytes_per_s: float = Field(gt=0)
    matrix_s: float = Field(ge=0)
    scatter: float = Field(ge=0)
    why: dict[str, str] = Field(default_factory=dict)
