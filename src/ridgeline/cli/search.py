"""Show records field by field with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgeline import catalog
from ridgeline.cli.output import as_table, print_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.facts import Fact
    from ridgeline.specs.record import Record

__all__ = ["Show", "show_fields"]


@dataclass(frozen=True, slots=True)
class Show:
    """How rows are wanted: as a table (with all columns if `wide`), as JSON or as CSV."""

    json: bool = False
    csv: bool = False
    wide: bool = False


def show_fields(records: Sequence[Record], *, with_sources: bool, wide: bool = False) -> None:
    """Print records as columns, a row a field; a single one with the source of each number."""
    from ridgeline.specs.facts import cite, facts_of  # noqa: PLC0415  (not for lists)

    flat = [facts_of(r) for r in records]
    paths = [p for p in dict.fromkeys(p for facts in flat for p in facts) if p != "notes"]
    rows = [
        {"field": p, **{str(i): f[p].text if p in f else "" for i, f in enumerate(flat)}}
        for p in paths
    ]
    columns = {"field": ("", str)}
    columns |= {str(i): (getattr(r, "id", ""), str) for i, r in enumerate(records)}
    if with_sources:
        for row, path in zip(rows, paths, strict=True):
            row["source"] = cite(flat[0][path])
        columns["source"] = ("source", str)
    as_table(rows, columns, wide=wide)
    for record, facts in zip(records, flat, strict=True):
        if "notes" in facts:
            print_text(f"{getattr(record, 'id', '')}: {facts['notes'].text}")
    if with_sources:
        _print_sources(flat[0])


def _print_sources(facts: dict[str, Fact]) -> None:
    known = catalog.sources()
    cited = dict.fromkeys(f.source.source for f in facts.values() if f.source)
    prices = facts["prices"].value if "prices" in facts else ()
    cited |= dict.fromkeys(p["source"] for p in prices if p.get("source"))
    for name in cited:
        entry = known.get(name)
        if entry:
            details = (entry.get(k) for k in ("title", "publisher", "date", "url"))
            print_text(f"[{name}] " + ", ".join(str(d) for d in details if d))
