"""A kernel on grids: traced once, faces computed once, blocks by numpy or by compiled loops."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.compiled.graph import Node
from ridgeline.compiled.library import has_numba, is_loaded, is_stored
from ridgeline.compiled.program import program_of
from ridgeline.compiled.trace import shaped, trace
from ridgeline.compiled.with_numba import functions_of, source_of
from ridgeline.compiled.with_numpy import StageWithNumpy
from ridgeline.errors import RidgelineError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ridgeline.compiled.graph import AxisId
    from ridgeline.compiled.program import Face, Stage
    from ridgeline.compiled.trace import Trace

    Axes = Sequence[Mapping[str, np.ndarray]]

__all__ = ["WAYS", "OnGrid", "TracedKernel"]

_LOG = logging.getLogger(__name__)

#: how a kernel is run: as costs least, as costs least whatever was compiled before, as it is, or
#: traced and run with one or the other
WAYS = ("auto", "shared", "untraced", "numpy", "numba")
#: a stage over some of the grid's axes is computed once for all blocks up to so many values
_WHOLE_VALUES = 1 << 16
#: conditions are answered for the whole grid up to so many values
_CONDITION_VALUES = 1 << 22
#: stages with less of all operations than this are left to numpy: compiling them costs more
_HEAVY_SHARE = 0.02
#: and so are those with so few that they wait for memory, whoever does them
_FEW_OPERATIONS = 8
#: seconds that numpy takes for an operation, and the share that compiled loops save: to choose by
_NUMPY_S, _SAVED = 4e-10, 0.45
#: seconds to start numba, to compile an operation, and to load what was compiled
_START_S, _COMPILE_S, _LOAD_S = 1.2, 2.5e-3, 0.05
#: name of the column that says where a point needs a branch that the program does not have
_MISSING = ""
#: programs of one kernel that are kept: it does something else where other branches are needed
_MOST_TRACES = 8


class TracedKernel:
    """A kernel that is traced where that pays and can be done, and else run as it is.

    Parameters
    ----------
    kernel : callable   From arrays by name, shaped to broadcast over the grid, to columns. Each
                        point's columns follow from its own values alone.
    n_points : float    Of all that will be evaluated, which tells what pays.
    way : str           Of `WAYS`.
    columns : iterable of str or None   Those that are wanted; all where one of them is not there.

    Raises
    ------
    SpecError           Another way.
    """

    def __init__(
        self,
        kernel: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        n_points: float,
        *,
        way: str = "auto",
        columns: Iterable[str] | None = None,
    ) -> None:
        if way not in WAYS:
            ways = ", ".join(w for w in WAYS if w != "shared")
            raise SpecError(f"run_as: one of {ways} is expected, not {way!r}.")
        self.kernel = kernel
        self._n_points = n_points
        self._way = way
        self._wanted = None if columns is None else frozenset(columns)
        self._traces: list[_Traced] = []
        self._as_it_is = way == "untraced"
        #: why the kernel is not traced; blank where it is
        self.refused = ""

    def on(self, axes: Axes) -> OnGrid | None:
        """The kernel on a grid, or on a part of one.

        Parameters
        ----------
        axes : sequence of mappings   Of each axis the fields that vary along it. Names are the same
                                      at every call.

        Returns
        -------
        OnGrid or None   None where the kernel is to be run as it is: where it asks for values, and
                         ``untraced``.

        Raises
        ------
        MissingExtraError   numba is asked for and not installed.
        """
        if self._as_it_is or 0 in (len(next(iter(f.values()))) for f in axes):
            return None
        found = next((t for t in self._traces if t.trace.knows(axes)), None) or self._new(axes)
        return None if found is None else self._bound(found, axes)

    def elsewhere(self, axes: Axes) -> OnGrid | None:
        """The same where a point needs a branch that the program of `on` does not have."""
        found = next((t for t in self._traces if t.trace.holds(axes)), None) or self._new(axes)
        return None if found is None else self._bound(found, axes)

    def _bound(self, found: _Traced, axes: Axes) -> OnGrid:
        n_here = math.prod(len(next(iter(f.values()))) for f in axes)
        return OnGrid(self, found, axes, self._way, self._n_points / n_here)

    def _new(self, axes: Axes) -> _Traced | None:
        if len(self._traces) >= _MOST_TRACES:
            return None
        try:
            found = _Traced(trace(self.kernel, axes, _CONDITION_VALUES), self._wanted)
        except Exception as error:
            # Run as it is, the kernel says what is wrong, if anything is.
            _LOG.debug("%s is run as it is: %s", self.kernel, error, exc_info=True)
            self._as_it_is, self.refused = True, f"{type(error).__name__}: {error}"
            return None
        self._traces.append(found)
        return found


class _Traced:
    """A trace and its program; what its stages run in is made once."""

    def __init__(self, found: Trace, wanted: frozenset[str] | None) -> None:
        self.trace = found
        # An error about a column that is not there names all that are.
        few = wanted is not None and wanted <= found.columns.keys()
        names = [n for n in found.columns if not few or n in (wanted or ())]
        columns = {n: found.columns[n] for n in names}
        if found.missing is not None:
            columns[_MISSING] = found.missing
        self.program = program_of(columns, found.n_axes)
        self._given_away = {
            id(f)
            for f in self.program.faces
            if any(n is c for n in f.nodes for c in self.program.columns.values())
        }
        self.homes = {n.number: (f, i) for f in self.program.faces for i, n in enumerate(f.nodes)}
        self._compiled: dict[int, Any] = {}
        self._is_decided = False
        self._local = threading.local()

    def decide(self, chosen: Callable[[], list[Stage]], way: str) -> None:
        """Have stages run in compiled loops: decided on the first grid, for all parts of a study.

        Raises
        ------
        RidgelineError   numba is asked for and cannot be had; else numpy takes its place.
        """
        if self._is_decided:
            return
        self._is_decided = True
        stages = chosen()
        try:
            functions = functions_of(stages) if stages else []
        except RidgelineError as error:
            if way == "numba":
                raise
            warnings.warn(f"{error} Numpy takes its place.", RuntimeWarning, stacklevel=2)
            return
        self._compiled |= {id(f.stage): f for f in functions}

    def runner(self, stage: Stage) -> Any:
        """What computes a stage in this thread."""
        if id(stage) in self._compiled:
            return self._compiled[id(stage)]
        known: dict[int, Any] = self._local.__dict__.setdefault("known", {})
        if id(stage) not in known:
            known[id(stage)] = StageWithNumpy(stage)
        return known[id(stage)]

    def room(self, face: Face, size: int) -> np.ndarray:
        """An array for a face: the one of the block before, unless columns were given away of it.

        A new one each time would be memory that the system clears first.
        """
        shape = (len(face.nodes), size)
        if id(face) in self._given_away:
            return np.empty(shape)
        known: dict[int, np.ndarray] = self._local.__dict__.setdefault("rooms", {})
        found = known.get(id(face))
        if found is None or found.shape != shape:
            found = known[id(face)] = np.empty(shape)
        return found

    @property
    def is_compiled(self) -> bool:
        """Whether any stage runs in compiled loops."""
        return bool(self._compiled)


class OnGrid:
    """The program of a kernel on one grid; several threads may call it.

    Parameters
    ----------
    owner : TracedKernel
    found : _Traced
    axes : sequence of mappings
    way : str       Of `WAYS`.
    times : float   How many such grids will be evaluated in all.
    """

    def __init__(
        self, owner: TracedKernel, found: _Traced, axes: Axes, way: str, times: float
    ) -> None:
        self._owner, self._found, self._axes = owner, found, axes
        self._instead: OnGrid | None = None
        self._is_wrong = False
        self._program = found.program
        own = {i: len(next(iter(f.values()))) for i, f in enumerate(axes)}
        self._lengths: dict[AxisId, int] = {**found.trace.graph.lengths, **own}
        self._whole: dict[int, np.ndarray] = {}
        self._long: dict[int, list[np.ndarray]] = {}
        for face in self._program.faces:
            if face.kind == "input":
                (axis,) = face.axes
                each = [np.asarray(axes[axis][n.of]) for n in face.nodes]  # pyright: ignore[reportArgumentType, reportCallIssue]
                if own[axis] > _WHOLE_VALUES:  # pyright: ignore[reportArgumentType]
                    # Only blocks read it: laid side by side there, it is copied once.
                    self._long[id(face)] = each
                else:
                    self._whole[id(face)] = np.asarray(each, dtype=float)
            elif face.kind == "table":
                self._whole[id(face)] = np.asarray([n.of.ravel() for n in face.nodes], dtype=float)
        once, self._each = self._parted()
        found.decide(lambda: self._chosen(way, times), way)
        for stage in once:
            for face in stage.written:
                size = math.prod(self._lengths[a] for a in face.axes)
                self._whole[id(face)] = np.empty((len(face.nodes), size))
            found.runner(stage)(self._lengths, self._whole)

    @property
    def is_compiled(self) -> bool:
        """Whether any stage runs in compiled loops."""
        return self._found.is_compiled

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages of the program."""
        return self._program.stages

    @cached_property
    def n_operations(self) -> float:
        """Element-wise operations over the grid. [1]"""
        return self._program.operations(self._lengths)

    def _parted(self) -> tuple[list[Stage], list[Stage]]:
        """Stages computed once for the whole grid, and those of each block."""
        once: list[Stage] = []
        each: list[Stage] = []
        whole = set(self._whole)
        for stage in self._program.stages:
            grid = [a for a in stage.axes if isinstance(a, int)]
            values = math.prod(self._lengths[a] for a in stage.axes)
            fits = len(grid) < self._program.n_axes and values <= _WHOLE_VALUES
            # What reads of a block is of the block, however small it is.
            if fits and all(id(face) in whole for face in stage.reads):
                once.append(stage)
                whole |= {id(face) for face in stage.written}
            else:
                each.append(stage)
        return once, each

    def _chosen(self, way: str, times: float) -> list[Stage]:
        """Stages that are worth compiled loops."""
        whole = self.n_operations
        least = _HEAVY_SHARE * whole
        heavy = [
            s
            for s in self._each
            if s.is_slow
            or (len(s.nodes) > _FEW_OPERATIONS and s.operations(self._lengths) >= least)
        ]
        heavy = [s for s in heavy if not s.runs]
        if way == "numba":
            return heavy
        if way == "numpy" or not heavy or not has_numba():
            return []
        saved_s = whole * times * _NUMPY_S * _SAVED
        compile_s = _COMPILE_S * sum(len(s.nodes) for s in heavy)
        if way == "shared":
            return heavy if saved_s > _START_S + compile_s else []
        start_s = 0.0 if is_loaded() else _START_S
        # The store is not asked on behalf of small grids.
        if saved_s < start_s + _LOAD_S:
            return []
        ready_s = _LOAD_S if is_stored(source_of(heavy)) else compile_s
        return heavy if saved_s > start_s + ready_s else []

    def __call__(self, cut: Sequence[slice]) -> dict[str, Any]:
        """Columns of a block, each of a shape that broadcasts over it.

        Parameters
        ----------
        cut : sequence of slice   One for each axis of the grid, without steps.
        """
        if not self._is_wrong:
            columns = self._computed(cut)
            if not np.any(columns.pop(_MISSING, False)):
                return columns
            self._is_wrong, self._instead = True, self._owner.elsewhere(self._axes)
        if self._instead is not None:
            return self._instead(cut)
        own = [{n: v[c] for n, v in f.items()} for f, c in zip(self._axes, cut, strict=True)]
        return dict(self._owner.kernel(shaped(own)))

    def _computed(self, cut: Sequence[slice]) -> dict[str, Any]:
        own = {i: len(range(*c.indices(self._lengths[i]))) for i, c in enumerate(cut)}
        lengths: dict[AxisId, int] = {**self._lengths, **own}
        arrays = {
            id(face): self._sliced(face, cut, lengths)
            for face in self._program.faces
            if id(face) in self._whole or id(face) in self._long
        }
        for stage in self._each:
            for face in stage.written:
                size = math.prod(lengths[a] for a in face.axes)
                arrays[id(face)] = self._found.room(face, size)
            self._found.runner(stage)(lengths, arrays)
        return {n: self._column(v, lengths, arrays) for n, v in self._program.columns.items()}

    def _sliced(
        self, face: Face, cut: Sequence[slice], lengths: Mapping[AxisId, int]
    ) -> np.ndarray:
        """The part of a face that a block reads."""
        if id(face) in self._long:
            (axis,) = face.axes
            return np.asarray([v[cut[axis]] for v in self._long[id(face)]], dtype=float)  # pyright: ignore[reportCallIssue, reportArgumentType]
        values = self._whole[id(face)]
        if all(lengths[a] == self._lengths[a] for a in face.axes):
            return values
        own = values.reshape(len(values), *(self._lengths[a] for a in face.axes))
        cuts = [cut[a] if isinstance(a, int) else slice(None) for a in face.axes]
        return np.ascontiguousarray(own[(slice(None), *cuts)]).reshape(len(values), -1)

    def _column(
        self, node: Any, lengths: Mapping[AxisId, int], arrays: Mapping[int, np.ndarray]
    ) -> Any:
        if not isinstance(node, Node):
            return node
        face, row = self._found.homes[node.number]
        shape = [lengths[i] if i in face.axes else 1 for i in range(self._program.n_axes)]
        values = arrays[id(face)][row].reshape(shape)
        if node.truth:
            return values != 0
        # Columns may share their values, with each other and with what later blocks read.
        values.flags.writeable = False
        return values
