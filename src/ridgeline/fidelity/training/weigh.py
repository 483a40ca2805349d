"""Memory of measured training runs: as it was read, and whether it would have fitted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.trainer.groups import grouped
from ridgeline.trainer.memory import job_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun
    from ridgeline.specs.training_memory import MemoryConstants
    from ridgeline.trainer.memory import MeasuredAs

    Floats = NDArray[np.float64]

__all__ = ["MEMORY_METRICS", "READINGS", "measured_as", "reading_of", "weighed"]

MEMORY_METRICS = (
    "peak_memory_bytes", "activation_memory_bytes", "param_optimizer_memory_bytes", "oom",
)  # fmt: skip
#: what is worked out of each run, in the order of columns
READINGS = ("allocated", "reserved", "device", "activations", "state", "fails", "sigma")

_DEVICE = re.compile(r"nvidia-smi|rocm-smi|device-level", re.IGNORECASE)
#: torchtitan's log prints what its allocator reserved at most
_RESERVED = re.compile(
    r"peak reserved|max reserved|memory_reserved|reserved per torchtitan", re.IGNORECASE
)
_OF_DEVICES = ("primus",)
_STATE = ("parameters", "master", "gradients", "optimizer")


def measured_as(run: TrainingRun) -> MeasuredAs:
    """What the source read: the device, what the allocator reserved, or what was allocated."""
    if _RESERVED.search(run.notes):
        return "reserved"
    if _DEVICE.search(run.notes) or run.engine in _OF_DEVICES:
        return "device"
    return "allocated"


def weighed(runs: Sequence[TrainingRun], constants: MemoryConstants | None = None) -> Floats:
    """Memory of each run, a column each of `READINGS`.

    Returns
    -------
    array of shape (runs, readings)   Bytes at the peak, as they are read; activations and state of
                                      the first stage; the probability that it fails; sigma of ln.
    """
    found = np.empty((len(runs), len(READINGS)))
    for group in grouped([run.job for run in runs]):
        memory = job_memory(group.job, constants)
        parts = memory.parts_bytes
        columns = (
            *(memory.peak_bytes(kind) for kind in ("allocated", "reserved", "device")),
            parts["activations"][:, 0],
            np.sum([parts[name][:, 0] for name in _STATE], axis=0),
            1 - memory.fits_probability,
            memory.reading_sigma,
        )
        for j, column in enumerate(columns):
            found[group.places, j] = column
    return found


def reading_of(row: TrainingRow) -> str:
    """Which of `READINGS` a row's metric is."""
    assert row.run is not None
    if row.metric == "activation_memory_bytes":
        return "activations"
    if row.metric == "param_optimizer_memory_bytes":
        return "state"
    return "fails" if row.metric == "oom" else measured_as(row.run)
