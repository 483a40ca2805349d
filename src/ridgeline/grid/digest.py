"""A name for what is computed: equal for equal inputs on every machine, another for all others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache, cached_property, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline import __version__
from ridgeline.errors import SpecError
from ridgeline.grid.own_code import Reached, code_of, is_users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["digest", "installed"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, date, type(...))


def digest(value: Any) -> str:
    """Digest what a value is made of.

    Parameters
    ----------
    value : any   Records, dataclasses, arrays of numbers or words, mappings (in their order),
                  sequences, numbers, text, functions of modules, and objects of these.

    Returns
    -------
    str   32 hexadecimal digits.

    Raises
    ------
    SpecError   Something in it has no name: a lambda, an open file; or it contains itself.

    Notes
    -----
    Functions and classes of the user's own count with their code (`code_of`), which another
    version of Python compiles otherwise; those of the package, of Python and of installed libraries
    by name (see `installed`).

    Examples
    --------
    >>> digest({"a": np.arange(3)}) == digest({"a": np.asarray([0, 1, 2])})
    True
    >>> digest([1]) == digest([1.0])
    False
    """
    found = hashlib.sha256()
    try:
        _feed(value, found.update, set())
    except RecursionError:
        raise SpecError(
            f"A {_kind(value)} contains itself, so that its results cannot be kept to resume."
        ) from None
    return found.hexdigest()[:32]


@cache
def installed() -> str:
    """Digest the program itself: version, source text, catalogue, and what does its arithmetic.

    Results of another program may differ in their last digits, or in what a law says.
    """
    compiler = version("numba") if find_spec("numba") else ""
    found = hashlib.sha256(f"{__version__} {np.__version__} {compiler}".encode())
    root = Path(__file__).parents[1]
    for path in sorted(p for suffix in ("py", "toml") for p in root.rglob(f"*.{suffix}")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:32]


def _feed(value: Any, add: Callable[[bytes], None], seen: set[int]) -> None:
    """Hand on the bytes that say what a value is, its kind first and its end last.

    Code that was seen before is not gone through again: functions call each other.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        add(f"array {value.dtype.str} {value.shape} ".encode())
        add(np.ascontiguousarray(value).tobytes())
        return
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, _PLAIN):
        add(f"{type(value).__name__} {value!r};".encode())
        return
    add(f"{_kind(value)}(".encode())
    for part in _parts(value):
        _feed(part, add, seen)
    own = value.value if isinstance(value, Reached) else value
    own = own if isinstance(own, FunctionType | type) else type(own)
    if is_users(own) and id(own) not in seen:
        seen.add(id(own))
        for part in code_of(own):
            _feed(part, add, seen)
    add(b")")


def _kind(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _parts(value: Any) -> Iterator[Any]:
    """What a value that is not plain is made of, besides code."""
    if isinstance(value, Mapping):
        for item in value.items():
            yield from item
    elif isinstance(value, set | frozenset):
        yield from sorted(digest(part) for part in value)
    elif isinstance(value, list | tuple | np.ndarray):
        yield from value
    elif isinstance(value, Enum):
        yield value.name
    elif isinstance(value, PurePath):
        yield str(value)
    elif isinstance(value, Reached):
        yield value.value.__name__
    elif isinstance(value, CodeType):
        yield from (value.co_code, value.co_exceptiontable, value.co_names, value.co_varnames)
        yield value.co_consts
    else:
        yield from _parts_to_call(value)


def _parts_to_call(value: Any) -> Iterator[Any]:
    if isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, FunctionType | type | np.ufunc):
        yield _named(value)
    elif isinstance(value, BuiltinFunctionType):
        yield _named(value)
        if not isinstance(value.__self__, ModuleType):
            yield value.__self__
    elif isinstance(getattr(value, "__wrapped__", None), FunctionType):  # cached, compiled
        yield value.__wrapped__
    elif callable(value) and not isinstance(type(value).__call__, FunctionType):
        raise _unknown(value)
    else:
        yield from _attributes(value)


def _named(value: Any) -> str:
    name = f"{value.__module__}:{value.__qualname__}"
    if "<" in name:
        raise SpecError(
            f"{name} cannot be told from other functions, so that its results cannot be kept to "
            "resume: define it at the top of a module."
        )
    return name


def _attributes(value: Any) -> Iterator[Any]:
    kind = type(value)
    if is_dataclass(value):
        names = [f.name for f in fields(value)]
    elif hasattr(kind, "model_fields"):  # a record
        names = list(kind.model_fields)
    elif hasattr(value, "__dict__"):
        slots = [n for base in kind.__mro__ for n in vars(base) if _is_slot(vars(base)[n])]
        # What a property keeps after its first use follows from the rest.
        names = [n for n in vars(value) if not isinstance(getattr(kind, n, 0), cached_property)]
        names += [n for n in slots if hasattr(value, n)]
    else:
        raise _unknown(value)
    for name in names:
        yield from (name, getattr(value, name))


def _is_slot(member: Any) -> bool:
    return isinstance(member, MemberDescriptorType)


def _unknown(value: Any) -> SpecError:
    return SpecError(
        f"A {_kind(value)} cannot be told from others, so that its results cannot be kept to "
        "resume."
    )
