"""A graph of element-wise operations over named axes, in which nothing is there twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "INPUT",
    "LAID",
    "LATE",
    "LOOKUP",
    "REDUCTIONS",
    "RUNNING",
    "TABLE",
    "AxisId",
    "Graph",
    "Node",
    "NotTraceable",
    "broadcast_dims",
    "has_own_axes",
]

#: kinds of nodes that are given, not computed: a field of an axis, and an array of the kernel's own
INPUT, TABLE = "input", "table"
#: reductions over an axis: what adds one more value, and what there is before the first
REDUCTIONS: dict[str, tuple[np.ufunc, float]] = {
    "sum": (np.add, 0.0),
    "largest": (np.maximum, -np.inf),
    "smallest": (np.minimum, np.inf),
}
#: sums of all values up to each along an axis
RUNNING = "running"
#: what is known when all loops of its stage have run, and not before
LATE = frozenset({*REDUCTIONS, RUNNING})
#: rows of a table by an index that varies
LOOKUP = "lookup"
#: the same values with dimensions of length one put in or left out
LAID = "laid"

#: operands that change nothing, and whether as the first one, too
_NEUTRAL = {"multiply": (1, True), "divide": (1, False), "add": (0, True), "subtract": (0, False)}

#: an axis of the grid by its number, or one of the kernel's own by place and length
AxisId = int | tuple[str, int, int]
#: the axis along each dimension, first dimension first; None where an array has but one value
Dims = tuple[AxisId | None, ...]


class NotTraceable(Exception):  # noqa: N818  (never seen by users: the kernel is run as it is)
    """The kernel asks for values, not for operations: it can only be run as it is."""


class Node:
    """One value of the graph.

    Attributes
    ----------
    operation : str      Of `OPERATIONS` or `REDUCTIONS`, or ``input``, ``table``, ``laid``,
                         ``lookup``, ``running``.
    operands : tuple     Nodes and numbers.
    dims : tuple         Axis of each dimension.
    truth : bool         Whether it is a truth value.
    of : object          Name of an input, array of a table, axis of a reduction.
    axes : frozenset     What it varies over.
    """

    __slots__ = ("axes", "dims", "number", "of", "operands", "operation", "truth")

    def __init__(
        self,
        operation: str,
        operands: tuple[Any, ...],
        dims: Dims,
        truth: bool,
        of: Any,
        number: int,
    ) -> None:
        self.operation = operation
        self.operands = operands
        self.dims = dims
        self.truth = truth
        self.of = of
        self.number = number
        self.axes: frozenset[AxisId] = frozenset(d for d in dims if d is not None)


def broadcast_dims(each: Sequence[Dims]) -> Dims:
    """Dimensions of what operands make together.

    Raises
    ------
    NotTraceable   Two axes meet in one dimension.
    """
    longest = max(each, key=len, default=())
    if all(d == longest or not d for d in each):
        return longest
    found: list[AxisId | None] = list(longest)
    n = len(found)
    for dims in each:
        for place, axis in enumerate(dims, n - len(dims)):
            if axis is None or axis == found[place]:
                continue
            if found[place] is not None:
                raise NotTraceable(f"axes {found[place]} and {axis} meet in one dimension")
            found[place] = axis
    return tuple(found)


@dataclass(slots=True)
class Graph:
    """Nodes in the order in which they can be computed; equal ones are one.

    Attributes
    ----------
    lengths : dict   Of each axis of the grid and of the kernel's own.
    nodes : list
    """

    lengths: dict[AxisId, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    _known: dict[tuple[Any, ...], Node] = field(default_factory=dict)

    def _node(
        self, operation: str, operands: tuple[Any, ...], dims: Dims, truth: bool, of: Any, key: Any
    ) -> Node:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Node(operation, operands, dims, truth, of, len(self.nodes))
            self.nodes.append(found)
        return found

    def input(self, name: str, axis: int, n_axes: int, length: int) -> Node:
        """A field of an axis of the grid."""
        self.lengths[axis] = length
        dims = tuple(axis if i == axis else None for i in range(n_axes))
        return self._node(INPUT, (), dims, False, name, (INPUT, name))

    def table(self, values: np.ndarray) -> Node | float:
        """An array of the kernel's own, along axes of its own; of one value, that value."""
        if values.dtype.kind not in "bfiu":
            raise NotTraceable(f"an array of {values.dtype}")
        if values.size == 1 and values.ndim == 0:
            return values.item()
        dims: list[AxisId | None] = []
        for place, length in enumerate(values.shape):
            axis = ("own", values.ndim - place, length) if length > 1 else None
            if axis is not None:
                self.lengths[axis] = length
            dims.append(axis)
        truth = values.dtype.kind == "b"
        kept = values if truth else np.asarray(values, dtype=float)
        key = (TABLE, values.shape, truth, kept.tobytes())
        return self._node(TABLE, (), tuple(dims), truth, kept, key)

    def compute(self, name: str, *operands: Any) -> Any:
        """An operation on nodes and numbers, made simpler where that changes no digit."""
        simple = _simpler(name, operands)
        if simple is not None:
            return simple
        operation = OPERATIONS[name]
        parts = [o.number if isinstance(o, Node) else _number_key(o) for o in operands]
        if operation.commutes:
            parts.sort(key=str)
        dims = broadcast_dims([o.dims for o in operands if isinstance(o, Node)])
        key = (name, *parts)
        return self._node(name, operands, dims, operation.truth, None, key)

    def reduce(self, name: str, node: Node, place: int, keep: bool) -> Any:
        """Add up along one dimension of the kernel's own, or take the largest or smallest."""
        axis = node.dims[place]
        if isinstance(axis, int):
            raise NotTraceable(f"{name} over an axis of the grid")
        put: Dims = (None,) if keep else ()
        dims = (*node.dims[:place], *put, *node.dims[place + 1 :])
        # Axes of tables are named by their place, which changes even where there is one value.
        if node.operation == TABLE:
            return self.table(REDUCTIONS[name][0].reduce(node.of, axis=place, keepdims=keep))
        if node.operation == LOOKUP:
            index, table = node.operands
            rows = np.moveaxis(table.of, -1, 0)
            return self.lookup(REDUCTIONS[name][0].reduce(rows, axis=place, keepdims=keep), index)
        if axis is None:
            return self.laid(node, dims)
        return self._node(name, (node,), dims, False, axis, (name, node.number, axis, dims))

    def running(self, node: Node, place: int) -> Node:
        """Sums of all values up to each along one dimension of the kernel's own."""
        axis = node.dims[place]
        if axis is None or isinstance(axis, int):
            raise NotTraceable("a running sum over an axis of the grid")
        key = (RUNNING, node.number, axis)
        return self._node(RUNNING, (node,), node.dims, False, axis, key)

    def lookup(self, table: np.ndarray, index: Node) -> Any:
        """Rows of a table, by an index that has one dimension: its further ones are the table's."""
        n_rows, *lengths = table.shape
        n = table.ndim
        # All ways to run agree on what lies outside.
        index = self.compute("minimum", self.compute("maximum", index, 0.0), n_rows - 1.0)
        if (table == table[:1]).all():
            return self.table(table[:1])
        kept = np.ascontiguousarray(np.moveaxis(np.asarray(table, dtype=float), 0, -1))
        own: list[AxisId | None] = []
        for place, length in enumerate(lengths, 1):
            own.append(("own", n - place, length) if length > 1 else None)
        # The index runs fastest: rows of all places lie side by side.
        of_rows: AxisId = ("rows", 0, n_rows)
        self.lengths |= {a: a[2] for a in (*own, of_rows) if isinstance(a, tuple)}
        key = (TABLE, LOOKUP, table.shape, kept.tobytes())
        rows = self._node(TABLE, (), (*own, of_rows), False, kept, key)
        dims = (*index.dims, *own)
        key = (LOOKUP, index.number, rows.number, dims)
        return self._node(LOOKUP, (index, rows), dims, False, None, key)

    def part(self, node: Node, keys: Sequence[Any]) -> Any:
        """A place, or a part, of each dimension of a table or of what is looked up in one.

        Of anything else, dimensions of length one are left out.
        """
        if node.operation == TABLE:
            return self.table(node.of[tuple(keys)])
        if node.operation == LOOKUP and keys[0] == slice(None):
            index, table = node.operands
            return self.lookup(np.moveaxis(table.of, -1, 0)[tuple(keys)], index)
        out = [a is None and k in (0, -1) for a, k in zip(node.dims, keys, strict=True)]
        if any(k != slice(None) for k, o in zip(keys, out, strict=True) if not o):
            raise NotTraceable(f"an index {keys!r}")
        return self.laid(node, tuple(a for a, o in zip(node.dims, out, strict=True) if not o))

    def laid(self, node: Node, dims: Dims) -> Node:
        """The same values with dimensions of length one put in or left out."""
        if dims == node.dims:
            return node
        key = (LAID, node.number, dims)
        return self._node(LAID, (node,), dims, node.truth, None, key)


