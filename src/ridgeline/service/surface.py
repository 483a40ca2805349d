"""Step time over live sequences: a few steps, from which thousands of service questions follow.

Steps are timed on one lattice of numbers of sequences, the same for every question, so that two
questions that share a replica and lengths get the same digits; straight lines lie between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ridgeline.service.requests import prompts_at_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ridgeline.kernels.calibration import Calibration
    from ridgeline.replica.readings import StepTime
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


@dataclass(frozen=True, slots=True)
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
        j = np.clip(np.floor(at), 0, most - 1).astype(np.intp)
        scale = np.exp2(np.arange(most) / self.per_octave)[j] * np.exp2(first)
        share = np.minimum((n / scale - 1) / (np.exp2(1.0 / self.per_octave) - 1), 1.0)
        return row * (most + 1) + j, share

    def at(self, index: Ints, share: Floats) -> Floats:
        """Values where `find` of a line over the same knots says."""
        flat = self.values.ravel()
        left = flat.take(index)
        return left + (flat.take(index + 1) - left) * share


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
    _counted: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_rows(self) -> int:
        """Surfaces: one per layout."""
        return int(np.size(self.replica.n_chips))

    def _groups(self) -> dict[str, tuple[tuple[Group, ...], Any]]:
        """Groups of the steps to be timed, and prompts at once; a row per layout."""
        live, some = lattice(self.most, LIVE)[None, :], lattice(self.most, MIXED)[None, :]
        found: dict[str, tuple[tuple[Group, ...], Any]] = {
            "live": ((self.requests.decode(live),), None)
        }
        if np.any(np.asarray(self.requests.osl) > 0):
            engine, layout = self.replica.engine, self.replica.as_column().layout
            ranks = layout.attn_dp * layout.pp
            for i, (_, part) in enumerate(self.requests.parts):
                alone = replace(part, osl=self.requests.osl, mix=())
                at_once = prompts_at_once(some, alone, engine, ranks)
                groups = (self.requests.decode(some), part.prompts(at_once, engine))
                found[f"mixed {i}"] = (groups, at_once)
        return found

    def times(self, cal: Calibration | None = None) -> StepTimes:
        """Time the steps.

        Parameters
        ----------
        cal : Calibration or None   Other constants; the ops are counted once for all of them.
        """
        if "live" not in self._counted:
            column = self.replica.as_column()
            for name, (groups, at_once) in self._groups().items():
                self._counted[name] = (column, column.step_sums(*groups), groups, at_once)
        shape = (self.n_rows, len(lattice(self.most, LIVE)))
        live = np.broadcast_to(self._live_seconds(cal), shape)
        first = np.zeros(self.n_rows)
        if "mixed 0" not in self._counted:
            return StepTimes(Line(first, live), Line(first, live * 0.0), 1.0)
        engine, added = self.replica.engine, np.zeros(1)
        for i, (weight, part) in enumerate(self.requests.parts):
            mixed, at_once = self._seconds(f"mixed {i}", cal), self._counted[f"mixed {i}"][3]
            beside = live[:, :: LIVE // MIXED]
            added = added + weight * prompt_seconds(beside, mixed, at_once, part.n_chunks(engine))
        return StepTimes.of(first, live, added, self.requests.n_chunks(engine))

    def live_step(self, cal: Calibration) -> StepTime:
        """Decode steps on the lattice with their parts; `times` of the same constants uses them."""
        column = self.replica.as_column().with_fitted(cal)
        step = column.step(self.requests.decode(lattice(self.most, LIVE)[None, :]))
        self._counted["live step"] = (cal, step)
        return step

    def _live_seconds(self, cal: Calibration | None) -> Any:
        known, step = self._counted.get("live step", (None, None))
        return self._seconds("live", cal) if known is None or known is not cal else step.time_s

    def _seconds(self, name: str, cal: Calibration | None) -> Any:
        column: Replica
        ops: StepOps
        column, ops, groups, _ = self._counted[name]
        column = column if cal is None else column.with_fitted(cal)
        return column.how.seconds(column, ops, groups)
