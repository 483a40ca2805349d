"""Which layout serves a model best: all of them at all batches, ranked, with reasons."""

from ridgeline.questions.layouts.answer import Layouts
from ridgeline.questions.layouts.fleet import Fleet, fleet, fleets
from ridgeline.questions.layouts.question import layouts, search_layouts

__all__ = ["Fleet", "Layouts", "fleet", "fleets", "layouts", "search_layouts"]
