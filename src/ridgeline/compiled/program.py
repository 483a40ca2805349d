"""A graph in stages: what varies over the same axes is computed together, and once."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ridgeline.compiled.graph import INPUT, LAID, LATE, REDUCTIONS, RUNNING, TABLE, Node
from ridgeline.compiled.operations import SLOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ridgeline.compiled.graph import AxisId

__all__ = ["Face", "Program", "Stage", "bare", "last_uses", "program_of"]

Axes = tuple["AxisId", ...]


def _ordered(axes: frozenset[AxisId]) -> Axes:
    """Axes of the kernel's own outside, those of the grid inside: these are the long ones."""
    own = sorted((a for a in axes if not isinstance(a, int)), key=lambda a: -a[1])
    return (*own, *sorted(a for a in axes if isinstance(a, int)))


@dataclass(slots=True)
class Face:
    """Values over some axes that later stages read: a row each in one array.

    Attributes
    ----------
    axes : tuple       Slowest first.
    nodes : list       In the order of the rows.
    kind : str         ``input``, ``table``, ``stage`` or ``sum``.
    """

    axes: Axes
    kind: str
    nodes: list[Node] = field(default_factory=list)

    def row(self, node: Node) -> int:
        """Where a node's values are."""
        return self.nodes.index(node)


@dataclass(slots=True)
class Stage:
    """Nodes over the same axes, in the order in which they can be computed.

    Attributes
    ----------
    axes : tuple        Loops, outermost first.
    nodes : list        Sums come last: each is of a node of this stage.
    runs : bool         Its nodes are running sums along a loop.
    is_slow : bool      numpy leaves one of its operations to Python.
    reads : list        Faces.
    writes : Face       Of values that others read.
    sums : list of Face Results of its sums and other reductions, one face for each choice of axes
                        that are left.
    """

    axes: Axes
    runs: bool = False
    is_slow: bool = False
    nodes: list[Node] = field(default_factory=list)
    reads: list[Face] = field(default_factory=list)
    writes: Face = field(default_factory=lambda: Face((), "stage"))
    sums: list[Face] = field(default_factory=list)

    @property
    def written(self) -> list[Face]:
        """Faces that it writes, which hold something."""
        return [f for f in (self.writes, *self.sums) if f.nodes]

    def operations(self, lengths: Mapping[AxisId, int]) -> float:
        """Element-wise operations over axes of these lengths. [1]"""
        return float(len(self.nodes) * math.prod(lengths[a] for a in self.axes))


@dataclass(frozen=True)
class Program:
    """What is computed, in stages, and where the columns are then.

    Attributes
    ----------
    stages : tuple of Stage
    faces : tuple of Face    All, inputs and tables first.
    columns : mapping        Name to node, or a number.
    n_axes : int             Of the grid.
    """

    stages: tuple[Stage, ...]
    faces: tuple[Face, ...]
    columns: dict[str, Any]
    n_axes: int

    def operations(self, lengths: Mapping[AxisId, int]) -> float:
        """Element-wise operations over a whole grid. [1]

        Parameters
        ----------
        lengths : mapping   Of each axis.
        """
        return float(sum(len(s.nodes) * math.prod(lengths[a] for a in s.axes) for s in self.stages))


def bare(node: Any) -> Any:
    """The node whose values these are, whatever dimensions of length one were put in."""
    while isinstance(node, Node) and node.operation == LAID:
        node = node.operands[0]
    return node


def _live(wanted: Sequence[Node]) -> list[Node]:
    """Nodes that are needed, in order."""
    found: dict[int, Node] = {}
    stack = list(wanted)
    while stack:
        node = stack.pop()
        if node.number not in found:
            found[node.number] = node
            stack += [b for o in node.operands if isinstance(b := bare(o), Node)]
    return [found[n] for n in sorted(found)]


