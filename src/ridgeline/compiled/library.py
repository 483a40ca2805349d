"""Modules of compiled loops: made once, kept in memory and, where that can be, on disk."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

from ridgeline import __version__
from ridgeline.cache import folder
from ridgeline.errors import MissingExtraError, RidgelineError, first_line
from ridgeline.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compiled_module", "has_numba", "is_loaded", "is_stored"]

_PREFIX = "ridgeline_kernel_"
#: what the loops call, and so what a stored module rests on besides its own source
_RESTS_ON = ("loops.py", "elementary.py")
_LOCK = Lock()


@cache
def has_numba() -> bool:
    """Whether numba is installed; it is not imported."""
    return importlib.util.find_spec("numba") is not None


def is_loaded() -> bool:
    """Whether numba is imported already, so that to use it costs no start."""
    return "numba" in sys.modules


@cache
def _version() -> str:
    own = [(Path(__file__).parent / name).read_bytes() for name in _RESTS_ON]
    return hashlib.sha256(b"".join([__version__.encode(), *own])).hexdigest()


def _name(source: str) -> str:
    return _PREFIX + hashlib.sha256((_version() + source).encode()).hexdigest()[:32]


def is_stored(source: str) -> bool:
    """Whether a module was compiled before, in this process or on this machine.

    Parameters
    ----------
    source : str   As `with_numba.source_of` writes it.
    """
    name = _name(source)
    if name in sys.modules:
        return True
    place = folder("kernels")
    return place is not None and any(_stored(place, name))


def _stored(place: Path, name: str) -> Iterator[Path]:
    return (place / "__pycache__").glob(f"{name}.*.nb[ic]")


def compiled_module(source: str) -> ModuleType:
    """The module of a source, compiled.

    Parameters
    ----------
    source : str   As `with_numba.source_of` writes it.

    Raises
    ------
    MissingExtraError   numba is not installed.
    RidgelineError      It cannot be imported.

    Notes
    -----
    numba keeps the machine code beside the source in the user's cache. What it cannot read there
    is thrown away and made again; without such a folder it is made for this process alone.
    """
    if not has_numba():
        raise MissingExtraError("Compiling a kernel", "fast")
    try:
        importlib.import_module("numba")
    except Exception as error:  # another numpy, a library that is missing
        raise RidgelineError(
            f"numba is installed and cannot be imported: {first_line(error)}. Install a version "
            "that fits this numpy, or choose another way to run."
        ) from None
    name = _name(source)
    with _LOCK:
        if name not in sys.modules:
            sys.modules[name] = _from_disk(name, source) or _run(name, source, f"<{name}>", False)
        return sys.modules[name]


def _from_disk(name: str, source: str) -> ModuleType | None:
    """The module with numba's store; None where there can be none, or where it is damaged."""
    place = folder("kernels")
    if place is None:
        return None
    path = place / f"{name}.py"
    try:
        # numba holds machine code to be of another source when the file was written again.
        if not path.exists() or path.read_text() != source:
            write_whole(path, source.encode())
        return _run(name, source, str(path), True)
    except (OSError, ValueError, RidgelineError):
        return None
    except Exception:  # a damaged store fails in as many ways as pickles do
        for stored in _stored(place, name):
            with suppress(OSError):
                stored.unlink()
        return None


def _run(name: str, source: str, path: str, stores: bool) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = path
    module.__dict__["CACHE"] = stores
    # numba looks the module of a function up by its name.
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  (written by this package)
    except BaseException:
        del sys.modules[name]
        raise
    return module
