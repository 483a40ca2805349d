"""What a benchmark's launch scripts set, where its results do not say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ridgeline.specs.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Campaign"]


class Campaign(Record):
    """Runs of one benchmark, started by the same scripts.

    Attributes
    ----------
    mark : str           How the notes of its runs begin.
    settings : mapping   Engine to fields of its record and what they are set to.
    warm_since : str     Day from which its servers have served requests before the measured ones.
    why : str            Where this is known from.
    """

    id: str
    mark: str
    settings: dict[str, dict[str, float]] = Field(default_factory=dict)
    warm_since: str = ""
    why: str

    def is_of(self, notes: Iterable[str]) -> bool:
        """Whether notes are of one of its runs.

        Examples
        --------
        >>> Campaign(id="x", mark="X run", why="").is_of(["rounded", "x run, nominal 1024/1024"])
        True
        """
        return any(note.casefold().startswith(self.mark.casefold()) for note in notes)
