"""Fit both halves of a training step, its time and its memory, to the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.errors import RidgelineError
from ridgeline.fidelity.training.calibrate import calibrate_training
from ridgeline.fidelity.training.fit_memory import fit_memory
from ridgeline.fidelity.training.predict import Fitted
from ridgeline.specs.constants import EngineConstants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.fidelity.training.runs import TrainingRow

__all__ = ["fit_training"]


def fit_training(
    rows: Sequence[TrainingRow], start: Fitted | None = None, *, scattered: bool = True
) -> Fitted:
    """Fit all constants to rows that may tell of time, of memory, or of both.

    Parameters
    ----------
    rows : sequence of TrainingRow
    start : Fitted or None   Where to begin; without, at what is expected beforehand.
    scattered : bool         See `calibrate_training`.
    """
    try:
        step = calibrate_training(rows, start.step if start else None, scattered=scattered)
    except RidgelineError:  # no row of time among them
        step = EngineConstants(id="training")
    return Fitted(step, fit_memory(rows, start.memory if start else None))
