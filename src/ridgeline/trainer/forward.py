"""Forward passes alone, as log-probabilities need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.steps.training_count import column
from ridgeline.trainer.pipeline import schedule_s
from ridgeline.trainer.state import SHARDS_PARAMETERS
from ridgeline.trainer.step import TimedJob, job_seconds
from ridgeline.trainer.utilization import passes_over_weights

if TYPE_CHECKING:
    from ridgeline.trainer.job import TrainingJob

__all__ = ["job_forward_seconds"]


def job_forward_seconds(job: TrainingJob) -> Any:
    """Time of a step's forward passes alone.

    Parameters
    ----------
    job : TrainingJob   Its numbers may be 1-D arrays, a row each.

    Returns
    -------
    array   All micro-batches through all stages, once, with the gathers of parameters that ranks
            share out and the stragglers' share; neither gradients nor an optimizer follow. Chunks
            of a stage pass as one. [s]
    """
    if job.reading == "blackboard":
        return job_seconds(job) / passes_over_weights(job)
    timed = TimedJob(job)
    forward = timed.passes.forward_s + column(timed.effects["micro_batch_s"])
    none = 0.0 * forward
    # A flow shop of two ways, the second of which takes no time: half of the hops are too many.
    hop = timed.hop_s / 2
    pp, m = job.layout.pp, timed.micro_batches
    one_way = schedule_s("gpipe", pp, m, 1, forward, none, none, hop)
    # What is gathered once a step is new weights after an update, but for ZeRO 3.
    once = timed.sent.gather_s * (column(job.layout.zero) == SHARDS_PARAMETERS)
    every = timed.sent.each_forward_s
    if job.reading == "calibrated":
        window = timed.passes.forward_s
        exposed = timed.exposed(once, window) + column(m) * timed.exposed(every, window)
        whole = one_way + np.max(exposed, axis=-1)
    else:
        whole = np.maximum(one_way, np.max(once + column(m) * every, axis=-1))
    return whole * (1 + timed.straggler_share)
