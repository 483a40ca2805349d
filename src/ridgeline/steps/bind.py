"""Put arrays where records hold numbers, so that one evaluation answers a whole grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ridgeline.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bound"]


def bound(records: Mapping[str, BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the records with arrays in the fields that paths name.

    Parameters
    ----------
    records : mapping   ``model``, ``cluster``, ``layout``, ``load`` to validated scalar records.
    values : mapping    Dotted path of a numeric field, first the record's name, to an array that
                        broadcasts over the grid: ``cluster.chip.memory.bandwidth``. A field of the
                        model that is not its own means that field of every layer that has it:
                        ``model.n_kv_heads``.

    Returns
    -------
    dict   Copies; what no path names is shared with the originals.

    Raises
    ------
    SpecError   A path that leads to no number; suggests near names.

    Notes
    -----
    The copies are not validated: laws broadcast, records do not. Nonsense in an array (a negative
    bandwidth) gives nonsense at its points.
    """
    found: dict[str, Any] = dict(records)
    for path, value in values.items():
        name, _, rest = path.partition(".")
        if name not in found or not rest:
            raise SpecError(
                f"Axis {path!r}: a record and a field are expected.{did_you_mean(name, found)} "
                f"Records are {', '.join(found)}."
            )
        expand = getattr(found[name], "_expand", lambda p: [p])
        for full in expand(rest):
            found[name] = _placed(found[name], full.split("."), value, path)
    return found


def _placed(node: Any, parts: list[str], value: Any, path: str) -> Any:
    """Copy the way down to one leaf and put the value there."""
    head, rest = parts[0], parts[1:]
    if isinstance(node, tuple):
        items = list(node)
        items[int(head)] = _placed(items[int(head)], rest, value, path)
        return tuple(items)
    old = _field(node, head, path)
    if rest:
        new = _placed(old, rest, value, path)
    elif isinstance(old, BaseModel | str | dict | tuple):
        raise SpecError(f"Axis {path!r}: {head!r} holds no number.")
    else:
        new = value
    if isinstance(node, dict):
        return {**node, head: new}
    return node.model_copy(update={head: new})


def _field(node: Any, name: str, path: str) -> Any:
    known = node if isinstance(node, dict) else type(node).model_fields
    if name not in known:
        raise SpecError(
            f"Axis {path!r}: there is no field {name!r} here.{did_you_mean(name, known)} "
            f"There are {', '.join(known)}."
        )
    return node[name] if isinstance(node, dict) else getattr(node, name)
