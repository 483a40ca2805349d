"""Rows of a tool's table as options and fields of its configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ridgeline.specs.refusal import holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ridgeline.specs.engine_flags import EngineFlag

__all__ = ["Written", "put", "written"]


class Written(NamedTuple):
    """What rows of a table come to.

    Attributes
    ----------
    options : mapping    Option to value; a bare one has an empty value.
    fields : mapping     The configuration file, nested.
    used : list of EngineFlag   Rows that are written out.
    """

    options: dict[str, Any]
    fields: dict[str, Any]
    used: list[EngineFlag]


def written(rows: Iterable[EngineFlag], known: Mapping[str, Any]) -> Written:
    """Fill quantities into rows, and leave out those that nothing asks for.

    Parameters
    ----------
    rows : iterable of EngineFlag
    known : mapping   Quantities by name.

    Examples
    --------
    >>> from ridgeline.specs.engine_flags import EngineFlag
    >>> rows = [EngineFlag(flag="--tp", value="tp", unless=1), EngineFlag(key="a.b", const=True)]
    >>> written(rows, {"tp": 8})[:2], written(rows, {"tp": 1})[0]
    (({'--tp': 8}, {'a': {'b': True}}), {})
    """
    options: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    used: list[EngineFlag] = []
    for row in rows:
        value = row.const if row.const is not None else known[row.value]
        if value is None or value == row.unless or not all(holds(c, known) for c in row.when):
            continue
        if row.flag and not row.key and value is False:
            continue
        used.append(row)
        if not row.flag:
            put(fields, row.key, value)
        elif row.key:
            options.setdefault(row.flag, {})[row.key] = value
        else:
            options[row.flag] = "" if value is True else value
    return Written(options, fields, used)


def put(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set a field by its dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        fields = fields.setdefault(name, {})
    fields[last] = value
