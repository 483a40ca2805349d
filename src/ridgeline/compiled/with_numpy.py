"""Run a stage with numpy: one call an operation, into buffers that are used again."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.graph import LOOKUP, REDUCTIONS, RUNNING, Node
from ridgeline.compiled.operations import OPERATIONS
from ridgeline.compiled.program import bare, last_uses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ridgeline.compiled.graph import AxisId
    from ridgeline.compiled.program import Face, Stage

__all__ = ["StageWithNumpy"]


def _reduction(ufunc: np.ufunc) -> Callable[..., None]:
    def reduced(values: np.ndarray, shape: tuple[int, ...], place: int, out: np.ndarray) -> None:
        ufunc.reduce(np.broadcast_to(values, shape), axis=place, out=out)

    return reduced


def _looked_up(index: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Rows of a table, which run along its last dimension, at the places that index gives."""
    *_, n = table.shape
    at = index.astype(np.intp)
    if table.shape[-2] == 1 and index.size == index.shape[-1]:
        lines = out.reshape(-1, out.shape[-1])
        np.take(table.reshape(-1, n), at.ravel(), axis=1, out=lines, mode="clip")
        return
    rows = np.broadcast_to(table, (*out.shape, n))
    whole = np.broadcast_to(at, out.shape)
    out[...] = np.take_along_axis(rows, whole[..., None], axis=-1)[..., 0]


def _run_along(values: np.ndarray, place: int, out: np.ndarray) -> None:
    # Not `accumulate`: along an outer dimension it goes value by value.
    one, total = (np.moveaxis(a, place, 0) for a in (np.broadcast_to(values, out.shape), out))
    np.copyto(total[0], one[0])
    for before, now, sums in zip(total, one[1:], total[1:], strict=False):
        np.add(before, now, out=sums)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: operation.numpy for name, operation in OPERATIONS.items()},
    **{name: _reduction(ufunc) for name, (ufunc, _) in REDUCTIONS.items()},
    LOOKUP: _looked_up,
    RUNNING: _run_along,
}
_KINDS = {False: float, True: bool}


