"""The one shape of every answer: sentences, tables, values, charts, notes, provenance."""

from ridgeline.answers.answer import Answer
from ridgeline.answers.plain import plain
from ridgeline.answers.table import Table

__all__ = ["Answer", "Table", "plain"]
