"""Step time over live sequences: a few steps, from which thousands of service questions follow.

Steps are timed on one lattice of numbers of sequences, the same for every question, so that two
questions that share a replica and lengths get the same digits; straight lines lie between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.replica.readings import StepTime
from ridgeline.service.requests import prompts_at_once
from ridgeline.steps.bind import bound
from ridgeline.steps.micro_batches import may_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica.replica import Replica
    from ridgeline.service.requests import Requests
    from ridgeline.steps.op import StepOps
    from ridgeline.steps.tokens import Group

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

__all__ = [
    "LIVE",
    "MIXED",
    "Line",
    "StepSurface",
    "StepTimes",
    "lattice",
    "octaves",
    "prompt_seconds",
]

#: rows that are worth telling apart
_MANY_ROWS = 32
#: knots per octave of decode steps; of steps with prompts, which are nearly straight in n
LIVE, MIXED = 2, 1


def octaves(low: Any, high: Any) -> tuple[Any, Any]:
    """The octaves of the lattice that hold a range: the first, and how many. [1]

    Examples
    --------
    >>> first, n = octaves(3.0, 100.0)
    >>> int(first), int(n)
    (1, 6)
    """
    first = np.floor(np.log2(np.maximum(low, 1.0)))
    last = np.maximum(np.ceil(np.log2(np.maximum(high, 1.0))), first + 1)
    return first, last - first


def lattice(most: float, per_octave: int) -> Floats:
    """Numbers of live sequences from 1 to at least `most`. [1]

    Examples
    --------
    >>> lattice(6.0, 1).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    _, n_octaves = octaves(1.0, most)
    return np.exp2(np.arange(int(n_octaves) * per_octave + 1) / per_octave)


@cache
def _knots(n: int, per_octave: int) -> Floats:
    """The first knots of the lattice. [1]"""
    return np.exp2(np.arange(n) / per_octave)


@dataclass(frozen=True)
class Line:
    """Values on the lattice, a row per surface, straight lines between; the first goes on below.

    Attributes
    ----------
    first : array of int   Octave of the first knot of each row.
    values : array         Rows of knots.
    per_octave : int       Knots per octave.
    """

    first: Any
    values: Floats
    per_octave: int = LIVE

    def __call__(self, n: Any, row: Any = 0) -> Floats:
        """The value at `n` of a row; above the last knot that knot's."""
        return self.at(*self.find(n, row))

    def find(self, n: Any, row: Any = 0) -> tuple[Ints, Floats]:
        """Where `n` lies in any line over the same knots: flat index of the knot below, and the
        share of the way to the next. [1]
        """  # noqa: D205
        first, most = self.first[row], self.values.shape[1] - 1
        at = self.per_octave * (np.log2(n) - first)
        j = np.minimum(np.maximum(at, 0), most - 1).astype(np.intp)
        scale = _knots(most, self.per_octave)[j] * np.exp2(first)
        share = np.minimum((n / scale - 1) / (np.exp2(1.0 / self.per_octave) - 1), 1.0)
        return row * (most + 1) + j, share

    def at(self, index: Ints, share: Floats) -> Floats:
        """Values where `find` of a line over the same knots says."""
        return self._flat.take(index) + self._rise.take(index) * share

    @cached_property
    def _flat(self) -> Floats:
        return self.values.ravel()

    @cached_property
    def _rise(self) -> Floats:
        """From each knot to the next; what is read across rows, nothing reads."""
        with np.errstate(invalid="ignore"):
            return np.append(np.diff(self._flat), 0.0)


def prompt_seconds(live_s: Any, mixed_s: Any, at_once: Any, n_chunks: Any) -> Any:
    """What a prompt adds to the steps that it is in. [s]

    Parameters
    ----------
    live_s, mixed_s : array   A decode step, and the same with a chunk of each prompt. [s]
    at_once : array           Prompts in it. [1]
    n_chunks : array          Steps that a prompt is cut into. [1]
    """
    return n_chunks * np.maximum(mixed_s - live_s, 0.0) / at_once


@dataclass(frozen=True, slots=True)
class StepTimes:
    """What a service is made of: steps and prompts over live sequences, on the same knots.

    Attributes
    ----------
    step, prompt : Line   Decode step; what a prompt adds to the steps it is in. [s]
    n_chunks : array      Steps a prompt is cut into, of each row. [1]
    """

    step: Line
    prompt: Line
    n_chunks: Any

    @classmethod
    def of(cls, first: Any, live_s: Any, added_s: Any, n_chunks: Any) -> StepTimes:
        """Put knots of steps and of prompts on one lattice.

        Parameters
        ----------
        first : array             Octave of the first knot of each row.
        live_s, added_s : array   Rows of `LIVE` and of `MIXED` knots per octave. [s]
        n_chunks : array          Steps a prompt is cut into. [1]
        """
        live_s = np.ascontiguousarray(live_s, dtype=float)
        finer = np.empty_like(live_s)
        coarse = np.broadcast_to(added_s, (*live_s.shape[:-1], added_s.shape[-1]))
        finer[:, ::LIVE] = coarse
        for k in range(1, LIVE):
            share = (2.0 ** (k / LIVE) - 1) / (2.0 - 1)
            finer[:, k::LIVE] = coarse[:, :-1] + share * (coarse[:, 1:] - coarse[:, :-1])
        return cls(Line(first, live_s), Line(first, finer), n_chunks)

    def at(self, n: Any, row: Any) -> tuple[Floats, Floats]:
        """Step and prompt with n live sequences. [s]"""
        where = self.step.find(n, row)
        return self.step.at(*where), self.prompt.at(*where)


