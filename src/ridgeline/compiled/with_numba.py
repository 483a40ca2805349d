"""Write a program down as loops, and have numba compile them (extra ``[fast]``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.graph import SUM, Node
from ridgeline.compiled.library import compiled_module
from ridgeline.compiled.operations import OPERATIONS
from ridgeline.compiled.program import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ridgeline.compiled.graph import AxisId
    from ridgeline.compiled.program import Face, Stage

__all__ = ["StageWithNumba", "functions_of", "source_of"]

_HEAD = '''"""Loops of a kernel, written by ridgeline.compiled. Safe to delete."""
from numba import njit
from ridgeline.compiled.intrinsics import *  # noqa: F403
'''
_ARRAY = "float64[:, ::1]"
#: whole powers up to this are products: a tenth of the time of the C library's, a rounding or two
#: more
_LARGEST_PRODUCT = 16
_OPTIONS = 'error_model="numpy", nogil=True'


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
            arrays[id(face)][:] = 0.0
        given = [arrays[id(f)] for f in (*stage.reads, *_written(stage))]
        self._function(self._numbers, loops, *given)


def _written(stage: Stage) -> list[Face]:
    return [f for f in (stage.writes, *stage.sums) if f.nodes]


def _numbers_of(stage: Stage) -> list[float]:
    """Constants of a stage in the order of their first use."""
    found = {}
    for node in stage.nodes:
        for o in node.operands:
            if not isinstance(o, Node) and not isinstance(o, bool):
                found.setdefault(float(o).hex(), float(o))
    return list(found.values())


def _function(stage: Stage, number: int) -> str:
    writes = _written(stage)
    names = [f"r{i}" for i in range(len(stage.reads))] + [f"w{i}" for i in range(len(writes))]
    arrays = ", ".join([_ARRAY] * len(names))
    body = _Body(stage, writes)
    lines = [
        f'@njit("void(float64[::1], int64[::1], {arrays})", {_OPTIONS}, cache=CACHE)',
        f"def stage_{number}(p, n, {', '.join(names)}):",
        *(f"    {name} = p[{i}]" for i, name in enumerate(body.numbers.values())),
        *body.lines(),
    ]
    return "\n".join(lines)


def _whole_power(node: Node) -> str:
    """A small whole power by squaring; blank for all else."""
    exponent = node.operands[-1]
    if node.operation != "power" or isinstance(exponent, Node):
        return ""
    if exponent not in range(3, _LARGEST_PRODUCT + 1):
        return ""
    factors, square = [], "{0}"
    for bit in reversed(f"{int(exponent):b}"):
        factors += [square] if bit == "1" else []
        square = f"({square} * {square})"
    return " * ".join(factors)


class _Body:
    """The loops of a stage."""

    def __init__(self, stage: Stage, writes: list[Face]) -> None:
        self.stage, self.writes = stage, writes
        self.names: dict[int, str] = {}
        given = (float(v).hex() for v in _numbers_of(stage))
        self.numbers = {key: f"p{i}" for i, key in enumerate(given)}

    def lines(self) -> list[str]:
        stage, found = self.stage, []
        depth = len(stage.axes)
        lengths = [f"    n{i} = n[{i}]" for i in range(depth)]
        found += lengths
        read = self._loads()
        for level in range(depth + 1):
            pad = "    " * (level + 1)
            found += [pad + line for line in read.get(level, [])]
            if level < depth:
                found.append(f"{pad}for i{level} in range(n{level}):")
        pad = "    " * (depth + 1)
        found += [pad + line for line in self._computed()]
        return found

    def _index(self, face: Face) -> tuple[str, int]:
        """Flat index into a face, and the loop at which it is known."""
        places = [self.stage.axes.index(a) for a in face.axes]
        if not places:
            return "0", 0
        index = f"i{places[0]}"
        for place in places[1:]:
            index = (
                f"({index}) * n{place} + i{place}"
                if " " in index
                else (f"{index} * n{place} + i{place}")
            )
        return index, max(places) + 1

    def _loads(self) -> dict[int, list[str]]:
        """Reading of what is not of this stage, by loop; zeros where sums begin."""
        wanted: dict[int, Node] = {}
        own = {n.number for n in self.stage.nodes}
        for node in self.stage.nodes:
            for o in node.operands:
                b = bare(o)
                if isinstance(b, Node) and (b.number not in own or b.operation == SUM):
                    wanted[b.number] = b
        found: dict[int, list[str]] = {}
        for i, face in enumerate(self.stage.reads):
            index, level = self._index(face)
            for row, node in enumerate(face.nodes):
                if node.number not in wanted:
                    continue
                name = self.names[node.number] = f"a{len(self.names)}"
                load = f"r{i}[{row}, {index}]"
                found.setdefault(level, []).append(
                    f"{name} = {load} != 0.0" if node.truth else f"{name} = {load}"
                )
        return found

    def _operand(self, value: Any) -> str:
        node = bare(value)
        if isinstance(node, Node):
            return self.names[node.number]
        if isinstance(node, bool):
            return str(node)
        return self.numbers[float(node).hex()]

    def _computed(self) -> list[str]:
        found = []
        for node in self.stage.nodes:
            if node.operation == SUM:
                continue
            text = _whole_power(node) or OPERATIONS[node.operation].code
            text = text.format(*map(self._operand, node.operands))
            name = self.names[node.number] = f"a{len(self.names)}"
            found.append(f"{name} = {text}")
        for i, face in enumerate(self.writes):
            index, _ = self._index(face)
            for row, node in enumerate(face.nodes):
                target = f"w{i}[{row}, {index}]"
                if node.operation == SUM:
                    value = self._operand(node.operands[0])
                    found.append(f"{target} += {value}")
                else:
                    name = self.names[node.number]
                    found.append(
                        f"{target} = select({name}, 1.0, 0.0)"
                        if node.truth
                        else (f"{target} = {name}")
                    )
        return found or ["pass"]
