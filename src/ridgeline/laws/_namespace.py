"""Let one source run on numpy, JAX, torch or any array-API library, scalars included."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ceil", "divide", "exp", "expm1", "floats", "log", "log2", "log10", "maximum", "minimum",
    "namespace", "where",
]  # fmt: skip


class _Numpy:
    """numpy, imported when something first needs it: what is said of a chip takes plain numbers.

    Names that were looked up stay here as attributes, as quick as those of a module. `module` is
    numpy itself; `plain` are its arrays, and scalars of numpy and Python.
    """

    def __getattr__(self, name: str) -> Any:
        import numpy  # noqa: PLC0415

        own = {"module": numpy, "plain": (numpy.ndarray, float, int, numpy.generic)}
        value = own[name] if name in own else getattr(numpy, name)
        setattr(self, name, value)
        return value


np: Any = _Numpy()


def _is_array(value: Any) -> bool:
    """True arrays only: numpy's scalars mix with any library like Python's do."""
    from array_api_compat import is_array_api_obj  # noqa: PLC0415  (not for numpy's)

    return is_array_api_obj(value) and not isinstance(value, np.generic)


def namespace(*values: Any) -> Any:
    """Return the array namespace of the arrays among `values` (numpy if all are scalars)."""
    # The usual case without a detour: laws are called thousands of times per question.
    for value in values:
        if not isinstance(value, np.plain):
            break
    else:
        return np.module
    arrays = [v for v in values if _is_array(v)]
    # Looking numpy up costs a tenth of a second of imports.
    if all(isinstance(v, np.ndarray) for v in arrays):
        return np.module
    from array_api_compat import array_namespace  # noqa: PLC0415  (not for numpy's)

    return array_namespace(*arrays)


def _as_arrays(xp: Any, *values: Any) -> list[Any]:
    """Turn scalars into arrays of the others' dtype, as the standard's functions want."""
    dtypes = [v.dtype for v in values if _is_array(v)]
    floats = [d for d in dtypes if xp.isdtype(d, "real floating")]
    kind = floats[0] if floats else xp.float64
    return [v if _is_array(v) else xp.asarray(v, dtype=kind) for v in values]


def _plain(value: Any) -> Any:
    """A Python scalar for a numpy one: strict libraries take only those beside their arrays."""
    return value.item() if isinstance(value, np.generic) else value


def floats(value: Any) -> Any:
    """Numbers as numpy's floats; arrays of other libraries as they are."""
    return np.asarray(value, dtype=float) if isinstance(value, np.plain) else value


def minimum(a: Any, b: Any) -> Any:
    """Elementwise minimum."""
    if type(a) is float and type(b) is float and a != b:
        return b if b < a or b != b else a  # noqa: PLR0124  (NaN wins)
    xp = namespace(a, b)
    return _plain(np.minimum(a, b)) if xp is np.module else xp.minimum(*_as_arrays(xp, a, b))


def maximum(a: Any, b: Any) -> Any:
    """Elementwise maximum."""
    if type(a) is float and type(b) is float and a != b:
        return b if b > a or b != b else a  # noqa: PLR0124  (NaN wins)
    xp = namespace(a, b)
    return _plain(np.maximum(a, b)) if xp is np.module else xp.maximum(*_as_arrays(xp, a, b))


def where(condition: Any, a: Any, b: Any) -> Any:
    """Elementwise choice; of scalars, a scalar."""
    if type(condition) is bool and type(a) is float and type(b) is float:
        return a if condition else b
    xp = namespace(condition, a, b)
    if xp is np.module:
        return _plain(np.where(condition, a, b)[()])
    return xp.where(xp.asarray(condition), *_as_arrays(xp, a, b))


def divide(a: Any, b: Any) -> Any:
    """Elementwise quotient; inf where a positive number is divided by zero, without a warning."""
    if type(a) is float and type(b) is float and b:
        return a / b
    if namespace(a, b) is not np.module:
        return a / b
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _plain(np.true_divide(a, b))


def ceil(a: Any) -> Any:
    """Elementwise smallest whole number not below."""
    return _plain(namespace(a).ceil(a))


def exp(a: Any) -> Any:
    """Elementwise exponential."""
    return _plain(namespace(a).exp(a))


def expm1(a: Any) -> Any:
    """Elementwise exponential less 1, exact near 0."""
    return _plain(namespace(a).expm1(a))


def log(a: Any) -> Any:
    """Elementwise natural logarithm."""
    return _plain(namespace(a).log(a))


def log2(a: Any) -> Any:
    """Elementwise logarithm to base 2."""
    return _plain(namespace(a).log2(a))


def log10(a: Any) -> Any:
    """Elementwise logarithm to base 10."""
    return _plain(namespace(a).log10(a))