@dataclass
class StepSurface:
    """The surface of a replica (or of many layouts of one) for requests.

    Attributes
    ----------
    replica : Replica     Degrees of its layout may be 1-D arrays: a row each.
    requests : Requests
    most : float          Largest number of live sequences to be asked about, of any row. [1]
    """

    replica: Replica
    requests: Requests
    most: float
    _counted: dict[str, StepOps] = field(default_factory=dict, repr=False)
    _known_live: tuple[Calibration | None, StepTime | None] = (None, None)

    @property
    def n_rows(self) -> int:
        """Surfaces: one per layout."""
        return int(np.size(self.replica.n_chips))

    @cached_property
    def _column(self) -> Replica:
        return self.replica.as_column()

    @cached_property
    def _groups(self) -> dict[str, tuple[tuple[Group, ...], Any]]:
        """Groups of the steps to be timed, and prompts at once; a row per layout."""
        live, some = lattice(self.most, LIVE)[None, :], lattice(self.most, MIXED)[None, :]
        found: dict[str, tuple[tuple[Group, ...], Any]] = {
            "live": ((self.requests.decode(live),), None)
        }
        if np.any(np.asarray(self.requests.osl) > 0):
            engine, layout = self.replica.engine, self._column.layout
            ranks = layout.attn_dp * layout.pp
            for i, (_, part) in enumerate(self.requests.parts):
                alone = replace(part, osl=self.requests.osl, mix=())
                at_once = prompts_at_once(some, alone, engine, ranks)
                groups = (self.requests.decode(some), part.prompts(at_once, engine))
                found[f"mixed {i}"] = (groups, at_once)
        return found

    @cached_property
    def _apart(self) -> list[tuple[Ints, StepSurface]]:
        """Many rows by whether their steps may run in two micro-batches: only these count halves.

        Rows of each, with their surface; none where all are alike.
        """
        if self.n_rows < _MANY_ROWS or not self.replica.how.calibrated:
            return []
        one, layout = self.replica, self.replica.layout
        may = may_split(one.model, layout, one.cluster.domain_size, one.expert_rules)
        may = np.broadcast_to(may, (self.n_rows,))
        if may.all() or not may.any():
            return []
        found = []
        for rows in (np.flatnonzero(~may), np.flatnonzero(may)):
            own = bound({"x": layout}, {f"x.{n}": v[rows] for n, v in layout if np.ndim(v)})["x"]
            found.append((rows, replace(self, replica=replace(one, layout=own), _counted={})))
        return found

    def _placed(self, values: Sequence[Any]) -> Floats:
        """Values of the surfaces that are apart, in the rows of this one."""
        shape = (self.n_rows, len(lattice(self.most, LIVE)))
        found = np.empty(shape, dtype=np.result_type(*values))
        for (rows, _), value in zip(self._apart, values, strict=True):
            found[rows] = value
        return found

    def times(self, cal: Calibration | None = None) -> StepTimes:
        """Time the steps.

        Parameters
        ----------
        cal : Calibration or None   Other constants; the ops are counted once for all of them.
        """
        first = np.zeros(self.n_rows)
        if self._apart:
            each = [surface.times(cal) for _, surface in self._apart]
            steps = Line(first, self._placed([t.step.values for t in each]))
            prompts = Line(first, self._placed([t.prompt.values for t in each]))
            return StepTimes(steps, prompts, each[0].n_chunks)
        shape = (self.n_rows, len(lattice(self.most, LIVE)))
        live = np.broadcast_to(self._live_seconds(cal), shape)
        if "mixed 0" not in self._groups:
            return StepTimes(Line(first, live), Line(first, live * 0.0), 1.0)
        engine, added = self.replica.engine, np.zeros(1)
        for i, (weight, part) in enumerate(self.requests.parts):
            mixed, at_once = self._seconds(f"mixed {i}", cal), self._groups[f"mixed {i}"][1]
            beside = live[:, :: LIVE // MIXED]
            added = added + weight * prompt_seconds(beside, mixed, at_once, part.n_chunks(engine))
        return StepTimes.of(first, live, added, self.requests.n_chunks(engine))

    def live_step(self, cal: Calibration) -> StepTime:
        """Decode steps on the lattice with their parts; `times` of the same constants uses them."""
        if self._apart:
            each = [surface.live_step(cal) for _, surface in self._apart]
            parts = {
                name: self._placed([t.parts_s[name] for t in each]) for name in each[0].parts_s
            }
            names = ("bottleneck", "compute_at_peak_s", "read_at_peak_s", "hidden_s")
            rest = {name: self._placed([getattr(t, name) for t in each]) for name in names}
            return StepTime(self._placed([t.time_s for t in each]), parts, **rest)
        groups, ops = self._groups["live"][0], self._ops("live")
        step = self._column.how.step(self._column.with_fitted(cal), ops, groups)
        self._known_live = (cal, step)
        return step

    def _live_seconds(self, cal: Calibration | None) -> Any:
        known, step = self._known_live
        return self._seconds("live", cal) if step is None or known is not cal else step.time_s

    def _ops(self, name: str) -> StepOps:
        """Ops of a step, counted once for all constants."""
        if name not in self._counted:
            self._counted[name] = self._column.step_sums(*self._groups[name][0])
        return self._counted[name]

    def _seconds(self, name: str, cal: Calibration | None) -> Any:
        column = self._column if cal is None else self._column.with_fitted(cal)
        return column.how.seconds(column, self._ops(name), self._groups[name][0])
