"""The answer to one question."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ridgeline.answers.html import answer_html
from ridgeline.answers.plain import plain
from ridgeline.errors import SpecError, there_is_no

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars

    from ridgeline.answers.table import Table
    from ridgeline.charts import Chart

__all__ = ["Answer"]

T = TypeVar("T")

#: an answer shown in a console never floods it
_LONGEST_REPR_BYTES = 1000
_LONGEST_LINE = 200


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What every question returns.

    Attributes
    ----------
    question : str                Name of the question: its command, and its function.
    title : str                   What the answer is about, in a few words.
    sentences : tuple of str      The answer in words, each with its numbers.
    tables : tuple of Table       The first is the main one.
    values : mapping              Single numbers by name, which carries their unit.
    charts : mapping              Name to a function that draws; nothing is drawn before.
    notes : tuple of str          What a careful reader should know.
    provenance : mapping          What was asked (model, machine, reading, price…) and the sources.

    Examples
    --------
    >>> import ridgeline as rl
    >>> answer = rl.generations(["h100-sxm", "gb200"])
    >>> round(answer.values["ratio_high"]), [t.name for t in answer.tables], list(answer.charts)
    (312, ['chips'], ['ladder'])
    """

    question: str
    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    charts: Mapping[str, Callable[[], Chart]] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [t.name for t in self.tables]
        assert len(set(names)) == len(names), f"tables of one name: {names}"

    def chart(self, name: str | None = None) -> Chart:
        """Draw a chart.

        Parameters
        ----------
        name : str or None   One of `charts`; None for the first.

        Raises
        ------
        SpecError   There is none, or none of that name.
        """
        if not self.charts:
            raise SpecError("This answer has nothing to draw: read the table.")
        return _named("chart", self.charts, name)()

    def table(self, name: str | None = None) -> Table:
        """A table.

        Parameters
        ----------
        name : str or None   Its name; None for the first.

        Raises
        ------
        SpecError   There is none, or none of that name.
        """
        if not self.tables:
            raise SpecError("This answer has no table: read the sentences.")
        return _named("table", {t.name: t for t in self.tables}, name)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain nested dicts and lists: numbers in SI, None for NaN and infinity."""
        return {
            "question": self.question,
            "title": self.title,
            "sentences": list(self.sentences),
            "values": plain(self.values),
            "tables": {t.name: t.to_dict() for t in self.tables},
            "charts": list(self.charts),
            "notes": list(self.notes),
            "provenance": plain(self.provenance),
        }

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as strict JSON, keys in the order of the attributes above.

        Parameters
        ----------
        indent : int or None   Spaces per level; None for one line.
        """
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)

    def to_csv(self, table: str | None = None) -> str:
        """A table as CSV: see `Table.to_csv`.

        Parameters
        ----------
        table : str or None   Its name; None for the first.

        Raises
        ------
        SpecError   There is none, or none of that name.
        """
        return self.table(table).to_csv()

    def to_polars(self, table: str | None = None) -> polars.DataFrame:
        """A table as a polars DataFrame (extra ``[tables]``).

        Parameters
        ----------
        table : str or None   Its name; None for the first.

        Raises
        ------
        SpecError           There is none, or none of that name.
        MissingExtraError   polars is not installed.
        """
        return self.table(table).to_polars()

    def _repr_html_(self) -> str:
        """Sentences, tables, notes and the first chart, for notebooks."""
        return answer_html(self)

    def __repr__(self) -> str:
        head = f"<Answer {_cut(self.question, 40)!r}: {_cut(self.title, 80)}>"
        lines = [head, *(_cut(s, _LONGEST_LINE) for s in self.sentences)]
        shown = head
        for i, line in enumerate(lines[1:], start=1):
            longer = f"{shown}\n{line}"
            rest = "\n…" if i < len(lines) - 1 else ""
            if len(f"{longer}{rest}".encode(errors="replace")) >= _LONGEST_REPR_BYTES:
                return f"{shown}\n…"
            shown = longer
        return shown

    def __str__(self) -> str:
        """The sentences, one per line."""
        return "\n".join(self.sentences)


def _named(kind: str, known: Mapping[str, T], name: str | None) -> T:
    """What has a name, the first for None; others are refused."""
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise SpecError(there_is_no(kind, name, known))
    return known[name]


def _cut(text: str, n: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= n else f"{line[: n - 1].rstrip()}…"
