"""Every way Ridgeline says no, in one tree.

::

    RidgelineError (ValueError)
    ├── UnitError        a number or unit that cannot be read: "4.8 TB" where a rate is expected
    ├── SpecError        a record that does not hold: names each field, what it got, what it takes
    ├── CatalogError     an id nobody knows: suggests near names
    ├── ConfigError      a model's config.json that is broken or not understood
    ├── InfeasibleError  a question without an answer: says what is short, and by how much
    └── MissingExtraError  an optional part is not installed: says how to get it

Each message says what is wrong, where, what was expected, and what to do next. Within a sweep an
infeasible point is data (a flag with a sentence), never an exception.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ridgeline.naming import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CatalogError",
    "ConfigError",
    "InfeasibleError",
    "MissingExtraError",
    "RidgelineError",
    "SpecError",
    "UnitError",
    "bug",
    "did_you_mean",
    "first_line",
]

#: of the environment: show the traceback of a bug
DEBUG = "RIDGELINE_DEBUG"


#: what is longer is no name that was misspelt
_LONGEST_NAME = 120


class RidgelineError(ValueError):
    """Base of every error that is the input's, not the program's; other processes can send it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again as it is, whatever its class is made from: its sentence is not made twice."""
        return _made_again, (type(self), self.args), vars(self)


def _made_again(kind: type[RidgelineError], args: tuple[Any, ...]) -> RidgelineError:
    return kind.__new__(kind, *args)


class UnitError(RidgelineError):
    """A quantity that cannot be read."""


class SpecError(RidgelineError):
    """A record whose fields do not hold; lists every problem at once."""


class CatalogError(RidgelineError):
    """An unknown id."""


class ConfigError(RidgelineError):
    """A model configuration that is broken, or not understood."""


class InfeasibleError(RidgelineError):
    """A question that has no answer, with the reason."""


class MissingExtraError(RidgelineError):
    """An optional dependency is missing."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the optional part [{extra}]. "
            f"Install it with: pip install 'ridgeline[{extra}]'"
        )


def first_line(error: Exception, most: int = 120) -> str:
    """What a library's error says, as part of a sentence: one line, short, no full stop.

    Examples
    --------
    >>> first_line(ValueError("Exceeds the limit."))
    'Exceeds the limit'
    """
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    line = line if len(line) <= most else f"{line[:most]}…"
    return line.rstrip(".")


def bug(error: Exception) -> str:
    """Say that the program itself is wrong, and what a report needs.

    With ``RIDGELINE_DEBUG=1`` in the environment its traceback is shown on stderr, too.
    """
    from ridgeline import __version__  # noqa: PLC0415  (the package imports this module)

    if os.environ.get(DEBUG, "0") not in ("", "0"):
        import traceback  # noqa: PLC0415  (only then)

        with suppress(OSError):
            traceback.print_exception(error)
    return (
        f"internal error: {type(error).__name__}: {first_line(error)}. This is a bug in Ridgeline "
        f"{__version__}, not in your input: please report this line with the command and the files "
        f"that it reads ({DEBUG}=1 shows where it happened)."
    )


def did_you_mean(name: str, known: Iterable[str], n: int = 3) -> str:
    """Return ``" Did you mean 'x' or 'y'?"`` for near names, or an empty string.

    Parameters
    ----------
    name : str            What was asked for.
    known : iterable      What there is.
    n : int               At most so many suggestions.

    Returns
    -------
    str   A sentence with a leading space, so that it can be appended as it is.

    Examples
    --------
    >>> did_you_mean("h100-smx", ["h100-sxm", "b200-sxm"], n=1)
    " Did you mean 'h100-sxm'?"
    """
    picks = nearest(name, known, n) if len(name) <= _LONGEST_NAME else []
    if not picks:
        return ""
    return f" Did you mean {' or '.join(repr(p) for p in picks)}?"


def there_is_no(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is not among those that there are, which are near, and all that there are.

    Parameters
    ----------
    kind : str         What it should have been: ``"column"``.
    name : str         What was asked for.
    known : iterable   What there is.

    Examples
    --------
    >>> there_is_no("column", "tmie", ["batch", "time"])
    "There is no column 'tmie'. Did you mean 'time'? There are batch, time."
    """
    known = tuple(known)
    return f"There is no {kind} {name!r}.{did_you_mean(name, known)} There are {', '.join(known)}."
