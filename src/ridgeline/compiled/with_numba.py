"""Write a program down as loops, and have numba compile them (extra ``[fast]``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.graph import LOOKUP, REDUCTIONS, Node
from ridgeline.compiled.library import compiled_module
from ridgeline.compiled.program import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ridgeline.compiled.graph import AxisId
    from ridgeline.compiled.program import Face, Stage

__all__ = ["StageWithNumba", "functions_of", "source_of"]

_HEAD = '''"""Loops of a kernel, written by ridgeline.compiled. Safe to delete."""
from numba import njit
from ridgeline.compiled.loops import Apart, step
'''
_ARRAY = "float64[:, ::1]"
_OPTIONS = 'error_model="numpy", nogil=True'
#: values along the innermost loop that are taken together
_PIECE = 128
#: only compiled code calls the loops themselves, and what is stored of it holds them
_INNER = "pipeline_class=Apart, no_cpython_wrapper=True, no_cfunc_wrapper=True"
#: whole powers up to this are products: a tenth of the time of others, a rounding or two more
_LARGEST_PRODUCT = 16


def source_of(stages: Sequence[Stage]) -> str:
    """Loops of stages as one module: the same for programs of one structure, whatever constants.

    Parameters
    ----------
    stages : sequence of Stage

    Returns
    -------
    str   Python source. ``stage_0`` and so on take the constants, the lengths of the loops, an
          array of each face read and an array of each face written.
    """
    return "\n\n".join([_HEAD, *(_function(s, i) for i, s in enumerate(stages))])


def functions_of(stages: Sequence[Stage]) -> list[StageWithNumba]:
    """Compile stages, or take them from the store of compiled ones.

    Raises
    ------
    MissingExtraError   numba is not installed.
    """
    module = compiled_module(source_of(stages))
    return [StageWithNumba(s, getattr(module, f"stage_{i}")) for i, s in enumerate(stages)]


class StageWithNumba:
    """The loops of a stage; may be run by several threads at once.

    Parameters
    ----------
    stage : Stage
    function : callable   Of `source_of`.
    """

    def __init__(self, stage: Stage, function: Callable[..., None]) -> None:
        self.stage = stage
        self._function = function
        self._numbers = np.asarray(_numbers_of(stage), dtype=float)

    def __call__(self, lengths: Mapping[AxisId, int], arrays: Mapping[int, np.ndarray]) -> None:
        """Read and write the arrays of faces: see `StageWithNumpy`."""
        stage = self.stage
        loops = np.asarray([lengths[a] for a in stage.axes], dtype=np.int64)
        for face in stage.sums:
            for row, node in enumerate(face.nodes):
                arrays[id(face)][row] = REDUCTIONS[node.operation][1]
        given = [arrays[id(f)] for f in (*stage.reads, *stage.written)]
        self._function(self._numbers, loops, *given)


def _rows_written(stage: Stage) -> list[tuple[Face, int, Node]]:
    """Each row that is written, by its face and number."""
    return [(f, row, node) for f in stage.written for row, node in enumerate(f.nodes)]


def _function(stage: Stage, number: int) -> str:
    """Loops, and a function that hands them the faces.

    To the loops each row that is written is an array of its own, which overlaps with no other: a
    compiler that has to ask whether rows overlap does one value at a time.
    """
    written, rows = stage.written, _rows_written(stage)
    faces = [*stage.reads, *written]
    names = [f"f{i}" for i in range(len(faces))]
    reads = names[: len(stage.reads)]
    inner = [*reads, *(f"w{i}" for i in range(len(rows)))]
    of_rows = [f"{names[len(reads) + written.index(f)]}[{row} : {row + 1}]" for f, row, _ in rows]
    loops = _loops(stage)
    indices = [_index(face, stage, name) for face, name in zip(stage.reads, reads, strict=True)]
    indices += [_index(face, stage, "") for face, _, _ in rows]
    takes = ", ".join(["float64[::1]", "int64[::1]", *[_ARRAY] * len(faces)])
    return "\n".join(
        [
            f'step_{number} = step("""',
            *_Body(stage).lines,
            '""")',
            "",
            "",
            f"@njit({_OPTIONS}, {_INNER})",
            f"def loops_{number}(p, n, {', '.join(inner)}):",
            *_widths(stage, reads),
            *(f"{'    ' * (i + 1)}{line}" for i, line in enumerate(loops)),
            f"{'    ' * (len(loops) + 1)}step_{number}(p, ({', '.join(inner)},), "
            f"({', '.join(indices)},))",
            "",
            "",
            f'@njit("void({takes})", {_OPTIONS}, cache=CACHE)',
            f"def stage_{number}(p, n, {', '.join(names)}):",
            f"    loops_{number}(p, n, {', '.join([*reads, *of_rows])})",
        ]
    )


