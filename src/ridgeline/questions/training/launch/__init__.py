"""How to start a training job that was timed: commands and configuration files of tools."""

from ridgeline.questions.training.launch.start import refused, start_training

__all__ = ["refused", "start_training"]