class StageWithNumpy:
    """The operations of a stage, as calls of numpy's functions.

    Parameters
    ----------
    stage : Stage

    Notes
    -----
    Calls are written down as Python source: that is the least that a call can cost. One that is not
    for several threads at once, since they would share its buffers.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._shape: tuple[int, ...] | None = None
        self._buffers: list[np.ndarray] = []
        written = _Written(stage)
        self._run = _function(written.source())
        self._reads = written.reads
        self._sums = written.sums
        self._kinds = written.kinds
        self._numbers = tuple(written.numbers)

    def __call__(self, lengths: Mapping[AxisId, int], arrays: Mapping[int, np.ndarray]) -> None:
        """Read and write the arrays of faces.

        Parameters
        ----------
        lengths : mapping   Of each axis.
        arrays : mapping    Identity of a face to an array with a row for each of its nodes.
        """
        stage = self.stage
        shape = tuple(lengths[a] for a in stage.axes)
        if shape != self._shape:
            self._shape = shape
            self._buffers = [np.empty(shape, _KINDS[truth]) for truth in self._kinds]
        read = []
        for face, row, truth in self._reads:
            along = [lengths[a] if a in face.axes else 1 for a in stage.axes]
            # Of tables, rows that are looked up run along a dimension more, the last one.
            along += [lengths[a] for a in face.axes if a not in stage.axes]
            values = arrays[id(face)][row].reshape(along)
            read.append(values != 0 if truth else values)
        rows = [v.reshape(shape) for v in arrays[id(stage.writes)]] if stage.writes.nodes else []
        sums = []
        for face, row in self._sums:
            left = tuple(lengths[a] for a in stage.axes if a in face.axes)
            sums.append(arrays[id(face)][row].reshape(left))
        with np.errstate(all="ignore"):
            self._run(read, rows, sums, self._buffers, self._numbers, shape)


@lru_cache(maxsize=64)
def _function(source: str) -> Callable[..., None]:
    """The function ``run`` of a source; kernels of one structure share it."""
    scope: dict[str, Any] = dict(_FUNCTIONS, copyto=np.copyto)
    exec(compile(source, "<operations>", "exec"), scope)  # noqa: S102  (written by `_Written`)
    return scope["run"]


class _Written:
    """The source of a stage, and what its names stand for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reads: list[tuple[Face, int, bool]] = []
        self.sums: list[tuple[Face, int]] = []
        self.kinds: list[bool] = []
        self.numbers: list[float] = []
        self._names: dict[int, str] = {}
        self._known: dict[str, str] = {}
        self._free: dict[bool, list[str]] = {False: [], True: []}
        self._lines: list[str] = []

    def source(self) -> str:
        """A function ``run`` of what is read, rows written, sums, buffers and numbers."""
        stage = self.stage
        homes = {n.number: (f, i) for f in stage.reads for i, n in enumerate(f.nodes)}
        rows = {n.number: i for i, n in enumerate(stage.writes.nodes)}
        after = last_uses(stage)
        for i, node in enumerate(stage.nodes):
            operands = [self._operand(o, homes) for o in node.operands]
            if node.operation in REDUCTIONS:
                self._reduce(node, operands[0])
                continue
            if node.operation == RUNNING:
                operands.append(str(stage.axes.index(node.of)))
            self._step(node, operands, rows.get(node.number), after[i])
        lists = {"r": len(self.reads), "w": len(rows), "s": len(self.sums), "b": len(self.kinds)}
        lists["p"] = len(self.numbers)
        head = ["def run(r, w, s, b, p, shape):"]
        for name, n in lists.items():
            if n:
                head.append(f" {', '.join(f'{name}{i}' for i in range(n))}, = {name}")
        return "\n".join([*head, *(f" {line}" for line in self._lines), " return None"])

    def _operand(self, value: Any, homes: Mapping[int, tuple[Face, int]]) -> str:
        node = bare(value)
        if not isinstance(node, Node):
            if isinstance(node, bool):
                return str(node)
            key = float(node).hex()
            if key not in self._known:
                self._known[key] = f"p{len(self.numbers)}"
                self.numbers.append(float(node))
            return self._known[key]
        if node.number not in self._names:
            self._names[node.number] = f"r{len(self.reads)}"
            self.reads.append((*homes[node.number], node.truth))
        return self._names[node.number]

    def _step(self, node: Node, operands: list[str], row: int | None, after: list[Node]) -> None:
        ended = [(d.truth, self._names[d.number]) for d in after if d is not node]
        dying = [(truth, name) for truth, name in ended if name.startswith("b")]
        # A choice is made in two passes: its result must not take the place of an operand.
        late = node.operation.startswith("where") or node.operation in (LOOKUP, RUNNING)
        if not late:
            self._release(dying)
        name = f"w{row}" if row is not None and not node.truth else self._buffer(node.truth)
        self._names[node.number] = name
        self._lines.append(f"{node.operation}({', '.join(operands)}, out={name})")
        if late:
            self._release(dying)
        if row is not None and node.truth:
            self._lines.append(f"copyto(w{row}, {name})")
        if node in after and name.startswith("b"):
            self._release([(node.truth, name)])

    def _buffer(self, truth: bool) -> str:
        if not self._free[truth]:
            self._free[truth].append(f"b{len(self.kinds)}")
            self.kinds.append(truth)
        return self._free[truth].pop()

    def _release(self, names: list[tuple[bool, str]]) -> None:
        for truth, name in names:
            self._free[truth].append(name)

    def _reduce(self, node: Node, operand: str) -> None:
        face = next(f for f in self.stage.sums if any(n is node for n in f.nodes))
        place = self.stage.axes.index(node.of)
        name = f"s{len(self.sums)}"
        self.sums.append((face, face.row(node)))
        self._lines.append(f"{node.operation}({operand}, shape, {place}, {name})")
