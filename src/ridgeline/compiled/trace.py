"""Run a kernel on traced arrays and keep what it did: a graph and its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.graph import (
    INPUT,
    LAID,
    LATE,
    LOOKUP,
    REDUCTIONS,
    RUNNING,
    TABLE,
    Graph,
    Node,
    NotTraceable,
    has_own_axes,
)
from ridgeline.compiled.operations import BITWISE, OPERATIONS
from ridgeline.compiled.traced import Traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Recorder", "Trace", "shaped", "trace"]

#: values of an axis that are looked at together
_PIECE = 1 << 14
#: values that a kernel may tell apart
_MOST_DISTINCT = 256


@dataclass(frozen=True)
class Trace:
    """What a kernel did.

    Attributes
    ----------
    graph : Graph
    columns : mapping        Name to node, or to a number where nothing varies.
    n_axes : int             Of the grid.
    absent : tuple           What holds at no point, and so is not in the graph: the kernel would do
                             more where it held. A node, and whether it must be true of none or of
                             all.
    distinct : tuple         What the kernel distinguishes by value: a node, and the values it had.
    """

    graph: Graph
    columns: dict[str, Any]
    n_axes: int
    absent: tuple[tuple[Node, bool], ...] = ()
    distinct: tuple[tuple[Node, np.ndarray], ...] = ()

    def holds(self, axes: Sequence[Mapping[str, np.ndarray]]) -> bool:
        """Whether the kernel does the same on other values of the axes.

        Where any point needs a branch, all take it: a point's columns do not depend on its
        neighbours, so that the branch is right for those that would do without it, too. What is to
        be checked are branches that no point had needed, and values that are new.
        """
        return self.knows(axes) and all(all_are(axes, node, always) for node, always in self.absent)

    def knows(self, axes: Sequence[Mapping[str, np.ndarray]]) -> bool:
        """Whether what the kernel distinguishes by value has no other values on these axes."""
        return all(
            np.isin(values, known).all()
            for node, known in self.distinct
            for values in _pieces(axes, node)
        )

    @cached_property
    def missing(self) -> Node | None:
        """Whether a point needs a branch that is not in the graph; None where none can."""
        found: Any = None
        for node, always in self.absent:
            needed = self.graph.compute("logical_not", node) if always else node
            while has_own_axes(needed):
                place = next(
                    i for i, a in enumerate(needed.dims) if a is not None and not isinstance(a, int)
                )
                number = self.graph.compute("number", needed)
                most = self.graph.reduce("largest", number, place, keep=False)
                needed = self.graph.compute("greater", most, 0.0)
            found = needed if found is None else self.graph.compute("logical_or", found, needed)
        return found


def all_are(axes: Sequence[Mapping[str, np.ndarray]], node: Node, truth: bool) -> bool:
    """Whether a truth value is the same at all points.

    Parameters
    ----------
    axes : sequence of mappings   The grid.
    node : Node
    truth : bool                  That it is to be.
    """
    # Piece by piece, one that differs is enough.
    return all(np.all(values == truth) for values in _pieces(axes, node))


def _pieces(axes: Sequence[Mapping[str, np.ndarray]], node: Node) -> Iterator[Any]:
    """What a node is over a grid, piece by piece: what stays in the cache is faster."""
    along = [a for a in node.axes if isinstance(a, int)]
    if len(along) != 1:
        yield _Values(shaped(axes)).of(node)
        return
    (axis,) = along
    for start in range(0, len(next(iter(axes[axis].values()))), _PIECE):
        piece = {n: v[start : start + _PIECE] for n, v in axes[axis].items()}
        given = shaped([piece if i == axis else f for i, f in enumerate(axes)])
        yield _Values(given).of(node)


def shaped(axes: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """All fields, each along the dimension of its axis."""
    n = len(axes)
    return {
        name: np.asarray(column, dtype=float).reshape([-1 if j == i else 1 for j in range(n)])
        for i, fields in enumerate(axes)
        for name, column in fields.items()
    }


@dataclass(frozen=True, slots=True)
class _Values:
    """What nodes are, computed where they are asked for."""

    given: Mapping[str, np.ndarray]
    _known: dict[int, Any] = field(default_factory=dict)

    def of(self, node: Node) -> Any:
        """What a node is over the grid."""
        wanted = [node]
        while wanted:
            top = wanted[-1]
            missing = [
                o for o in top.operands if isinstance(o, Node) and o.number not in self._known
            ]
            if missing:
                wanted += missing
                continue
            wanted.pop()
            if top.number not in self._known:
                self._known[top.number] = self._evaluated(top)
        return self._known[node.number]

    def _evaluated(self, node: Node) -> Any:
        if node.operation == INPUT:
            return self.given[node.of]
        if node.operation == TABLE:
            return node.of
        given = [self._known[o.number] if isinstance(o, Node) else o for o in node.operands]
        if node.operation == LAID:
            lengths = dict(zip(node.operands[0].dims, np.shape(given[0]), strict=True))
            return np.reshape(given[0], [1 if a is None else lengths[a] for a in node.dims])
        if node.operation == LOOKUP:
            return np.moveaxis(given[1], -1, 0)[given[0].astype(int)]
        if node.operation in LATE:
            return self._along(node, given[0])
        with np.errstate(all="ignore"):
            return OPERATIONS[node.operation].numpy(*given)

    @staticmethod
    def _along(node: Node, values: np.ndarray) -> np.ndarray:
        """A reduction, or a running sum."""
        place = node.operands[0].dims.index(node.of)
        if node.operation == RUNNING:
            return np.add.accumulate(values, axis=place)
        keep = len(node.dims) == len(node.operands[0].dims)
        return REDUCTIONS[node.operation][0].reduce(values, axis=place, keepdims=keep)


@dataclass(slots=True)
class Recorder:
    """Keeps the graph while a kernel runs; answers conditions for the whole grid."""

    axes: Sequence[Mapping[str, np.ndarray]]
    most: float = math.inf
    graph: Graph = field(default_factory=Graph)
    absent: dict[tuple[int, bool], tuple[Node, bool]] = field(default_factory=dict)
    known: dict[int, tuple[Node, np.ndarray]] = field(default_factory=dict)

    def wrap(self, found: Any) -> Any:
        """A node as an array; a number as numpy has it."""
        if isinstance(found, Node):
            return Traced(self, found)
        return np.bool_(found) if isinstance(found, bool) else np.float64(found)

    def operand(self, value: Any) -> Any:
        """What the graph knows a value as."""
        kind = type(value)
        if kind is float:
            return value
        if kind is Traced:
            if value.recorder is not self:
                raise NotTraceable("an array of another trace")
            return value.node
        if isinstance(value, bool | np.bool_):
            return bool(value)
        if isinstance(value, float | int | np.number):
            return float(value)
        if isinstance(value, np.ndarray):
            return self.graph.table(value)
        if isinstance(value, list | tuple):
            return self.graph.table(np.asarray(value))
        raise NotTraceable(f"an operand of type {type(value).__name__}")

    def compute(self, name: str, *operands: Any) -> Any:
        """An operation, spelled as the one it is."""
        return self.wrap(self._compute(name, *(self.operand(o) for o in operands)))

    def _compute(self, name: str, *given: Any) -> Any:
        truths = [isinstance(v, bool) or (isinstance(v, Node) and v.truth) for v in given]
        if name in BITWISE:
            if not all(truths):
                raise NotTraceable(f"{name} of numbers")
            name = BITWISE[name]
        if name == "where":
            return self._chosen(*given, of_truths=truths[1] and truths[2])
        if name.startswith("logical"):
            return self._logical(name, [self._truth(v) for v in given])
        if any(truths):
            if name in ("equal", "not_equal", "maximum", "minimum") and all(truths):
                raise NotTraceable(f"{name} of truth values")
            given = tuple(self._number(v) for v in given)
        if name == "power" and not isinstance(given[1], Node):
            name, given = _power(*given)
            if name == "same":
                return given[0]
        return self.graph.compute(name, *given)

    def _chosen(self, condition: Any, a: Any, b: Any, of_truths: bool) -> Any:
        condition = self._truth(condition)
        if of_truths:
            return self.graph.compute("where_truth", condition, a, b)
        return self.graph.compute("where", condition, self._number(a), self._number(b))

    def _logical(self, name: str, given: list[Any]) -> Any:
        """Of a fixed truth value and another, what is known without looking."""
        if name in ("logical_and", "logical_or"):
            fixed, other = sorted(given, key=lambda v: isinstance(v, Node))
            if not isinstance(fixed, Node):
                if fixed != (name == "logical_or"):
                    return other
                if not has_own_axes(other):
                    return fixed
        return self.graph.compute(name, *given)

    def _number(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self.graph.compute("number", value) if value.truth else value
        return float(value)

    def _truth(self, value: Any) -> Any:
        if isinstance(value, Node):
            return value if value.truth else self.graph.compute("not_equal", value, 0.0)
        return bool(value)

    def number(self, value: Traced) -> Any:
        """A truth value as one or zero."""
        return self.wrap(self._number(value.node))

    def _along(self, value: Any, axis: Any) -> tuple[Node, int]:
        """An operand as numbers, and which of its dimensions is meant."""
        if not isinstance(axis, int):
            raise NotTraceable("several axes at once")
        node = self._number(self.operand(value))
        if not isinstance(node, Node):
            raise NotTraceable("an axis of a number")
        return node, axis % len(node.dims)

    def reduce(self, name: str, value: Any, axis: Any, keep: bool) -> Any:
        """Reduce one dimension, as `graph.REDUCTIONS` names it."""
        node, place = self._along(value, axis)
        return self.wrap(self.graph.reduce(name, node, place, keep))

    def running(self, value: Any, axis: Any) -> Any:
        """Sums of all values up to each along one dimension."""
        node, place = self._along(value, axis)
        return self.wrap(node if node.dims[place] is None else self.graph.running(node, place))

    def positions(self, value: Any, axis: Any) -> np.ndarray:
        """Places along one dimension, beside a value of as many dimensions."""
        node, place = self._along(value, axis)
        length = 1 if (of := node.dims[place]) is None else self.graph.lengths[of]
        return np.arange(float(length)).reshape([-1, *[1] * (len(node.dims) - place - 1)])

    def lookup(self, table: np.ndarray, index: Any) -> Any:
        """Rows of a table by an index of one dimension and further ones of length one."""
        node = self._number(self.operand(index))
        if len(node.dims) != table.ndim or any(a is not None for a in node.dims[1:]):
            raise NotTraceable("a table looked up by an index of several dimensions")
        return self.wrap(self.graph.lookup(table, self.graph.laid(node, node.dims[:1])))

    def distinct(self, value: Any) -> np.ndarray:
        """The values that there are over the whole grid: others are another kernel's."""
        node = self._number(self.operand(value))
        if not isinstance(node, Node):
            return np.unique([node])
        self._bounded(node)
        pieces = [np.unique(values) for values in _pieces(self.axes, node)]
        found = np.unique(np.concatenate(pieces))
        if len(found) > _MOST_DISTINCT:
            raise NotTraceable(f"{len(found)} values distinguished")
        self.known[node.number] = (node, found)
        return found

    def _bounded(self, node: Node) -> None:
        if math.prod(self.graph.lengths[a] for a in node.axes) > self.most:
            raise NotTraceable("a condition on more values than are worth it")

    def condition(self, value: Any, asked: Callable[..., Any], axis: Any) -> bool:
        """Whether any, or all, of the grid's values are true."""
        if axis is not None:
            raise NotTraceable("any or all along an axis")
        node = self._truth_node(value)
        if not isinstance(node, Node):
            return bool(node)
        self._bounded(node)
        always = asked is np.all
        same = all_are(self.axes, node, always)
        if same:
            self.absent[(node.number, always)] = (node, always)
        return same == always

    def _truth_node(self, value: Any) -> Any:
        found = self.operand(value)
        is_number = isinstance(found, Node) and not found.truth
        return self.graph.compute("not_equal", found, 0.0) if is_number else found


