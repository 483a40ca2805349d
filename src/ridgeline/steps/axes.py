"""Values of an axis, read by the rules of the field that they vary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from ridgeline.errors import RidgelineError, SpecError, UnitError
from ridgeline.specs.problems import problem_words
from ridgeline.specs.ranges import CONTEXT_TOKENS, LENGTH_TOKENS, SEQUENCES
from ridgeline.specs.shown import is_number, shown
from ridgeline.units import parse_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ridgeline.specs.fields import Rule

__all__ = ["axis_unit", "axis_values"]

#: of a load, ranges are those of every question's options
_OF_LOADS: Final[dict[str, Rule]] = {
    "load.batch": SEQUENCES,
    "load.context": CONTEXT_TOKENS,
    "load.isl": LENGTH_TOKENS,
    "load.osl": LENGTH_TOKENS,
}


def axis_values(records: Mapping[str, BaseModel], path: str, values: object) -> np.ndarray:
    """Read the values of an axis: numbers in SI, or text with units, each held to its field.

    Parameters
    ----------
    records : mapping   ``model``, ``cluster``, ``layout``, ``load``; see `ridgeline.steps.bind`.
    path : str          Of the field.
    values : iterable   Numbers or text.

    Returns
    -------
    array of float   One dimension.

    Raises
    ------
    SpecError   What the field does not take, with the axis's name.

    Notes
    -----
    Of an array of numbers the least, the largest and the first that is not whole are read: what a
    field takes is a range of all or of whole numbers.
    """
    read = _reader(records, path)
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise SpecError(f"Axis {path!r}: a list of values is expected, not {shown(values)}.")
    found = values if isinstance(values, np.ndarray) else list(values)
    if isinstance(found, list):
        found = np.asarray([_number(path, read, v) for v in found], dtype=float)
    elif found.ndim != 1 or not np.issubdtype(found.dtype, np.number):
        found = np.asarray([_number(path, read, v) for v in found.ravel().tolist()], dtype=float)
    else:
        _check_extremes(path, read, found)
    return np.asarray(found, dtype=float)


def axis_unit(records: Mapping[str, BaseModel], path: str) -> str:
    """The SI unit of a field, as records declare it; ``1`` where it has none.

    Parameters
    ----------
    records : mapping   See `axis_values`.
    path : str          Of the field.
    """
    name, _, rest = path.partition(".")
    full = getattr(records.get(name), "_expand", lambda p: [p])(rest)
    kind = _kind(records.get(name), full[0].split(".")) if full else None
    return next((one.dimension for one in _metadata(kind) if hasattr(one, "dimension")), "1")


def _metadata(kind: Any) -> Iterator[Any]:
    """All that annotations say about a kind of number, wherever in it."""
    if get_origin(kind) is Annotated:
        yield from kind.__metadata__
    for one in get_args(kind):
        yield from _metadata(one)


#: values that are looked at together
_PIECE = 1 << 14


def _check_extremes(path: str, read: Callable[[Any], float], values: np.ndarray) -> None:
    if not values.size:
        return
    for odd in (lambda part: ~np.isfinite(part), lambda part: part != np.floor(part)):
        # Piece by piece: the first one found is enough.
        for start in range(0, values.size, _PIECE):
            part = values[start : start + _PIECE]
            mask = odd(part)
            first = int(mask.argmax())
            if mask[first]:
                _number(path, read, part[first].item())
                break
    for value in (values.min(), values.max()):
        _number(path, read, value.item())


def _number(path: str, read: Callable[[Any], float], value: Any) -> float:
    if not isinstance(value, str) and not is_number(value):
        raise SpecError(f"Axis {path!r}: a number or text is expected, not {shown(value)}.")
    try:
        return float(read(value))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise SpecError(f"Axis {path!r}: {problem_words(problem)}") from None
    except RidgelineError as error:
        raise SpecError(f"Axis {path!r}: {error}") from None


def _reader(records: Mapping[str, BaseModel], path: str) -> Callable[[Any], float]:
    """What reads a value of a field; of a path that leads nowhere, which `bound` refuses, any."""
    if path in _OF_LOADS:
        return _OF_LOADS[path].read
    name, _, rest = path.partition(".")
    if name in records and rest:
        full = getattr(records[name], "_expand", lambda p: [p])(rest)
        kind = _kind(records[name], full[0].split(".")) if full else None
        if kind is not None:
            return _validated(kind)
    return parse_count


def _validated(kind: Any) -> Callable[[Any], float]:
    adapter = TypeAdapter(kind)

    def read(value: Any) -> float:
        try:
            return adapter.validate_python(value)
        except ValidationError:
            if not isinstance(value, str):
                raise
            try:
                number = parse_count(value)
            except UnitError:
                number = None
            if number is None:
                raise
        return adapter.validate_python(number)

    return read


def _kind(node: Any, parts: list[str]) -> Any:
    """The annotation of a leaf, with its bounds; None where there is no such number."""
    for i, part in enumerate(parts):
        if isinstance(node, tuple):
            node = node[int(part)] if part.isdigit() and int(part) < len(node) else None
        elif isinstance(node, BaseModel) and part in type(node).model_fields:
            field = type(node).model_fields[part]
            kind = Annotated[field.annotation, *field.metadata] if field.metadata else (
                field.annotation
            )  # fmt: skip
            node = getattr(node, part)
            if i == len(parts) - 1:
                return kind if _is_number_kind(field.annotation) else None
            args = get_args(field.annotation)
            if isinstance(node, dict) and i == len(parts) - 2 and len(args) == 2:
                return args[1] if parts[-1] in node and _is_number_kind(args[1]) else None
        else:
            return None
    return None


def _is_number_kind(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        return _is_number_kind(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return any(_is_number_kind(one) for one in get_args(kind) if one is not NoneType)
    return kind in (int, float)
