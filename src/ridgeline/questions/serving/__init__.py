"""Questions about serving a model."""

from ridgeline.questions.prices import choose_price
from ridgeline.questions.serving.answer import Serving
from ridgeline.questions.serving.compare import compare, comparison_words
from ridgeline.questions.serving.question import serve, serving

__all__ = ["Serving", "choose_price", "compare", "comparison_words", "serve", "serving"]
