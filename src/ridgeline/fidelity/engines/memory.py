"""Memory of an engine's process on one chip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ridgeline.fidelity.engines.assumptions import assume
from ridgeline.fidelity.engines.scatter import Z80
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from ridgeline.fidelity.runs import Run

__all__ = ["process_bytes"]

#: what runtime, libraries and workspaces take: read off no measured row
_RUNTIME_BYTES = 1.5e9
_SIGMA = 0.2


def process_bytes(run: Run) -> Prediction:
    """Weights, caches of all sequences at their longest, and the runtime. [bytes]

    Parameters
    ----------
    run : Run   With a batch and lengths.
    """
    if not run.model.blocks:
        nothing = math.nan
        return Prediction(
            nothing, nothing, nothing, "no-shape", "The model is known by its counts."
        )
    case = assume(run)[0]
    context = (run.isl or 0.0) + (run.osl or 0.0)
    held = memory_per_chip(run.model, case.layout, context)
    batch = (run.batch or 1.0) / case.layout.replicas
    value = float(held.total_bytes(batch)) + _RUNTIME_BYTES
    reach = math.exp(Z80 * _SIGMA)
    return Prediction(value, value / reach, value * reach, OK, "; ".join(case.said))
