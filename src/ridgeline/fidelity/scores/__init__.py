"""Predictions against measurements: the scoreboard, folds, the noise floor, files and pages."""

from ridgeline.fidelity.scores.noise_floor import noise
from ridgeline.fidelity.scores.predictions import PredictionLines
from ridgeline.fidelity.scores.scoreboard import BY, Scores
from ridgeline.fidelity.scores.scoring import Scored, answered, score_chunks
from ridgeline.fidelity.scores.splits import LEAVE_OUT, folds, leave_out

__all__ = [
    "BY",
    "LEAVE_OUT",
    "PredictionLines",
    "Scored",
    "Scores",
    "answered",
    "folds",
    "leave_out",
    "noise",
    "score_chunks",
]
