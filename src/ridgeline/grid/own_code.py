"""The code of the user's own functions and classes, and what it reaches: none is edited unseen."""

from __future__ import annotations

import sys
from dataclasses import dataclass, is_dataclass
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Reached", "code_of", "is_users"]

#: where installers put libraries
_INSTALLED = frozenset({"site-packages", "dist-packages"})
#: globals of these kinds count with what they hold
_HELD = (
    type(None), bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset,
    np.ndarray, np.generic,
)  # fmt: skip
#: modules within modules that are followed
_DEEPEST = 4


@dataclass(frozen=True)
class Reached:
    """A function or class that code reaches: told by its own code, whatever its name."""

    value: FunctionType | type


def is_users(value: Any) -> bool:
    """Whether a function or class is neither this package's, nor Python's, nor an installed one."""
    return isinstance(value, FunctionType | type) and _is_users(value.__module__)


def _is_users(module: Any) -> bool:
    name = str(module)
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in (__name__.partition(".")[0], np.__name__):
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or _INSTALLED.isdisjoint(PurePath(file).parts)


def code_of(value: FunctionType | type) -> Iterator[Any]:
    """What a function does, or what the methods of a class do.

    Parameters
    ----------
    value : function or class   Of the user's own (`is_users`).

    Yields
    ------
    any   Compiled code (without file and lines), defaults, values of the closure, and globals that
          the code names: plain values, arrays, containers, dataclasses, records, functions and
          classes, also through modules of the user's own. Of a class its bases, its values and its
          methods: of those with two underscores only ``__call__``.

    Notes
    -----
    It breaks where code is reached in other ways: by an attribute of an object, by `getattr` or
    `eval`, in files, in the environment.
    """
    if isinstance(value, type):
        yield from (Reached(base) for base in value.__bases__ if is_users(base))
        for name, member in vars(value).items():
            if name == "__call__" or not name.startswith("__"):
                for function in _functions(member):
                    yield from (name, *_of_function(function))
                if isinstance(member, _HELD):
                    yield from (name, member)
    else:
        yield from _of_function(value)


def _functions(member: Any) -> list[FunctionType]:
    """The functions of a method, whatever wraps it: static, of the class, a property."""
    names = ("__func__", "__wrapped__", "func", "fget")
    found = [member, *(getattr(member, name, None) for name in names)]
    return [f for f in found if isinstance(f, FunctionType)]


def _of_function(function: FunctionType) -> Iterator[Any]:
    yield from (function.__code__, function.__defaults__, function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # not yet filled
            continue
        yield from _reached("", content, [])
    names = list(dict.fromkeys(_names(function.__code__)))
    for name in names:
        if name in function.__globals__:
            yield from _reached(name, function.__globals__[name], names)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _reached(name: str, value: Any, names: list[str], depth: int = 0) -> Iterator[Any]:
    if isinstance(value, ModuleType):
        yield from (name, value.__name__)
        if _is_users(value.__name__) and depth < _DEEPEST:
            for inner in names:
                if inner in vars(value):
                    yield from _reached(inner, vars(value)[inner], names, depth + 1)
        return
    wrapped = getattr(value, "__wrapped__", None)  # cached, compiled
    if not isinstance(value, FunctionType) and isinstance(wrapped, FunctionType):
        value = wrapped
    if is_users(value):
        yield from (name, Reached(value))
    elif isinstance(value, _HELD) or _is_record(value):
        yield from (name, value)
    else:
        about = value if hasattr(value, "__qualname__") else type(value)
        yield from (name, f"{getattr(about, '__module__', '')}:{about.__qualname__}")


def _is_record(value: Any) -> bool:
    return not isinstance(value, type) and (is_dataclass(value) or hasattr(value, "model_fields"))
