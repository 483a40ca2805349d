"""What compiled loops call: choices without branches, and numpy's rules for numbers that are none.

Imported by the modules that `ridgeline.compiled.with_numba` writes, and by nothing else: it needs
numba (extra ``[fast]``).
"""

from __future__ import annotations

from math import expm1, hypot, isfinite, log1p, log10
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from ridgeline.compiled.elementary import Emitter

__all__ = [
    "absolute", "ceil", "exp", "expm1", "floor", "floor_divide", "hypot", "isfinite", "log",
    "log1p", "log2", "log10", "maximum", "minimum", "not_", "power", "remainder", "rint",
    "select", "select_truth", "sqrt", "trunc",
]  # fmt: skip

_NUMBER, _TRUTH = types.float64, types.boolean


def _selected(kind: Any) -> Any:
    def typed(context: Any, condition: Any, a: Any, b: Any) -> Any:
        del context, condition, a, b

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            del context, signature
            return builder.select(*arguments)

        return kind(_TRUTH, kind, kind), code

    return intrinsic(typed)


select = _selected(_NUMBER)
select_truth = _selected(_TRUTH)


def _extreme(relation: str) -> Any:
    """The first operand where it is not beaten or is no number, as numpy has it."""

    def typed(context: Any, a: Any, b: Any) -> Any:
        del context, a, b

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            del context, signature
            a, b = arguments
            ordered = builder.fcmp_ordered(relation, a, b)
            none = builder.fcmp_unordered("uno", a, a)
            return builder.select(builder.or_(ordered, none), a, b)

        return _NUMBER(_NUMBER, _NUMBER), code

    return intrinsic(typed)


maximum = _extreme(">=")
minimum = _extreme("<=")


def _llvm(name: str) -> Any:
    def typed(context: Any, a: Any) -> Any:
        del context, a

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            del context, signature
            function = builder.module.declare_intrinsic(f"llvm.{name}", [ir.DoubleType()])
            return builder.call(function, arguments)

        return _NUMBER(_NUMBER), code

    return intrinsic(typed)


absolute = _llvm("fabs")
floor = _llvm("floor")
ceil = _llvm("ceil")
rint = _llvm("rint")
trunc = _llvm("trunc")
sqrt = _llvm("sqrt")


def _elementary(name: str, n_operands: int) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return getattr(Emitter(builder), name)(*arguments)

    def one(context: Any, a: Any) -> Any:
        del context, a
        return _NUMBER(_NUMBER), code

    def two(context: Any, a: Any, b: Any) -> Any:
        del context, a, b
        return _NUMBER(_NUMBER, _NUMBER), code

    return intrinsic(one if n_operands == 1 else two)


exp = _elementary("exp", 1)
log = _elementary("log", 1)
log2 = _elementary("log2", 1)
power = _elementary("power", 2)


@intrinsic
def not_(context: Any, a: Any) -> Any:
    """The other truth value."""
    del context, a

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.not_(arguments[0])

    return _TRUTH(_TRUTH), code


@njit(inline="always", error_model="numpy")
def floor_divide(a, b):  # noqa: ANN001, ANN201
    """As numpy divides numbers and rounds down."""
    return a // b


@njit(inline="always", error_model="numpy")
def remainder(a, b):  # noqa: ANN001, ANN201
    """As numpy has it: of the sign of the second."""
    return a % b