def _loops(stage: Stage) -> list[str]:
    """The heads of loops, outermost first.

    Beside axes of the kernel's own, the innermost goes piece by piece: what does not vary along
    those is read again for each of their places, and a piece of it stays in the cache.
    """
    last = len(stage.axes) - 1
    ranges = [f"range(n[{i}])" for i in range(last + 1)]
    if last < 1 or isinstance(stage.axes[0], int):
        return [f"for i{i} in {one}:" for i, one in enumerate(ranges)]
    ranges[last] = f"range(start, min(start + {_PIECE}, n[{last}]))"
    pieces = f"for start in range(0, n[{last}], {_PIECE}):"
    return [pieces, *(f"for i{i} in {one}:" for i, one in enumerate(ranges))]


def _is_looked_up(face: Face, stage: Stage) -> bool:
    """Whether it holds tables, whose rows run along an axis that no loop does."""
    return any(a not in stage.axes for a in face.axes)


def _widths(stage: Stage, reads: Sequence[str]) -> list[str]:
    """How many rows there are in tables."""
    found = []
    for face, name in zip(stage.reads, reads, strict=True):
        if _is_looked_up(face, stage):
            others = "".join(f" // n[{stage.axes.index(a)}]" for a in face.axes if a in stage.axes)
            found.append(f"    {name}_rows = {name}.shape[1]{others}")
    return found


def _index(face: Face, stage: Stage, name: str) -> str:
    """Flat index into a face within the loops of a stage; of a table, that of its first row."""
    places = [stage.axes.index(a) for a in face.axes if a in stage.axes]
    if not places:
        return "n.size - n.size"
    index = f"i{places[0]}"
    for place in places[1:]:
        index = f"({index}) * n[{place}] + i{place}"
    return f"({index}) * {name}_rows" if _is_looked_up(face, stage) else index


def _numbers_of(stage: Stage) -> list[float]:
    """Constants of a stage, one for each place: that two are equal is no part of the structure."""
    return [
        float(o)
        for node in stage.nodes
        if node.operation not in REDUCTIONS
        for o in (node.operands[:1] if _whole_power(node) else node.operands)
        if not isinstance(o, Node) and not isinstance(o, bool)
    ]


def _whole_power(node: Node) -> int:
    """A small whole exponent; 0 for all else."""
    exponent = node.operands[-1]
    if node.operation != "power" or isinstance(exponent, Node):
        return 0
    return int(exponent) if exponent in range(3, _LARGEST_PRODUCT + 1) else 0


class _Body:
    """What a stage does at one point, a line an operation: see `ridgeline.compiled.loops.step`.

    Parameters
    ----------
    stage : Stage

    Attributes
    ----------
    lines : list of str
    """

    def __init__(self, stage: Stage) -> None:
        self.lines: list[str] = []
        self._names: dict[int, str] = {}
        self._tables = {
            node.number: (i, row)
            for i, face in enumerate(stage.reads)
            for row, node in enumerate(face.nodes)
            if _is_looked_up(face, stage)
        }
        wanted = self._wanted(stage)
        for i, face in enumerate(stage.reads):
            for row, node in enumerate(face.nodes):
                if node.number in wanted:
                    self._named(node, f"{'truth' if node.truth else 'load'} {i} {row}")
        for node in stage.nodes:
            if node.operation not in REDUCTIONS:
                self._named(node, self._operation(node))
        for i, (_, _, node) in enumerate(_rows_written(stage), len(stage.reads)):
            reduced = node.operation in REDUCTIONS
            word, value = (node.operation, node.operands[0]) if reduced else ("store", node)
            self.lines.append(f"{word} {i} 0 {self._operand(value)}")

    @staticmethod
    def _wanted(stage: Stage) -> set[int]:
        """What of other stages' values is used in this one."""
        own = {n.number for n in stage.nodes if n.operation not in REDUCTIONS}
        used = (
            bare(o)
            for node in stage.nodes
            for o in (node.operands[:1] if node.operation == LOOKUP else node.operands)
        )
        return {n.number for n in used if isinstance(n, Node) and n.number not in own}

    def _named(self, node: Node, line: str) -> None:
        self._names[node.number] = f"a{len(self._names)}"
        self.lines.append(line)

    def _operation(self, node: Node) -> str:
        whole = _whole_power(node)
        if whole:
            return f"whole_power {self._operand(node.operands[0])} {whole}"
        if node.operation == LOOKUP:
            index, table = node.operands
            i, row = self._tables[table.number]
            return f"lookup {i} {row} {self._operand(index)}"
        return " ".join([node.operation, *map(self._operand, node.operands)])

    def _operand(self, value: Any) -> str:
        node = bare(value)
        if isinstance(node, Node):
            return self._names[node.number]
        return str(node).lower() if isinstance(node, bool) else "p"
