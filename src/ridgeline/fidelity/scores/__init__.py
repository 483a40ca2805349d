"""Predictions against measurements: the scoreboard, folds, the noise floor, files and pages."""

from ridgeline.fidelity.scores.aside import SetAside, read_set_aside
from ridgeline.fidelity.scores.noise_floor import noise
from ridgeline.fidelity.scores.predictions import PredictionLines
from ridgeline.fidelity.scores.scoreboard import BY, Scores
from ridgeline.fidelity.scores.scoring import Scored, answered, score_chunk, score_chunks
from ridgeline.fidelity.scores.splits import LEAVE_OUT, Fold, Unseen, folds, leave_out

__all__ = [
    "BY",
    "LEAVE_OUT",
    "Fold",
    "PredictionLines",
    "Scored",
    "Scores",
    "SetAside",
    "Unseen",
    "answered",
    "folds",
    "leave_out",
    "noise",
    "read_set_aside",
    "score_chunk",
    "score_chunks",
]
