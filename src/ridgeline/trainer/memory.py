"""What a chip holds in a training step: by part, on each stage, at its peak."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ridgeline.errors import SpecError
from ridgeline.steps.machine import chip_capacity_bytes
from ridgeline.trainer.held import MEMORY_PARTS, Held
from ridgeline.trainer.timeline import timeline

if TYPE_CHECKING:
    from ridgeline.specs.training_memory import MemoryConstants
    from ridgeline.trainer.job import TrainingJob

__all__ = [
    "LIKELY",
    "MEMORY_PARTS",
    "SURE",
    "MeasuredAs",
    "TrainingMemory",
    "job_memory",
    "memory_over_time",
]

#: what a reading counts: tensors, what the allocator holds, what the device shows
MeasuredAs = Literal["allocated", "reserved", "device"]

#: probabilities that memory suffices: from which on a job is expected to run, and from which on
#: one is chosen or proposed
LIKELY, SURE = 0.5, 0.9

_LEFT_OUT: dict[MeasuredAs, tuple[str, ...]] = {
    "allocated": ("fragmentation", "context"),
    "reserved": ("context",),
    "device": (),
}
_ERF: Any = np.frompyfunc(erf, 1, 1)
#: of a step, what is shorter than this is no time at all
_INSTANT = 1e-9


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Bytes that a chip holds at the peak of a step; arrays have a row for each job.

    Attributes
    ----------
    parts_bytes : mapping      By `MEMORY_PARTS`, arrays of shape (rows, stages). [bytes]
    capacity_bytes : float     Of a chip. [bytes]
    reclaimable_bytes : array  Of fragmentation, what the allocator gets back when it is short, of
                               shape (rows, stages). [bytes]
    kept_back_bytes : array    The same that it does not get back. [bytes]
    sigma : float              Of ln(predicted / needed). [1]
    reading_sigma : float      Of ln(predicted / measured) peaks. [1]
    """

    parts_bytes: dict[str, Any]
    capacity_bytes: float
    reclaimable_bytes: Any
    kept_back_bytes: Any
    sigma: float
    reading_sigma: float

    def stages_bytes(self, measured_as: MeasuredAs = "device") -> Any:
        """All parts of each stage. Shape (rows, stages). [bytes]"""
        left_out = _LEFT_OUT[measured_as]
        found = sum(v for part, v in self.parts_bytes.items() if part not in left_out)
        if measured_as == "allocated":
            return found
        # What would be more than a chip has is given back as far as it can be.
        over = sum(self.parts_bytes.values()) - self.capacity_bytes
        return found - np.clip(over, 0.0, self.reclaimable_bytes)

    def peak_bytes(self, measured_as: MeasuredAs = "device") -> Any:
        """Of the fullest stage. Shape (rows,). [bytes]"""
        return np.max(self.stages_bytes(measured_as), axis=-1)

    @property
    def stage(self) -> Any:
        """The fullest stage."""
        return np.argmax(self.stages_bytes(), axis=-1)

    @property
    def total_bytes(self) -> Any:
        """Of the fullest stage, as the device shows it. [bytes]"""
        return self.peak_bytes()

    def at_peak(self) -> dict[str, Any]:
        """Parts on the fullest stage. Shape (rows,). [bytes]"""
        at = self.stage[..., None]
        return {
            part: np.take_along_axis(value, at, axis=-1)[..., 0]
            for part, value in self.parts_bytes.items()
        }

    @property
    def _needed_bytes(self) -> Any:
        return sum(self.parts_bytes.values()) - self.reclaimable_bytes

    @property
    def needed_bytes(self) -> Any:
        """Of the fullest stage, without what the allocator gives back when it is short. [bytes]"""
        return np.max(self._needed_bytes, axis=-1)

    @property
    def margin_bytes(self) -> Any:
        """What is left of a chip; below 0, what is missing. [bytes]"""
        return self.capacity_bytes - self.needed_bytes

    @property
    def fits(self) -> Any:
        """Whether it is expected to run."""
        return self.margin_bytes >= 0

    @property
    def fits_probability(self) -> Any:
        """That it runs, its need being known but for a log-normal error. [1]

        What the allocator may give back is as uncertain as what it is taken to keep of it.
        """
        stages = self._needed_bytes
        kept = np.take_along_axis(
            self.kept_back_bytes / np.maximum(stages, 1.0),
            np.argmax(stages, axis=-1)[..., None],
            axis=-1,
        )[..., 0]
        z = np.log(self.capacity_bytes / self.needed_bytes) / np.hypot(self.sigma, kept)
        return 0.5 * (1 + _ERF(z / sqrt(2)).astype(float))


def job_memory(job: TrainingJob, constants: MemoryConstants | None = None) -> TrainingMemory:
    """What each stage's fullest chip holds at the peak of a step.

    Parameters
    ----------
    job : TrainingJob   Its numbers may be 1-D arrays, a row each.
    constants : MemoryConstants or None   Those of the catalogue where none are given.
    """
    held = Held(job, constants)
    capacity = chip_capacity_bytes(job.cluster.chip)
    back, unfreed = held.of("returned"), held.unfreed_bytes
    return TrainingMemory(
        held.parts(), capacity, unfreed * back, unfreed * (1 - back), held.of("sigma"),
        held.of("reading_sigma"),
    )  # fmt: skip


def memory_over_time(job: TrainingJob) -> list[list[tuple[float, float]]]:
    """What the fullest chip of each stage holds as its schedule runs.

    Parameters
    ----------
    job : TrainingJob   Of one row, of a reading that has passes: ``ideal`` or ``calibrated``.

    Returns
    -------
    list   For each stage, time and bytes from then on: ``(s, bytes)``, from the step's start to the
           end of its last pass. [s], [bytes]

    Notes
    -----
    State, workspaces and what is gathered are there all the time, activations as micro-batches come
    and go; logits and the working set while any of them is in flight.
    """
    from ridgeline.trainer.step import job_step  # noqa: PLC0415  (which weighs offloaded layers)

    passes = job_step(job).passes
    if passes is None:
        raise SpecError(
            "The blackboard has no passes, so no memory over time: choose reading ideal or "
            "calibrated."
        )
    found = job_memory(job)
    held = Held(job)
    one = found.parts_bytes
    chunks = int(held.schedule.chunks(job.layout.vp))
    run = timeline(
        job.schedule, int(job.layout.pp), int(job.micro_batches), passes.forward_s[0],
        passes.input_gradient_s[0], passes.weight_gradient_s[0], n_chunks=chunks,
    )  # fmt: skip
    rest = found.stages_bytes()[0] - one["activations"][0] * (1 + held.of("fragmentation"))
    moment = (one["logits"] + one["working"])[0] * (1 + held.of("fragmentation"))
    most = held.in_flight[0] * chunks
    each = one["activations"][0] * (1 + held.of("fragmentation")) / np.maximum(most, 1)
    return [
        [
            (t, float(rest[s] - moment[s] * (n == 0) + each[s] * min(n, most[s])))
            for t, n in _lasting([(0.0, 0), *run.in_flight[s]], float(run.time_s) * _INSTANT)
        ]
        for s in range(int(job.layout.pp))
    ]


def _lasting(steps: list[tuple[float, int]], least: float) -> list[tuple[float, int]]:
    """Steps without those that last no time but for rounding."""
    kept = [
        one
        for one, after in zip(steps, [*steps[1:], None], strict=True)
        if after is None or after[0] - one[0] > least
    ]
    return [one for i, one in enumerate(kept) if i == 0 or one[1] != kept[i - 1][1]]
