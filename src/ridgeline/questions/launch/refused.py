"""What another layout may mend, apart from what no layout does."""

from __future__ import annotations

from ridgeline.errors import InfeasibleError

__all__ = ["LayoutError", "NoneRunsError"]


class LayoutError(InfeasibleError):
    """An engine, or a deployment tool, cannot start a layout, and may start another.

    Attributes
    ----------
    why : str   The reason, without advice.
    """

    def __init__(self, why: str, helps: str = "Choose another layout, or another engine.") -> None:
        super().__init__(f"{why}. {helps}")
        self.why = why


class NoneRunsError(InfeasibleError):
    """None of the layouts found can be started, each for a reason of its own."""
