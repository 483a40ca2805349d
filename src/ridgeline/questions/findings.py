"""What a question found: words with numbers, tables with units, pictures drawn when asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ridgeline.errors import SpecError, did_you_mean
from ridgeline.questions.serving.words import count, usd
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ridgeline.charts import Chart

__all__ = ["Findings", "Table", "factor", "percent", "quantity", "sequences", "tokens"]


def quantity(value: float, unit: str) -> str:
    """Write a number with its unit as tables do.

    Parameters
    ----------
    value : float
    unit : str   SI unit; ``tokens`` and ``#`` are whole numbers, ``reach`` tokens of which None
                 means any, ``1`` any number, ``%`` a share,
                 ``x`` a factor, ``+`` an elasticity, ``USD/Mtok`` money.

    Examples
    --------
    >>> quantity(0.0144, "s"), quantity(2400.4, "#"), quantity(0.5, "%"), quantity(2.5, "x")
    ('14.4 ms', '2,400', '50 %', '2.5x')
    >>> quantity(float("inf"), "tokens")
    'none'
    """
    if not math.isfinite(value):
        return "none"
    plain: dict[str, Callable[[float], str]] = {
        "#": count,
        "tokens": tokens,
        "reach": tokens,
        "1": lambda v: count(v) if v >= 1000 else f"{v:.3g}",
        "+": lambda v: f"{v:+.2f}",
        "R": lambda v: f"{v:,.0f}",
        "%": percent,
        "x": factor,
        "USD/Mtok": usd,
        "tok/s": lambda v: f"{v:,.0f}" if v >= 10 else f"{v:.3g}",
        "params": lambda v: format_quantity(v, "").strip().replace("G", "B"),
    }
    return plain[unit](value) if unit in plain else format_quantity(value, unit)


def tokens(value: float) -> str:
    """Tokens, exact while that says something.

    Examples
    --------
    >>> tokens(8192), tokens(1_234_567), tokens(3.2e9)
    ('8,192', '1.23 M', '3.20 G')
    """
    return count(value) if value < 1e6 else format_quantity(value, "").strip()


def percent(share: float) -> str:
    """A share in per cent.

    Examples
    --------
    >>> percent(0.283), percent(0.00123), percent(-0.05)
    ('28 %', '0.12 %', '-5.0 %')
    """
    digits = 0 if abs(share) >= 0.0995 or share == 0 else 1 if abs(share) >= 0.00995 else 2
    return f"{share * 100:.{digits}f} %"


def factor(value: float) -> str:
    """Write how many times.

    Examples
    --------
    >>> factor(2.5), factor(1186.0), factor(0.072)
    ('2.5x', '1,186x', '0.072x')
    """
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def sequences(n: float) -> str:
    """So many sequences, in words that agree.

    Examples
    --------
    >>> sequences(1.9), sequences(2400)
    ('1 sequence', '2,400 sequences')
    """
    return f"{count(n)} sequence" + ("" if 1 <= n < 2 else "s")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with headings.

    Attributes
    ----------
    name : str            Short, for JSON.
    title : str           For people; empty where none is needed.
    columns : mapping     Key of a row to heading and unit (see `quantity`; ``""`` is text).
    rows : sequence       Plain dicts; None where there is no number.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, str]]
    rows: Sequence[dict[str, Any]]

    def cells(self) -> list[dict[str, str]]:
        """The rows as text."""
        return [{k: self._cell(row.get(k), u) for k, (_, u) in self.columns.items()}
                for row in self.rows]  # fmt: skip

    @staticmethod
    def _cell(value: Any, unit: str) -> str:
        if value is None:
            return "any" if unit == "reach" else ""
        return str(value) if unit == "" or isinstance(value, str) else quantity(value, unit)


@dataclass(frozen=True, slots=True)
class Findings:
    """The answer to one question.

    Attributes
    ----------
    words : tuple of str     Sentences, each with its numbers.
    tables : tuple of Table  The first is the main one.
    values : mapping         Single numbers by name (with their unit in it).
    notes : tuple of str     What a careful reader should know.
    about : mapping          What was asked.
    """

    words: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    _pictures: Mapping[str, Callable[[], Chart]] = field(default_factory=dict, repr=False)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of the pictures there are."""
        return tuple(self._pictures)

    def chart(self, name: str | None = None) -> Chart:
        """Draw a picture of the findings.

        Parameters
        ----------
        name : str or None   One of `pictures`; None for the first.

        Raises
        ------
        SpecError   There is none, or none of that name.
        """
        if not self._pictures:
            raise SpecError("There is nothing to draw here: read the table.")
        name = next(iter(self._pictures)) if name is None else name
        if name not in self._pictures:
            raise SpecError(
                f"There is no picture {name!r}.{did_you_mean(name, self._pictures)} "
                f"There are {', '.join(self._pictures)}."
            )
        return self._pictures[name]()

    def table(self, name: str) -> Table:
        """A table by its name.

        Raises
        ------
        SpecError   There is no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        known = [t.name for t in self.tables]
        raise SpecError(f"There is no table {name!r}. There are {', '.join(known)}.")

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain nested dicts and lists, numbers in SI."""
        return {
            "about": dict(self.about),
            "answer": list(self.words),
            "values": dict(self.values),
            "tables": {
                t.name: {
                    "units": {k: u for k, (_, u) in t.columns.items()},
                    "rows": [dict(r) for r in t.rows],
                }
                for t in self.tables
            },
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """The sentences, a line each."""
        return "\n".join(self.words)
