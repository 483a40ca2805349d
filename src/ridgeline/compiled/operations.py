"""Element-wise operations that a graph is made of; `loops` has them as instructions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OPERATIONS", "SLOW", "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on numbers and truth values.

    Attributes
    ----------
    name : str
    numpy : callable   That does it on arrays; takes ``out``, as its last argument, too.
    truth : bool       Gives truth values.
    commutes : bool    Its two operands may change places.
    slow : bool        numpy has no function for it: Python does it value by value.
    """

    name: str
    numpy: Callable[..., Any]
    truth: bool = False
    commutes: bool = False
    slow: bool = False


def _where(condition: Any, a: Any, b: Any, out: Any = None) -> Any:
    if out is None:
        return np.where(condition, a, b)
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
    return out


_PYTHON_ERF = np.frompyfunc(math.erf, 1, 1)


def _erf(a: Any, out: Any = None) -> Any:
    found = np.asarray(_PYTHON_ERF(a), dtype=float)
    if out is None:
        return found
    np.copyto(out, found)
    return out


_ALL = (
    Operation("add", np.add, commutes=True),
    Operation("subtract", np.subtract),
    Operation("multiply", np.multiply, commutes=True),
    Operation("divide", np.true_divide),
    Operation("floor_divide", np.floor_divide),
    Operation("remainder", np.remainder),
    Operation("power", np.power),
    Operation("hypot", np.hypot, commutes=True),
    Operation("maximum", np.maximum, commutes=True),
    Operation("minimum", np.minimum, commutes=True),
    Operation("negative", np.negative),
    Operation("absolute", np.absolute),
    Operation("sqrt", np.sqrt),
    Operation("square", np.square),
    Operation("exp", np.exp),
    Operation("expm1", np.expm1),
    Operation("log", np.log),
    Operation("log2", np.log2),
    Operation("log10", np.log10),
    Operation("log1p", np.log1p),
    Operation("erf", _erf, slow=True),
    Operation("floor", np.floor),
    Operation("ceil", np.ceil),
    Operation("rint", np.rint),
    Operation("trunc", np.trunc),
    Operation("number", lambda a, out=None: np.multiply(a, 1.0, out=out)),
    Operation("less", np.less, truth=True),
    Operation("less_equal", np.less_equal, truth=True),
    Operation("greater", np.greater, truth=True),
    Operation("greater_equal", np.greater_equal, truth=True),
    Operation("equal", np.equal, truth=True, commutes=True),
    Operation("not_equal", np.not_equal, truth=True, commutes=True),
    Operation("logical_and", np.logical_and, truth=True, commutes=True),
    Operation("logical_or", np.logical_or, truth=True, commutes=True),
    Operation("logical_xor", np.logical_xor, truth=True, commutes=True),
    Operation("logical_not", np.logical_not, truth=True),
    Operation("isfinite", np.isfinite, truth=True),
    Operation("isnan", np.isnan, truth=True),
    Operation("where", _where),
    Operation("where_truth", _where, truth=True),
)
OPERATIONS: dict[str, Operation] = {o.name: o for o in _ALL}
#: those that numpy leaves to Python
SLOW = frozenset(o.name for o in _ALL if o.slow)
#: operators that are logical ones on truth values; on numbers they mean bits, which graphs have not
BITWISE = {
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "invert": "logical_not",
}
