"""Training: one optimizer step of a model on a machine, and the run that it is a step of."""

from ridgeline.questions.training.answer import Training
from ridgeline.questions.training.pictures import PICTURES
from ridgeline.questions.training.question import train, training

__all__ = ["PICTURES", "Training", "train", "training"]
