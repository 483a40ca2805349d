"""Every way to lay a training job out over chips: which there are, which fits, which is best."""

from ridgeline.questions.training_layouts.answer import TrainingLayouts
from ridgeline.questions.training_layouts.question import search_training, training_layouts

__all__ = ["TrainingLayouts", "search_training", "training_layouts"]
