"""Show records field by field with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from ridgeline import catalog
from ridgeline.cli.output import as_table, print_text
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ridgeline.specs.record import Provenance, Record

__all__ = ["Fact", "Show", "facts_of", "show_fields"]


@dataclass(frozen=True, slots=True)
class Show:
    """How rows are wanted: as a table (with all columns if `wide`), as JSON or as CSV."""

    json: bool = False
    csv: bool = False
    wide: bool = False


class Fact(NamedTuple):
    """One field of a record, written out, with its provenance."""

    value: Any
    text: str
    source: Provenance | None
    unit: str = ""


def facts_of(record: Record) -> dict[str, Fact]:
    """Flatten a record to dotted paths, leaving out what is empty."""
    found: dict[str, Fact] = {}
    _flatten(record, "", getattr(record, "sources", {}), found)
    return found


def _flatten(record: Any, prefix: str, sources: dict[str, Any], found: dict[str, Fact]) -> None:
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if name == "sources" or value in (None, "", ()):
            continue
        path = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            # A record with sources of its own is an entry of its own: its name is enough here.
            if hasattr(value, "sources"):
                found[path] = Fact(value.id, f"{value.name} ({value.id})", None)  # pyright: ignore[reportAttributeAccessIssue]
            else:
                _flatten(value, f"{path}.", sources, found)
        elif isinstance(value, dict):
            for key, item in value.items():
                found[f"{path}.{key}"] = _fact(item, "FLOP/s", sources.get(f"{path}.{key}"))
        elif isinstance(value, tuple):
            found[path] = Fact(_plain(value), _listed(value), None)
        else:
            found[path] = _fact(value, _unit(field), sources.get(path))


def _fact(value: Any, unit: str, source: Provenance | None) -> Fact:
    if unit:
        return Fact(value, format_quantity(value, unit), source, unit)
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return Fact(value, text, source)


def _unit(field: Any) -> str:
    """The SI unit a field's type carries; of an optional field, inside its union."""
    options = [field, *getattr(field.annotation, "__args__", ())]
    marks = [m for o in options for m in getattr(o, "metadata", getattr(o, "__metadata__", ()))]
    return next((m.dimension for m in marks if hasattr(m, "dimension")), "")


def _plain(values: tuple[Any, ...]) -> Any:
    return [v.model_dump(exclude_none=True) if hasattr(v, "model_dump") else v for v in values]


def _listed(values: tuple[Any, ...]) -> str:
    if not hasattr(values[0], "usd_per_chip_hour"):
        return ", ".join(str(v) for v in values)
    ordered = sorted(values, key=lambda p: p.date)
    return "\n".join(
        f"${p.usd_per_chip_hour:.2f}/h {p.basis} {p.date} [{p.source}]" for p in ordered
    )


def show_fields(records: Sequence[Record], *, with_sources: bool, wide: bool = False) -> None:
    """Print records as columns, a row a field; a single one with the source of each number."""
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
            row["source"] = _cite(flat[0][path])
        columns["source"] = ("source", str)
    as_table(rows, columns, wide=wide)
    for record, facts in zip(records, flat, strict=True):
        if "notes" in facts:
            print_text(f"{getattr(record, 'id', '')}: {facts['notes'].text}")
    if with_sources:
        _print_sources(flat[0])


def _cite(fact: Fact) -> str:
    source = fact.source
    if source is None:
        return ""
    kind = f", {source.kind}" if source.kind else ""
    span = ""
    if source.low is not None and source.high is not None:
        low, high = (format_quantity(v, fact.unit) for v in (source.low, source.high))
        span = f", {low} to {high}"
    note = f": {source.note}" if source.note else ""
    return f"[{source.source}{kind}{span}]{note}"


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
