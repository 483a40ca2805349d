"""An array that stands for any: arithmetic on it is written down instead of done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ridgeline.compiled.graph import Node, NotTraceable
from ridgeline.compiled.operations import BITWISE, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ridgeline.compiled.trace import Recorder

__all__ = ["Traced"]

#: numpy's names for operations that are another's on truth values, or the same
_SAME = {
    "true_divide": "divide",
    "fabs": "absolute",
    "erf (vectorized)": "erf",
}


class Traced:
    """A value of a kernel that is being traced; mixes with numbers and numpy arrays.

    Parameters
    ----------
    recorder : Recorder
    node : Node

    Notes
    -----
    Whoever asks for its values (``bool``, ``float``, ``numpy.asarray``, a mask as an index) gets
    `NotTraceable`. ``any`` and ``all`` over everything answer for the whole grid.
    """

    __slots__ = ("node", "recorder")

    def __init__(self, recorder: Recorder, node: Node) -> None:
        self.recorder = recorder
        self.node = node

    # --- what arrays have

    @property
    def shape(self) -> tuple[int, ...]:
        """Over the whole grid."""
        lengths = self.recorder.graph.lengths
        return tuple(1 if axis is None else lengths[axis] for axis in self.node.dims)

    @property
    def ndim(self) -> int:
        """Dimensions."""
        return len(self.node.dims)

    @property
    def size(self) -> int:
        """Values over the whole grid."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Numbers or truth values."""
        return np.dtype(bool if self.node.truth else float)

    def __repr__(self) -> str:
        """What it is, not its values."""
        return f"<{type(self).__name__} {self.node.operation} of shape {self.shape}>"

    def __len__(self) -> int:
        if not self.node.dims:
            raise TypeError("len() of a number")
        return self.shape[0]

    __hash__ = object.__hash__

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotTraceable("the kernel asks for values")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __iter__ = item = tolist = _refuse

    def astype(self, dtype: Any, **_: Any) -> Any:
        """The same as numbers; whole numbers are cut as numpy cuts them."""
        kind = np.dtype(dtype).kind
        if kind == "f":
            return self.recorder.number(self)
        if kind in "iu":
            return self.recorder.compute("trunc", self)
        if kind == "b":
            return self if self.node.truth else self.recorder.compute("not_equal", self, 0.0)
        raise NotTraceable(f"an array of {dtype}")

    def copy(self) -> Traced:
        """Itself: nothing changes it."""
        return self

    def __getitem__(self, key: Any) -> Any:
        """Dimensions of length one put in by None or newaxis; everything else as it is."""
        keys = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, int) or (isinstance(k, slice) and k != slice(None)) for k in keys):
            return self._part(keys)
        n_given = sum(k is not None and k is not Ellipsis for k in keys)
        dims, found = list(self.node.dims), []
        for k in keys:
            if k is None:
                found.append(None)
            elif k is Ellipsis:
                while len(dims) > 0 and len(dims) > n_given:
                    found.append(dims.pop(0))
            elif isinstance(k, slice) and k == slice(None):
                found.append(dims.pop(0))
                n_given -= 1
            else:
                raise NotTraceable(f"an index {k!r}")
        return self.recorder.wrap(self.recorder.graph.laid(self.node, (*found, *dims)))

    def _part(self, keys: tuple[Any, ...]) -> Any:
        if any(k is None for k in keys):
            raise NotTraceable(f"an index {keys!r}")
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = (*keys[:at], *[slice(None)] * (self.ndim - len(keys) + 1), *keys[at + 1 :])
        keys = (*keys, *[slice(None)] * (self.ndim - len(keys)))
        return self.recorder.wrap(self.recorder.graph.part(self.node, keys))

    def any(self, axis: Any = None, **_: Any) -> bool:
        """Whether any value is true."""
        return self.recorder.condition(self, np.any, axis)

    def all(self, axis: Any = None, **_: Any) -> bool:
        """Whether all values are true."""
        return self.recorder.condition(self, np.all, axis)

    def sum(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """Add up along an axis of the kernel's own."""
        return self.recorder.reduce("sum", self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """The largest along an axis of the kernel's own."""
        return self.recorder.reduce("largest", self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """The smallest along an axis of the kernel's own."""
        return self.recorder.reduce("smallest", self, axis, keepdims)

    def cumsum(self, axis: Any = None, **_: Any) -> Any:
        """Sums of all values up to each along an axis of the kernel's own."""
        return self.recorder.running(self, axis)

    def __neg__(self) -> Any:
        return self.recorder.compute("negative", self)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Any:
        return self.recorder.compute("absolute", self)

    def __invert__(self) -> Any:
        return self.recorder.compute("invert", self)

    # --- numpy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Write the operation down."""
        if method != "__call__" or any(v is not None for v in options.values()):
            raise NotTraceable(f"{ufunc.__name__}.{method} with {sorted(options)}")
        name = _SAME.get(ufunc.__name__, ufunc.__name__)
        if name == "positive":
            return self
        if name not in OPERATIONS and name not in BITWISE:
            raise NotTraceable(f"no operation {ufunc.__name__}")
        return self.recorder.compute(name, *inputs)

    def __array_function__(
        self, function: Any, types: Any, inputs: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Do what numpy's functions on whole arrays do."""
        known = FUNCTIONS.get(function)
        if known is None:
            raise NotTraceable(f"no function {function.__name__}")
        try:
            return known(self.recorder, *inputs, **options)
        except TypeError as error:
            raise NotTraceable(f"{function.__name__}: {error}") from error


def _both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator, and the same with its operands changed over."""

    def straight(self: Traced, other: Any) -> Any:
        return self.recorder.compute(name, self, other)

    def turned(self: Traced, other: Any) -> Any:
        return self.recorder.compute(name, other, self)

    return straight, turned


_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor",
}  # fmt: skip
_COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip
# Set on the class, not left to numpy's mixin: that would go through a ufunc each time.
for _short, _name in _OPERATORS.items():
    _straight, _turned = _both(_name)
    setattr(Traced, f"__{_short}__", _straight)
    setattr(Traced, f"__r{_short}__", _turned)
for _short, _name in _COMPARISONS.items():
    setattr(Traced, f"__{_short}__", _both(_name)[0])


def _where(recorder: Recorder, condition: Any, a: Any, b: Any) -> Any:
    return recorder.compute("where", condition, a, b)


def _select(recorder: Recorder, conditions: Any, choices: Any, default: Any = 0) -> Any:
    found = default
    for condition, choice in zip(reversed(list(conditions)), reversed(list(choices)), strict=True):
        found = recorder.compute("where", condition, choice, found)
    return found


def _clip(recorder: Recorder, a: Any, low: Any = None, high: Any = None) -> Any:
    found = a if low is None else recorder.compute("maximum", a, low)
    return found if high is None else recorder.compute("minimum", found, high)


def _broadcast_arrays(recorder: Recorder, *arrays: Any) -> list[Any]:
    del recorder
    return list(arrays)


def _broadcast_to(recorder: Recorder, array: Any, shape: Any) -> Any:
    """As it is, where it has that shape or lacks dimensions of one alone."""
    wanted = shape if isinstance(shape, tuple) else (shape,)
    if not isinstance(array, Traced) or wanted[len(wanted) - array.ndim :] != array.shape:
        raise NotTraceable("values that are repeated")
    if any(n != 1 for n in wanted[: len(wanted) - array.ndim]):
        raise NotTraceable("values that are repeated")
    del recorder
    return array


def _reduced(name: str) -> Callable[..., Any]:
    def reduced(recorder: Recorder, a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return recorder.reduce(name, a, axis, keepdims)

    return reduced


def _cumsum(recorder: Recorder, a: Any, axis: Any = None) -> Any:
    return recorder.running(a, axis)


def _argmax(recorder: Recorder, a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The first place of the largest."""
    most = recorder.reduce("largest", a, axis, True)
    places = recorder.positions(a, axis)
    first = recorder.compute("where", a == most, places, float(places.size))
    return recorder.reduce("smallest", first, axis, keepdims)


def _take_along_axis(recorder: Recorder, arr: Any, indices: Any, axis: Any = -1) -> Any:
    """Rows of a table by an index that varies; or one value along an axis, which is added up."""
    if isinstance(arr, np.ndarray) and axis == 0:
        return recorder.lookup(arr, indices)
    if not isinstance(indices, Traced) or indices.shape[axis] != 1:
        raise NotTraceable("several values along an axis")
    chosen = recorder.compute("where", indices == recorder.positions(arr, axis), arr, 0.0)
    return recorder.reduce("sum", chosen, axis, True)


def _unique_values(recorder: Recorder, x: Any) -> np.ndarray:
    return recorder.distinct(x)


def _searchsorted(recorder: Recorder, a: Any, v: Any) -> Any:
    if not isinstance(a, np.ndarray):
        raise NotTraceable("a search in what is traced")
    found: Any = 0.0
    for value in a:
        found = recorder.compute("add", found, v > value)
    return found


def _ndim(recorder: Recorder, a: Any) -> int:
    del recorder
    return a.ndim


def _shape(recorder: Recorder, a: Any) -> tuple[int, ...]:
    del recorder
    return a.shape


def _size(recorder: Recorder, a: Any, axis: int | None = None) -> int:
    del recorder
    return a.size if axis is None else a.shape[axis]


def _any(recorder: Recorder, a: Any, axis: Any = None, **_: Any) -> bool:
    return recorder.condition(a, np.any, axis)


def _all(recorder: Recorder, a: Any, axis: Any = None, **_: Any) -> bool:
    return recorder.condition(a, np.all, axis)


#: functions of numpy that a kernel may call on traced arrays besides its element-wise ones
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.select: _select,
    np.clip: _clip,
    np.broadcast_arrays: _broadcast_arrays,
    np.broadcast_to: _broadcast_to,
    np.sum: _reduced("sum"),
    np.max: _reduced("largest"),
    np.min: _reduced("smallest"),
    np.cumsum: _cumsum,
    np.argmax: _argmax,
    np.take_along_axis: _take_along_axis,
    np.unique_values: _unique_values,
    np.searchsorted: _searchsorted,
    np.ndim: _ndim,
    np.shape: _shape,
    np.size: _size,
    np.any: _any,
    np.all: _all,
}
