"""Releases of a program that run alike, and which of them a version or a date means."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import Field

from ridgeline.specs.quantities import PositiveCount
from ridgeline.specs.record import Record

__all__ = ["Assumed", "Era", "HasEras"]

#: ages of engines: static batches and first servers; paged caches in all; graphs of all steps
_OLDEST, _NEWEST = 2023, 2025
#: ISO, to the day or less; empty where it is not known
_DATE = r"^(\d{4}(-\d{2}){0,2})?$"


class Assumed(Record):
    """An effect that no fit has measured there, from physics or from published figures.

    Attributes
    ----------
    value, sigma : float   In place of what the fit says; standard deviation on the log scale.
    vendor : str           Whose chips it is meant for; empty for all.
    why : str              Where it comes from.
    """

    value: float = Field(gt=0)
    sigma: float = Field(ge=0)
    vendor: str = ""
    why: str


class Era(Record):
    """Releases of an engine that run alike.

    Attributes
    ----------
    follows : str             Earlier era whose fitted factors stand in for its own.
    assumed : mapping         Effect to what is taken for it, where no fit has measured it.
    versions : tuple of str   Patterns (``0.9*``) of how tables write its versions.
    since : str               Date from which a run without a version is taken for it.
    max_sequences : int       Sequences of a rank at most, where releases differ in it.
    """

    id: str
    follows: str = ""
    assumed: dict[str, Assumed] = Field(default_factory=dict)
    versions: tuple[str, ...] = ()
    since: str = Field(default="", pattern=_DATE)
    max_sequences: PositiveCount | None = None

    @property
    def age(self) -> str:
        """Years whose engines have much in common; empty where it is not known.

        Examples
        --------
        >>> Era(id="x", since="2023-06").age, Era(id="y", since="2026-01").age
        ('2023', '2025')
        """
        return str(min(max(int(self.since[:4]), _OLDEST), _NEWEST)) if self.since else ""


class HasEras(Record):
    """A program with releases: a serving engine, a training framework.

    Attributes
    ----------
    eras : tuple of Era   Oldest first; the first whose pattern fits a version is meant.
    since : str           Date of the releases, where all run alike.
    """

    #: what it is, as the level of its own in effects
    kind: ClassVar[str] = "engine"

    id: str
    eras: tuple[Era, ...] = ()
    since: str = Field(default="", pattern=_DATE)

    def knows(self, version: str) -> bool:
        """Whether a version is of one of the engine's eras; any is, where it has none."""
        wanted = version.strip().casefold()
        patterns = [p.casefold() for era in self.eras for p in era.versions]
        return not patterns or any(fnmatchcase(wanted, p) for p in patterns)

    def era(self, version: str = "", date: str = "") -> Era:
        """The era of a version; without one, of a date; without either, the newest.

        Parameters
        ----------
        version : str   As a table writes it.
        date : str      ISO.

        Returns
        -------
        Era   One named like the engine where it has none; the oldest of a date before all. A
              version whose next era began two calendar years before is that of something around
              the engine: then the date decides.
        """
        if not self.eras:
            return Era(id=self.id, since=self.since)
        wanted = version.strip().casefold()
        for i, era in enumerate(self.eras):
            if wanted and any(fnmatchcase(wanted, p.casefold()) for p in era.versions):
                if not _is_long_past(self.eras[i + 1 :], date):
                    return era
                break
        dated = [e for e in self.eras if e.since]
        past = [e for e in dated if date and e.since <= date]
        return past[-1] if past else dated[0] if date and dated else self.eras[-1]


def _is_long_past(later: tuple[Era, ...], date: str) -> bool:
    """Whether a date is two calendar years or more after that in which the next era began."""
    since = next((era.since for era in later if era.since), "")
    year = date[:4]
    return bool(since) and year.isdecimal() and int(year) - int(since[:4]) > 1
