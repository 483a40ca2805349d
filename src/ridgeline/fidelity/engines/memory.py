"""Memory of an engine's process on one chip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ridgeline.fidelity.engines.assumptions import assume
from ridgeline.fidelity.runs import OK, Prediction
from ridgeline.kernels.spread import Z80
from ridgeline.specs.constants import Process
from ridgeline.steps.memory import memory_per_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.runs import Row, Run
    from ridgeline.specs.constants import EngineConstants

__all__ = ["fit_process", "process_bytes"]

_ACTIVATION_BYTES = 2
#: what one fit to few models cannot tell
_LEAST_SIGMA = 0.1
_DIGITS = 4
_FEWEST = 2
#: a driver's context and the libraries of a framework take some gigabytes
_EXPECTED = Process(runtime_bytes=2e9, activation_copies=10, sigma=0.4)


def fit_process(rows: Sequence[Row]) -> Process:
    """Fit what a process takes besides weights and caches, by least squares of relative errors.

    Parameters
    ----------
    rows : sequence of Row   With values; those of other metrics are not looked at.

    Returns
    -------
    Process   What is expected beforehand where fewer than two rows measure memory.
    """
    told = [r for r in rows if r.metric == "memory_bytes" and r.run and r.run.model.blocks]
    if len(told) < _FEWEST:
        return _EXPECTED
    measured = np.array([float(r.value or 0.0) for r in told])
    held, per_copy = np.array([_held_bytes(r.run) for r in told if r.run]).T
    columns = np.stack([np.ones_like(held), per_copy], axis=1) / measured[:, None]
    found, *_ = np.linalg.lstsq(columns, (measured - held) / measured, rcond=None)
    runtime, copies = (max(float(f"{x:.{_DIGITS}g}"), 0.0) for x in found)
    residual = np.log((held + runtime + copies * per_copy) / measured)
    return Process(
        runtime_bytes=runtime,
        activation_copies=copies,
        sigma=round(max(float(residual.std()), _LEAST_SIGMA), 3),
        n_rows=len(told),
        sources=tuple(sorted({r.run.source for r in told if r.run})),
    )


def _held_bytes(run: Run) -> tuple[float, float]:
    """Weights with caches at their longest, and a vector of each prompt token. [bytes]"""
    layout = assume(run)[0].layout
    batch = (run.batch or 1.0) / layout.replicas
    isl = run.isl or 0.0
    drafts = run.drafting.drafts > 0
    held = memory_per_chip(run.model, layout, isl + (run.osl or 0.0), drafts=drafts)
    vectors = batch * isl * float(run.model.d_model or 0) * _ACTIVATION_BYTES
    return float(held.total_bytes(batch)), vectors


def process_bytes(run: Run, constants: EngineConstants) -> Prediction:
    """Weights, caches of all sequences at their longest, activations of prompts, the runtime.

    Parameters
    ----------
    run : Run                     With a batch and lengths.
    constants : EngineConstants   Where they hold none of a process, it is as expected.

    Returns
    -------
    Prediction   [bytes]
    """
    if not run.model.blocks:
        nothing = math.nan
        return Prediction(
            nothing, nothing, nothing, "no-shape", "The model is known by its counts."
        )
    process = constants.process or _EXPECTED
    held, per_copy = _held_bytes(run)
    value = held + process.runtime_bytes + process.activation_copies * per_copy
    reach = math.exp(Z80 * process.sigma)
    return Prediction(value, value / reach, value * reach, OK, "; ".join(assume(run)[0].said))
