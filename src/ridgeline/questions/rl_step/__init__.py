"""One step of reinforcement learning: generation, log-probabilities, updates, new weights."""

from ridgeline.questions.rl_step.answer import RLStep
from ridgeline.questions.rl_step.question import ask, rl_step

__all__ = ["RLStep", "ask", "rl_step"]
