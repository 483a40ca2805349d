"""What is said of drafts: where their acceptance is from, and what drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgeline.catalog import drafting

if TYPE_CHECKING:
    from ridgeline.specs.model import Model
    from ridgeline.specs.workload import Workload

__all__ = ["draft_words"]


def draft_words(model: Model, load: Workload) -> list[str]:
    """Say what was assumed of drafts, a sentence each; nothing where there are none.

    Parameters
    ----------
    model : Model
    load : Workload   With its drafts and, where it is stated, their acceptance.
    """
    found = drafting(model, load.drafts, load.acceptance)
    return [f"{clause[0].upper()}{clause[1:]}." for clause in found.said]
