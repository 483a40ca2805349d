"""Element-wise operations that a graph is made of: how numpy and compiled code do each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OPERATIONS", "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on numbers and truth values.

    Attributes
    ----------
    name : str
    numpy : callable   That does it on arrays; takes ``out``, as its last argument, too.
    code : str         What does it on two numbers in compiled code, with ``{0}``, ``{1}``, ``{2}``.
    truth : bool       Gives truth values.
    commutes : bool    Its two operands may change places.
    """

    name: str
    numpy: Callable[..., Any]
    code: str
    truth: bool = False
    commutes: bool = False


def _where(condition: Any, a: Any, b: Any, out: Any = None) -> Any:
    if out is None:
        return np.where(condition, a, b)
    np.copyto(out, b)
    np.copyto(out, a, where=condition)
    return out


_ALL = (
    Operation("add", np.add, "{0} + {1}", commutes=True),
    Operation("subtract", np.subtract, "{0} - {1}"),
    Operation("multiply", np.multiply, "{0} * {1}", commutes=True),
    Operation("divide", np.true_divide, "{0} / {1}"),
    Operation("floor_divide", np.floor_divide, "floor_divide({0}, {1})"),
    Operation("remainder", np.remainder, "remainder({0}, {1})"),
    Operation("power", np.power, "power({0}, {1})"),
    Operation("hypot", np.hypot, "hypot({0}, {1})", commutes=True),
    Operation("maximum", np.maximum, "maximum({0}, {1})", commutes=True),
    Operation("minimum", np.minimum, "minimum({0}, {1})", commutes=True),
    Operation("negative", np.negative, "-{0}"),
    Operation("absolute", np.absolute, "absolute({0})"),
    Operation("sqrt", np.sqrt, "sqrt({0})"),
    Operation("square", np.square, "{0} * {0}"),
    Operation("exp", np.exp, "exp({0})"),
    Operation("expm1", np.expm1, "expm1({0})"),
    Operation("log", np.log, "log({0})"),
    Operation("log2", np.log2, "log2({0})"),
    Operation("log10", np.log10, "log10({0})"),
    Operation("log1p", np.log1p, "log1p({0})"),
    Operation("floor", np.floor, "floor({0})"),
    Operation("ceil", np.ceil, "ceil({0})"),
    Operation("rint", np.rint, "rint({0})"),
    Operation("trunc", np.trunc, "trunc({0})"),
    Operation("number", lambda a, out=None: np.multiply(a, 1.0, out=out), "select({0}, 1.0, 0.0)"),
    Operation("less", np.less, "{0} < {1}", truth=True),
    Operation("less_equal", np.less_equal, "{0} <= {1}", truth=True),
    Operation("greater", np.greater, "{0} > {1}", truth=True),
    Operation("greater_equal", np.greater_equal, "{0} >= {1}", truth=True),
    Operation("equal", np.equal, "{0} == {1}", truth=True, commutes=True),
    Operation("not_equal", np.not_equal, "{0} != {1}", truth=True, commutes=True),
    Operation("logical_and", np.logical_and, "{0} & {1}", truth=True, commutes=True),
    Operation("logical_or", np.logical_or, "{0} | {1}", truth=True, commutes=True),
    Operation("logical_xor", np.logical_xor, "{0} ^ {1}", truth=True, commutes=True),
    Operation("logical_not", np.logical_not, "not_({0})", truth=True),
    Operation("isfinite", np.isfinite, "isfinite({0})", truth=True),
    Operation("isnan", np.isnan, "{0} != {0}", truth=True),
    Operation("where", _where, "select({0}, {1}, {2})"),
    Operation("where_truth", _where, "select_truth({0}, {1}, {2})", truth=True),
)
OPERATIONS: dict[str, Operation] = {o.name: o for o in _ALL}