def program_of(columns: Mapping[str, Any], n_axes: int) -> Program:
    """Sort what columns need into stages.

    Parameters
    ----------
    columns : mapping   Name to node of a graph, or a number.
    n_axes : int        Of the grid.
    """
    found = {name: bare(node) for name, node in columns.items()}
    wanted = [n for n in found.values() if isinstance(n, Node)]
    sorter = _Sorter()
    nodes = _live(wanted)
    for node in nodes:
        sorter.place(node)
    for node in nodes:
        sorter.link(node)
    for node in wanted:
        sorter.face_of(node)
    return Program(tuple(sorter.ordered()), tuple(sorter.faces()), found, n_axes)


def _operands(node: Node) -> list[Node]:
    return [b for o in node.operands if isinstance(b := bare(o), Node)]


class _Sorter:
    """Puts nodes into stages, and what stages take from each other into faces."""

    def __init__(self) -> None:
        self._level: dict[int, int] = {}
        self._stages: dict[tuple[int, Axes, bool], Stage] = {}
        self._given: dict[tuple[str, Axes], Face] = {}
        #: the stage that computes a node
        self._home: dict[int, Stage] = {}
        #: the face that holds a node for others
        self._face: dict[int, Face] = {}

    def place(self, node: Node) -> None:
        """Find the stage of a node, or its face where it is given; operands come before."""
        if node.operation in (INPUT, TABLE):
            key = (node.operation, _ordered(node.axes))
            face = self._given.setdefault(key, Face(key[1], node.operation))
            face.nodes.append(node)
            self._face[node.number] = face
            self._level[node.number] = 0
            return
        operands = _operands(node)
        # A sum is known when all loops of its stage have run: later stages take it. What runs
        # along a loop has a stage of its own.
        runs = node.operation == RUNNING
        before = (self._level[o.number] + (runs or o.operation in LATE) for o in operands)
        level = self._level[node.number] = max(before, default=0)
        axes = _ordered(operands[0].axes if node.operation in REDUCTIONS else node.axes)
        stage = self._stages.setdefault((level, axes, runs), Stage(axes, runs=runs))
        stage.writes.axes = axes
        stage.nodes.append(node)
        stage.is_slow |= node.operation in SLOW
        self._home[node.number] = stage

    def link(self, node: Node) -> None:
        """Have the stage of a node read what it needs from others."""
        stage = self._home.get(node.number)
        if stage is None:
            return
        for operand in _operands(node):
            if self._home.get(operand.number) is stage and operand.operation not in LATE:
                continue
            face = self.face_of(operand)
            if not any(face is known for known in stage.reads):
                stage.reads.append(face)
        if node.operation in REDUCTIONS:
            self.face_of(node)

    def face_of(self, node: Node) -> Face:
        """The face that holds a node, which is kept from now on."""
        if node.number not in self._face:
            stage = self._home[node.number]
            face = stage.writes
            if node.operation in REDUCTIONS:
                axes = _ordered(node.axes)
                known = [f for f in stage.sums if f.axes == axes]
                face = known[0] if known else Face(axes, "sum")
                stage.sums += [] if known else [face]
            face.nodes.append(node)
            self._face[node.number] = face
        return self._face[node.number]

    def ordered(self) -> list[Stage]:
        """Stages, each after those that it reads from."""
        found = []
        for key in sorted(self._stages, key=lambda k: (k[0], len(k[1]), str(k[1]))):
            stage = self._stages[key]
            stage.nodes.sort(key=lambda n: (n.operation in REDUCTIONS, n.number))
            found.append(stage)
        return found

    def faces(self) -> list[Face]:
        """All faces that hold something."""
        found = list(self._given.values())
        for stage in self._stages.values():
            found += stage.written
        return found


def last_uses(stage: Stage) -> dict[int, list[Node]]:
    """By place of a node in a stage: the values that nothing in the stage needs after it."""
    last: dict[int, int] = {}
    own = {n.number: n for n in stage.nodes}
    for i, node in enumerate(stage.nodes):
        last[node.number] = i
        last.update((o.number, i) for o in _operands(node) if o.number in own)
    found: dict[int, list[Node]] = defaultdict(list)
    for number, i in last.items():
        found[i].append(own[number])
    return found
