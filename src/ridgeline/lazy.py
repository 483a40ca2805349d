"""Names of a package that are loaded when first used: a question pays for what it needs."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["from_modules"]


def from_modules(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package whose names live in modules of it.

    Parameters
    ----------
    package : str      Its ``__name__``.
    modules : mapping  Module of the package, or the whole name of another -> names that it gives
                       the package, separated by spaces. Type checkers read the same from imports
                       under ``TYPE_CHECKING``; a test compares the two.

    Notes
    -----
    Where a module has the name of what is in it (``counts`` of ``steps.counts``), the name of the
    package is what is in it; Python by itself would put the module there when it is imported.

    Examples
    --------
    >>> look_up = from_modules("ridgeline", {"units": "parse_quantity"})
    >>> look_up("parse_quantity")("3 ms", "s")
    0.003
    """
    home = {name: module for module, names in modules.items() for name in names.split()}
    own = sys.modules[package]

    class Package(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if not (name in home and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

    own.__class__ = Package

    def look_up(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = home[name]
        whole = module if "." in module else f"{package}.{module}"
        value = getattr(import_module(whole), name)
        setattr(own, name, value)
        return value

    return look_up