def _power(base: Any, exponent: float) -> tuple[str, tuple[Any, ...]]:
    """Powers as numpy does them of arrays: squares and roots are not left to `pow`."""
    if exponent == 1:
        return "same", (base,)
    if exponent == 2:
        return "square", (base,)
    if exponent == 0.5:
        return "sqrt", (base,)
    if exponent == -1:
        return "divide", (1.0, base)
    return "power", (base, exponent)


def trace(
    kernel: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    axes: Sequence[Mapping[str, np.ndarray]],
    most: float = math.inf,
) -> Trace:
    """Trace a kernel.

    Parameters
    ----------
    kernel : callable   From arrays by name, shaped to broadcast over the grid, to columns.
    axes : sequence of mappings   Of each axis the fields that vary along it.
    most : float        Values over which a condition may be asked; beyond it is refused.

    Raises
    ------
    NotTraceable   The kernel asks for values, or does what no graph can.
    """
    n = len(axes)
    recorder = Recorder(axes, most)
    given = {
        name: recorder.wrap(recorder.graph.input(name, i, n, len(column)))
        for i, fields in enumerate(axes)
        for name, column in fields.items()
    }
    columns = {name: recorder.operand(column) for name, column in kernel(given).items()}
    if any(has_own_axes(node) for node in columns.values()):
        raise NotTraceable("a column over an axis of the kernel's own")
    absent, known = tuple(recorder.absent.values()), tuple(recorder.known.values())
    return Trace(recorder.graph, columns, n, absent, known)
