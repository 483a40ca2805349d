"""What the loops of a stage do at one point, as instructions: no branches, numpy's rules.

Imported by the modules that `ridgeline.compiled.with_numba` writes, and by nothing else: it needs
numba (extra ``[fast]``).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import Compiler
from numba.extending import intrinsic

from ridgeline.compiled.elementary import Emitter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Apart", "step"]

_NUMBER = ir.DoubleType()
_ONE_OPERAND = {
    "absolute": "fabs", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "rint": "rint",
    "trunc": "trunc",
}  # fmt: skip
_FROM_C = {"erf": 1, "expm1": 1, "log10": 1, "log1p": 1, "hypot": 2}
_RELATIONS = {
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==",
}  # fmt: skip


class Apart(Compiler):
    """Compiles functions whose arguments do not overlap, so that loops need not ask."""

    def define_pipelines(self) -> Any:
        """As usual, with that said."""
        self.state.flags.noalias = True
        return super().define_pipelines()


#: what takes one more value in
_REDUCTIONS = {"sum": "add", "largest": "maximum", "smallest": "minimum"}


def step(text: str) -> Any:
    """A function of constants, arrays and flat indices that does the operations of a text.

    Parameters
    ----------
    text : str   An operation a line: its name and its operands, ``a0``, ``a1`` … for the results of
                 earlier lines, ``p`` for the next constant, ``true`` and ``false``. ``load`` and
                 ``truth`` read a row of an array, ``store``, ``sum``, ``largest`` and ``smallest``
                 write one: all take the number of the array and of the row. So does ``lookup``, and
                 how many values after the index it reads.

    Notes
    -----
    Instructions are written here, not by numba from Python: inferring the types of a thousand
    numbers that are all doubles takes longer than compiling them.
    """
    lines = [line.split() for line in text.strip().splitlines()]

    @intrinsic
    def body(context: Any, constants: Any, arrays: Any, indices: Any) -> Any:
        del context

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            writer = _Writer(context, builder, signature.args, arguments, _divisors(lines))
            for word, *operands in lines:
                writer.line(word, operands)
            return context.get_dummy_value()

        return types.void(constants, arrays, indices), code

    return body


def _divisors(lines: list[list[str]]) -> set[str]:
    """What is divided by more than once: constants, by each of all points, and shared values."""
    counts = Counter(words[2] for words in lines if words[0] == "divide")
    return {by for by, n in counts.items() if n > 1 or by == "p"}


class _Writer:
    """Writes the instructions of lines, one after another."""

    def __init__(
        self, context: Any, builder: Any, kinds: Any, arguments: Any, divisors: set[str]
    ) -> None:
        self.b = builder
        self._divisors = divisors
        self._reciprocals: dict[str, Any] = {}
        self.e = Emitter(builder)
        self._values: list[Any] = []
        self._n_constants = 0
        constants, arrays, indices = arguments
        self._constants = context.make_array(kinds[0])(context, builder, constants).data
        self._indices = cgutils.unpack_tuple(builder, indices)
        self._data, self._widths = [], []
        for kind, value in zip(kinds[1], cgutils.unpack_tuple(builder, arrays), strict=True):
            array = context.make_array(kind)(context, builder, value)
            self._data.append(array.data)
            self._widths.append(cgutils.unpack_tuple(builder, array.shape)[1])

    def line(self, word: str, operands: list[str]) -> None:
        """One line of the text."""
        if word in ("load", "truth"):
            found = self._fixed(self._place(*operands))
            if word == "truth":
                found = self.b.fcmp_unordered("!=", found, self.e.number(0.0))
            self._values.append(found)
        elif word == "lookup":
            array, row, index = operands
            place = self._place(array, row, self._operand(index))
            self._values.append(self._fixed(place))
        elif word in ("store", *_REDUCTIONS):
            place, value = self._place(*operands[:2]), self._operand(operands[2])
            if value.type != _NUMBER:
                value = self.e.when(value, 1.0, 0.0)
            if word in _REDUCTIONS:
                before = self.b.load(place)
                value = _PLAIN[_REDUCTIONS[word]](self.b, self.e, before, value)
            self.b.store(value, place)
        elif word == "divide" and operands[1] in self._divisors:
            self._values.append(self._divided(self._operand(operands[0]), operands[1]))
        elif word == "whole_power":
            self._values.append(self._whole_power(self._operand(operands[0]), int(operands[1])))
        else:
            self._values.append(self._operation(word, [self._operand(o) for o in operands]))

    def _place(self, array: str, row: str, further: Any = None) -> Any:
        """Where a value of an array's row is, or one so many values further."""
        i = int(array)
        start = self.b.mul(self._widths[i], self._widths[i].type(int(row)))
        if further is not None:
            start = self.b.add(start, self.b.fptosi(further, start.type))
        return self.b.gep(self._data[i], [self.b.add(start, self._indices[i])], inbounds=True)

    def _fixed(self, place: Any) -> Any:
        """A value that nothing in the loops changes: it may be read once and kept."""
        found = self.b.load(place)
        found.set_metadata("invariant.load", self.b.module.add_metadata([]))
        return found

    def _operand(self, word: str) -> Any:
        if word == "p":
            index = ir.Constant(ir.IntType(64), self._n_constants)
            self._n_constants += 1
            return self._fixed(self.b.gep(self._constants, [index], inbounds=True))
        if word in ("true", "false"):
            return ir.Constant(ir.IntType(1), int(word == "true"))
        return self._values[int(word[1:])]

    def _divided(self, value: Any, divisor: str) -> Any:
        """A quotient by what other quotients are by, too: divisions are what loops wait for.

        By the reciprocal, and the remainder that leaves: the digits of a division. The reciprocal
        of a constant is taken once. What is not finite has no remainder, and keeps its product.
        """
        by = self._operand(divisor)
        reciprocal = self._reciprocals.get(divisor)
        if reciprocal is None or divisor == "p":
            reciprocal = self._reciprocals[divisor] = self.b.fdiv(self.e.number(1.0), by)
        near = self.b.fmul(value, reciprocal)
        rest = self.e.fma(self.b.fneg(near), by, value)
        found = self.e.fma(rest, reciprocal, near)
        return self.e.when(self.e.test("ord", found, found), found, near)

    def _whole_power(self, value: Any, exponent: int) -> Any:
        """By squaring."""
        found = None
        for bit in reversed(f"{exponent:b}"):
            if bit == "1":
                found = value if found is None else self.b.fmul(found, value)
            value = self.b.fmul(value, value)
        return found

    def _operation(self, name: str, o: list[Any]) -> Any:
        b, e = self.b, self.e
        if name in _ONE_OPERAND:
            return e.call(_ONE_OPERAND[name], *o)
        if name in _RELATIONS:
            return b.fcmp_ordered(_RELATIONS[name], *o)
        if name in _FROM_C:
            return self._c(name, o)
        if name in ("exp", "log", "log2", "power"):
            return getattr(e, name)(*o)
        return _PLAIN[name](b, e, *o)

    def _c(self, name: str, o: list[Any]) -> Any:
        """A function of the C library."""
        kind = ir.FunctionType(_NUMBER, [_NUMBER] * len(o))
        function = cgutils.get_or_insert_function(self.b.module, kind, name)
        return self.b.call(function, o)


