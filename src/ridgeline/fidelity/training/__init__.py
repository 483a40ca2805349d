"""Measured training runs: read, predicted, scored, and what is fitted to them."""

from ridgeline.fidelity.training.columns import is_training_table
from ridgeline.fidelity.training.reading import read_training
from ridgeline.fidelity.training.runs import TrainingRow, TrainingRun

__all__ = ["TrainingRow", "TrainingRun", "is_training_table", "read_training"]
