"""Read the arguments of library functions by the rules of options: ``tpot_s="20 ms"`` is 0.02."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ridgeline.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.specs.fields import Rule

__all__ = ["Amount", "reads"]

#: a number in the unit of the argument's name, or text with a unit: ``0.02``, ``"20 ms"``, ``"8k"``
Amount = Any

_P = ParamSpec("_P")
_R = TypeVar("_R")


def reads(**rules: Rule) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let keyword arguments be read, and held to their range, before the function is called.

    Parameters
    ----------
    **rules : Rule   By name of a keyword argument; None passes through.

    Raises
    ------
    SpecError   By the function: what a rule does not take, with the argument's name.

    Examples
    --------
    >>> from ridgeline.specs.ranges import LATENCY_S
    >>> @reads(tpot_s=LATENCY_S)
    ... def twice(*, tpot_s: Amount) -> float:
    ...     return 2 * tpot_s
    >>> twice(tpot_s="20 ms")
    0.04
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def read(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            for name, rule in rules.items():
                if kwargs.get(name) is not None:
                    try:
                        kwargs[name] = rule.read(kwargs[name])
                    except SpecError as error:
                        raise SpecError(f"{name}: {error}") from None
            return function(*args, **kwargs)

        return read

    return decorate