def _extreme(relation: str) -> Callable[..., Any]:
    """The first operand where it is not beaten or is no number, as numpy has it."""

    def code(b: Any, e: Emitter, x: Any, y: Any) -> Any:
        none = b.fcmp_unordered("uno", x, x)
        return e.when(b.or_(b.fcmp_ordered(relation, x, y), none), x, y)

    return code


def _remainder(b: Any, e: Emitter, x: Any, y: Any) -> Any:
    """Of the sign of the second, as numpy has it."""
    found = b.frem(x, y)
    changes = b.xor(
        b.fcmp_ordered("<", found, e.number(0.0)), b.fcmp_ordered("<", y, e.number(0.0))
    )
    whole = b.fcmp_ordered("==", found, e.number(0.0))
    return e.when(b.and_(changes, b.not_(whole)), b.fadd(found, y), found)


def _floor_divide(b: Any, e: Emitter, x: Any, y: Any) -> Any:
    """The quotient of what the remainder leaves; without one, of the two."""
    quotient = b.fdiv(b.fsub(x, _remainder(b, e, x, y)), y)
    near = e.call("rint", quotient)
    endless = b.fcmp_ordered("==", y, e.number(0.0))
    return e.when(endless, b.fdiv(x, y), near)


_PLAIN: dict[str, Callable[..., Any]] = {
    "add": lambda b, _, x, y: b.fadd(x, y),
    "subtract": lambda b, _, x, y: b.fsub(x, y),
    "multiply": lambda b, _, x, y: b.fmul(x, y),
    "divide": lambda b, _, x, y: b.fdiv(x, y),
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "maximum": _extreme(">="),
    "minimum": _extreme("<="),
    "negative": lambda b, _, x: b.fneg(x),
    "square": lambda b, _, x: b.fmul(x, x),
    "number": lambda _, e, x: e.when(x, 1.0, 0.0),
    "not_equal": lambda b, _, x, y: b.fcmp_unordered("!=", x, y),
    "logical_and": lambda b, _, x, y: b.and_(x, y),
    "logical_or": lambda b, _, x, y: b.or_(x, y),
    "logical_xor": lambda b, _, x, y: b.xor(x, y),
    "logical_not": lambda b, _, x: b.not_(x),
    "isfinite": lambda b, e, x: b.fcmp_ordered("<", e.call("fabs", x), e.number(float("inf"))),
    "isnan": lambda b, _, x: b.fcmp_unordered("uno", x, x),
    "where": lambda b, _, c, x, y: b.select(c, x, y),
    "where_truth": lambda b, _, c, x, y: b.select(c, x, y),
}