def _number_key(value: float) -> str:
    """Tells 1 from 1.0 no more than arithmetic does, and 0.0 from -0.0."""
    return "#" + float(value).hex()


def _simpler(name: str, operands: tuple[Any, ...]) -> Any:
    """What is known without computing, digit for digit; None where nothing is."""
    if name.startswith("where"):
        condition, first, other = operands
        if not isinstance(condition, Node):
            chosen, left = (first, other) if condition else (other, first)
            return None if has_own_axes(left) else chosen
        return first if first is other and not has_own_axes(condition) else None
    if name == "power" and _is(operands[0], 1):
        return None if has_own_axes(operands[1]) else 1.0
    neutral, either = _NEUTRAL.get(name, (None, False))
    for i, value in enumerate(operands if neutral is not None else ()):
        other = operands[1 - i]
        if _is(value, neutral) and (i or either) and isinstance(other, Node) and not other.truth:
            return other
    return None


def has_own_axes(value: Any) -> bool:
    """Whether a value varies over axes of the kernel's own: what is added up over them must know.

    Of the grid's axes a column that does not vary over one may leave it out.
    """
    return isinstance(value, Node) and not all(isinstance(a, int) for a in value.axes)


def _is(value: Any, number: float | None) -> bool:
    return not isinstance(value, Node) and value == number
