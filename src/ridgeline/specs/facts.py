"""A record field by field, written out, with the source of each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from ridgeline import markup
from ridgeline.units import format_quantity

if TYPE_CHECKING:
    from ridgeline.specs.record import Provenance, Record

__all__ = ["Fact", "cite", "facts_html", "facts_of"]


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
                unit = "" if isinstance(item, str) else "FLOP/s"
                found[f"{path}.{key}"] = _fact(item, unit, sources.get(f"{path}.{key}"))
        elif isinstance(value, tuple):
            found[path] = Fact(_plain(value), _listed(value), None)
        else:
            found[path] = _fact(value, _unit(field), sources.get(path))


def _fact(value: Any, unit: str, source: Provenance | None) -> Fact:
    if unit:
        return Fact(value, format_quantity(value, unit), source, unit)
    return Fact(value, _text(value), source)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and value >= 1000:
        return f"{value:,.0f}"
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if is_whole else str(value)


def _unit(field: Any) -> str:
    """The SI unit a field's type carries; of an optional field, inside its union."""
    options = [field, *getattr(field.annotation, "__args__", ())]
    marks = [m for o in options for m in getattr(o, "metadata", getattr(o, "__metadata__", ()))]
    return next((m.dimension for m in marks if hasattr(m, "dimension")), "")


def _plain(values: tuple[Any, ...]) -> Any:
    return [v.model_dump(exclude_none=True) if hasattr(v, "model_dump") else v for v in values]


def _listed(values: tuple[Any, ...]) -> str:
    if hasattr(values[0], "mixer"):
        return "\n".join(f"{b.repeat} x {_kind(b.mixer)} + {_kind(b.ffn)}" for b in values)
    if not hasattr(values[0], "usd_per_chip_hour"):
        return ", ".join(str(v) for v in values)
    ordered = sorted(values, key=lambda p: p.date)
    return "\n".join(
        f"${p.usd_per_chip_hour:.2f}/h {p.basis} {p.date} [{p.source}]" for p in ordered
    )


def _kind(part: Any) -> str:
    return "nothing" if part is None else part.kind


def cite(fact: Fact) -> str:
    """Say where a number comes from; empty where nobody says."""
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


def facts_html(record: Record) -> str:
    """Write a record as a table of its fields, for notebooks.

    Parameters
    ----------
    record : Record   Its text is escaped; notes stand below the table.
    """
    facts = facts_of(record)
    notes = facts.pop("notes", None)
    sourced = any(fact.source for fact in facts.values())
    rows = [(path, fact.text, cite(fact)) for path, fact in facts.items()]
    headings = [markup.Heading(name, is_text=True) for name in ("field", "value", "source")]
    n = 3 if sourced else 2
    caption = repr(record).removeprefix("<").removesuffix(">")
    drawn = markup.table(headings[:n], [row[:n] for row in rows], caption)
    return markup.section([drawn, markup.paragraph(notes.text) if notes else ""])
