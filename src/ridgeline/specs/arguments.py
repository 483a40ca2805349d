"""Read the arguments of library functions by the rules of options: ``tpot_s="20 ms"`` is 0.02."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ridgeline.errors import SpecError
from ridgeline.specs.fields import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ANSWER", "ANSWER_OF_EITHER", "LAYOUT", "MODEL", "NAMES", "TRAINING_LAYOUT", "Amount", "Made",
    "Names", "reads",
]  # fmt: skip

#: a number in the unit of the argument's name, or text with a unit: ``0.02``, ``"20 ms"``, ``"8k"``
Amount = Any

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Made(Rule):
    """What the library makes: a record, or an answer that another question starts from.

    Attributes
    ----------
    kind : str   Import path of its class within the package, ``module:name``.
    what : str   What it is and how it is made, for messages.
    """

    kind: str
    what: str

    @property
    def expected(self) -> str:
        """What the argument takes."""
        return self.what

    def read(self, value: object) -> Any:
        """Return the value itself, or refuse what is of another class."""
        module, _, name = self.kind.partition(":")
        if not isinstance(value, getattr(import_module(f"ridgeline.{module}"), name)):
            raise self.refused(value)
        return value


@dataclass(frozen=True)
class Names(Rule):
    """A list of names; text is one name, or several between commas."""

    what: str = "a name or a list of names"

    @property
    def expected(self) -> str:
        """What the argument takes."""
        return self.what

    def read(self, value: object) -> tuple[str, ...]:
        """Return the names."""
        if isinstance(value, str):
            found: tuple[Any, ...] = tuple(part.strip() for part in value.split(","))
        elif isinstance(value, list | tuple):
            found = tuple(value)
        else:
            raise self.refused(value)
        for name in found:
            if not isinstance(name, str) or not name:
                raise self.refused(name)
        return found


#: what a question about a deployment starts from
ANSWER = Made("questions.serving:Serving", "an answer of rl.serving(model, machine)")
#: the same where one about training serves as well, which is looked for before
ANSWER_OF_EITHER = Made("questions.serving:Serving", "an answer of rl.serving or rl.training")
LAYOUT = Made("specs.layout:Layout", "a layout, such as rl.Layout(tp=8),")
TRAINING_LAYOUT = Made(
    "specs.training:TrainingLayout", "a layout, such as rl.TrainingLayout(tp=8, pp=4),"
)
NAMES = Names()
MODEL = Made("specs.model:Model", "a model, such as rl.model('Qwen/Qwen3-8B'), or its name")


def reads(**rules: Rule) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Let arguments be read, and held to their range, before the function is called.

    Parameters
    ----------
    **rules : Rule   By name of an argument; a default passes through, and None where it is one.

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
        signature = inspect.signature(function)
        optional = {n for n, p in signature.parameters.items() if p.default is None}

        @wraps(function)
        def read(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = signature.bind(*args, **kwargs)
            for name, rule in rules.items():
                if name not in given.arguments:
                    continue
                value = given.arguments[name]
                if value is None and (name in optional or not isinstance(rule, Made | Names)):
                    continue
                try:
                    given.arguments[name] = rule.read(value)
                except SpecError as error:
                    raise SpecError(f"{name}: {error}") from None
            return function(*given.args, **given.kwargs)

        return read

    return decorate
