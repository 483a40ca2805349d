"""What an object with an `answer` shares with every answer: text, HTML, JSON, CSV, polars."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars

    from ridgeline.answers.answer import Answer

__all__ = ["Answered"]


class Answered:
    """Base of questions' own results, which compute more than an `Answer` holds."""

    @property
    def answer(self) -> Answer:
        """The same as one `Answer`: sentences, tables, values, charts, notes, provenance."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Title and sentences, below 1 kB."""
        return repr(self.answer)

    def __str__(self) -> str:
        """All sentences, one per line."""
        return str(self.answer)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.answer._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain nested dicts and lists: see `Answer.to_dict`; some have more keys."""
        return self.answer.to_dict()

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as strict JSON: see `Answer.to_json`."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self) -> str:
        """The main table as CSV: see `Answer.to_csv`."""
        return self.answer.to_csv()

    def to_polars(self) -> polars.DataFrame:
        """The main table as a polars frame: see `Answer.to_polars`."""
        return self.answer.to_polars()
