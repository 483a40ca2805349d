"""Questions about serving a model."""

from ridgeline.questions.prices import choose_price
from ridgeline.questions.serving.answer import Serving
from ridgeline.questions.serving.compare import Comparison, compare_served
from ridgeline.questions.serving.question import serve, serving

__all__ = ["Comparison", "Serving", "choose_price", "compare_served", "serve", "serving"]
