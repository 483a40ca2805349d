"""Training against the number of chips: what more of them buy, and where they buy no more."""

from ridgeline.questions.scaling.answer import Scaling
from ridgeline.questions.scaling.question import KINDS, scale, scaling

__all__ = ["KINDS", "Scaling", "scale", "scaling"]
