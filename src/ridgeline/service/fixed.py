"""Fixed batches: sequences that start together, in as many rounds as memory asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ridgeline.laws.scheduling import fill_share

__all__ = ["GAUSS", "Batch", "batch_time", "prompt_fill"]

#: where two points integrate a context that grows evenly over the output
GAUSS = (0.21132487, 0.78867513)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a fixed batch takes; arrays over cases. [s], [1/s]

    Attributes
    ----------
    ttft_s, tpot_s, e2e_s : array   Its prompts; between tokens; all of it, every round. [s]
    requests_per_s : array          Of the replica. [1/s]
    """

    ttft_s: Any
    tpot_s: Any
    e2e_s: Any
    requests_per_s: Any


def batch_time(first_s: Any, gap_s: Any, osl: Any, rounds: Any, batch: Any) -> Batch:
    """Prompts, then tokens one by one, in rounds.

    Parameters
    ----------
    first_s, gap_s : array   A round's prompts; time between tokens. [s]
    osl : array              Output tokens of each sequence. [tokens]
    rounds : array           In which the batch runs: see `laws.scheduling.rounds`. [1]
    batch : array            Sequences of the replica. [1]
    """
    total = rounds * (first_s + np.maximum(osl - 1, 0) * gap_s)
    rate = np.divide(batch, total, where=np.asarray(total) > 0, out=np.zeros_like(total * 1.0))
    return Batch(first_s, gap_s, total, rate)


def prompt_fill(n: float, isl: float, stages: int, prompt_chunk: int) -> float:
    """Share of its time on the stages in turn that a batch's prompts take through a pipeline.

    Parameters
    ----------
    n : float            Prompts of a round. [1]
    isl : float          Tokens of each. [tokens]
    stages : int         Pipeline stages. [1]
    prompt_chunk : int   Tokens in which a prompt passes them; 0 is in one piece. [tokens]
    """
    if stages == 1 or isl <= 0:
        return 1.0
    if prompt_chunk:
        return float(fill_share(-(-isl // prompt_chunk), stages))
    # The count is of one part of the batch on its way through all stages.
    return float(fill_share(stages, stages)) * stages if n >= stages else 1.0
