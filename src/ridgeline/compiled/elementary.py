"""Exponentials, logarithms and powers as plain arithmetic, which compilers turn into vectors.

The C library takes one number a call: in a loop of several hundred operations a handful of such
calls takes half of the time. Here each function is straight-line code on doubles, without tables or
branches: logarithms by the series of the inverse hyperbolic tangent, exponentials by Taylor's, both
short because arguments are first brought near one; powers carry the logarithm in two doubles.
Errors are below one unit in the last place (`tests/compiled/test_elementary.py`).

Imported by `ridgeline.compiled.loops` alone: it needs numba (extra ``[fast]``).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from llvmlite import ir

__all__ = ["Emitter"]

_NUMBER, _WHOLE = ir.DoubleType(), ir.IntType(64)
_MANTISSA_BITS, _BIAS = 52, 1023
_MANTISSA = (1 << _MANTISSA_BITS) - 1
_ONE = _BIAS << _MANTISSA_BITS
#: by which numbers below the normal ones are made normal, and its logarithm to base 2
_LIFT, _LIFTED = 2.0**54, 54
_SMALLEST_NORMAL = 2.0**-1022
#: terms of the series of log((1 + s) / (1 - s)) / s beyond its first: |s| < 0.172
_LOG_TERMS = 11
#: and of the exponential's beyond the second: |r| < 0.347
_EXP_TERMS = 12
#: exponents beyond which results are 0 or infinite
_LARGEST = 800.0


def _split(value: Fraction, bits: int) -> tuple[float, float]:
    """A constant in two doubles, the first with so many bits that products with integers are exact.

    Examples
    --------
    >>> high, low = _split(Fraction(1, 3), 33)
    >>> (high * 2**34).is_integer(), abs(Fraction(high) + Fraction(low) - Fraction(1, 3)) < 1e-26
    (True, True)
    """
    exponent = math.frexp(float(value))[1] - bits
    high = float(Fraction(round(value / Fraction(2) ** exponent)) * Fraction(2) ** exponent)
    return high, float(value - Fraction(high))


def _ln2() -> Fraction:
    """The logarithm of 2 to 40 digits: the sum of 1 / (k 2^k)."""
    return sum((Fraction(1, k * 2**k) for k in range(1, 140)), Fraction(0))


_LN2 = _split(_ln2(), 40)
_PER_LN2 = _split(1 / _ln2(), 53)
_TWO_THIRDS = _split(Fraction(2, 3), 53)


class Emitter:
    """Writes the functions as instructions.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.b = builder

    # --- words

    def number(self, value: float) -> Any:
        """A constant."""
        return ir.Constant(_NUMBER, value)

    def _of(self, value: Any) -> Any:
        return self.number(value) if isinstance(value, float | int) else value

    def add(self, a: Any, b: Any) -> Any:
        """Sum."""
        return self.b.fadd(self._of(a), self._of(b))

    def sub(self, a: Any, b: Any) -> Any:
        """Difference."""
        return self.b.fsub(self._of(a), self._of(b))

    def mul(self, a: Any, b: Any) -> Any:
        """Product."""
        return self.b.fmul(self._of(a), self._of(b))

    def call(self, name: str, *operands: Any) -> Any:
        """An instruction of the processor by its name in LLVM."""
        kind = ir.FunctionType(_NUMBER, [_NUMBER] * len(operands))
        function = self.b.module.declare_intrinsic(f"llvm.{name}", [_NUMBER], kind)
        return self.b.call(function, [self._of(o) for o in operands])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """``a b + c``, rounded once."""
        return self.call("fma", a, b, c)

    def when(self, condition: Any, a: Any, b: Any) -> Any:
        """A choice without a branch."""
        return self.b.select(condition, self._of(a), self._of(b))

    def test(self, relation: str, a: Any, b: Any) -> Any:
        """A comparison, false where an operand is no number."""
        return self.b.fcmp_ordered(relation, self._of(a), self._of(b))

    def _polynomial(self, x: Any, coefficients: list[float]) -> Any:
        """By Horner's rule, the constant term first in the list."""
        found = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            found = self.fma(found, x, c)
        return found

    # --- parts

    def _parts(self, x: Any) -> tuple[Any, Any]:
        """A positive number as a power of two and a factor between the roots of 1/2 and 2."""
        b = self.b
        small = self.test("<", x, _SMALLEST_NORMAL)
        lifted = self.when(small, self.mul(x, _LIFT), x)
        bits = b.bitcast(lifted, _WHOLE)
        exponent = b.sub(b.lshr(bits, ir.Constant(_WHOLE, _MANTISSA_BITS)), _whole(_BIAS))
        mantissa = b.or_(b.and_(bits, _whole(_MANTISSA)), _whole(_ONE))
        m = b.bitcast(mantissa, _NUMBER)
        upper = self.test(">", m, math.sqrt(2.0))
        m = self.when(upper, self.mul(m, 0.5), m)
        exponent = b.add(exponent, b.zext(upper, _WHOLE))
        exponent = b.sub(exponent, b.select(small, _whole(_LIFTED), _whole(0)))
        return b.sitofp(exponent, _NUMBER), m

    def _log(self, x: Any) -> tuple[Any, Any, Any]:
        """Exponent of a positive number, and the logarithm of the rest in two doubles."""
        e, m = self._parts(x)
        f = self.sub(m, 1.0)
        below = self.add(m, 1.0)
        # What m + 1 lost in rounding: m is the smaller of the two or nearly so.
        lost = self.sub(m, self.sub(below, 1.0))
        share = self.b.fdiv(self.number(1.0), below)
        s = self.mul(f, share)
        rest = self.fma(self.fneg(s), below, f)
        rest = self.mul(self.fma(self.fneg(s), lost, rest), share)
        z = self.mul(s, s)
        # 2 s + 2/3 s^3 + s^3 z (2/5 + 2/7 z + ...): the first two terms in two doubles each.
        cube, cube_low = self._product(s, z, self.fma(s, s, self.fneg(z)), s)
        third, third_low = self._product(cube, self.number(_TWO_THIRDS[0]), None, None)
        third_low = self.add(third_low, self.fma(cube, _TWO_THIRDS[1], self.mul(cube_low, 2 / 3)))
        tail = self._polynomial(z, [2 / (2 * k + 1) for k in range(2, _LOG_TERMS + 1)])
        third_low = self.fma(self.mul(cube, z), tail, third_low)
        # What s lost, in the first term and in the second.
        third_low = self.fma(self.mul(2.0, rest), self.add(1.0, z), third_low)
        return e, *self._sum(self.mul(2.0, s), third, third_low)

    def _product(self, a: Any, b: Any, b_low: Any, scale: Any) -> tuple[Any, Any]:
        """A product in two doubles; with what the second factor lost, times `scale`."""
        high = self.mul(a, b)
        low = self.fma(a, b, self.fneg(high))
        return high, low if b_low is None else self.fma(b_low, scale, low)

    def _sum(self, a: Any, b: Any, low: Any) -> tuple[Any, Any]:
        """A sum in two doubles, where the first is the larger."""
        high = self.add(a, b)
        return self._normal(high, self.add(self.sub(b, self.sub(high, a)), low))

    def _normal(self, high: Any, low: Any) -> tuple[Any, Any]:
        found = self.add(high, low)
        return found, self.sub(low, self.sub(found, high))

    def fneg(self, a: Any) -> Any:
        """The opposite."""
        return self.b.fneg(a)

    def _ln(self, x: Any) -> tuple[Any, Any]:
        """The natural logarithm of a positive number in two doubles."""
        e, high, low = self._log(x)
        whole = self.mul(e, _LN2[0])
        return self._sum_any(whole, high, self.fma(e, _LN2[1], low))

    def _sum_any(self, a: Any, b: Any, low: Any) -> tuple[Any, Any]:
        """A sum in two doubles, whichever is the larger."""
        high = self.add(a, b)
        back = self.sub(high, a)
        error = self.add(self.sub(a, self.sub(high, back)), self.sub(b, back))
        return self._normal(high, self.add(error, low))

    def _exponential(self, high: Any, low: Any) -> Any:
        """The exponential of what two doubles add up to."""
        high = self.call("minnum", self.call("maxnum", high, -_LARGEST), _LARGEST)
        n = self.call("rint", self.mul(high, _PER_LN2[0]))
        r = self.fma(self.fneg(n), _LN2[0], high)
        low = self.fma(self.fneg(n), _LN2[1], low)
        r, low = self._sum(r, low, self.number(0.0))
        series = [1 / math.factorial(k) for k in range(2, _EXP_TERMS + 2)]
        square = self.mul(r, r)
        tail = self.fma(square, self._polynomial(r, series), low)
        found = self.add(1.0, self.add(r, tail))
        # In two steps, since the power of two alone may lie beyond doubles.
        whole = self.b.fptosi(n, _WHOLE)
        half = self.b.ashr(whole, _whole(1))
        return self.mul(self.mul(found, self._scale(half)), self._scale(self.b.sub(whole, half)))

    def _scale(self, exponent: Any) -> Any:
        bits = self.b.shl(self.b.add(exponent, _whole(_BIAS)), _whole(_MANTISSA_BITS))
        return self.b.bitcast(bits, _NUMBER)

    def _logarithm(self, x: Any, found: Any) -> Any:
        """What a logarithm is of zero, of the infinite, and of what has none."""
        found = self.when(self.test("==", x, math.inf), math.inf, found)
        found = self.when(self.test("==", x, 0.0), -math.inf, found)
        return self.when(self.test(">=", x, 0.0), found, math.nan)

    # --- functions

    def log(self, x: Any) -> Any:
        """Natural logarithm."""
        high, low = self._ln(x)
        return self._logarithm(x, self.add(high, low))

    def log2(self, x: Any) -> Any:
        """Logarithm to base 2."""
        e, high, low = self._log(x)
        found, lost = self._product(high, self.number(_PER_LN2[0]), None, None)
        lost = self.add(lost, self.fma(high, _PER_LN2[1], self.mul(low, _PER_LN2[0])))
        high, low = self._sum_any(e, found, lost)
        return self._logarithm(x, self.add(high, low))

    def exp(self, x: Any) -> Any:
        """Exponential."""
        found = self._exponential(x, self.number(0.0))
        return self.when(self.test("ord", x, x), found, x)

    def power(self, x: Any, y: Any) -> Any:
        """`x` to the power of `y`, by the rules of C."""
        size = self.call("fabs", x)
        high, low = self._ln(size)
        whole = self.mul(y, high)
        part = self.fma(y, low, self.fma(y, high, self.fneg(whole)))
        large = self.b.fcmp_unordered(">", self.call("fabs", whole), self.number(_LARGEST))
        found = self._exponential(whole, self.when(large, 0.0, part))
        # Where the base is zero or infinite its logarithm is not what the exponents say.
        up = self.test(">", y, 0.0)
        found = self.when(self.test("==", size, 0.0), self.when(up, 0.0, math.inf), found)
        found = self.when(self.test("==", size, math.inf), self.when(up, math.inf, 0.0), found)
        found = self.when(
            self.b.and_(self.test("ord", x, y), self.test("ord", y, x)), found, math.nan
        )
        found = self._signed(x, y, found)
        endless = self.test("==", self.call("fabs", y), math.inf)
        one = self.b.or_(self.test("==", x, 1.0), self.test("==", y, 0.0))
        one = self.b.or_(one, self.b.and_(self.test("==", x, -1.0), endless))
        return self.when(one, 1.0, found)

    def _signed(self, x: Any, y: Any, found: Any) -> Any:
        """Of a negative base: whole powers alone, and the odd ones are negative."""
        half = self.mul(y, 0.5)
        whole = self.test("==", self.call("floor", y), y)
        even = self.test("==", self.call("floor", half), half)
        negative = self.test("<", x, 0.0)
        odd = self.b.and_(whole, self.b.not_(even))
        # Zero has a sign, too.
        signed = self.b.icmp_signed("<", self.b.bitcast(x, _WHOLE), _whole(0))
        found = self.when(self.b.and_(signed, odd), self.fneg(found), found)
        infinite = self.test("==", self.call("fabs", x), math.inf)
        real = self.b.or_(self.b.or_(whole, self.b.not_(negative)), infinite)
        return self.when(real, found, math.nan)


def _whole(value: int) -> ir.Constant:
    return ir.Constant(_WHOLE, value)
